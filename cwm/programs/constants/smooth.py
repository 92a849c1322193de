"""Least squares where predictions change smoothly with the constants.

Finite differences, all columns in one request. Predictions may be single precision,
so that steps are far larger than those of double precision; as the residual at the
solution is small, what is wrong with the derivatives does not move it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from cwm.programs.constants.objective import Objective, Point

FloatArray = NDArray[np.float64]

STEP = 2e-3
"""Change of a coordinate for a finite difference."""

_ROUNDS = (("soft_l1", 1.0), ("cauchy", 3.0), ("cauchy", 3.0))
"""Losses in turn, and how many medians of what is left they take for usual."""

_SMALLEST_SCALE = 1e-6
_LARGEST_SCALE = 0.3
_FLOOR = 1e-4
"""Residuals up to here are always polished: the strict tolerance."""

_INLIER_SCALES = 12.0


@dataclass(frozen=True, kw_only=True)
class Slopes:
    """How residuals change with constants near a point.

    Attributes:
        jacobian: `[M, F]`, of all residuals, for the free constants.
        free: `[F]`, which constants these are.
    """

    jacobian: FloatArray
    free: NDArray[np.intp]


def slopes(
    objective: Objective, point: Point, free: Sequence[int], *, step: float = STEP
) -> Slopes:
    """Returns the derivatives of all residuals by some of the constants."""
    columns = np.asarray(free, dtype=np.intp)
    steps = np.where(point.at[columns] + step <= objective.high[columns], step, -step)
    moved = np.tile(point.at, (len(columns), 1))
    moved[np.arange(len(columns)), columns] += steps
    base = point.residuals.values.reshape(-1)
    found = np.stack(
        [p.residuals.values.reshape(-1) - base for p in objective.evaluate(moved)],
        axis=1,
    )
    return Slopes(jacobian=found / steps, free=columns)


def fit_smooth(
    objective: Objective, start: Point, free: Sequence[int], *, max_iterations: int = 12
) -> Point:
    """Returns the best point that robust least squares finds from a start.

    Losses that forgive outliers come first; then what is near the rest is fitted
    exactly, to the last digits that predictions have.
    """
    point = start
    if not len(free):
        return point
    for loss, multiple in _ROUNDS:
        scale = multiple * _typical(point)
        point = _solve(
            objective, point, free, loss=loss, scale=scale, iterations=max_iterations
        )
    return polish(objective, point, free, max_iterations=max_iterations)


def polish(
    objective: Objective, point: Point, free: Sequence[int], *, max_iterations: int = 8
) -> Point:
    """Returns the point after plain least squares on the residuals that are usual."""
    if not len(free):
        return point
    limit = max(_FLOOR, _INLIER_SCALES * _typical(point))
    usual = np.abs(point.residuals.values.reshape(-1)) <= limit
    found = _solve(
        objective, point, free, loss="linear", rows=usual, iterations=max_iterations
    )
    return found if found.cost < point.cost else point


def _typical(point: Point) -> float:
    """Returns the median of the residuals that are not nothing."""
    sizes = np.abs(point.residuals.values.reshape(-1))
    sizes = sizes[sizes > _SMALLEST_SCALE]
    if not len(sizes):
        return _SMALLEST_SCALE
    return float(np.clip(np.median(sizes), _SMALLEST_SCALE, _LARGEST_SCALE))


def _solve(
    objective: Objective,
    start: Point,
    free: Sequence[int],
    *,
    loss: str,
    iterations: int,
    scale: float = 1.0,
    rows: NDArray[np.bool_] | None = None,
) -> Point:
    """Returns the best point of one run of least squares."""
    columns = np.asarray(free, dtype=np.intp)
    low, high = objective.low[columns], objective.high[columns]
    points: dict[bytes, Point] = {}
    best = start

    def point_at(coordinates: FloatArray) -> Point:
        nonlocal best
        key = coordinates.tobytes()
        if key not in points:
            whole = start.at.copy()
            whole[columns] = coordinates
            points[key] = objective.at(whole)
            if points[key].cost < best.cost:
                best = points[key]
        return points[key]

    def values(coordinates: FloatArray) -> FloatArray:
        found = point_at(coordinates).residuals.values.reshape(-1)
        return found if rows is None else found[rows]

    def derivatives(coordinates: FloatArray) -> FloatArray:
        found = slopes(objective, point_at(coordinates), free).jacobian
        return found if rows is None else found[rows]

    margin = 1e-9 * (high - low)
    least_squares(
        values,
        np.clip(start.at[columns], low + margin, high - margin),
        jac=derivatives,
        bounds=(low, high),
        loss=loss,
        f_scale=scale,
        x_scale=1.0,
        ftol=1e-10,
        xtol=1e-9,
        gtol=1e-14,
        max_nfev=iterations,
    )
    return best
