"""Sparse linear regression for data that a law explains exactly, but not always.

Recorded transitions of a deterministic system carry no noise but rounding, so a
right set of terms explains most rows to the last digits. The rest (walls,
saturation, terminal events) are outliers that must not bend the fit, and terms
that the law does not have come out as zero within their standard error. Hence:
trimmed least squares, then backward elimination by t-statistics.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cwm.proposers.symbolic.continuous.terms import FloatArray

_MIN_T = 6.0
"""|t| below which a coefficient counts as zero; far above chance for any K here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SparseFit:
    """Result of `fit_sparse`.

    Attributes:
        active: `[K]` of `bool`: which columns the law keeps.
        coefficients: `[K]`, zero where not active.
        standard_errors: `[K]`, zero where not active.
        inliers: `[N]` of `bool`: rows within the tolerance of the law.
        residual_rms: Root mean square of the residual over the inliers.
    """

    active: NDArray[np.bool_]
    coefficients: FloatArray
    standard_errors: FloatArray
    inliers: NDArray[np.bool_]
    residual_rms: float

    @property
    def inlier_fraction(self) -> float:
        """Share of rows within tolerance, in `[0, 1]`."""
        return float(self.inliers.mean()) if len(self.inliers) else 0.0

    @property
    def num_terms(self) -> int:
        """Number of terms that the law keeps."""
        return int(self.active.sum())


def fit_sparse(
    design: FloatArray,
    target: FloatArray,
    tolerance: FloatArray,
    *,
    min_t: float = _MIN_T,
    fixed: NDArray[np.bool_] | None = None,
) -> SparseFit | None:
    """Returns a sparse law `target = design @ coefficients` that most rows obey.

    Args:
        design: `[N, K]`; rows with values that are not finite are left out.
        target: `[N]`.
        tolerance: `[N]`, largest residual of a row that counts as explained.
        min_t: Columns whose |t| stays below are dropped, weakest first.
        fixed: `[K]` of `bool`: columns that are kept whatever their t.

    Returns:
        The law, or `None` if there are fewer than `K + 5` finite rows.
    """
    finite = np.isfinite(design).all(axis=1) & np.isfinite(target)
    num_columns = design.shape[1]
    if finite.sum() < num_columns + 5 or num_columns == 0:
        return None
    scale = np.sqrt(np.mean(design[finite] ** 2, axis=0))
    usable = scale > 1e-12
    scaled = design / np.where(usable, scale, 1.0)
    rows = _trim(scaled[:, usable], target, tolerance, finite)
    active = _eliminate(scaled, target, rows, usable, fixed=fixed, min_t=min_t)
    if not active.any():
        return None
    return _refit(scaled, target, tolerance, finite=finite, active=active, scale=scale)


def _trim(
    design: FloatArray,
    target: FloatArray,
    tolerance: FloatArray,
    finite: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Returns the rows that a least-trimmed-squares fit keeps."""
    rows = finite.copy()
    for share in (0.95, 0.85, 0.75, 0.7, 0.7, 0.7, 0.7):
        coefficients = _solve(design[rows], target[rows])
        residual = np.abs(_predict(design, coefficients, finite) - target)
        residual[~finite] = np.inf
        cut = np.quantile(residual[finite], share)
        if np.all(residual[finite] <= tolerance[finite]):
            return finite
        rows = finite & (residual <= cut)
    spread = 1.4826 * float(np.median(residual[rows])) if rows.any() else 0.0
    return finite & (residual <= np.maximum(6.0 * spread, 0.1 * tolerance))


def _predict(
    design: FloatArray, coefficients: FloatArray, finite: NDArray[np.bool_]
) -> FloatArray:
    predicted = np.full(len(design), np.inf)
    predicted[finite] = design[finite] @ coefficients
    return predicted


def _solve(design: FloatArray, target: FloatArray) -> FloatArray:
    return np.asarray(np.linalg.lstsq(design, target, rcond=1e-13)[0], np.float64)


def _eliminate(
    design: FloatArray,
    target: FloatArray,
    rows: NDArray[np.bool_],
    usable: NDArray[np.bool_],
    *,
    fixed: NDArray[np.bool_] | None,
    min_t: float,
) -> NDArray[np.bool_]:
    """Drops the weakest columns until each that is left is significant.

    Works on the triangular factor of a QR decomposition, so that each refit
    costs `K**3` and not `N * K**2`, without squaring the condition number.
    """
    active = usable.copy()
    if rows.sum() <= active.sum():
        return active & False
    augmented = np.column_stack([design[rows], target[rows]])
    triangle = np.asarray(np.linalg.qr(augmented, mode="r"))
    num_rows = int(rows.sum())
    while active.any():
        columns = np.flatnonzero(active)
        t_values = _t_statistics(triangle[:, columns], triangle[:, -1], num_rows)
        if fixed is not None:
            t_values[fixed[columns]] = np.inf
        weakest = int(np.argmin(t_values))
        if t_values[weakest] >= min_t:
            break
        # Many hopeless columns at once, then one by one.
        hopeless = t_values < min(0.5, min_t)
        if hopeless.sum() > 4 and hopeless.sum() < len(columns):
            order = np.argsort(t_values)[: int(hopeless.sum()) // 2 + 1]
            active[columns[order]] = False
        else:
            active[columns[weakest]] = False
    return active


def _t_statistics(design: FloatArray, target: FloatArray, num_rows: int) -> FloatArray:
    """Returns |t| of each coefficient; dependent columns have |t| near 0."""
    coefficients = _solve(design, target)
    residual = target - design @ coefficients
    freedom = max(1, num_rows - design.shape[1])
    variance = float(residual @ residual) / freedom
    _, singular, vt = np.linalg.svd(design, full_matrices=False)
    safe = np.where(singular > 1e-13 * singular[0], singular, 1e-13 * singular[0])
    errors = np.sqrt(variance * np.sum((vt.T / safe) ** 2, axis=1))
    t_values: FloatArray = np.abs(coefficients) / np.maximum(errors, 1e-300)
    return t_values


def _refit(
    scaled: FloatArray,
    target: FloatArray,
    tolerance: FloatArray,
    *,
    finite: NDArray[np.bool_],
    active: NDArray[np.bool_],
    scale: FloatArray,
) -> SparseFit:
    """Refits the active columns on the rows that they explain, to convergence."""
    design = scaled[:, active]
    rows = _trim(design, target, tolerance, finite)
    for _ in range(3):
        coefficients = _solve(design[rows], target[rows])
        residual = np.abs(_predict(design, coefficients, finite) - target)
        inliers = finite & (residual <= tolerance)
        if inliers.sum() < max(2 * design.shape[1], 5) or (inliers == rows).all():
            break
        rows = inliers
    residual = np.abs(_predict(design, coefficients, finite) - target)
    inliers = finite & (residual <= tolerance)
    basis = inliers if inliers.sum() > design.shape[1] + 5 else rows
    rms = float(np.sqrt(np.mean(residual[basis] ** 2)))
    inverse = np.linalg.pinv(design[basis])
    errors = rms * np.sqrt(np.sum(inverse**2, axis=1))
    full = np.zeros(len(active))
    full_errors = np.zeros(len(active))
    full[active] = coefficients / scale[active]
    full_errors[active] = errors / scale[active]
    return SparseFit(
        active=active,
        coefficients=full,
        standard_errors=full_errors,
        inliers=inliers,
        residual_rms=rms,
    )
