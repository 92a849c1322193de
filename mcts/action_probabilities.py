"""From the root of a search to a distribution over its actions."""

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]


def visit_probabilities(visit_counts: IntArray, *, temperature: float) -> FloatArray:
    """Returns action probabilities `[A]` proportional to `n ** (1 / temperature)`.

    Args:
        visit_counts: `[A]`, not all 0.
        temperature: At least 0; 0 shares everything among the most visited.
    """
    _check_temperature(temperature)
    if int(visit_counts.sum()) < 1:
        raise ValueError("visit_counts must not all be 0, got no visit.")
    with np.errstate(divide="ignore"):
        return _softmax(np.log(visit_counts), temperature)


def value_probabilities(values: FloatArray, *, temperature: float) -> FloatArray:
    """Returns the softmax `[A]` of edge values at a temperature.

    Args:
        values: `[A]`, not all NaN; untried edges (NaN) get probability 0.
        temperature: At least 0, in the units of the values; 0 shares everything
            among the best.
    """
    _check_temperature(temperature)
    if np.isnan(values).all():
        raise ValueError("values must not all be NaN, got no tried action.")
    return _softmax(np.where(np.isnan(values), -np.inf, values), temperature)


def _check_temperature(temperature: float) -> None:
    if not (math.isfinite(temperature) and temperature >= 0.0):
        raise ValueError(
            f"temperature must be at least 0 and finite, got {temperature!r}."
        )


def _softmax(logits: FloatArray, temperature: float) -> FloatArray:
    shifted = logits - logits.max()
    if temperature == 0.0:
        weights = (shifted == 0.0).astype(np.float64)
    else:
        weights = np.exp(shifted / temperature)
    return np.asarray(weights / weights.sum())
