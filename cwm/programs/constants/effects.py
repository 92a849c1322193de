"""Which constants matter, and how: probes before anything is fitted."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cwm.programs.constants.objective import Objective, Point
from cwm.programs.constants.smooth import STEP

_PROBES = (STEP, -1.8, -0.6, 0.6)
"""Changes of a coordinate; the first is that of a derivative."""

_NOTHING = 1e-9
_SMOOTH_SHARE = 0.02
_EVENT_SHARE = 0.25


@dataclass(frozen=True, kw_only=True)
class Effects:
    """What changes with each constant.

    Attributes:
        smooth: Constants with which predictions change gradually.
        events: Constants with which some predictions change at once, or few of them.
        inert: Constants with which nothing changes.
    """

    smooth: tuple[int, ...]
    events: tuple[int, ...]
    inert: tuple[int, ...]

    def among(self, chosen: Sequence[int]) -> "Effects":
        """Returns the effects of some of the constants."""
        return Effects(
            smooth=tuple(i for i in self.smooth if i in chosen),
            events=tuple(i for i in self.events if i in chosen),
            inert=tuple(i for i in self.inert if i in chosen),
        )


def find_effects(objective: Objective, point: Point) -> Effects:
    """Returns what each constant changes, on its own, near a point and far from it."""
    size = objective.size
    moved = np.tile(point.at, (len(_PROBES) * size, 1))
    for row, probe in enumerate(_PROBES):
        for index in range(size):
            coordinate = point.at[index] + probe
            moved[row * size + index, index] = np.clip(
                coordinate, objective.low[index], objective.high[index]
            )
    shares = np.array(
        [_changed(point, other).mean() for other in objective.evaluate(moved)]
    ).reshape(len(_PROBES), size)
    near, far = shares[0], shares.max(axis=0)
    return Effects(
        smooth=_where(near >= _SMOOTH_SHARE),
        events=_where((far > 0) & (near < _EVENT_SHARE)),
        inert=_where(far == 0),
    )


def _changed(point: Point, other: Point) -> NDArray[np.bool_]:
    """Returns which rows are predicted otherwise, `[N]`."""
    a, b = point.residuals, other.residuals
    moved = (np.abs(a.values - b.values) > _NOTHING).any(axis=1)
    return np.asarray(moved | (a.num_wrong != b.num_wrong))


def _where(mask: NDArray[np.bool_]) -> tuple[int, ...]:
    return tuple(np.flatnonzero(mask).tolist())
