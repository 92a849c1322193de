"""Least squares where predictions change smoothly with the constants.

Finite differences, all columns in one request. Predictions may be single precision,
so that steps are far larger than those of double precision; as the residual at the
solution is small, what is wrong with the derivatives does not move it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from cwm.programs.constants.objective import Objective, Point

FloatArray = NDArray[np.float64]

STEP = 2e-3
"""Change of a coordinate for a finite difference."""

Loss: TypeAlias = Literal["linear", "soft_l1", "cauchy"]

_ROUNDS: tuple[tuple[Loss, float], ...] = (
    ("soft_l1", 1.0),
    ("cauchy", 3.0),
    ("cauchy", 3.0),
)
"""Losses in turn, and how many medians of what is left they take for usual."""

_ROUGH, _PRECISE = 1e-4, 1e-9
"""Relative change below which a robust and an exact round are over."""

_SMALLEST_SCALE = 1e-6
_LARGEST_SCALE = 0.3
_FLOOR = 1e-4
"""Residuals up to here are always polished: the strict tolerance."""

_INLIER_SCALES = 12.0
_WORSE = 1.1
"""How much the cost may rise where least squares and its robust kin disagree."""


@dataclass(frozen=True, kw_only=True)
class Slopes:
    """How residuals change with constants near a point.

    Attributes:
        jacobian: `[M, F]`, of all residuals, for the free constants.
        free: `[F]`, which constants these are.
    """

    jacobian: FloatArray
    free: NDArray[np.intp]

    def of(self, columns: NDArray[np.intp]) -> FloatArray:
        """Returns the derivatives by some of the free constants."""
        return self.jacobian[:, np.isin(self.free, columns)]


def slopes(
    objective: Objective, point: Point, free: Sequence[int], *, step: float = STEP
) -> Slopes:
    """Returns the derivatives of all residuals by some of the constants."""
    columns = np.asarray(free, dtype=np.intp)
    if not len(columns):
        return Slopes(jacobian=np.zeros((point.values.size, 0)), free=columns)
    ends = point.at[columns] + step
    is_inside = (ends <= objective.high[columns]) & (ends >= objective.low[columns])
    steps = np.where(is_inside, step, -step)
    moved = np.tile(point.at, (len(columns), 1))
    moved[np.arange(len(columns)), columns] += steps
    found = np.stack(
        [p.values - point.values for p in objective.evaluate(moved)], axis=1
    )
    return Slopes(jacobian=found / steps, free=columns)


def fit_smooth(
    objective: Objective, start: Point, free: Sequence[int], *, max_iterations: int = 12
) -> Point:
    """Returns the point that robust least squares finds from a start.

    Losses that forgive outliers come first; then what is near the rest is fitted
    exactly, to the last digits that predictions have.
    """
    point = start
    if not len(free):
        return point
    for loss, multiple in _ROUNDS:
        scale = multiple * _typical(point)
        found = _solve(
            objective, point, free, loss=loss, scale=scale, iterations=max_iterations
        )
        point = min(found, point, key=lambda p: p.cost)
    return polish(objective, point, free, max_iterations=max_iterations)


def polish(
    objective: Objective, point: Point, free: Sequence[int], *, max_iterations: int = 8
) -> Point:
    """Returns the point after plain least squares on the residuals that are usual."""
    if not len(free):
        return point
    rows = usual(point)
    found = _solve(
        objective, point, free, loss="linear", rows=rows, iterations=max_iterations
    )
    is_worse = found.cost > _WORSE * point.cost + _FLOOR
    return point if is_worse else found


def usual(point: Point) -> NDArray[np.bool_]:
    """Returns which residuals are no outliers, `[M]`."""
    limit = max(_FLOOR, _INLIER_SCALES * _typical(point))
    return np.asarray(np.abs(point.values) <= limit)


def _typical(point: Point) -> float:
    """Returns the median of the residuals that are not nothing."""
    sizes = np.abs(point.values)
    sizes = sizes[sizes > _SMALLEST_SCALE]
    if not len(sizes):
        return _SMALLEST_SCALE
    return float(np.clip(np.median(sizes), _SMALLEST_SCALE, _LARGEST_SCALE))


def _solve(
    objective: Objective,
    start: Point,
    free: Sequence[int],
    *,
    loss: Loss,
    iterations: int,
    scale: float = 1.0,
    rows: NDArray[np.bool_] | None = None,
) -> Point:
    """Returns where one run of least squares ends."""
    columns = np.asarray(free, dtype=np.intp)
    low, high = objective.low[columns], objective.high[columns]
    points: dict[bytes, Point] = {}

    def point_at(coordinates: FloatArray) -> Point:
        key = coordinates.tobytes()
        if key not in points:
            whole = start.at.copy()
            whole[columns] = coordinates
            points[key] = objective.at(whole)
        return points[key]

    def values(coordinates: FloatArray) -> FloatArray:
        found = point_at(coordinates).values
        return found if rows is None else found[rows]

    def derivatives(coordinates: FloatArray) -> FloatArray:
        found = slopes(objective, point_at(coordinates), free).jacobian
        return found if rows is None else found[rows]

    margin = 1e-9 * (high - low)
    found = least_squares(
        values,
        np.clip(start.at[columns], low + margin, high - margin),
        jac=derivatives,
        bounds=(low, high),
        loss=loss,
        f_scale=scale,
        ftol=_PRECISE if rows is not None else _ROUGH,
        xtol=_PRECISE if rows is not None else _ROUGH,
        gtol=1e-14,
        max_nfev=iterations,
    )
    return point_at(np.asarray(found.x, dtype=np.float64))
