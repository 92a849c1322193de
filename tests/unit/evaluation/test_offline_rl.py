"""A policy trained on recorded transitions, and what it is trained on."""

import importlib.util

import numpy as np
import pytest

from cwm.core.errors import ConfigError, PrerequisiteError
from cwm.core.spaces import BoxSpec, DiscreteSpec, MultiDiscreteSpec, TextSpec
from cwm.evaluation import offline_rl
from cwm.evaluation.episodes import ActingConfig
from cwm.evaluation.features import Features
from cwm.evaluation.offline_rl import (
    ActionNumbers,
    OfflineConfig,
    load_d3rlpy,
    run_policy,
    train_offline,
    training_rows,
)
from cwm.evaluation.setups import EnvironmentRef, Setup
from cwm.programs.tolerances import Tolerances
from envs.collect import CollectConfig, collect
from envs.registry import find
from planners.registry import PlannerConfig
from tests.support.corridor import corridor_dataset, trajectory_of
from tests.support.toy_envs import toy


def test_actions_are_indices_or_numbers_between_the_bounds() -> None:
    few = ActionNumbers(DiscreteSpec(3, start=5))
    assert (few.is_discrete, few.count) == (True, 3)
    assert few.encode([5, 7]).tolist() == [[0], [2]]
    assert [few.decode(i) for i in range(3)] == [5, 6, 7]
    real = ActionNumbers(BoxSpec((2,), "float32", (-2.0, 0.0), (2.0, 10.0)))
    assert (real.is_discrete, real.count) == (False, 2)
    action = np.array([1.0, 0.0], dtype=np.float32)
    assert real.encode([action]).tolist() == [[0.5, -1.0]]
    assert real.decode([0.5, -1.0]).tolist() == [1.0, 0.0]
    # What a network says beyond them is the bound.
    assert real.decode([3.0, 3.0]).tolist() == [2.0, 10.0]


def test_vectors_of_few_codes_are_listed() -> None:
    pairs = ActionNumbers(MultiDiscreteSpec((2, 3)))
    action = np.array([1, 2])
    (index,) = pairs.encode([action])[0]
    assert pairs.count == 6
    assert pairs.decode(index).tolist() == [1, 2]


def test_other_actions_are_refused() -> None:
    for space in (TextSpec(), DiscreteSpec(1000), BoxSpec((2,), "int64", (0,), (99,))):
        with pytest.raises(ConfigError, match="Offline RL needs few actions"):
            ActionNumbers(space)


def test_rows_have_an_episode_each_and_its_last_observation_if_cut_off() -> None:
    space, codes = DiscreteSpec(5), DiscreteSpec(2)
    ended = trajectory_of([1, 1], start=2)
    cut_off = trajectory_of([0, 1], start=2)
    features = Features(space, {"": np.array([2, 3, 1])})
    rows = training_rows([ended, cut_off], codes, features, ActionNumbers(codes))
    # 2 3 (4, terminal) and 2 1 (2, where it was cut off).
    assert rows.observations.argmax(axis=1).tolist() == [0, 1, 0, 2, 0]
    assert rows.actions.ravel().tolist() == [1, 1, 0, 1, 1]
    assert rows.terminals.tolist() == [0, 1, 0, 0, 0]
    assert rows.timeouts.tolist() == [0, 0, 0, 0, 1]
    # Rewards 0, 1, 0, 0, divided by their root mean square, 1/2.
    assert rows.rewards.tolist() == [0, 2, 0, 0, 0]


def test_a_missing_package_is_named_with_its_install_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(PrerequisiteError, match=r"pip install 'd3rlpy>=2.8,!=2.8.1'"):
        load_d3rlpy()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_updates", 0),
        ("batch_size", 0),
        ("target_updates", 0),
        ("discount", 0.0),
        ("discount", 1.1),
        ("learning_rate", 0.0),
        ("conservative_weight", -1.0),
    ],
)
def test_settings_are_checked(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} must be"):
        OfflineConfig(**{name: value})  # type: ignore[arg-type]


@pytest.mark.offline
@pytest.mark.slow
class TestTraining:
    """With the library."""

    def test_it_learns_the_corridor(self) -> None:
        pytest.importorskip("d3rlpy")
        dataset = corridor_dataset()
        rng = np.random.default_rng(0)
        walks = []
        for _ in range(30):
            actions, cell = [], 0
            while cell != 4 and len(actions) < 40:
                actions.append(int(rng.integers(2)))
                cell = min(max(cell + 2 * actions[-1] - 1, 0), 4)
            walks.append(trajectory_of(actions))
        config = OfflineConfig(num_updates=600, batch_size=64, learning_rate=1e-3)

        def policy(settings: OfflineConfig) -> offline_rl.OfflinePolicy:
            spaces = (dataset.observation_space, dataset.action_space)
            return train_offline(walks, *spaces, settings)

        trained = policy(config)
        assert [trained.action(cell) for cell in range(4)] == [1, 1, 1, 1]

    def test_it_acts_in_the_episodes_of_planners(self) -> None:
        pytest.importorskip("d3rlpy")
        spec = find(toy("Line"))
        config = CollectConfig(num_trajectories=4, min_transitions=60)
        dataset = collect(spec, config, 0)
        train = dataset.in_split("train")
        settings = OfflineConfig(num_updates=20, batch_size=16)

        def returns() -> list[float]:
            policy = train_offline(
                train, dataset.observation_space, dataset.action_space, settings
            )
            episodes = run_policy(
                spec,
                policy,
                Tolerances.from_batch(dataset.batch("train")),
                acting=ActingConfig(max_steps=10),
                seed=3,
                num_episodes=2,
            )
            setup = Setup(
                name="",
                environment=EnvironmentRef.of(spec),
                kind="random",
                planner=PlannerConfig(name="random-shooting"),
                acting=ActingConfig(),
                tolerances=Tolerances.from_batch(dataset.batch("train")),
                seed=3,
            )
            assert [e.seed for e in episodes] == [setup.episode_seed(i) for i in (0, 1)]
            assert {e.num_failures for e in episodes} == {0}
            return [e.episode_return for e in episodes]

        assert returns() == returns()

    @pytest.mark.parametrize("env", ["Pendulum-v1", "Blackjack-v1"])
    def test_real_actions_and_tuples_of_codes_work(
        self, env: str, capfd: pytest.CaptureFixture[str]
    ) -> None:
        pytest.importorskip("d3rlpy")
        spec = find(env)
        config = CollectConfig(num_trajectories=4, min_transitions=60)
        dataset = collect(spec, config, 0)
        policy = train_offline(
            dataset.in_split("train"),
            dataset.observation_space,
            dataset.action_space,
            OfflineConfig(num_updates=3, batch_size=8),
        )
        (episode,) = run_policy(
            spec,
            policy,
            Tolerances.from_batch(dataset.batch("train")),
            acting=ActingConfig(max_steps=5),
            seed=0,
            num_episodes=1,
        )
        assert np.isfinite(episode.episode_return)
        assert capfd.readouterr() == ("", "")
