"""Messages between a decider and the driver that holds a program to plan with.

Covers: their form, and the checks of a plan that came out. Does not cover: whether a
plan is any good; all that comes out of a candidate's process is a claim.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from cwm.core.codec import Columns, decode_columns
from cwm.core.protocols import StepResult
from cwm.core.spaces import (
    BoxSpec,
    DictSpec,
    DiscreteSpec,
    MultiDiscreteSpec,
    SpaceSpec,
    TupleSpec,
    Value,
)
from cwm.programs.model_types import ModelSpec
from cwm.programs.received import check_values
from cwm.programs.wire_types import PredictedRows, ReceivedValues
from planners.planner import Plan
from sandbox.errors import ProtocolError
from sandbox.outcome import printable

MAX_STATISTICS = 64
"""Figures of a plan that are read; more are no plan of ours."""

_MAX_NAME_CHARS = 80
_INT64 = 1 << 63


class PlanningRequest(msgspec.Struct, array_like=True):
    """What the driver holds.

    Attributes:
        model: The program's model.
        planner: The planner beside it, as `planner_config_to_json` has it; `None` if
            the caller plans and only steps the model.
    """

    model: ModelSpec
    planner: dict[str, Any] | None


class PlanAsk(msgspec.Struct, array_like=True, tag="plan"):
    """A decision to make.

    Attributes:
        observation: Columns of 1 observation.
        seed: Seed of the episode's decisions.
        step: Steps taken in the episode.
        steps_left: As `Planner.plan` has it.
        keeps_plan: Whether the memory of the plan before is still good.
    """

    observation: dict[str, Any]
    seed: int
    step: int
    steps_left: int | None
    keeps_plan: bool


class StepAsk(msgspec.Struct, array_like=True, tag="step"):
    """Steps to predict, all or none; answered with `ModelRows`.

    Attributes:
        observations: Columns of `N` observations.
        actions: Columns of `N` actions.
        is_batch: Whether `step_batch` was called; else `N` is 1.
        word: What to seed the program's draws by; `None` if it draws nothing.
    """

    observations: dict[str, Any]
    actions: dict[str, Any]
    is_batch: bool
    word: int | None


class SingleStepsAsk(msgspec.Struct, array_like=True, tag="single_steps"):
    """Steps to predict one by one; `ModelRows` say which of them have no answer.

    Attributes:
        observations: Columns of `N` observations.
        actions: Columns of `N` actions.
        words: What to seed the program's draws by, for each; `None` as in `StepAsk`.
    """

    observations: dict[str, Any]
    actions: dict[str, Any]
    words: list[int] | None


class RollOutAsk(msgspec.Struct, array_like=True, tag="roll_out"):
    """Plans to follow from one state; answered with `RolloutEnds` and `ModelRows`.

    Attributes:
        observation: Columns of 1 observation.
        actions: Columns of `N * horizon` actions, those of a plan side by side.
        horizon: Actions of a plan.
        word: As in `StepAsk`.
    """

    observation: dict[str, Any]
    actions: dict[str, Any]
    horizon: int
    word: int | None


class LegalAsk(msgspec.Struct, array_like=True, tag="legal"):
    """What may be done; answered with `LegalActions`.

    Attributes:
        observation: Columns of 1 observation.
    """

    observation: dict[str, Any]


Ask = PlanAsk | StepAsk | SingleStepsAsk | RollOutAsk | LegalAsk


class ModelFacts(msgspec.Struct, array_like=True, tag="facts"):
    """Said once, when the program has been loaded.

    Attributes:
        has_legal_actions: Whether the program says what may be done.
    """

    has_legal_actions: bool


class ModelRows(PredictedRows, array_like=True, tag="rows"):
    """Predicted steps, side by side."""


class RolloutEnds(msgspec.Struct, array_like=True, tag="ends"):
    """How rollouts ended; the steps that they made follow in `ModelRows`.

    Attributes:
        lengths: `[N]` of int64.
        failed: `[N]` of bool.
    """

    lengths: np.ndarray
    failed: np.ndarray


class LegalActions(msgspec.Struct, array_like=True, tag="actions"):
    """What may be done.

    Attributes:
        actions: `number` actions.
        number: How many.
    """

    actions: ReceivedValues
    number: int


class PlannedSteps(msgspec.Struct, array_like=True, tag="planned"):
    """A plan; `read_plan` makes one of it that can be used.

    Attributes:
        actions: `num_actions` actions.
        num_actions: How many.
        observations: Those that are predicted after the first of them.
        rewards: `[P]` of float64, predicted with them.
        terminated: `[P]` of bool, likewise.
        value: As in `Plan`.
        num_model_steps: Likewise.
        num_failures: Likewise.
        statistics: Likewise, those that are numbers.
    """

    actions: ReceivedValues
    num_actions: int
    observations: ReceivedValues
    rewards: np.ndarray
    terminated: np.ndarray
    value: float
    num_model_steps: int
    num_failures: int
    statistics: dict[str, bool | int | float]


Reply = PlannedSteps | ModelRows | RolloutEnds | LegalActions | ModelFacts


def numbers(statistics: Mapping[str, Any]) -> dict[str, bool | int | float]:
    """Returns those figures of a plan that are numbers, as they are sent."""
    found: dict[str, bool | int | float] = {}
    for name, figure in statistics.items():
        value = figure.item() if isinstance(figure, np.generic) else figure
        is_small = isinstance(value, int) and -_INT64 <= value < _INT64
        if isinstance(value, float) or is_small:
            found[name] = value
    return found


def read_plan(
    message: PlannedSteps,
    observation_space: SpaceSpec,
    action_space: SpaceSpec,
    *,
    max_actions: int,
    max_model_steps: int,
) -> Plan:
    """Returns the plan that a driver sent, if a planner can have made it.

    Predictions may be anything of the space's form: a model may say that rewards are
    infinite, and is wrong then.

    Raises:
        ProtocolError: If it cannot be a plan.
    """
    actions = _actions(message, action_space, max_actions)
    if not 0 <= message.num_model_steps <= max_model_steps:
        raise ProtocolError(
            f"a plan takes 0 to {max_model_steps} model steps, "
            f"not {message.num_model_steps}."
        )
    if not 0 <= message.num_failures <= message.num_model_steps:
        raise ProtocolError("there are more failures of the model than steps.")
    return Plan(
        actions=tuple(actions),
        predictions=_predictions(message, observation_space, len(actions)),
        value=message.value,
        num_model_steps=message.num_model_steps,
        num_failures=message.num_failures,
        statistics=_statistics(message.statistics),
    )


def _actions(
    message: PlannedSteps, action_space: SpaceSpec, max_actions: int
) -> list[Value]:
    if not 1 <= message.num_actions <= max_actions:
        raise ProtocolError(
            f"a plan has 1 to {max_actions} actions, not {message.num_actions}."
        )
    columns = check_values(message.actions, action_space, message.num_actions)
    actions = decode_columns(action_space, columns)
    if not all(is_within(action_space, action) for action in actions):
        raise ProtocolError("an action is outside its space.")
    return actions


def _predictions(
    message: PlannedSteps, space: SpaceSpec, max_number: int
) -> tuple[StepResult, ...]:
    rewards, terminated = message.rewards, message.terminated
    number = len(rewards) if rewards.ndim == 1 else -1
    if (
        not 0 <= number <= max_number
        or rewards.dtype != np.float64
        or terminated.dtype != np.bool_
        or terminated.shape != (number,)
    ):
        raise ProtocolError("predicted rewards or terminated flags are not of a plan.")
    columns: Columns = check_values(message.observations, space, number)
    observations = decode_columns(space, columns) if number else []
    return tuple(
        StepResult(observation, observation, reward, is_end)
        for observation, reward, is_end in zip(
            observations, rewards.tolist(), terminated.tolist(), strict=True
        )
    )


def _statistics(said: dict[str, bool | int | float]) -> dict[str, bool | int | float]:
    if len(said) > MAX_STATISTICS:
        raise ProtocolError(f"a plan has at most {MAX_STATISTICS} figures.")
    return {printable(name, _MAX_NAME_CHARS): figure for name, figure in said.items()}


def is_within(space: SpaceSpec, value: Value) -> bool:
    """Returns whether a value that has a space's form is finite and within bounds."""
    match space:
        case BoxSpec():
            return _is_within_box(space, np.asarray(value).reshape(-1))
        case DiscreteSpec(num_values=number, start=start):
            return bool(start <= value < start + number)
        case MultiDiscreteSpec(num_values=counts):
            return bool((value >= 0).all() and (value < np.array(counts)).all())
        case TupleSpec(members=members):
            return all(map(is_within, members, value))
        case DictSpec(members=named):
            return all(is_within(member, value[key]) for key, member in named)
        case _:
            return True


def _is_within_box(space: BoxSpec, flat: NDArray[Any]) -> bool:
    low, high = space.bounds()
    if not space.is_integer:
        # A bound that the type cannot hold is rounded, as an action at it is.
        with np.errstate(over="ignore"):
            low, high = low.astype(space.dtype), high.astype(space.dtype)
    is_inside = np.isfinite(flat) & (flat >= low) & (flat <= high)
    return bool(is_inside.all())
