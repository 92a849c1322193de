"""Constants that only events read: limits of speeds, goals, ends of episodes.

Predictions do not change smoothly with them, and often not at all within the gaps
between recorded values. One constant at a time is searched over its whole range; what
comes out is the interval that the data allow, and the roundest number in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cwm.programs.constants.holes import Hole
from cwm.programs.constants.objective import Objective, Point
from cwm.programs.round_numbers import simplest_between, tidy

FloatArray = NDArray[np.float64]

_NUM_COARSE = 25
_NUM_FINE = 5
_NUM_ROUNDS = 5
_SAME = 1e-9
"""Relative difference up to which costs are the same."""

_MIN_WIDTH = 1e-5
"""Narrower intervals are points, of the coordinate."""

_MAX_CANDIDATES = 16


@dataclass(frozen=True, kw_only=True)
class Scan:
    """What a search over one constant found.

    Attributes:
        point: The best point, with the roundest value of the interval.
        low: Smallest value of the constant that is as good.
        high: Greatest.
        is_open_below: Whether the interval goes on to the constant's bound.
        is_open_above: Likewise.
    """

    point: Point
    low: float
    high: float
    is_open_below: bool = False
    is_open_above: bool = False


def scan(
    objective: Objective, point: Point, index: int, *, candidates: Sequence[float] = ()
) -> Scan:
    """Returns the best value of one constant, the others as they are.

    Args:
        objective: What is searched.
        point: The others' values.
        index: The constant.
        candidates: Values that deserve to be tried, such as recorded extremes.
    """
    line = _Line(objective, point, index)
    hole = objective.holes[index]
    low, high = objective.low[index], objective.high[index]
    tried = [hole.to_search(c) for c in candidates if hole.low <= c <= hole.high]
    line.try_all([*np.linspace(low, high, _NUM_COARSE), *tried])
    for _ in range(_NUM_ROUNDS):
        fresh = line.around(_NUM_FINE)
        if not len(fresh):
            break
        line.try_all(fresh)
    return line.result(hole)


def recorded_extremes(columns: Sequence[FloatArray], hole: Hole) -> list[float]:
    """Returns values that recorded elements are stopped at, as a constant has them.

    Args:
        columns: Recorded elements, each `[N]`.
        hole: The constant: its sign counts, as limits are often of both signs.
    """
    found: dict[float, None] = {}
    for column in columns:
        finite = column[np.isfinite(column)]
        if not len(finite):
            continue
        for extreme in (finite.min(), finite.max()):
            value = float(np.copysign(tidy(abs(float(extreme))), hole.value))
            if (finite == extreme).sum() >= 2 and value != 0:
                found[value] = None
    return list(found)[:_MAX_CANDIDATES]


class _Line:
    """Points that differ in one constant, in its order."""

    def __init__(self, objective: Objective, point: Point, index: int) -> None:
        self._objective = objective
        self._index = index
        self._origin = point
        self._points: dict[float, Point] = {float(point.at[index]): point}

    def try_all(self, coordinates: Sequence[float] | FloatArray) -> None:
        fresh = sorted({float(c) for c in coordinates} - set(self._points))
        if not fresh:
            return
        moved = np.tile(self._origin.at, (len(fresh), 1))
        moved[:, self._index] = fresh
        for coordinate, found in zip(
            fresh, self._objective.evaluate(moved), strict=True
        ):
            self._points[coordinate] = found

    def _best_run(self) -> tuple[list[float], int, int]:
        """Returns all coordinates in order, and the first and last of the best run."""
        places = sorted(self._points)
        costs = np.array([self._points[p].cost for p in places])
        lowest = costs.min()
        is_best = costs <= lowest + _SAME * max(1.0, abs(lowest))
        origin = places.index(float(self._origin.at[self._index]))
        # What is as good as the best, and nearest to the present value.
        runs = _runs(is_best)
        first, last = min(
            runs, key=lambda r: max(r[0] - origin, origin - r[1], 0) - (r[1] - r[0])
        )
        return places, first, last

    def around(self, number: int) -> FloatArray:
        """Returns further places, on both sides of where the best run ends."""
        places, first, last = self._best_run()
        fresh: list[float] = []
        for inside, outside in ((first, first - 1), (last, last + 1)):
            if 0 <= outside < len(places):
                ends = (places[inside], places[outside])
                if abs(ends[0] - ends[1]) > _MIN_WIDTH / 100:
                    fresh += np.linspace(*ends, number + 2)[1:-1].tolist()
        return np.array(fresh)

    def result(self, hole: Hole) -> Scan:
        places, first, last = self._best_run()
        low, high = sorted(hole.from_search(places[i]) for i in (first, last))
        is_growing = hole.from_search(places[-1]) >= hole.from_search(places[0])
        at_ends = (first == 0, last == len(places) - 1)
        below, above = at_ends if is_growing else at_ends[::-1]
        best = self._points[places[first]]
        if places[last] - places[first] > _MIN_WIDTH:
            best = self._round(hole, low, high, best)
        return Scan(
            point=best, low=low, high=high, is_open_below=below, is_open_above=above
        )

    def _round(self, hole: Hole, low: float, high: float, best: Point) -> Point:
        """Returns the point at the roundest value of an interval."""
        now = hole.from_search(float(self._origin.at[self._index]))
        value = simplest_between(
            low, high, hints=(now, hole.value), angles=hole.is_angle
        )
        coordinate = hole.to_search(value)
        self.try_all([coordinate])
        found = self._points.get(coordinate, best)
        limit = best.cost + _SAME * max(1.0, abs(best.cost))
        return found if found.cost <= limit else best


def _runs(is_best: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Returns the first and last index of each run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], is_best, [False]])))
    return [(int(a), int(b) - 1) for a, b in zip(edges[::2], edges[1::2], strict=True)]
