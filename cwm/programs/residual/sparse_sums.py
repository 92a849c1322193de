"""Sparse sums of readable terms: forward selection, then without what is not needed."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cwm.programs.residual.elements import Element
from cwm.programs.round_numbers import round_significant

FloatArray = NDArray[np.float64]

_MAX_ROWS = 4_000
_ROUNDS = 3
_KEPT = 0.9
"""Share of the rows, those with the smallest errors, that a later round fits."""

_SAFE = 0.25
"""Share of a tolerance within which rounding a coefficient must stay."""

_SIMPLER = 2e-3
"""What a term may explain less for each number that it has less in it."""

_EXHAUSTED = 1e-12
"""Share of a term's square that others leave of it below which it says nothing new."""


def sparse_sum(
    terms: Sequence[Element],
    due: FloatArray,
    bounds: FloatArray,
    rows: NDArray[np.intp],
    *,
    max_terms: int,
) -> list[tuple[float, Element]]:
    """Returns coefficients and terms whose sum is nearest to what is due.

    Forward selection (orthogonal least squares), on the rows that the sum so far fits
    best after the first round, so that rows with another cause do not move it. Terms
    without which as many rows are right are dropped, and coefficients rounded as far
    as no row suffers.

    Args:
        terms: What may be in the sum.
        due: `[N]`, what the sum is to be.
        bounds: `[N]`, largest error that is none.
        rows: Rows to learn from; of more than a few thousand, some in even distances.
        max_terms: Most terms.
    """
    rows = rows[:: len(rows) // _MAX_ROWS + 1]
    matrix = np.stack([term.values[rows] for term in terms], axis=1)
    wanted, allowed = due[rows], bounds[rows]
    kept = np.arange(len(rows))
    simple = 1.0 - _SIMPLER * np.asarray([term.num_parts for term in terms])
    chosen: list[int] = []
    for _ in range(_ROUNDS):
        chosen = _forward(
            matrix[kept], wanted[kept], allowed[kept], simple, max_terms=max_terms
        )
        if not chosen:
            return []
        weights = _solve(matrix[kept][:, chosen], wanted[kept])
        errors = np.abs(matrix[:, chosen] @ weights - wanted) / allowed
        if (errors <= 1.0).all():
            break
        kept = np.sort(np.argsort(errors, kind="stable")[: int(_KEPT * len(rows))])
    chosen, weights = _pruned(matrix, wanted, allowed, chosen)
    weights = _rounded(matrix[:, chosen], wanted, allowed, weights)
    return [
        (float(weight), terms[place])
        for weight, place in zip(weights, chosen, strict=True)
        if weight != 0.0
    ]


def _forward(
    matrix: FloatArray,
    wanted: FloatArray,
    allowed: FloatArray,
    simple: FloatArray,
    *,
    max_terms: int,
) -> list[int]:
    left = matrix / np.maximum(np.linalg.norm(matrix, axis=0), 1e-300)
    rest = wanted.copy()
    chosen: list[int] = []
    for _ in range(max_terms):
        sizes = np.einsum("ij,ij->j", left, left)
        is_new = sizes > _EXHAUSTED
        shares = np.where(is_new, left.T @ rest, 0.0) ** 2 / np.where(is_new, sizes, 1)
        place = int(np.argmax(shares * simple))
        if shares[place] <= 0.0:
            break
        chosen.append(place)
        unit = left[:, place] / np.sqrt(sizes[place])
        rest = rest - unit * (unit @ rest)
        left = left - np.outer(unit, unit @ left)
        if (np.abs(rest) <= _SAFE * allowed).all():
            break
    return chosen


def _solve(matrix: FloatArray, wanted: FloatArray) -> FloatArray:
    scale = np.maximum(np.linalg.norm(matrix, axis=0), 1e-300)
    found = np.linalg.lstsq(matrix / scale, wanted, rcond=None)[0]
    return np.asarray(found / scale)


def num_within(
    matrix: FloatArray, wanted: FloatArray, allowed: FloatArray, weights: FloatArray
) -> int:
    """Returns how many rows a sum sets right."""
    return int((np.abs(matrix @ weights - wanted) <= allowed).sum())


def _fitted(
    matrix: FloatArray, wanted: FloatArray, allowed: FloatArray, chosen: list[int]
) -> tuple[FloatArray, int]:
    """Returns weights that are refined on what they set right, and how much that is."""
    part = matrix[:, chosen]
    weights = _solve(part, wanted)
    for _ in range(_ROUNDS):
        errors = np.abs(part @ weights - wanted) / allowed
        inside = errors <= max(1.0, float(np.quantile(errors, _KEPT)))
        weights = _solve(part[inside], wanted[inside])
    return weights, num_within(part, wanted, allowed, weights)


def _pruned(
    matrix: FloatArray, wanted: FloatArray, allowed: FloatArray, chosen: list[int]
) -> tuple[list[int], FloatArray]:
    """Returns the terms without those that set hardly any row right, and weights."""
    weights, best = _fitted(matrix, wanted, allowed, chosen)
    least = best - max(1, round(0.01 * best))
    while len(chosen) > 1:
        tries = [
            (*_fitted(matrix, wanted, allowed, rest), rest)
            for rest in ([c for c in chosen if c != one] for one in chosen)
        ]
        found, number, rest = max(tries, key=lambda one: one[1])
        if number < least or number == 0:
            break
        chosen, weights = rest, found
    return chosen, weights


def _rounded(
    matrix: FloatArray, wanted: FloatArray, allowed: FloatArray, weights: FloatArray
) -> FloatArray:
    """Returns the weights with as few digits as lose no row."""
    found = weights.copy()
    is_exact = num_within(matrix, wanted, _SAFE * allowed, found) >= _KEPT * num_within(
        matrix, wanted, allowed, found
    )
    limits = _SAFE * allowed if is_exact else allowed
    for place in range(len(found)):
        least = num_within(matrix, wanted, limits, found)
        for digits in range(1, 13):
            tried = found.copy()
            tried[place] = round_significant(float(weights[place]), digits)
            if num_within(matrix, wanted, limits, tried) >= least:
                found = tried
                break
    return found
