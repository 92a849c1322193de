"""Which transitions constants are fitted to, and which process gets which of them.

As in scoring, no process has an observation together with one that it is to predict.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cwm.core.seeding import child_rng
from cwm.core.trajectories import TransitionBatch
from cwm.programs.tolerances import observed_columns

_MAX_ELEMENTS = 24
"""Elements of an observation whose extremes are looked for."""

_NUM_EXTREMES = 6
_MAX_REWARDS = 20
_PER_REWARD = 8


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Rows of a batch to predict from.

    Attributes:
        starts: `[N]`, first row of each prediction.
        rows: `[N, horizon]`, the rows that each goes through.
        parts: Positions in `starts` that each process gets.
    """

    starts: NDArray[np.intp]
    rows: NDArray[np.intp]
    parts: tuple[NDArray[np.intp], ...]


def sample_rows(
    batch: TransitionBatch, num_rows: int, *, horizon: int, seed: int
) -> Sample | None:
    """Returns the rows that constants are fitted to; `None` if there is none.

    Rare ones come first: terminal transitions with what came just before them,
    extremes of each element, rare rewards. The rest is drawn.

    Args:
        batch: The training transitions.
        num_rows: Predictions, at most.
        horizon: Steps of each.
        seed: Seed of the draws.
    """
    rows = _segments(batch, horizon)
    if not len(rows):
        return None
    # The outcomes of a start are the observations of the next `horizon` times.
    stride = horizon + 1
    phase = batch.time[rows[:, 0]] % stride
    shares = [phase == 0, phase == max(1, stride // 2)]
    eligible = np.flatnonzero(shares[0] | shares[1])
    if not len(eligible):
        return None
    rng = child_rng(seed, "fitted rows")
    chosen = _chosen(batch, rows, rng.permutation(eligible), num_rows)
    parts = tuple(np.flatnonzero(share[chosen]) for share in shares)
    return Sample(
        starts=rows[chosen, 0],
        rows=rows[chosen],
        parts=tuple(part for part in parts if len(part)),
    )


def _segments(batch: TransitionBatch, horizon: int) -> NDArray[np.intp]:
    """Returns the rows of all runs of `horizon` consecutive transitions, `[M, H]`."""
    place = {
        (t, k): row
        for row, (t, k) in enumerate(
            zip(batch.trajectory.tolist(), batch.time.tolist(), strict=True)
        )
    }
    found = [
        [place.get((t, k + step), -1) for step in range(horizon)] for t, k in place
    ]
    rows = np.asarray(found, dtype=np.intp).reshape(len(place), horizon)
    return rows[(rows >= 0).all(axis=1)]


def _chosen(
    batch: TransitionBatch,
    rows: NDArray[np.intp],
    order: NDArray[np.intp],
    num_rows: int,
) -> NDArray[np.intp]:
    """Returns segments, rare ones first, each once."""
    wanted: dict[int, None] = {}

    def take(found: NDArray[np.intp], most: int) -> None:
        for index in found[:most].tolist():
            if len(wanted) < num_rows:
                wanted[index] = None

    ends: NDArray[np.bool_] = np.any(batch.terminated[rows], axis=1)
    share = max(1, num_rows // 6)
    terminal = order[np.flatnonzero(ends[order])]
    take(terminal, share)
    before = {
        (int(batch.trajectory[r]), int(batch.time[r]) - 1)
        for r in rows[terminal[:share], 0].tolist()
    }
    is_before = [
        (int(batch.trajectory[r]), int(batch.time[r])) in before
        for r in rows[order, 0].tolist()
    ]
    take(order[np.asarray(is_before, dtype=np.bool_)], share)
    for extremes in _extremes(batch, rows, order):
        if len(wanted) < num_rows // 2:
            take(extremes, 2 * _NUM_EXTREMES)
    for group in _by_reward(batch.rewards[rows[:, -1]], order):
        take(group, _PER_REWARD)
    take(order, len(order))
    return np.asarray(sorted(wanted), dtype=np.intp)


def _extremes(
    batch: TransitionBatch, rows: NDArray[np.intp], order: NDArray[np.intp]
) -> list[NDArray[np.intp]]:
    columns = [
        column[:, element]
        for columns in (batch.next_observations, batch.actions)
        for column in observed_columns(columns).values()
        for element in range(min(column.shape[1], _MAX_ELEMENTS))
    ]
    found = []
    for column in columns[:_MAX_ELEMENTS]:
        ranked = order[np.argsort(column[rows[order, -1]], kind="stable")]
        found.append(np.concatenate([ranked[:_NUM_EXTREMES], ranked[-_NUM_EXTREMES:]]))
    return found


def _by_reward(
    rewards: NDArray[np.float64], order: NDArray[np.intp]
) -> list[NDArray[np.intp]]:
    distinct = np.unique(rewards)
    if len(distinct) > _MAX_REWARDS:
        return []
    return [order[rewards[order] == value] for value in distinct]
