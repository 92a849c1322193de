"""Rolls programs out in the sandbox: first observations and actions in.

What comes out is what the program says would happen; nothing is compared here.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cwm.core.codec import Columns, conform, encode_columns
from cwm.core.predictions import Predictions
from cwm.core.spaces import BoxSpec, SpaceSpec, Value, space_to_json
from cwm.programs.kernels import kernel_of
from cwm.programs.model_inside import batched
from cwm.programs.model_types import ModelSpec, RolloutsAsk, RolloutsRequest
from cwm.programs.program import may_draw, uses_generator, uses_global_generators
from cwm.programs.received import check_rows
from cwm.programs.wire_types import PredictedRows, rows_per_message
from sandbox.errors import ProtocolError
from sandbox.limits import Limits
from sandbox.outcome import Completed, Outcome, ProtocolBroken
from sandbox.pool import Sandbox

ROLLOUTS_DRIVER = "cwm.programs.rollout_driver"

Values = Sequence[Value] | NDArray[Any]
"""Several values; of a space that is one array, one array with rows for them."""


@dataclass(frozen=True, kw_only=True)
class Rollouts:
    """`B` rollouts of at most `T` steps; what follows a rollout's end means nothing.

    Attributes:
        next_observations: By path of the space: arrays `[B, T, ...]`, or for each
            rollout a list of `T` texts.
        rewards: `[B, T]` of `float64`; 0 after the end.
        terminated: `[B, T]` of `bool`; false after the end.
        lengths: `[B]`: steps that were made, from 1 to `T`. Less than `T` only where
            the last one terminated the rollout.
    """

    next_observations: dict[str, Any]
    rewards: NDArray[np.float64]
    terminated: NDArray[np.bool_]
    lengths: NDArray[np.int64]


def rollout(
    sandbox: Sandbox,
    source: str,
    *,
    observation_space: SpaceSpec,
    action_space: SpaceSpec,
    first_observations: Values,
    actions: Sequence[Values] | NDArray[Any],
    seed: int = 0,
    limits: Limits | None = None,
) -> tuple[Outcome[PredictedRows], Rollouts | None]:
    """Returns where a program says that actions lead.

    Each step starts with `set_state` of what the step before predicted, in the
    space's own representation: the same as single steps one after the other. A
    program with `step_batch` that draws no random numbers is asked for all rollouts
    at once.

    Args:
        sandbox: Made with `ROLLOUTS_DRIVER`.
        source: The program.
        observation_space: Space of the observations.
        action_space: Space of the actions.
        first_observations: `B` of them, at least 1.
        actions: For each rollout `T` of them, at least 1.
        seed: Seed of whatever is random in the program.
        limits: Limits of the run; the sandbox's own by default.

    Returns:
        The outcome, and the rollouts if it is `Completed`. `Raised.position` is
        `rollout * T + step`; something that is not of the space's form raises, too.

    Raises:
        SandboxUnavailable: As in `Sandbox.run`.
        ValueError: If values are not of their spaces, or not as many as they should.
    """
    ask = rollouts_ask(observation_space, action_space, first_observations, actions)
    request = RolloutsRequest(
        model=model_spec(source, observation_space, action_space, seed), ask=ask
    )
    num_rows = len(first_observations) * ask.horizon
    max_messages = math.ceil(num_rows / rows_per_message(observation_space))
    outcome = sandbox.run(
        source,
        request,
        driver=ROLLOUTS_DRIVER,
        reply=PredictedRows,
        limits=replace(limits or sandbox.limits, max_messages=max_messages),
    )
    if not isinstance(outcome, Completed):
        return outcome, None
    try:
        return outcome, read_rollouts(outcome.messages, observation_space, ask)
    except ProtocolError as error:
        return ProtocolBroken(reason=str(error), usage=outcome.usage), None


def model_spec(
    source: str, observation_space: SpaceSpec, action_space: SpaceSpec, seed: int
) -> ModelSpec:
    """Returns what a driver has to know of a program's model."""
    return ModelSpec(
        observation_space=space_to_json(observation_space),
        action_space=space_to_json(action_space),
        seed=seed,
        uses_generator=uses_generator(source),
        uses_random=uses_global_generators(source) and may_draw(source),
        kernel=kernel_of(source),
    )


