"""Errors of real numbers in units of their usual change in one step."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cwm.programs.tolerances import CHANGE_FRACTION


def in_usual_changes(
    predicted: NDArray[Any],
    expected: NDArray[Any],
    *,
    tolerance: NDArray[np.float64],
    bounds: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Returns errors `[N, ...]` in standard deviations of the usual change.

    0 where both are the same, also NaN or infinite; NaN where they differ and one is
    not finite. Without a unit (the element never changes in training) an error that
    is rounding is 0, any other is infinite.

    Args:
        predicted: Predicted numbers.
        expected: True numbers.
        tolerance: Strict tolerance of each element, which is `CHANGE_FRACTION` of
            the unit; 0 where there is none.
        bounds: Largest error that counts as right, rounding included.
    """
    p, e = predicted.astype(np.float64), expected.astype(np.float64)
    is_same = (p == e) | (np.isnan(p) & np.isnan(e))
    is_known = np.isfinite(p) & np.isfinite(e)
    unit = np.broadcast_to(tolerance / CHANGE_FRACTION, p.shape)
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        differences = np.abs(p - e)
        without_unit = np.where(differences <= bounds, 0.0, np.inf)
        errors = np.where(unit > 0.0, differences / unit, without_unit)
    return np.where(is_same, 0.0, np.where(is_known, errors, np.nan))


def root_mean_square(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns it over the last axis, without overflow: wrong numbers can be huge."""
    largest = np.abs(values).max(axis=-1, initial=0.0)
    scale = np.where(largest > 0.0, largest, 1.0)
    mean = np.mean((values / scale[..., None]) ** 2, axis=-1)
    return np.asarray(scale * np.sqrt(mean))
