import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cwm.core.codec import decode_columns
from cwm.core.dataset_file import save_dataset
from cwm.core.errors import ConfigError, DataError
from cwm.core.trajectories import Dataset, Split, Trajectory
from envs.collect import CollectConfig, collect, record, varies
from envs.registry import find
from envs.snapshots import open_with_snapshots
from envs.spaces import to_gymnasium, to_value
from envs.splits import validation_indices
from tests.support.toy_envs import toy

SMALL = CollectConfig(
    num_trajectories=5, min_transitions=60, max_transitions=300, planning_steps=400
)


def digest(dataset: Dataset, folder: Path) -> str:
    save_dataset(dataset, folder / "data.npz")
    return hashlib.sha256((folder / "data.npz").read_bytes()).hexdigest()


@pytest.mark.parametrize("env_id", ["CartPole-v1", "Taxi-v4", "Blackjack-v1"])
def test_the_same_seed_gives_the_same_data(env_id: str, tmp_path: Path) -> None:
    spec = find(env_id)
    one, two = collect(spec, SMALL, seed=3), collect(spec, SMALL, seed=3)
    assert digest(one, tmp_path) == digest(two, tmp_path)
    assert digest(collect(spec, SMALL, seed=4), tmp_path) != digest(one, tmp_path)


@pytest.mark.parametrize("env_id", ["Pendulum-v1", "FrozenLake-v1", toy("Mixed")])
def test_each_trajectory_is_a_genuine_episode_from_its_seed(env_id: str) -> None:
    spec = find(env_id)
    env = spec.make()
    dataset = collect(spec, SMALL)
    for trajectory in dataset.trajectories:
        observations = decode_columns(spec.observation_space, trajectory.observations)
        observation, _ = env.reset(seed=trajectory.seed)
        for row, action in enumerate(
            decode_columns(spec.action_space, trajectory.actions)
        ):
            value = to_value(spec.observation_space, observation)
            assert str(value) == str(observations[row])
            step = env.step(to_gymnasium(spec.action_space, action))
            observation = step[0]
            assert float(step[1]) == trajectory.rewards[row]
            assert step[2] == trajectory.terminated[row]
            assert step[3] == trajectory.truncated[row]


def test_there_are_enough_transitions_and_not_too_many() -> None:
    config = replace(SMALL, min_transitions=100, max_transitions=150)
    counts = collect(find("CartPole-v1"), config).num_transitions
    assert 100 <= counts["train"] + counts["validation"] <= 150
    assert 100 <= counts["held_out"] <= 150
    assert counts["validation"] > 0


def test_many_short_episodes_are_recorded_until_there_are_enough() -> None:
    config = replace(SMALL, min_transitions=100, max_transitions=1_000)
    dataset = collect(find("Blackjack-v1"), config)
    assert dataset.is_stochastic
    # Three times as many, because outcomes vary.
    seen = dataset.num_transitions["train"] + dataset.num_transitions["validation"]
    assert seen >= 300
    assert len(dataset.in_split("train")) > 50


def test_trajectories_go_from_low_to_high_return() -> None:
    dataset = collect(find("CartPole-v1"), SMALL)
    held_out = [t.episode_return for t in dataset.in_split("held_out")]
    seen = [
        t.episode_return
        for t, split in zip(dataset.trajectories, dataset.splits, strict=True)
        if split != "held_out"
    ]
    assert held_out == sorted(held_out)
    assert seen == sorted(seen)


def test_held_out_episodes_start_from_other_seeds() -> None:
    dataset = collect(find("CartPole-v1"), SMALL)
    held_out = {trajectory.seed for trajectory in dataset.in_split("held_out")}
    seen = {t.seed for s in ("train", "validation") for t in dataset.in_split(s)}
    assert not held_out & seen


def test_time_limits_are_not_ends() -> None:
    dataset = collect(find("Pendulum-v1"), replace(SMALL, max_transitions=2_000))
    assert all(not t.terminated.any() for t in dataset.trajectories)
    assert all(t.truncated[-1] for t in dataset.trajectories if len(t) == 200)


def test_recording_stops_at_the_longest_length() -> None:
    config = replace(SMALL, max_trajectory_length=20)
    dataset = collect(find("MountainCar-v0"), config)
    assert {len(t) for t in dataset.trajectories} == {20}
    assert not any(t.truncated.any() for t in dataset.trajectories)


def test_without_planning_there_are_random_policies_only() -> None:
    config = replace(SMALL, planning_steps=0)
    for env_id, policies in (
        ("CartPole-v1", {"random", "sticky"}),
        ("CliffWalking-v1", {"random"}),
    ):
        dataset = collect(find(env_id), config)
        assert {t.policy for t in dataset.trajectories} == policies


