"""Runs inside the sandbox: steps a program, row by row or together, and times it."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cwm.programs.acceleration.trial_types import TrialAsk, TrialRows
from cwm.programs.model_inside import Model, Results, batched, plain
from cwm.programs.world_model_driver import ContractViolation
from sandbox.child import Channel, Load

REQUEST = TrialAsk


def run(load: Load, request: TrialAsk, channel: Channel) -> None:
    """Emits `TrialRows`."""
    start = time.perf_counter()
    model = Model(load, request.model)
    opening_s = time.perf_counter() - start
    if request.is_batch:
        if not model.has_batch:
            raise ContractViolation("The program has no step_batch.")
        following, rewards, ends = model.step_many(request.states, request.actions)
        rows = following.copy(), rewards.copy(), ends.copy()
        failed = np.zeros(len(request.states), np.bool_)
    else:
        rows, failed = _single_steps(model, request.states, request.actions)
    channel.emit(
        TrialRows(
            observations=np.ascontiguousarray(rows[0]),
            rewards=rows[1],
            terminated=rows[2],
            failed=failed,
            speeds=[_speed(model, request, failed, size) for size in request.sizes],
            opening_s=opening_s,
        )
    )


def _single_steps(
    model: Model, states: NDArray[Any], actions: NDArray[Any]
) -> tuple[Results, NDArray[np.bool_]]:
    number = len(states)
    space = batched(model.observation_space, number)
    assert space is not None, "trials are of values that are rows"
    following = np.zeros(space.shape, space.dtype)
    rewards, terminated = np.zeros(number), np.zeros(number, np.bool_)
    failed = np.zeros(number, np.bool_)
    with np.errstate(all="ignore"):
        for row in range(number):
            try:
                result = model.step(plain(states[row]), plain(actions[row]))
            except Exception:  # noqa: BLE001 - a row on which there is nothing to equal
                failed[row] = True
                continue
            following[row], rewards[row], terminated[row] = result
    return (following, rewards, terminated), failed


def _speed(model: Model, request: TrialAsk, failed: Any, size: int) -> float:
    """Returns steps a second of the processor's time, `size` at a time.

    One thread computes: what else the machine does has less influence so.
    """
    good = np.flatnonzero(~failed)
    if not len(good):
        return 0.0
    rows = np.resize(good, size)
    states, actions = request.states[rows], request.actions[rows]
    advance: Callable[[], Any]
    if request.is_batch and size > 1:

        def advance() -> Any:
            return model.step_many(states, actions)
    else:

        def advance() -> Any:
            for state, action in zip(states, actions, strict=True):
                model.step(plain(state), plain(action))

    advance()
    count, start = 0, time.process_time()
    while (passed := time.process_time() - start) < request.seconds:
        advance()
        count += 1
    return count * size / passed