def to_columns(space: SpaceSpec, values: Values) -> Columns:
    """Returns values as columns.

    Raises:
        ValueError: If one is not of the space.
    """
    if isinstance(values, np.ndarray):
        if (
            isinstance(space, BoxSpec)
            and values.shape[1:] == space.shape
            and values.dtype == space.dtype
        ):
            return {"": values}
        together = batched(space, len(values))
        if together is not None:
            return {"": conform(together, values)}
    return encode_columns(space, [conform(space, value) for value in values])


def rollouts_ask(
    observation_space: SpaceSpec,
    action_space: SpaceSpec,
    first_observations: Values,
    actions: Sequence[Values] | NDArray[Any],
) -> RolloutsAsk:
    """Returns the request for rollouts; arguments and errors as in `rollout`."""
    number = len(first_observations)
    horizons = {len(one) for one in actions}
    if number < 1 or len(actions) != number:
        raise ValueError(
            f"There must be a list of actions for each of at least 1 first "
            f"observations, got {len(actions)} for {number}."
        )
    if len(horizons) != 1 or 0 in horizons:
        raise ValueError(
            "Rollouts must have the same number of actions, at least 1, "
            f"got {sorted(horizons)}."
        )
    (horizon,) = horizons
    flat: Values
    if isinstance(actions, np.ndarray):
        flat = actions.reshape((number * horizon, *actions.shape[2:]))
    else:
        flat = [action for one in actions for action in one]
    return RolloutsAsk(
        observations=to_columns(observation_space, first_observations),
        actions=to_columns(action_space, flat),
        horizon=horizon,
    )


def read_rollouts(
    messages: Sequence[PredictedRows], space: SpaceSpec, ask: RolloutsAsk
) -> Rollouts:
    """Returns the rollouts that a child sent, if they are what was asked for.

    Raises:
        ProtocolError: If they are not.
    """
    number = len(next(iter(ask.observations.values())))
    rows = check_rows(messages, space, number * ask.horizon)
    if not rows.valid.all():
        raise ProtocolError("a rollout went on where there was nothing to go on from.")
    lengths = _lengths(rows, number, ask.horizon)
    steps = np.arange(ask.horizon)
    was_made = steps < lengths[:, None]
    shape = (number, ask.horizon)
    rewards = np.zeros(shape)
    rewards[was_made] = rows.rewards
    terminated = np.zeros(shape, dtype=np.bool_)
    terminated[was_made] = rows.terminated
    columns = rows.next_observations
    return Rollouts(
        next_observations={p: _spread(c, was_made) for p, c in columns.items()},
        rewards=rewards,
        terminated=terminated,
        lengths=lengths,
    )


def _lengths(rows: Predictions, number: int, horizon: int) -> NDArray[np.int64]:
    lengths = np.zeros(number, dtype=np.int64)
    start = 0
    for index in range(number):
        ends = np.flatnonzero(rows.terminated[start : start + horizon])
        lengths[index] = ends[0] + 1 if len(ends) else horizon
        start += int(lengths[index])
    if start != len(rows):
        raise ProtocolError(f"{start} rows were due, {len(rows)} came.")
    return lengths


def _spread(column: Any, was_made: NDArray[np.bool_]) -> Any:
    if isinstance(column, np.ndarray):
        array = np.zeros((*was_made.shape, *column.shape[1:]), dtype=column.dtype)
        array[was_made] = column
        return array
    rest = iter(column)
    return [[next(rest) if made else "" for made in row] for row in was_made.tolist()]
