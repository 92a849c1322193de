"""Saving and restoring a real environment in the middle of an episode.

Never by `copy.deepcopy`: environments that define how they are pickled come back
from it in their initial state, without an error
(https://github.com/Farama-Foundation/Gymnasium/issues/779 and 737).

Three adapters, tried in this order after one that the environment may bring itself
(its method `snapshot_adapter`); the first that passes `restores_exactly` is used:

    MujocoSnapshots      the whole of MuJoCo's `mjData` and the plain attributes
    AttributeSnapshots   plain attributes of the environment and its wrappers
    ReplaySnapshots      seed and actions since `reset`, run again

Covers: state in plain Python and NumPy attributes, their random generators, and
MuJoCo's. Does not cover: environments whose `reset(seed)` is not reproducible;
these are refused.
"""

import importlib
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np

from cwm.core.errors import ConfigError, DataError
from cwm.core.seeding import child_rng, child_seed
from envs.failures import show_failure
from envs.plain_data import (
    COMMON_ATOMS,
    GeneratorState,
    NotPlainError,
    copy_plain,
    num_items,
    same_value,
)
from envs.spec import Env, EnvSpec

Snapshot: TypeAlias = Any
"""What an adapter saved; opaque, and never changed by restoring it."""


class EnvStep(NamedTuple):
    """What one step of a real environment gave, as Gymnasium returns it."""

    observation: Any
    reward: float
    terminated: bool
    truncated: bool


class SnapshotAdapter(Protocol):
    """A way to save and restore one environment object."""

    @property
    def restore_cost(self) -> int:
        """How many steps take about as long as restoring does."""
        ...

    def began(self, seed: int) -> None:
        """Is told of each `reset`."""

    def stepped(self, action: Any) -> None:
        """Is told of each step."""

    def save(self) -> Snapshot:
        """Returns the present state."""

    def restore(self, snapshot: Snapshot) -> None:
        """Puts the environment back into a saved state."""


class SnapshotEnv:
    """A real environment whose state can be saved and restored.

    Attributes:
        env: The environment, wrappers included.
        adapter: How its state is saved.
    """

    def __init__(self, env: Env, adapter: SnapshotAdapter) -> None:
        self.env = env
        self.adapter = adapter

    def reset(self, seed: int) -> Any:
        """Starts an episode; returns its first observation.

        Raises:
            DataError: If the environment raises.
        """
        try:
            observation, _ = self.env.reset(seed=seed)
        except Exception as error:
            raise DataError(
                f"An environment must reset without an exception, got "
                f"{show_failure(error)}."
            ) from error
        self.adapter.began(seed)
        return observation

    def step(self, action: Any) -> EnvStep:
        """Takes one step; `action` as the environment's space contains it.

        Raises:
            DataError: If the environment raises.
        """
        try:
            observation, reward, terminated, truncated, _ = self.env.step(action)
        except Exception as error:
            raise DataError(
                f"An environment must step without an exception, got "
                f"{show_failure(error)}."
            ) from error
        self.adapter.stepped(action)
        return EnvStep(observation, float(reward), bool(terminated), bool(truncated))

    def save(self) -> Snapshot:
        """Returns the present state; later steps do not change it."""
        return self.adapter.save()

    def restore(self, snapshot: Snapshot) -> None:
        """Puts the environment back into a saved state."""
        self.adapter.restore(snapshot)

    def close(self) -> None:
        """Closes the environment."""
        self.env.close()


def layers(env: Env) -> list[Any]:
    """Returns the wrappers of an environment, outermost first, and itself."""
    found: list[Any] = []
    layer: Any = env
    while layer is not None:
        found.append(layer)
        is_innermost = layer is env.unwrapped
        layer = None if is_innermost else getattr(layer, "env", None)
    return found


def generators(env: Env) -> list[tuple[Any, str]]:
    """Returns `(holder, attribute)` of each random generator of an environment."""
    return [
        (layer, name)
        for layer in layers(env)
        for name, value in vars(layer).items()
        if isinstance(value, np.random.Generator)
    ]


def reseed(env: Env, seed: int) -> None:
    """Gives each random generator of an environment a new state."""
    for index, (holder, name) in enumerate(generators(env)):
        setattr(holder, name, child_rng(seed, "reseed", index))


