"""Runs inside the sandbox: rolls a candidate out from first observations.

Covers: stepping, stopping at terminated, batches of a program that steps many states
at once. Does not cover: judging it. No recorded outcome is in this process.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cwm.core.spaces import BoxSpec, DiscreteSpec, space_to_json
from cwm.programs.model_inside import Model
from cwm.programs.model_types import ModelSpec, RolloutsAsk, RolloutsRequest
from cwm.programs.program import ENTRY_POINT
from cwm.programs.wire_types import PredictedRows, rows_per_message
from cwm.programs.world_model_driver import (
    ContractViolation,
    Rows,
    fresh_values,
    make_rows,
)
from sandbox.child import At, Channel, Load

REQUEST = RolloutsRequest


def run(load: Load, request: RolloutsRequest, channel: Channel) -> None:
    """Makes the rollouts of a request; emits `PredictedRows`.

    Raises:
        At: As `roll_out` does.
    """
    roll_out(Model(load, request.model), request.model, request.ask, channel)


def roll_out(model: Model, spec: ModelSpec, ask: RolloutsAsk, channel: Channel) -> None:
    """Makes rollouts; emits `PredictedRows`.

    Raises:
        At: With `rollout * horizon + step` where the candidate raised; of a batch,
            its first one.
    """
    if model.has_batch:
        _roll_out_together(model, ask, channel)
    else:
        _roll_out_singly(model, spec, ask, channel)


def _roll_out_singly(
    model: Model, spec: ModelSpec, ask: RolloutsAsk, channel: Channel
) -> None:
    observations = fresh_values(spec.observation_space, ask.observations)
    actions = fresh_values(spec.action_space, ask.actions)
    message_rows = rows_per_message(model.observation_space)
    rows = make_rows(spec.observation_space, min(message_rows, len(actions)))
    for number, observation in enumerate(observations):
        for step in range(ask.horizon):
            position = number * ask.horizon + step
            try:
                result = model.step(observation, actions[position])
                add_valid(rows, result)
            except BaseException as error:
                raise At(position) from error
            if rows.count == message_rows:
                channel.emit(rows.flush())
            if result[2]:
                break
            observation = result[0]  # noqa: PLW2901 - where the next step starts
    if rows.count:
        channel.emit(rows.flush())


def add_valid(rows: Rows, result: object) -> None:
    """Collects a result that further steps, or callers, can go on from.

    Raises:
        ContractViolation: If it cannot be sent, as integers of more than 64 bits.
    """
    rows.add(result)
    if rows.invalid:
        raise ContractViolation(f"step: {next(iter(rows.invalid.values()))}")


def _roll_out_together(model: Model, ask: RolloutsAsk, channel: Channel) -> None:
    first, horizon = ask.observations[""], ask.horizon
    number = len(first)
    actions = ask.actions[""].reshape((number, horizon, *ask.actions[""].shape[1:]))
    observations = np.zeros((number, horizon, *first.shape[1:]), dtype=first.dtype)
    rewards = np.zeros((number, horizon))
    terminated = np.zeros((number, horizon), dtype=np.bool_)
    was_made = np.zeros((number, horizon), dtype=np.bool_)
    active, current = np.arange(number), first
    for step in range(horizon):
        try:
            results = model.step_many(current, actions[active, step])
        except BaseException as error:
            raise At(int(active[0]) * horizon + step) from error
        following, rewards[active, step], terminated[active, step] = results
        observations[active, step] = following
        was_made[active, step] = True
        goes_on = ~results[2]
        active, current = active[goes_on], following[goes_on]
        if not len(active):
            break
    emit_arrays(
        (observations[was_made], rewards[was_made], terminated[was_made]),
        rows_per_message(model.observation_space),
        channel,
    )


def emit_arrays(
    results: tuple[NDArray[Any], NDArray[np.float64], NDArray[np.bool_]],
    message_rows: int,
    channel: Channel,
) -> None:
    """Emits results of a space that is one array, as `PredictedRows`."""
    observations, rewards, terminated = results
    for start in range(0, len(rewards), message_rows):
        part = slice(start, start + message_rows)
        channel.emit(
            PredictedRows(
                arrays={"": observations[part]},
                texts={},
                rewards=rewards[part],
                terminated=terminated[part],
                invalid={},
            )
        )


_REHEARSAL = f"""
import numpy as np

class {ENTRY_POINT}:
    def set_state(self, observation):
        self.state = observation

    def step(self, action):
        return self.state + np.float32(action), 1.0, False
"""


def rehearsal() -> tuple[str, RolloutsRequest]:
    """Returns a small program of our own, and its rollouts (`child.rehearse`)."""
    request = RolloutsRequest(
        model=ModelSpec(
            observation_space=space_to_json(BoxSpec((2,), "float32")),
            action_space=space_to_json(DiscreteSpec(2)),
            seed=0,
            uses_generator=False,
            uses_random=False,
        ),
        ask=RolloutsAsk(
            observations={"": np.zeros((2, 2), dtype=np.float32)},
            actions={"": np.zeros(8, dtype=np.int64)},
            horizon=4,
        ),
    )
    return _REHEARSAL, request
