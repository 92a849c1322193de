from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import error
from numpy.typing import NDArray

from cwm.core.errors import ConfigError
from envs.collect import CollectConfig, collect
from envs.privileged import HIDDEN, LAGGING, PrivilegedMujoco
from envs.registry import OWN, find
from envs.restart import find_restarter, restart_predictions
from envs.snapshots import AttributeSnapshots, open_with_snapshots

pytestmark = pytest.mark.mujoco
pytest.importorskip("mujoco")

FloatArray = NDArray[np.float64]


def privileged(task: str) -> Any:
    return find(f"cwm/Privileged{task}-v5")


def played(env: Any, actions: list[Any]) -> list[tuple[Any, ...]]:
    return [(step[0].tolist(), *step[1:3]) for step in (env.step(a) for a in actions)]


@pytest.mark.parametrize("task", HIDDEN)
def test_a_hundred_steps_follow_from_one_observation(task: str) -> None:
    env = privileged(task).make()
    env.action_space.seed(1)
    env.reset(seed=1)
    for _ in range(20):
        observation, *_ = env.step(env.action_space.sample())
    actions = [env.action_space.sample() for _ in range(100)]
    expected = played(env.unwrapped, actions)
    other = privileged(task).make()
    other.reset(seed=2)
    other.step(actions[0])
    other.unwrapped.state = np.array(observation.tolist())
    assert played(other.unwrapped, actions) == expected


@pytest.mark.parametrize("task", HIDDEN)
def test_every_single_step_of_another_episode_follows_from_what_is_shown(
    task: str,
) -> None:
    spec = privileged(task)
    config = CollectConfig(
        num_trajectories=2, min_transitions=20, max_transitions=60, planning_steps=0
    )
    batch = collect(spec, config).batch("held_out")
    predictions = restart_predictions(spec, batch)
    assert predictions is not None
    assert np.array_equal(
        predictions.next_observations[""], batch.next_observations[""]
    )
    assert predictions.rewards.tolist() == batch.rewards.tolist()
    assert predictions.terminated.tolist() == batch.terminated.tolist()


@pytest.mark.parametrize("task", HIDDEN)
def test_it_is_the_ordinary_task_seen_better(task: str) -> None:
    ours = privileged(task).make()
    theirs: Any = gymnasium.make(f"{task}-v5", disable_env_checker=True)
    assert ours.spec.max_episode_steps == theirs.spec.max_episode_steps
    theirs.action_space.seed(1)
    observation, _ = ours.reset(seed=3)
    theirs.reset(seed=3)
    data = theirs.unwrapped.data
    num_positions = len(data.qpos)
    for _ in range(12):
        assert observation[:num_positions] == pytest.approx(data.qpos, abs=1e-6)
        rest = observation[num_positions : num_positions + len(data.qvel)]
        assert rest == pytest.approx(data.qvel, abs=1e-4)
        action = theirs.action_space.sample()
        observation, *outcome = ours.step(action)
        _, reward, terminated, _, _ = theirs.step(action)
        assert outcome[0] == pytest.approx(reward, rel=1e-6, abs=1e-6)
        assert outcome[1] == terminated
        if terminated:
            break


@pytest.mark.parametrize("task", LAGGING)
def test_the_lagging_position_is_needed_for_the_reward(task: str) -> None:
    env = privileged(task).make()
    env.reset(seed=1)
    inner = env.unwrapped
    action = np.zeros(env.action_space.shape, dtype=np.float32)
    env.step(action)
    state = inner.state.copy()
    reward = env.step(action)[1]
    inner.state = state + np.eye(len(state))[-1] * 0.01
    assert env.step(action)[1] < reward - 0.1


def test_attributes_are_all_that_a_snapshot_needs() -> None:
    env = open_with_snapshots(privileged("Ant"))
    assert isinstance(env.adapter, AttributeSnapshots)


def test_the_description_says_that_it_is_privileged() -> None:
    for task, hidden in HIDDEN.items():
        text = privileged(task).description
        assert text.startswith("## Description\nPRIVILEGED")
        assert f"{task}-v5, which hides\n{hidden}." in text
        assert text.count("## Observation Space") == 1
        assert "## Action Space" in text
        assert "Rewards" in text
    assert "the torso as it was one substep before" in privileged("Ant").description
    assert "one substep before" not in privileged("Hopper").description


def test_all_are_registered_and_no_other_task() -> None:
    named = {env_id for env_id in OWN if env_id.startswith("cwm/Privileged")}
    named = {env_id for env_id in named if "BabyAI" not in env_id}
    assert named == {f"cwm/Privileged{task}-v5" for task in HIDDEN}
    with pytest.raises(ConfigError, match="task must be one of"):
        find("cwm/PrivilegedAnt-v5", kwargs={"task": "Swimmer"})


def test_ordinary_observations_of_the_rest_are_enough() -> None:
    config = CollectConfig(
        num_trajectories=2, min_transitions=20, max_transitions=60, planning_steps=0
    )
    rest = ("InvertedPendulum", "HalfCheetah", "Swimmer")
    for task in rest:
        assert task not in HIDDEN
        spec = find(f"{task}-v5")
        batch = collect(spec, config).batch("held_out")
        assert find_restarter(spec) is not None
        predictions = restart_predictions(spec, batch)
        assert predictions is not None
        expected: FloatArray = batch.next_observations[""]
        assert predictions.next_observations[""] == pytest.approx(expected, abs=1e-9)
        assert predictions.rewards == pytest.approx(batch.rewards, abs=1e-9)


def test_an_elbow_beyond_half_a_turn_is_not_shown_by_cosine_and_sine() -> None:
    env: Any = find("Reacher-v5").make().unwrapped
    action = np.zeros(2, dtype=np.float32)
    env.reset(seed=0)
    shown = []
    for turn in (0.0, 2 * np.pi):
        env.set_state(np.array([0.0, 3.2 - turn, 0.1, 0.1]), np.zeros(4))
        shown.append((env._get_obs(), env.step(action)[0]))
    (before, after), (same, other) = shown
    assert before == pytest.approx(same)
    assert np.abs(after - other).max() > 0.1


def test_it_must_be_reset_first() -> None:
    env = PrivilegedMujoco("Hopper")
    with pytest.raises(error.ResetNeeded, match="There is no state"):
        env.step(env.action_space.sample())
    env.close()