MAX_COPIED_ITEMS = 256
"""Containers that begin with more items are taken for constants."""


class AttributeSnapshots:
    """Copies the plain-data attributes of an environment and of its wrappers.

    Large containers (a table of all transitions) are left out; the self-test of
    the adapter shows if that was wrong.
    """

    restore_cost = 1

    def __init__(self, env: Env) -> None:
        self.layers = layers(env)
        self.left_out = [
            {
                n
                for n, value in vars(layer).items()
                if num_items(value) > MAX_COPIED_ITEMS
            }
            for layer in self.layers
        ]

    def leave_out_generators(self) -> None:
        """Saves no random generators from now on; restoring leaves them alone."""
        for layer, left_out in zip(self.layers, self.left_out, strict=True):
            left_out |= {
                name
                for name, value in vars(layer).items()
                if isinstance(value, np.random.Generator)
            }

    def began(self, seed: int) -> None:
        """Does nothing: attributes say it all."""

    def stepped(self, action: Any) -> None:
        """Does nothing: attributes say it all."""

    def save(self) -> Snapshot:
        """Returns copies of the attributes, one dictionary per layer."""
        pairs = zip(self.layers, self.left_out, strict=True)
        return [self._plain(vars(layer), left_out) for layer, left_out in pairs]

    @staticmethod
    def _plain(attributes: dict[str, Any], left_out: set[str]) -> dict[str, Any]:
        saved = {}
        for name, value in attributes.items():
            if name in left_out:
                continue
            try:
                saved[name] = copy_plain(value)
            except NotPlainError:
                continue
        return saved

    def restore(self, snapshot: Snapshot) -> None:
        """Sets the attributes; those that did not exist then are removed."""
        zipped = zip(self.layers, self.left_out, snapshot, strict=True)
        for layer, left_out, saved in zipped:
            attributes = vars(layer)
            new = attributes.keys() - saved.keys() - left_out
            for name in self._plain({n: attributes[n] for n in new}, set()):
                del attributes[name]
            for name, value in saved.items():
                if type(value) in COMMON_ATOMS:
                    attributes[name] = value
                elif isinstance(value, GeneratorState):
                    attributes[name].bit_generator.state = value.state
                else:
                    attributes[name] = copy_plain(value)


class MujocoSnapshots:
    """Copies the whole of `mjData`, beside the plain attributes.

    All of it, because derived quantities (body positions, contact forces) lag one
    substep behind the integrated state and enter observations and rewards. To allocate
    them takes longer than to copy them: those of snapshots that are no longer
    needed are used again.
    """

    restore_cost = 4

    def __init__(self, env: Env) -> None:
        # An extra; only an environment that has made MuJoCo objects gets here.
        mujoco = importlib.import_module("mujoco")
        self.attributes = AttributeSnapshots(env)
        unwrapped: Any = env.unwrapped
        self.model, self.data = unwrapped.model, unwrapped.data
        self._new_data, self._copy_data = mujoco.MjData, mujoco.mj_copyData
        self._spare: list[Any] = []

    def leave_out_generators(self) -> None:
        """Saves no random generators from now on; restoring leaves them alone."""
        self.attributes.leave_out_generators()

    def began(self, seed: int) -> None:
        """Does nothing: the data say it all."""

    def stepped(self, action: Any) -> None:
        """Does nothing: the data say it all."""

    def save(self) -> Snapshot:
        """Returns copies of the simulator's data and of the attributes."""
        data = self._spare.pop() if self._spare else self._new_data(self.model)
        self._copy_data(data, self.model, self.data)
        return _MujocoSnapshot(data, self.attributes.save(), self._spare)

    def restore(self, snapshot: Snapshot) -> None:
        """Copies the saved data back."""
        self._copy_data(self.data, self.model, snapshot.data)
        self.attributes.restore(snapshot.attributes)


class _MujocoSnapshot:
    """Gives its data back for another snapshot once nobody holds it."""

    __slots__ = ("_spare", "attributes", "data")

    def __init__(self, data: Any, attributes: Snapshot, spare: list[Any]) -> None:
        self.data, self.attributes, self._spare = data, attributes, spare

    def __del__(self) -> None:
        self._spare.append(self.data)


