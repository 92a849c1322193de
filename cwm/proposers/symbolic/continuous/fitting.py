"""Fits one coordinate's law over a library of terms, and rounds its numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cwm.programs.round_numbers import simplest_near, spacing
from cwm.proposers.symbolic.continuous.laws import Law, Sum
from cwm.proposers.symbolic.continuous.regression import SparseFit, fit_sparse
from cwm.proposers.symbolic.continuous.terms import (
    FloatArray,
    Term,
    Variables,
    design_matrix,
)
from cwm.proposers.symbolic.continuous.view import View

_MAX_ROWS = 1500
"""Rows on which terms are selected; coefficients are fitted on all rows."""

_NUMBER_BITS = 32.0
"""Cost of a number that a law does not explain."""

_TERM_BITS = 40.0
"""Cost of a term: its number, and the choice of it from the library."""

_BULK = 0.5
"""Share of rows from which on a law counts as the rule and not the exception."""

_EXACT_DIGITS = 2.0
"""Bits between residual and rounding up to which a law counts as exact."""

_MIN_FREE_ROWS = 20

_MIN_REPEATS = 3
"""How often an extreme value must occur to count as saturation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LawFit:
    """A law with how well it does.

    Attributes:
        law: The law.
        fraction: Share of the rows that are not saturated which it explains.
        bits: Description length: what is left of the data, and the terms.
        digits: Mean bits between residual and rounding, over the explained rows:
            below about 3, the law is exact and not an approximation.
    """

    law: Law
    fraction: float
    bits: float
    digits: float

    @property
    def is_exact(self) -> bool:
        """Whether it holds for most rows, to the last digits."""
        return self.fraction >= _BULK and self.digits <= _EXACT_DIGITS


def description_bits(
    residual: FloatArray, tolerance: FloatArray, quantum: FloatArray, num_terms: int
) -> tuple[float, float]:
    """Returns the bits of a law with what it leaves, and per explained row.

    A row within tolerance costs the digits between its residual and the rounding
    of the recorded numbers; any other row costs a full number. So an exact law
    beats an approximation that only just passes the tolerance, however many
    terms the approximation saves.

    Args:
        residual: `[N]`, may have NaN.
        tolerance: `[N]`.
        quantum: `[N]`, rounding of the recorded numbers, in the same unit.
        num_terms: Number of coefficients.
    """
    size = np.abs(residual)
    explained = size <= tolerance
    digits = np.log2(1.0 + size[explained] / np.maximum(quantum[explained], 1e-300))
    missed = len(residual) - int(explained.sum())
    total = float(digits.sum()) + _NUMBER_BITS * missed + _TERM_BITS * num_terms
    return total, float(digits.mean()) if len(digits) else _NUMBER_BITS


