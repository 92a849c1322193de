"""Rows that corrections are not learned from, and what counts as a gain on them."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cwm.core.seeding import child_rng
from cwm.core.trajectories import TransitionBatch

BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]

MAX_CHANCE = 1e-3
"""Largest chance that held-back rows would gain as much by accident."""

_MIN_GROUPS = 20
"""Trajectories from which on whole ones are held back."""

_PIECE = 16
"""Steps that are held back together where trajectories are few: neighbours are nearly
the same transition."""

_MAX_DRAWS = 20
_LEAST_SHARE = 0.25
"""Of the share of wrong rows that would be held back on average."""


@dataclass(frozen=True, slots=True)
class Halves:
    """Which rows corrections are learned from, and on which they must gain.

    Attributes:
        learned: Rows.
        held_back: The other rows.
    """

    learned: NDArray[np.intp]
    held_back: NDArray[np.intp]

    @property
    def number(self) -> int:
        """How many rows there are in all."""
        return len(self.learned) + len(self.held_back)


def hold_back(
    batch: TransitionBatch, fraction: float, *, wrong: BoolArray, seed: int
) -> Halves:
    """Returns the rows in two parts, with rows that are near in time in the same.

    Drawn anew as long as hardly any of the wrong rows are held back, since a correction
    that nothing can confirm is none.

    Args:
        batch: The training transitions.
        fraction: Share of the rows that is held back.
        wrong: `[N]`: what the law gets wrong.
        seed: Decides which.
    """
    rng = child_rng(seed, "residual", "held back")
    groups = batch.trajectory
    if len(np.unique(groups)) < _MIN_GROUPS:
        groups = groups * (int(batch.time.max()) + 1) + batch.time // _PIECE
    names, inverse, counts = np.unique(groups, return_inverse=True, return_counts=True)
    is_held = np.zeros(len(batch), dtype=np.bool_)
    for _ in range(_MAX_DRAWS):
        order = rng.permutation(len(names))
        middle = np.cumsum(counts[order]) - 0.5 * counts[order]
        chosen = order[middle < fraction * len(batch)]
        is_held = np.isin(inverse.reshape(-1), chosen)
        if wrong[is_held].sum() >= _LEAST_SHARE * fraction * wrong.sum():
            break
    return Halves(np.flatnonzero(~is_held), np.flatnonzero(is_held))


def is_confirmed(gains: FloatArray, usual: float, *, min_rows: int = 2) -> bool:
    """Returns whether a correction gains on rows that it was not learned from.

    That is, more rows than chance would: if the rows of its region were drawn from
    all rows, as many of them would turn out right by accident in less than one case
    of a thousand.

    Args:
        gains: Of its held-back rows: 1 if it sets the part right, -1 if wrong.
        usual: Share of gains among gains and losses if it were made everywhere.
        min_rows: Fewest rows that it must set right.
    """
    num_right, num_wrong = int((gains > 0).sum()), int((gains < 0).sum())
    if num_right < min_rows or num_right <= 2 * num_wrong:
        return False
    return chance_of(num_right, num_right + num_wrong, usual) <= MAX_CHANCE


def chance_of(least: int, number: int, share: float) -> float:
    """Returns the probability of `least` or more of `number`, each with `share`."""
    share = min(max(share, 1e-12), 1.0 - 1e-12)
    logs = [
        math.lgamma(number + 1)
        - math.lgamma(k + 1)
        - math.lgamma(number - k + 1)
        + k * math.log(share)
        + (number - k) * math.log1p(-share)
        for k in range(least, number + 1)
    ]
    return min(1.0, sum(math.exp(log) for log in logs))
