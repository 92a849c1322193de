"""Which transitions of a batch have to be predicted."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cwm.core.trajectories import TransitionBatch


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