def saturated(values: FloatArray, among: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Returns where a column sits at its own extreme, `[N]`.

    An extreme that occurs at least three times is a clip or a wall: such rows
    say nothing about the law.

    Args:
        values: `[N]`.
        among: `[N]`, rows in which occurrences are counted.
    """
    rows = np.zeros(len(values), dtype=np.bool_)
    for extreme in (values.min(), values.max()):
        at = values == extreme
        if _MIN_REPEATS <= (at & among).sum() < 0.5 * among.sum():
            rows |= at
    return rows


def _stopped(view: View, name: str) -> NDArray[np.bool_]:
    """Returns where a real-valued coordinate is saturated; a code never is."""
    if any(view.elements[i].is_integer for i in view.coordinate(name).elements):
        return np.zeros(len(view), dtype=np.bool_)
    return saturated(view.targets[name], view.moving)


def free_rows(view: View, name: str) -> NDArray[np.bool_]:
    """Returns the rows that say something about the law of a coordinate, `[N]`.

    Neither it nor, if enough rows are left, any other coordinate is saturated:
    where one hits a wall, others change in the same step.
    """
    own = view.moving & ~_stopped(view, name)
    others = own.copy()
    for coordinate in view.coordinates:
        others &= ~_stopped(view, coordinate.name)
    for rows in (others, own):
        if rows.sum() >= max(_MIN_FREE_ROWS, 0.3 * view.moving.sum()):
            return rows
    return view.moving


def fit_law(
    view: View,
    name: str,
    variables: Variables,
    terms: Sequence[Term],
    *,
    family: str,
    couplings: Sequence[tuple[str, Term]] = (),
    seed: int = 0,
) -> LawFit | None:
    """Returns the sparse law of a coordinate over a library, if there is one.

    Args:
        view: Training data.
        name: The coordinate.
        variables: Columns that the terms read; with `change_x` for couplings.
        terms: The library.
        family: What to call the law.
        couplings: Further columns `term * change of coordinate`.
        seed: Chooses the rows on which terms are selected.
    """
    design = design_matrix(terms, variables)
    if couplings:
        extra = [t.evaluate(variables) * variables[f"change_{o}"] for o, t in couplings]
        design = np.column_stack([design, *extra])
    target = view.change(name)
    tolerance = view.tolerances[name]
    quantum = rounding(view, name)
    free = free_rows(view, name)
    design, target, tolerance = design[free], target[free], tolerance[free]
    selected = _select(design, target, tolerance, seed)
    if selected is None or not selected.active.any():
        return None
    columns = np.flatnonzero(selected.active)
    fit = fit_sparse(design[:, columns], target, tolerance)
    if fit is None or fit.inlier_fraction == 0.0:
        return None
    coefficients = snap(design[:, columns], target, tolerance, fit)
    law = _make_law(
        name,
        terms,
        couplings,
        columns=columns,
        coefficients=coefficients,
        family=family,
    )
    residual = np.abs(design[:, columns] @ coefficients - target)
    bits, digits = description_bits(
        residual, tolerance, quantum[free], int((coefficients != 0).sum())
    )
    fraction = float((residual <= tolerance).mean())
    return LawFit(law=law, fraction=fraction, bits=bits, digits=digits)


def rounding(view: View, name: str) -> FloatArray:
    """Returns the rounding of a coordinate's recorded numbers, `[N]`."""
    element = view.elements[view.coordinate(name).elements[0]]
    values = np.maximum(np.abs(view.targets[name]), np.abs(view.inputs[name]))
    # Other inputs are rounded too: a value near zero is not known any better.
    typical = np.full(len(values), float(np.sqrt(np.mean(values**2))))
    return np.maximum(spacing(np.maximum(values, typical), element.dtype), 1e-12)


def _select(
    design: FloatArray, target: FloatArray, tolerance: FloatArray, seed: int
) -> SparseFit | None:
    rows = np.arange(len(target))
    if len(rows) > _MAX_ROWS:
        rows = np.random.default_rng(seed).choice(rows, _MAX_ROWS, replace=False)
    return fit_sparse(design[rows], target[rows], tolerance[rows])


def _make_law(
    name: str,
    terms: Sequence[Term],
    couplings: Sequence[tuple[str, Term]],
    *,
    columns: NDArray[np.intp],
    coefficients: FloatArray,
    family: str,
) -> Law:
    own: list[tuple[Term, float]] = []
    coupled: dict[str, list[tuple[Term, float]]] = {}
    for column, coefficient in zip(columns, coefficients, strict=True):
        if coefficient == 0.0:
            continue
        if column < len(terms):
            own.append((terms[column], float(coefficient)))
        else:
            other, term = couplings[column - len(terms)]
            coupled.setdefault(other, []).append((term, float(coefficient)))
    return Law(
        base=name,
        change=_sum(own),
        couplings=tuple((other, _sum(pairs)) for other, pairs in coupled.items()),
        family=family,
    )


def _sum(pairs: Sequence[tuple[Term, float]]) -> Sum:
    return Sum(tuple(t for t, _ in pairs), tuple(c for _, c in pairs))


def snap(
    design: FloatArray, target: FloatArray, tolerance: FloatArray, fit: SparseFit
) -> FloatArray:
    """Returns coefficients with as few digits as the data allow, `[K]`.

    One coefficient after the other is rounded and the others are refitted; a
    rounding stays if it loses no row and does not raise the residual by more
    than a twentieth, or not above a five-hundredth of the tolerance.
    """
    rows = fit.inliers
    coefficients = fit.coefficients.copy()
    if rows.sum() <= design.shape[1] + 5:
        return coefficients
    a, y = design[rows], target[rows]
    limit = max(1.05 * fit.residual_rms, 2e-3 * float(np.median(tolerance[rows])))
    free = fit.active.copy()
    order = np.argsort(fit.standard_errors / np.maximum(np.abs(coefficients), 1e-300))
    for column in order:
        if not free[column]:
            continue
        size = float(np.sqrt(np.mean(a[:, column] ** 2)))
        margin = max(3.0 * fit.standard_errors[column], limit / max(size, 1e-300))
        rounded = simplest_near(float(coefficients[column]), margin)
        trial = coefficients.copy()
        trial[column] = rounded
        rest = free.copy()
        rest[column] = False
        if rest.any():
            fixed = ~rest
            remainder = y - a[:, fixed] @ trial[fixed]
            trial[rest] = np.linalg.lstsq(a[:, rest], remainder, rcond=1e-13)[0]
        residual = a @ trial - y
        if np.sqrt(np.mean(residual**2)) <= limit and np.all(
            np.abs(residual) <= tolerance[rows]
        ):
            coefficients, free = trial, rest
    return coefficients
