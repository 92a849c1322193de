"""A candidate as a world model, in its own process.

Its states are observations. Planners meet it in two ways, and it behaves the same in
both: as `InsideModel` beside it, or over a session as `SessionModel`, whose methods
each end in one call of `ProgramModel`.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Any, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from cwm.core.protocols import (
    FloatArray,
    ModelError,
    RolloutBatch,
    StepResult,
    Values,
)
from cwm.core.spaces import SpaceSpec, Value
from cwm.programs.model_inside import Model, batched, plain
from cwm.programs.rollouts import to_columns
from planners.simulator import Simulator

P = ParamSpec("P")
T = TypeVar("T")

StepsTogether = tuple[NDArray[Any], FloatArray, NDArray[np.bool_]]
"""Next states `[N, ...]`, rewards `[N]` and terminated flags `[N]`."""


def are_arrays(*spaces: SpaceSpec) -> bool:
    """Returns whether many values of each of the spaces are one array."""
    return all(batched(space, 1) is not None for space in spaces)


def flattened(plans: Sequence[Values]) -> Values:
    """Returns the actions of plans of one length, those of a plan side by side."""
    if isinstance(plans, np.ndarray):
        return plans.reshape((-1, *plans.shape[2:]))
    return [action for plan in plans for action in plan]


def as_array(space: SpaceSpec, plans: Sequence[Values]) -> Any:
    """Returns plans of actions that are arrays, `[N, H, ...]`."""
    column: NDArray[Any] = np.asarray(to_columns(space, flattened(plans))[""])
    return column.reshape((len(plans), len(plans[0]), *column.shape[1:]))


def observation_key(value: Value) -> Hashable:
    """Returns the same key for observations that are equal to the last bit."""
    if isinstance(value, np.ndarray):
        return value.tobytes()
    if isinstance(value, tuple | list):
        return tuple(observation_key(part) for part in value)
    if isinstance(value, dict):
        return tuple((key, observation_key(part)) for key, part in value.items())
    key: Hashable = value
    return key


def draw_word(rng: np.random.Generator) -> int:
    """Returns 64 bits, by which a program's draws are seeded; advances `rng`."""
    return int(rng.bit_generator.random_raw())


class ProgramModel:
    """A candidate's model, its draws seeded by whoever calls.

    What the candidate raises is `ModelError`, and its cause.

    Args:
        model: The candidate.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._one_by_one = _OneByOne(model)
        self._together = _Together(model)
        # Made once: looking protocols up takes longer than a rollout of a few steps.
        self._single_rollouts = _simulator(self._one_by_one)
        self._joint_rollouts = _simulator(self._together)
        self.are_arrays = are_arrays(model.observation_space, model.action_space)
        self.is_random = model.is_random
        self.has_legal_actions = model.has_legal_actions

    def reseed(self, word: int) -> None:
        """Seeds what is random in the program, for all that comes after."""
        self._model.reseed(word)

    def step(self, state: Any, action: Value) -> StepResult:
        """Returns the outcome of one step."""
        return self._one_by_one.step(state, action, _UNUSED)

    def step_batch(self, states: NDArray[Any], actions: NDArray[Any]) -> StepsTogether:
        """Returns the outcomes of `N` steps, one by one if the program has no way."""
        states = np.asarray(to_columns(self._model.observation_space, states)[""])
        actions = np.asarray(to_columns(self._model.action_space, actions)[""])
        if self._model.has_batch:
            following, rewards, ends = self._together.step_batch(
                states, actions, _UNUSED
            )
            return following.copy(), rewards.copy(), ends.copy()
        results = [
            self._one_by_one.step(plain(state), action, _UNUSED)
            for state, action in zip(states, actions, strict=True)
        ]
        return (
            np.array([r.observation for r in results], dtype=states.dtype),
            np.array([r.reward for r in results], dtype=np.float64),
            np.array([r.terminated for r in results], dtype=np.bool_),
        )

    def roll_out(self, state: Any, plans: Sequence[Values]) -> RolloutBatch:
        """Returns where plans lead from one state."""
        # Which way is taken depends on the program and on how many plans there are,
        # not on how they are written down: the rounding is another one.
        if self._model.has_batch and len(plans) > 1:
            plans = as_array(self._model.action_space, plans)
            return self._joint_rollouts.roll_out(state, plans)
        return self._single_rollouts.roll_out(state, plans)

    def legal_actions(self, state: Any) -> list[Value] | None:
        """Returns what may be done; `None` for the whole space."""
        if not self.has_legal_actions:
            return None
        return _asked(self._model.legal_actions, state)


class InsideModel:
    """A candidate as a planner beside it has it.

    Each call seeds the program's draws from `rng`, once for all of its steps.

    Args:
        program: The candidate.
    """

    def __init__(self, program: ProgramModel) -> None:
        self._program = program
        self._is_random = program.is_random

    def step(self, state: Any, action: Value, rng: np.random.Generator) -> StepResult:
        """Returns the outcome of one step."""
        if self._is_random:
            self._program.reseed(draw_word(rng))
        return self._program.step(state, action)

    def roll_out(
        self, state: Any, actions: Sequence[Values], rng: np.random.Generator
    ) -> RolloutBatch:
        """Returns where plans lead from one state."""
        if self._is_random:
            self._program.reseed(draw_word(rng))
        return self._program.roll_out(state, actions)

    def legal_actions(self, state: Any) -> Sequence[Value] | None:
        """Returns what may be done; `None` for the whole space."""
        return self._program.legal_actions(state)

    def state_key(self, state: Any) -> Hashable | None:
        """Returns what an observation is told apart by."""
        return observation_key(state)


class BatchedInsideModel(InsideModel):
    """One whose observations and actions are arrays."""

    def step_batch(
        self,
        states: NDArray[Any],
        actions: NDArray[Any],
        rng: np.random.Generator,
    ) -> StepsTogether:
        """Returns the outcomes of `N` steps."""
        if self._is_random:
            self._program.reseed(draw_word(rng))
        return self._program.step_batch(states, actions)


def inside_model(program: ProgramModel) -> InsideModel:
    """Returns a candidate as a planner beside it has it."""
    return BatchedInsideModel(program) if program.are_arrays else InsideModel(program)


class _OneByOne:
    """Steps of a candidate by its `step`, seeded before."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._step = model.step

    def step(self, state: Any, action: Value, rng: object) -> StepResult:
        try:
            observation, reward, terminated = self._step(state, plain(action))
        except BaseException as error:
            raise ModelError(_name(error)) from error
        return StepResult(observation, observation, reward, terminated)

    def legal_actions(self, state: Any) -> None:
        return None


class _Together(_OneByOne):
    """Steps by the candidate's own `step_batch`, whose results last for one step."""

    def step_batch(
        self, states: NDArray[Any], actions: NDArray[Any], rng: object
    ) -> StepsTogether:
        return _asked(self._model.step_many, states, actions)


def _asked(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    try:
        return call(*args, **kwargs)
    except BaseException as error:
        raise ModelError(_name(error)) from error


def _name(error: BaseException) -> str:
    return type(error).__name__


# Steps are seeded before they are made; the protocol has a generator all the same.
_UNUSED = np.random.default_rng(0)


def _simulator(model: _OneByOne) -> Simulator:
    """Returns what makes rollouts of a model step by step, and counts for nobody."""
    return Simulator(model, _UNUSED, max_steps=0)
