"""Joins and cuts batches of transitions and predictions."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cwm.core.codec import concatenate_columns, select_rows
from cwm.core.predictions import Predictions
from cwm.core.trajectories import TransitionBatch


def concatenate_batches(
    first: TransitionBatch, second: TransitionBatch
) -> TransitionBatch:
    """Returns the transitions of both, trajectories of the second numbered on."""
    shift = int(first.trajectory.max()) + 1
    return TransitionBatch(
        observation_space=first.observation_space,
        action_space=first.action_space,
        observations=concatenate_columns([first.observations, second.observations]),
        actions=concatenate_columns([first.actions, second.actions]),
        next_observations=concatenate_columns(
            [first.next_observations, second.next_observations]
        ),
        rewards=np.concatenate([first.rewards, second.rewards]),
        terminated=np.concatenate([first.terminated, second.terminated]),
        truncated=np.concatenate([first.truncated, second.truncated]),
        trajectory=np.concatenate([first.trajectory, second.trajectory + shift]),
        time=np.concatenate([first.time, second.time]),
    )


def rows_to_predict(
    batch: TransitionBatch, *, distinct: bool
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Returns rows to predict, and for each row of the batch which of them is its.

    With `distinct`, equal inputs are predicted once (with many draws).
    """
    everything = np.arange(len(batch))
    if not distinct:
        return everything, everything
    keys: dict[bytes | tuple[Any, ...], int] = {}
    first: list[int] = []
    inverse = np.empty(len(batch), dtype=np.intp)
    columns = [*batch.observations.values(), *batch.actions.values()]
    for row in range(len(batch)):
        key = tuple(
            column[row].tobytes()
            if isinstance(column, np.ndarray)
            else repr(column[row])
            for column in columns
        )
        if key not in keys:
            keys[key] = len(first)
            first.append(row)
        inverse[row] = keys[key]
    return np.asarray(first, dtype=np.intp), inverse


def slice_predictions(predictions: Predictions, start: int, stop: int) -> Predictions:
    """Returns the predictions of rows `start .. stop - 1`."""
    rows = np.arange(start, stop)
    return Predictions(
        next_observations=select_rows(predictions.next_observations, rows),
        rewards=predictions.rewards[rows],
        terminated=predictions.terminated[rows],
        valid=predictions.valid[rows],
        messages={
            row - start: text
            for row, text in predictions.messages.items()
            if start <= row < stop
        },
    )
