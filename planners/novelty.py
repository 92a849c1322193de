"""Which of many states to keep: the best, and those that differ the most."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cwm.core.protocols import FloatArray
from cwm.core.spaces import Value


def spread_order(
    ranks: FloatArray,
    vectors: FloatArray,
    rng: np.random.Generator,
    *,
    num_cells: int,
    novelty_share: float,
) -> NDArray[np.int64]:
    """Returns the order in which to keep states, `[N]`.

    Of any number of states kept, the given share are spread over what was reached: one
    of each cell, then a second of each, and so on. Of a cell the highest rank comes
    first, then what is farthest from the middle, so that the edge of what was reached
    is never given up: beyond it lies what was not. The rest have the highest ranks,
    spread likewise where ranks are equal, but not to the edge, which may be that of a
    cliff.

    Args:
        ranks: What is better is higher, `[N]`.
        vectors: Observations `[N, D]`; `D` may be 0.
        rng: Source of the order where nothing else decides; advanced by the call.
        num_cells: Cells to have, roughly.
        novelty_share: In `[0, 1]`.
    """
    number = len(ranks)
    chance = rng.permutation(number)
    loss = -np.round(ranks, 9)
    centred = _centred(vectors)
    nearness = -np.round((centred**2).sum(axis=1), 9)
    order = np.lexsort((chance, nearness, loss))
    cells = _cells(centred, num_cells)
    place = _places_in_groups(cells, order)
    by_rank = np.lexsort(
        (chance, _places_in_groups(cells, np.lexsort((chance, loss))), loss)
    )
    by_novelty = np.lexsort((chance, loss, place))
    turn = np.full(number, np.inf)
    for order, share in ((by_rank, 1.0 - novelty_share), (by_novelty, novelty_share)):
        if share > 0.0:
            turn[order] = np.minimum(turn[order], np.arange(1, number + 1) / share)
    return np.lexsort((chance, place, loss, turn))


def _centred(vectors: FloatArray) -> FloatArray:
    """Returns vectors with each element's range mapped to -1 .. 1, `[N, D]`."""
    if not vectors.size:
        return vectors
    low, high = vectors.min(axis=0), vectors.max(axis=0)
    half = (high - low) / 2
    return np.asarray((vectors - (low + high) / 2) / np.where(half > 0.0, half, 1.0))


def _cells(centred: FloatArray, num_cells: int) -> NDArray[np.uint64]:
    """Returns a number for the cell of each vector, `[N]`."""
    cells = np.zeros(len(centred), dtype=np.uint64)
    if not centred.shape[1]:
        return cells
    varies = (centred != 0.0).any(axis=0)
    parts = max(2, int(num_cells ** (1 / max(1, int(varies.sum())))))
    for column in centred[:, varies].T:
        part = np.minimum((column + 1.0) * (parts / 2), parts - 1).astype(np.uint64)
        cells = cells * np.uint64(1_000_003) + part
    return cells


def _places_in_groups(
    groups: NDArray[np.uint64], order: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Returns for each entry how many of its group come before it in an order."""
    ordered = groups[order]
    by_group = np.argsort(ordered, kind="stable")
    is_first = np.ones(len(groups), dtype=np.bool_)
    is_first[1:] = ordered[by_group][1:] != ordered[by_group][:-1]
    positions = np.arange(len(groups))
    starts = np.maximum.accumulate(np.where(is_first, positions, 0))
    places = np.empty(len(groups), dtype=np.int64)
    places[order[by_group]] = positions - starts
    return places


def as_vectors(observations: Sequence[Value]) -> FloatArray:
    """Returns observations as vectors `[N, D]`; `D` is 0 where they have no numbers."""
    rows = [_numbers(observation) for observation in observations]
    sizes = {len(row) for row in rows}
    if len(sizes) != 1:
        return np.zeros((len(rows), 0))
    return np.nan_to_num(np.array(rows, dtype=np.float64).reshape(len(rows), -1))


def _numbers(observation: Value) -> Sequence[float]:
    if isinstance(observation, np.ndarray):
        is_number = observation.dtype.kind in "fiub"
        return list(observation.ravel().astype(np.float64)) if is_number else ()
    if isinstance(observation, dict):
        return [number for part in observation.values() for number in _numbers(part)]
    if isinstance(observation, tuple | list):
        return [number for part in observation for number in _numbers(part)]
    if isinstance(observation, str):
        return ()
    return (float(observation),)
