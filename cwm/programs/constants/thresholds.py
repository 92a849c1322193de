"""Constants that only events read: limits of speeds, goals, ends of episodes.

Predictions do not change smoothly with them, and often not at all within the gaps
between recorded values. One constant at a time is searched over its whole range; what
comes out is the interval that the data allow, and the roundest number in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cwm.programs.constants.holes import Hole
from cwm.programs.constants.objective import Objective, Point
from cwm.programs.round_numbers import simplest_between, tidy

FloatArray = NDArray[np.float64]

_NUM_COARSE = 25
_NUM_FINE = 5
_NUM_ROUNDS = 5
_NUM_ROUNDS_AT_ORIGIN = 3
_SAME = 1e-9
"""Relative difference up to which costs are the same."""

_MIN_WIDTH = 1e-5
"""Narrower intervals are points, of the coordinate."""

_NEAR = 0.1
"""Share of a value up to which it is near the end of an open interval."""

_MAX_CANDIDATES = 16
_BESIDE = 1e-5


@dataclass(frozen=True, kw_only=True)
class Scan:
    """What a search over one constant found.

    Attributes:
        point: The best point, with the roundest value of the interval.
        low: Greatest value below the point that is known to be worse; the constant's
            bound if there is none.
        high: Smallest value above it that is.
        is_open_below: Whether the interval goes on to the constant's bound.
        is_open_above: Likewise.
        is_point: Whether it is a single value: predictions follow the constant there.
    """

    point: Point
    low: float
    high: float
    is_open_below: bool = False
    is_open_above: bool = False
    is_point: bool = False


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
    for number in range(_NUM_ROUNDS):
        # Where the present value is as good as any, its ends matter less.
        if line.is_best_at_origin and number >= _NUM_ROUNDS_AT_ORIGIN:
            break
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


def values_at(
    columns: Sequence[FloatArray], wrong: NDArray[np.bool_], hole: Hole
) -> list[float]:
    """Returns values just below and above those of elements where an event is wrong.

    Args:
        columns: Recorded elements, each `[N]`.
        wrong: `[N]`, where something that is right or wrong is wrong.
        hole: The constant: its sign counts.
    """
    found: dict[float, None] = {}
    for column in columns if wrong.any() else ():
        sizes = np.abs(column[wrong])
        sizes = sizes[np.isfinite(sizes) & (sizes > 0)]
        for size in (sizes.min(), sizes.max()) if len(sizes) else ():
            for factor in (1.0 - _BESIDE, 1.0 + _BESIDE):
                found[float(np.copysign(factor * size, hole.value))] = None
    return list(found)[: 2 * _MAX_CANDIDATES]


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

    @property
    def is_best_at_origin(self) -> bool:
        """Whether no other value does better than the present one."""
        places, first, last = self._best_run()
        return places[first] <= float(self._origin.at[self._index]) <= places[last]

    def around(self, number: int) -> FloatArray:
        """Returns further places: where the best run ends, and in its largest gap.

        Between two values that are as good there may be a better one.
        """
        places, first, last = self._best_run()
        fresh: list[float] = []
        for best, other in ((first, first - 1), (last, last + 1)):
            if 0 <= other < len(places):
                ends = (places[best], places[other])
                if abs(ends[0] - ends[1]) > _MIN_WIDTH / 100:
                    fresh += np.linspace(*ends, number + 2)[1:-1].tolist()
        gaps = [(places[i], places[i + 1]) for i in range(first, last)]
        widest = max(gaps, key=lambda gap: gap[1] - gap[0], default=(0.0, 0.0))
        if widest[1] - widest[0] > _MIN_WIDTH:
            fresh += np.linspace(*widest, number + 2)[1:-1].tolist()
        return np.array(fresh)

    def result(self, hole: Hole) -> Scan:
        places, first, last = self._best_run()
        outside = (max(first - 1, 0), min(last + 1, len(places) - 1))
        low, high = sorted(hole.from_search(places[i]) for i in outside)
        is_growing = hole.from_search(places[-1]) >= hole.from_search(places[0])
        at_ends = (first == 0, last == len(places) - 1)
        below, above = at_ends if is_growing else at_ends[::-1]
        found = Scan(
            point=self._points[places[first]],
            low=low,
            high=high,
            is_open_below=below,
            is_open_above=above,
            is_point=places[last] - places[first] <= _MIN_WIDTH,
        )
        inside = sorted(hole.from_search(places[i]) for i in (first, last))
        return found if found.is_point else self._rounded(hole, found, inside)

    def _rounded(self, hole: Hole, found: Scan, inside: Sequence[float]) -> Scan:
        """Returns what was found with the roundest value of those that are best."""
        now = hole.from_search(float(self._origin.at[self._index]))
        low, high = inside
        if not (low <= now <= high or low <= hole.value <= high):
            # What goes on for ever is known at its end only.
            if found.is_open_above:
                high = min(high, low + _NEAR * abs(low))
            if found.is_open_below:
                low = max(low, high - _NEAR * abs(high))
        value = simplest_between(
            low, high, hints=(now, hole.value), angles=hole.is_angle
        )
        coordinate = hole.to_search(value)
        self.try_all([coordinate])
        best, tried = found.point, self._points.get(coordinate, found.point)
        limit = best.cost + _SAME * max(1.0, abs(best.cost))
        return replace(found, point=tried) if tried.cost <= limit else found


def _runs(is_best: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Returns the first and last index of each run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], is_best, [False]])))
    return [(int(a), int(b) - 1) for a, b in zip(edges[::2], edges[1::2], strict=True)]
