"""Importance weights: how much they are worth, and drawing by them."""

import numpy as np

from cwm.core.protocols import FloatArray


def effective_size(log_weights: FloatArray) -> float:
    """Returns the effective sample size of weights, `(sum w)^2 / sum w^2`.

    Args:
        log_weights: `[N]`, natural logarithms, up to a constant.
    """
    weights = _normalised(log_weights)
    return float(1.0 / np.square(weights).sum())


def resample(
    log_weights: FloatArray, number: int, rng: np.random.Generator
) -> list[int]:
    """Returns indices drawn by weight, by systematic resampling.

    Each index comes up its expected number of times, rounded down or up.

    Args:
        log_weights: `[N]`, natural logarithms, up to a constant.
        number: Indices to draw.
        rng: Source of the one random number.
    """
    places = (rng.random() + np.arange(number)) / number
    ends = np.cumsum(_normalised(log_weights))
    # Divided, so that rounding leaves nothing behind the last weight that is not 0.
    found = np.searchsorted(ends / ends[-1], places, side="right")
    return [int(index) for index in found]


def _normalised(log_weights: FloatArray) -> FloatArray:
    weights = np.exp(log_weights - log_weights.max())
    return np.asarray(weights / weights.sum(), dtype=np.float64)
