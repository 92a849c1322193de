"""What holds for each environment that we name."""

from pathlib import Path

import numpy as np
import pytest

from cwm.core.errors import PrerequisiteError
from envs.collect import CollectConfig, collect
from envs.coverage import coverage
from envs.registry import OWN, find
from envs.snapshots import open_with_snapshots, restores_exactly
from envs.spec import EnvSpec
from envs.text_games.textworld import env as textworld

CLASSIC = (
    *("CartPole-v1", "MountainCar-v0", "MountainCarContinuous-v0", "Pendulum-v1"),
    *("Acrobot-v1", "CliffWalking-v1", "Taxi-v4", "Blackjack-v1", "FrozenLake-v1"),
)
MUJOCO = (
    *("InvertedPendulum-v5", "InvertedDoublePendulum-v5", "Reacher-v5", "Ant-v5"),
    *("HalfCheetah-v5", "Hopper-v5", "Swimmer-v5", "Walker2d-v5"),
)


def named(env_id: str) -> EnvSpec:
    try:
        return find(env_id)
    except PrerequisiteError as error:
        pytest.skip(f"could not import a package: {error}")


BABYAI = (
    *(
        "cwm/BabyAI-GoToRedBall-v0",
        "cwm/BabyAI-GoToLocal-v0",
        "cwm/BabyAI-PutNextLocal-v0",
    ),
    *("cwm/BabyAI-MixedTrainLocal-v0", "cwm/PrivilegedBabyAI-GoToLocal-v0"),
)
"""A few of many levels that differ in their arguments only."""

IN_JAVA = tuple(
    env_id
    for env_id, spec in sorted(OWN.items())
    if str(spec.entry_point).startswith(
        ("envs.text_games.express", "envs.text_games.science")
    )
)
"""Text games that need an extra, and Java."""

MADE = "cwm/TextWorld-v0"
"""Its games take seconds to make, one for each seed."""

_OURS = tuple(
    env_id
    for env_id in sorted(OWN)
    if "BabyAI" not in env_id and env_id not in (*IN_JAVA, MADE)
)

PRIVILEGED = tuple(env_id for env_id in _OURS if "Privileged" in env_id)

ALL = [
    *(*CLASSIC, *(env_id for env_id in _OURS if env_id not in PRIVILEGED)),
    *(
        pytest.param(env_id, marks=pytest.mark.mujoco)
        for env_id in (*MUJOCO, *PRIVILEGED)
    ),
    *(pytest.param(env_id, marks=pytest.mark.babyai) for env_id in BABYAI),
    *(
        pytest.param(
            env_id,
            marks=[pytest.mark.text, *([pytest.mark.slow] * ("Science" in env_id))],
        )
        for env_id in IN_JAVA
    ),
    pytest.param(MADE, marks=[pytest.mark.textworld, pytest.mark.slow]),
]


@pytest.fixture(autouse=True)
def _keeps_games_here(monkeypatch: pytest.MonkeyPatch, textworld_cache: Path) -> None:
    monkeypatch.setattr(textworld, "default_cache", lambda: textworld_cache)
    # Whatever the seed, a split has no others.
    monkeypatch.setattr(textworld.TextWorld, "num_games", 2)


@pytest.mark.parametrize("env_id", ALL)
def test_snapshots_restore_exactly(env_id: str) -> None:
    env = open_with_snapshots(named(env_id))
    assert restores_exactly(env, seed=11)
    env.close()


@pytest.mark.parametrize("env_id", ALL)
def test_the_description_tells_the_dynamics_only(env_id: str) -> None:
    text = named(env_id).description
    for heading in ("Action Space", "Observation Space", "Reward"):
        assert heading in text
    assert "Version History" not in text
    assert "gymnasium.make" not in text


@pytest.mark.parametrize("env_id", ALL)
def test_few_random_transitions_can_be_collected(env_id: str) -> None:
    config = CollectConfig(
        num_trajectories=2, min_transitions=20, max_transitions=40, planning_steps=0
    )
    dataset = collect(named(env_id), config)
    assert dataset.num_transitions["train"] > 0
    assert dataset.num_transitions["held_out"] > 0


def ends(env_id: str, seed: int) -> dict[str, int]:
    return coverage(collect(find(env_id), seed=seed)).ends


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("env_id", "least"),
    [
        ("MountainCar-v0", 2),
        ("MountainCarContinuous-v0", 1),
        ("Acrobot-v1", 3),
        ("CliffWalking-v1", 5),
        ("Taxi-v4", 4),
    ],
)
def test_the_goal_is_reached_whatever_the_seed(
    env_id: str, least: int, seed: int
) -> None:
    found = ends(env_id, seed)
    assert sum(n for end, n in found.items() if end.startswith("terminated")) >= least


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_training_has_ends_beyond_both_sides_of_track_and_angle(seed: int) -> None:
    dataset = collect(find("CartPole-v1"), seed=seed)
    batch = dataset.batch("train")
    assert len(batch.rewards) >= 1_000
    x, _, angle, _ = np.asarray(batch.next_observations[""]).T
    limits = ((x, 2.4), (-x, 2.4), (angle, 0.2095), (-angle, 0.2095))
    for values, limit in limits:
        assert batch.terminated[values > limit].any()
        assert (~batch.terminated[values > 0.95 * limit]).any()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_every_pair_of_the_cliff_is_tried(seed: int) -> None:
    dataset = collect(find("CliffWalking-v1"), seed=seed)
    covered = coverage(dataset, ("train",))
    # 37 cells outside cliff and goal, 4 actions each.
    assert covered.num_pairs == 148
    assert covered.rewards[-100.0] >= 11


@pytest.mark.slow
def test_passengers_are_carried_between_several_places() -> None:
    batch = collect(find("Taxi-v4")).batch("train")
    delivered = np.asarray(batch.next_observations[""])[batch.rewards == 20.0]
    picked_up = np.asarray(batch.observations[""])[
        (np.asarray(batch.actions[""]) == 4) & (batch.rewards == -1.0)
    ]
    assert len(set((delivered % 4).tolist())) >= 2
    assert len(set((picked_up // 4 % 5).tolist())) >= 3
