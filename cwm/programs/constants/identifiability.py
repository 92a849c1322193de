"""What the data say about each constant: an interval, or that they cannot tell.

Near the best point the residuals are taken as linear in the constants. Directions in
which nothing changes beyond the rounding of predictions are those that the data cannot
tell; every constant that takes part in one is undetermined, with the others in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from cwm.programs.constants.objective import Objective, Point
from cwm.programs.constants.smooth import Slopes, slopes, usual

FloatArray = NDArray[np.float64]

CONFIDENCE = 0.95
_STEP = 0.04
"""Change of a coordinate: larger than in fits, since here rounding decides."""

_ROUNDING_FACTOR = 10.0
_STEP_NOISE = 3.6
"""Variance of a derivative, in those of rounding divided by the step squared."""

_KINK = 0.02
"""Relative difference of derivatives from which on there is a limit between."""

_WEAKEST = 1e-10
_TAKES_PART = 0.1
_NOTHING = 1e-7
_WIDEST = 1.0
"""Half an interval that says nothing: a factor of e."""


@dataclass(frozen=True, kw_only=True)
class Knowledge:
    """What the data say about constants that predictions depend on smoothly.

    Attributes:
        slopes: Derivatives by them.
        half_widths: `[F]`, half of the interval of each coordinate; infinite if it
            is undetermined.
        groups: Constants that only together can be told, one group for each
            direction.
        errors: `[F]`, standard errors of coordinates; in a direction that cannot be
            told, 1: a factor of e.
    """

    slopes: Slopes
    half_widths: FloatArray
    groups: tuple[tuple[int, ...], ...]
    errors: FloatArray

    @property
    def free(self) -> NDArray[np.intp]:
        """Which constants, `[F]`."""
        return self.slopes.free


def identify(objective: Objective, point: Point, free: Sequence[int]) -> Knowledge:
    """Returns what the data say about constants at the best point."""
    columns = np.asarray(free, dtype=np.intp)
    if not len(columns):
        none = np.zeros(0)
        return Knowledge(
            slopes=slopes(objective, point, free),
            half_widths=none,
            groups=(),
            errors=none,
        )
    found = exact_slopes(objective, point, free)
    jacobian = found.jacobian
    rows = usual(point) & (np.abs(jacobian) > _NOTHING).any(axis=1)
    rounding = objective.truth.rounding.reshape(-1)[rows]
    noise = _STEP_NOISE * float(np.sum(rounding**2)) / _STEP**2
    matrix = jacobian[rows].T @ jacobian[rows]
    powers, directions = np.linalg.eigh(matrix)
    strongest = float(powers.max(initial=0.0))
    is_told = powers > max(_ROUNDING_FACTOR * noise, _WEAKEST * strongest)
    freedom = max(1, int(rows.sum()) - int(is_told.sum()))
    # What is exact leaves less than its own rounding, and is known no better.
    total = max(float(np.sum(point.values[rows] ** 2)), float(np.sum(rounding**2)))
    variance = total / freedom
    told = directions[:, is_told]
    spread = np.sqrt(variance * np.sum(told**2 / powers[is_told], axis=1))
    untold = directions[:, ~is_told]
    # A fit that was cut short is not at the best point yet.
    gradient = jacobian[rows].T @ point.values[rows]
    way = np.abs(told @ ((told.T @ gradient) / powers[is_told]))
    half = float(stats.t.ppf(0.5 + CONFIDENCE / 2, freedom)) * spread + way
    is_lost = (np.abs(untold) > _TAKES_PART).any(axis=1) | (half > _WIDEST)
    return Knowledge(
        slopes=found,
        half_widths=np.where(is_lost, np.inf, half),
        groups=tuple(
            tuple(columns[np.abs(direction) > _TAKES_PART].tolist())
            for direction in untold.T
        ),
        errors=np.sqrt(spread**2 + np.sum(untold**2, axis=1)),
    )


def exact_slopes(objective: Objective, point: Point, free: Sequence[int]) -> Slopes:
    """Returns derivatives by Richardson's extrapolation.

    Of central differences with two steps: a direction in which nothing changes must
    not seem to matter because differences are no derivatives. Residuals for which the
    two differ, since a limit lies between, have derivatives of 0.
    """
    wide, narrow = (
        0.5
        * (
            slopes(objective, point, free, step=step).jacobian
            + slopes(objective, point, free, step=-step).jacobian
        )
        for step in (_STEP, 0.5 * _STEP)
    )
    allowed = _KINK * np.maximum(np.abs(wide), np.abs(narrow))
    rounding = objective.truth.rounding.reshape(-1, 1) / _STEP
    is_near = np.abs(wide - narrow) <= allowed + 20.0 * rounding
    is_smooth = np.asarray(is_near.all(axis=1))
    found = (4.0 * narrow - wide) / 3.0
    return Slopes(
        jacobian=np.where(is_smooth[:, None], found, 0.0),
        free=np.asarray(free, dtype=np.intp),
    )
