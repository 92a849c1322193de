from dataclasses import replace

import numpy as np
import pytest

from cwm.core.codec import decode_columns
from envs.collect import CollectConfig, collect, record
from envs.hidden_state import MAX_CARDS, stacked, state_layout, state_parts
from envs.registry import find
from tests.support.toy_envs import toy

SMALL = CollectConfig(
    num_trajectories=2, min_transitions=20, max_transitions=60, planning_steps=0
)


def test_classic_control_keeps_its_state_in_one_vector() -> None:
    spec = find("Pendulum-v1")
    trajectory = record(spec, spec.make(), [np.zeros(1)] * 5, policy="x", seed=3)
    assert trajectory.states is not None
    assert trajectory.states.shape == (6, 2)
    shown = np.asarray(decode_columns(spec.observation_space, trajectory.observations))
    assert np.allclose(np.cos(trajectory.states[:, 0]), shown[:, 0])
    assert np.allclose(trajectory.states[:, 1], shown[:, 2])


def test_tables_keep_the_number_of_their_state() -> None:
    spec = find("Taxi-v4")
    trajectory = record(spec, spec.make(), [0, 1, 2], policy="x", seed=3)
    assert trajectory.states is not None
    shown = decode_columns(spec.observation_space, trajectory.observations)
    assert trajectory.states.tolist() == [[float(value)] for value in shown]


def test_all_cards_are_recorded_also_the_one_that_is_not_shown() -> None:
    spec = find("Blackjack-v1")
    env = spec.make()
    env.reset(seed=0)
    parts = state_parts(env)
    assert parts is not None
    assert parts["player"][:2].tolist() == env.unwrapped.player  # type: ignore[attr-defined]
    assert parts["dealer"][:2].tolist() == env.unwrapped.dealer  # type: ignore[attr-defined]
    assert not parts["dealer"][2:].any()
    trajectory = record(spec, env, [1, 1, 1], policy="x", seed=0)
    assert trajectory.states is not None
    assert trajectory.states.shape == (len(trajectory) + 1, 2 * MAX_CARDS)


@pytest.mark.parametrize("env_id", [toy("Line"), toy("Mixed")])
def test_an_environment_without_a_known_state_has_none(env_id: str) -> None:
    spec = find(env_id)
    dataset = collect(spec, SMALL)
    assert all(trajectory.states is None for trajectory in dataset.trajectories)
    assert "states" not in dataset.collection


def test_every_step_is_recorded_and_the_file_says_what_the_columns_are() -> None:
    dataset = collect(find("CartPole-v1"), SMALL)
    assert dataset.collection["states"] == {"state": 4}
    for trajectory in dataset.trajectories:
        assert trajectory.states is not None
        assert trajectory.states.shape == (len(trajectory) + 1, 4)


def test_states_that_change_their_size_are_none() -> None:
    one, two = {"a": np.zeros(1)}, {"a": np.zeros(2)}
    assert stacked([one, two]) is None
    assert stacked([one, None]) is None
    found = stacked([one, one])
    assert found is not None
    assert found.shape == (2, 1)


@pytest.mark.mujoco
@pytest.mark.parametrize("env_id", ["Hopper-v5", "Ant-v5"])
def test_mujoco_states_have_what_the_observation_hides(env_id: str) -> None:
    spec = find(env_id)
    config = replace(SMALL, max_trajectory_length=10)
    dataset = collect(spec, config)
    env = spec.make()
    env.reset(seed=0)
    layout = state_layout(env)
    assert layout is not None
    assert dataset.collection["states"] == layout
    data = env.unwrapped.data  # type: ignore[attr-defined]
    assert layout["qpos"] == len(data.qpos)
    assert layout["qvel"] == len(data.qvel)
    states = dataset.trajectories[0].states
    assert states is not None
    assert states.shape[1] == sum(layout.values())
    # Time goes on; where the robot stands is in no observation.
    assert (np.diff(states[:, 0]) > 0).all()
    assert np.unique(states[:, 1]).size > 1
