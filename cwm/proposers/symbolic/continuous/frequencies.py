"""Looks for the frequency of a wave in one variable."""

import numpy as np
from scipy import optimize

from cwm.programs.round_numbers import simplest_near
from cwm.proposers.symbolic.continuous.terms import FloatArray

_MAX_WAVES = 24.0
"""Largest number of waves over a variable's range that is looked for."""

_MIN_PHASE = 1.5
"""Radians that a wave must turn over a variable's range; less is a parabola."""

_SEARCH_ROWS = 400
"""Rows on which a frequency is searched; laws are fitted on all."""

_MIN_ROWS = 50

_MAX_MINIMA = 4
"""Local minima of the search that are refined."""


def search_frequency(
    variable: FloatArray, design: FloatArray, target: FloatArray, *, seed: int
) -> float | None:
    """Returns the frequency `k` whose `sin(k x)` and `cos(k x)` explain most.

    A grid fine enough for the variable's range, then bounded minimisations of
    the error beside the given columns; rounded when that loses nothing.

    Args:
        variable: `[N]`, the `x` of the wave.
        design: `[N, K]`, columns that may explain the rest.
        target: `[N]`.
        seed: Chooses the rows that are used.

    Returns:
        The frequency in radians per unit of `x`, or `None` without enough data.
    """
    rows = np.arange(len(target))
    if len(rows) > _SEARCH_ROWS:
        rows = np.random.default_rng(seed).choice(rows, _SEARCH_ROWS, replace=False)
    x, columns, y = variable[rows], design[rows], target[rows]
    span = float(np.ptp(x)) if len(rows) >= _MIN_ROWS else 0.0
    if span == 0.0:
        return None

    def loss(frequency: float) -> float:
        waves = np.column_stack([np.sin(frequency * x), np.cos(frequency * x)])
        return _trimmed_loss(np.column_stack([columns, waves]), y)

    step = 0.8 / span
    grid = np.arange(_MIN_PHASE / span, _MAX_WAVES * 2.0 * np.pi / span, step)
    losses = np.array([loss(k) for k in grid])
    padded = np.concatenate([[np.inf], losses, [np.inf]])
    minima = np.flatnonzero((losses <= padded[:-2]) & (losses <= padded[2:]))
    least, frequency = np.inf, 0.0
    for index in minima[np.argsort(losses[minima])][:_MAX_MINIMA]:
        found = optimize.minimize_scalar(
            loss,
            bounds=(max(grid[index] - step, 0.1 * step), grid[index] + step),
            method="bounded",
            options={"xatol": 1e-9},
        )
        if found.fun < least:
            least, frequency = float(found.fun), float(found.x)
    rounded = simplest_near(frequency, 1e-4 * abs(frequency))
    return rounded if loss(rounded) <= 4.0 * least + 1e-300 else frequency


def _trimmed_loss(design: FloatArray, target: FloatArray) -> float:
    """Returns the squared error of a fit to the nine tenths that it fits best."""
    keep = np.ones(len(target), dtype=np.bool_)
    for _ in range(2):
        solution = np.linalg.lstsq(design[keep], target[keep], rcond=1e-12)[0]
        error = np.abs(design @ solution - target)
        keep = error <= np.quantile(error, 0.9)
    return float(np.sum(error[keep] ** 2))