class ReplaySnapshots:
    """Remembers the seed and the actions, and runs them again: slow and general."""

    def __init__(self, env: Env) -> None:
        self.env = env
        self.seed = 0
        self.actions: tuple[Any, ...] = ()

    @property
    def restore_cost(self) -> int:
        """Returns the length of the episode so far."""
        return max(1, len(self.actions))

    def began(self, seed: int) -> None:
        """Starts a new list of actions."""
        self.seed, self.actions = seed, ()

    def stepped(self, action: Any) -> None:
        """Appends to the list of actions."""
        self.actions = (*self.actions, copy_plain(action))

    def save(self) -> Snapshot:
        """Returns the seed and the actions since `reset`."""
        return self.seed, self.actions

    def restore(self, snapshot: Snapshot) -> None:
        """Runs the episode again up to the saved point."""
        self.seed, self.actions = snapshot
        self.env.reset(seed=self.seed)
        for action in self.actions:
            self.env.step(action)


def is_mujoco(env: Env) -> bool:
    """Returns whether an environment keeps its state in MuJoCo's data."""
    unwrapped: Any = env.unwrapped
    data = getattr(unwrapped, "data", None)
    return type(data).__name__ == "MjData" and hasattr(unwrapped, "model")


def _run(env: SnapshotEnv, actions: Sequence[Any]) -> list[EnvStep]:
    steps = []
    for action in actions:
        step = env.step(action)
        steps.append(step._replace(observation=_frozen(step.observation)))
        if step.terminated or step.truncated:
            break
    return steps


def _frozen(observation: Any) -> Any:
    """Returns a copy: some environments reuse the array that they return."""
    try:
        return copy_plain(observation)
    except NotPlainError:
        return observation


def _same_steps(left: Sequence[EnvStep], right: Sequence[EnvStep]) -> bool:
    return len(left) == len(right) and all(
        same_value(a.observation, b.observation) and a[1:] == b[1:]
        for a, b in zip(left, right, strict=True)
    )


def restores_exactly(env: SnapshotEnv, *, seed: int, num_steps: int = 40) -> bool:
    """Returns whether restoring brings back exactly what would have happened.

    The self-test of adapters: in each of several episodes some steps, a snapshot,
    more steps; then, after an episode with another seed, the snapshot is restored
    twice and the same actions must give the same outcomes to the last bit.

    Args:
        env: The environment with the adapter in question; left in some state.
        seed: Seed of the episodes and actions.
        num_steps: Steps before and after the snapshot, at most.
    """
    space = env.env.action_space
    space.seed(child_seed(seed, "self-test actions"))
    for episode, warm_up in enumerate((0, 1, 7, num_steps)):
        env.reset(child_seed(seed, "self-test", episode))
        before = _run(env, [space.sample() for _ in range(warm_up)])
        if before and (before[-1].terminated or before[-1].truncated):
            continue
        actions = [space.sample() for _ in range(num_steps)]
        snapshot = env.save()
        expected = _run(env, actions)
        env.reset(child_seed(seed, "self-test other", episode))
        _run(env, actions[: num_steps // 2])
        for _ in range(2):
            env.restore(snapshot)
            if not _same_steps(_run(env, actions), expected):
                return False
    return True


def adapters(env: Env) -> list[SnapshotAdapter]:
    """Returns the adapters that may fit an environment, best first."""
    found: list[SnapshotAdapter] = [MujocoSnapshots(env)] if is_mujoco(env) else []
    own = getattr(env.unwrapped, "snapshot_adapter", None)
    if callable(own):
        found.insert(0, own(env))
    return [*found, AttributeSnapshots(env), ReplaySnapshots(env)]


def open_with_snapshots(spec: EnvSpec, seed: int = 0) -> SnapshotEnv:
    """Returns a fresh environment with the first adapter that passes its self-test.

    Args:
        spec: The environment.
        seed: Seed of the self-test.

    Raises:
        ConfigError: If none passes: the environment does not repeat itself even
            when it is reset with the same seed.
    """
    env = spec.make()
    for adapter in adapters(env):
        candidate = SnapshotEnv(env, adapter)
        if restores_exactly(candidate, seed=seed):
            return candidate
    env.close()
    raise ConfigError(
        f"An environment must give the same episode for the same seed, but "
        f"{spec.id!r} does not."
    )
