import copy
from typing import Any

import numpy as np
import pytest

from cwm.core.errors import ConfigError
from envs.plain_data import same_value
from envs.registry import find
from envs.snapshots import (
    AttributeSnapshots,
    MujocoSnapshots,
    ReplaySnapshots,
    SnapshotEnv,
    generators,
    open_with_snapshots,
    reseed,
    restores_exactly,
)
from tests.support.toy_envs import toy

MUJOCO = (
    *("Reacher-v5", "Pusher-v5", "InvertedPendulum-v5", "InvertedDoublePendulum-v5"),
    *("HalfCheetah-v5", "Hopper-v5", "Swimmer-v5", "Walker2d-v5", "Ant-v5"),
    *("Humanoid-v5", "HumanoidStandup-v5"),
)


class KeepsNothing(AttributeSnapshots):
    """A broken adapter: restoring does nothing."""

    def restore(self, snapshot: Any) -> None:
        """Does nothing."""


class ForgetsChance(AttributeSnapshots):
    """A broken adapter: random generators go on from where they are."""

    def save(self) -> Any:
        """Leaves the generators out."""
        kept = super().save()
        return [{k: v for k, v in s.items() if k != "_np_random"} for s in kept]

    def restore(self, snapshot: Any) -> None:
        """Restores the rest."""
        for layer, saved in zip(self.layers, snapshot, strict=True):
            vars(layer).update(saved)


class SharesArrays(AttributeSnapshots):
    """A broken adapter: a snapshot's lists are those of the environment."""

    def save(self) -> Any:
        """Returns references."""
        env = self.layers[-1]
        return list(env.player), env.dealer, env.np_random.bit_generator.state

    def restore(self, snapshot: Any) -> None:
        """Sets the references."""
        env = self.layers[-1]
        env.player, env.dealer = snapshot[0], snapshot[1]
        env.np_random.bit_generator.state = snapshot[2]


class CopiesDeeply(AttributeSnapshots):
    """What is usually done, and resets MuJoCo environments without an error."""

    def save(self) -> Any:
        """Returns a deep copy."""
        return copy.deepcopy(self.layers[-1])

    def restore(self, snapshot: Any) -> None:
        """Takes over the copy's attributes."""
        vars(self.layers[-1]).update(vars(copy.deepcopy(snapshot)))


@pytest.mark.parametrize(
    ("env_id", "broken"),
    [
        ("CartPole-v1", KeepsNothing),
        ("Blackjack-v1", KeepsNothing),
        (toy("NoisyLine"), ForgetsChance),
        ("Blackjack-v1", SharesArrays),
        (toy("HiddenInObject"), AttributeSnapshots),
    ],
)
def test_the_self_test_catches_a_broken_adapter(env_id: str, broken: Any) -> None:
    env = find(env_id).make()
    assert not restores_exactly(SnapshotEnv(env, broken(env)), seed=0)
    assert restores_exactly(SnapshotEnv(env, ReplaySnapshots(env)), seed=0)


@pytest.mark.mujoco
def test_the_self_test_catches_deep_copies_of_mujoco() -> None:
    pytest.importorskip("mujoco")
    env = find("InvertedPendulum-v5").make()
    assert not restores_exactly(SnapshotEnv(env, CopiesDeeply(env)), seed=0)
    assert restores_exactly(SnapshotEnv(env, MujocoSnapshots(env)), seed=0)


@pytest.mark.mujoco
@pytest.mark.parametrize("env_id", MUJOCO)
def test_a_hundred_steps_of_each_mujoco_task_are_reproduced_exactly(
    env_id: str,
) -> None:
    pytest.importorskip("mujoco")
    env = open_with_snapshots(find(env_id))
    assert isinstance(env.adapter, MujocoSnapshots)
    space = env.env.action_space
    space.seed(5)
    env.reset(3)
    for _ in range(10):
        env.step(space.sample())
    snapshot = env.save()
    actions = [space.sample() for _ in range(100)]

    def follow() -> list[Any]:
        # Past the end of an episode, too: the simulator does not stop there.
        steps = [env.step(action) for action in actions]
        return [(step.observation.tolist(), *step[1:]) for step in steps]

    expected = follow()
    env.reset(4)
    env.step(actions[0])
    env.restore(snapshot)
    assert follow() == expected
    env.close()


def test_what_attributes_do_not_show_is_replayed() -> None:
    env = open_with_snapshots(find(toy("HiddenInObject")))
    assert isinstance(env.adapter, ReplaySnapshots)
    assert env.reset(0) == 2
    env.step(1)
    snapshot = env.save()
    assert env.step(1).observation == 4
    env.reset(1)
    env.restore(snapshot)
    assert env.step(0).observation == 2


def test_an_environment_that_does_not_repeat_itself_is_refused() -> None:
    with pytest.raises(ConfigError, match="the same episode for the same seed"):
        open_with_snapshots(find(toy("Unrepeatable")))


def test_the_time_limit_is_part_of_the_state() -> None:
    env = open_with_snapshots(find(toy("Line"), kwargs={"start": 0}))
    env.reset(0)
    for _ in range(28):
        env.step(0)
    snapshot = env.save()
    assert not env.step(0).truncated
    assert env.step(0).truncated
    env.restore(snapshot)
    assert not env.step(0).truncated


def test_a_snapshot_outlives_what_happens_after_it() -> None:
    env = open_with_snapshots(find("CartPole-v1"))
    env.reset(0)
    snapshot = env.save()
    first = env.step(1).observation.copy()
    for _ in range(5):
        env.restore(snapshot)
        assert np.array_equal(env.step(1).observation, first)


def test_an_attribute_that_came_later_is_removed() -> None:
    env = open_with_snapshots(find("CartPole-v1"))
    env.reset(0)
    snapshot = env.save()
    env.env.unwrapped.later = 3  # type: ignore[attr-defined]
    env.restore(snapshot)
    assert not hasattr(env.env.unwrapped, "later")


def test_reseeding_changes_what_chance_brings() -> None:
    env = open_with_snapshots(find("Blackjack-v1"))
    env.reset(0)
    assert len(generators(env.env)) == 1
    snapshot = env.save()
    draws = set()
    for seed in range(20):
        env.restore(snapshot)
        reseed(env.env, seed)
        draws.add(env.step(1).observation)
    assert len(draws) > 1


def test_observations_are_compared_to_the_last_bit() -> None:
    a = np.array([1.0, np.nan])
    assert same_value((1, {"x": a}), (1, {"x": a.copy()}))
    assert not same_value(np.array([1.0]), np.nextafter(np.array([1.0]), 2))
    assert not same_value({"x": 1}, {"y": 1})
    assert not same_value((1, 2), (1,))
    assert same_value("a", "a")