@pytest.mark.parametrize(
    ("env_id", "kwargs", "expected"),
    [
        ("FrozenLake-v1", {"is_slippery": True}, True),
        ("FrozenLake-v1", {"is_slippery": False}, False),
        ("Blackjack-v1", {}, True),
        ("CartPole-v1", {}, False),
        (toy("NoisyLine"), {}, True),
        (toy("Line"), {}, False),
    ],
)
def test_chance_is_noticed(
    env_id: str, kwargs: dict[str, bool], expected: bool
) -> None:
    assert varies(open_with_snapshots(find(env_id, kwargs=kwargs)), 0) is expected


def test_each_trajectory_is_reported_as_it_is_recorded() -> None:
    told: list[tuple[Split, int]] = []

    def report(split: Split, trajectory: Trajectory) -> None:
        told.append((split, len(trajectory)))

    dataset = collect(find("CartPole-v1"), SMALL, report=report)
    assert len(told) == len(dataset.trajectories)
    assert {split for split, _ in told} == {"train", "held_out"}


def test_the_file_says_how_the_data_came_about() -> None:
    spec = find("CartPole-v1", changes={"gravity": 3.7})
    origin = collect(spec, SMALL, seed=9).collection
    assert origin["seed"] == 9
    assert origin["env_changes"] == {"gravity": 3.7}
    assert origin["config"]["num_trajectories"] == 5
    assert "gymnasium" in origin["versions"]


def test_declared_legal_actions_and_instructions_are_kept() -> None:
    dataset = collect(find(toy("Declared")), SMALL)
    trajectory = dataset.trajectories[0]
    assert trajectory.instruction == "walk to the end"
    assert trajectory.legal_actions is not None
    assert len(trajectory.legal_actions) == len(trajectory) + 1
    places = np.asarray(trajectory.observations[""]).tolist()
    expected = tuple((1,) if place == 0 else (0, 1) for place in places)
    assert trajectory.legal_actions == expected


def test_an_environment_that_leaves_its_spaces_is_refused() -> None:
    spec = find(toy("OutOfSpace"))
    with pytest.raises(DataError, match="must keep to its declared space"):
        record(spec, spec.make(), [0], policy="random", seed=0)


def test_an_episode_of_no_action_is_refused() -> None:
    spec = find(toy("Line"))
    with pytest.raises(DataError, match="actions must have at least 1 member"):
        record(spec, spec.make(), [], policy="random", seed=0)


def walks(*places: list[int]) -> list[Trajectory]:
    spec = find(toy("Line"))
    env = spec.make()
    return [record(spec, env, actions, policy="x", seed=0) for actions in places]


def test_validation_takes_what_training_misses_least() -> None:
    # The second repeats a part of the first; the third goes to the other side.
    trajectories = walks([1, 0, 1, 1], [1, 0], [0, 0])
    spec = find(toy("Line"))
    chosen = validation_indices(trajectories, spec, 0.3, is_spread=False)
    assert chosen == {1}


def test_validation_does_not_choose_by_outcome_where_outcomes_vary() -> None:
    spec = find(toy("NoisyLine"))
    trajectories = walks(*[[1, 0]] * 10)
    assert validation_indices(trajectories, spec, 0.2, is_spread=True) == {2, 7}


def test_validation_leaves_the_only_end_of_its_kind_to_training() -> None:
    spec = find("MountainCar-v0")
    dataset = collect(spec, replace(SMALL, planning_steps=0))
    plain = list(dataset.trajectories)[:4]
    only = replace(
        plain[1], terminated=np.eye(1, len(plain[1]), len(plain[1]) - 1)[0] > 0
    )
    chosen = validation_indices(
        [plain[0], only, *plain[2:]], spec, 0.5, is_spread=False
    )
    assert 1 not in chosen


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_trajectories": 1}, "num_trajectories must be at least 2"),
        ({"min_transitions": 0}, "min_transitions must be from 1"),
        ({"max_transitions": 4, "min_transitions": 1}, "at least num_trajectories"),
        ({"max_trajectory_length": 0}, "at least 1 step, got 0"),
        ({"validation_fraction": 0.9}, r"in \(0, 0.5\], got 0.9"),
        ({"planning_steps": -1}, "at least 0 steps, got -1"),
    ],
)
def test_settings_that_break_a_rule_are_named(
    change: dict[str, float], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        replace(CollectConfig(), **change)  # type: ignore[arg-type]
