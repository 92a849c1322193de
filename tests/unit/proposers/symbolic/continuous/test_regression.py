import numpy as np
import pytest

from cwm.proposers.symbolic.continuous.fitting import snap
from cwm.proposers.symbolic.continuous.regression import fit_sparse


def _data(num_rows=400, num_columns=8, seed=0):
    rng = np.random.default_rng(seed)
    design = rng.normal(size=(num_rows, num_columns))
    noise = 1e-8 * rng.normal(size=num_rows)
    return design, 2.0 * design[:, 1] - 0.5 * design[:, 4] + noise


def test_only_the_terms_of_the_law_are_kept():
    design, target = _data()
    fit = fit_sparse(design, target, np.full(len(target), 1e-6))
    assert np.flatnonzero(fit.active).tolist() == [1, 4]
    assert fit.coefficients[[1, 4]] == pytest.approx([2.0, -0.5], abs=1e-8)
    assert fit.inlier_fraction == 1.0


def test_a_fifth_of_outliers_does_not_bend_the_law():
    design, target = _data()
    target[:80] = 7.0
    fit = fit_sparse(design, target, np.full(len(target), 1e-6))
    assert np.flatnonzero(fit.active).tolist() == [1, 4]
    assert fit.inlier_fraction == pytest.approx(0.8)
    assert not fit.inliers[:80].any()


def test_without_a_law_nothing_is_explained():
    rng = np.random.default_rng(1)
    design, target = rng.normal(size=(300, 5)), rng.normal(size=300)
    fit = fit_sparse(design, target, np.full(300, 1e-6))
    assert fit is None or fit.inlier_fraction < 0.05


def test_too_few_rows_are_refused():
    assert fit_sparse(np.ones((6, 4)), np.ones(6), np.ones(6)) is None


def test_rows_that_are_not_finite_are_left_out():
    design, target = _data()
    design[0, 0] = np.nan
    fit = fit_sparse(design, target, np.full(len(target), 1e-6))
    assert not fit.inliers[0]
    assert fit.inliers[1:].all()


def test_coefficients_become_round_when_nothing_is_lost():
    design, target = _data()
    tolerance = np.full(len(target), 1e-6)
    fit = fit_sparse(design, target, tolerance)
    assert snap(design, target, tolerance, fit)[[1, 4]].tolist() == [2.0, -0.5]


def test_a_coefficient_that_is_not_round_stays():
    design, _ = _data()
    target = 0.123456789 * design[:, 2]
    tolerance = np.full(len(target), 1e-9)
    fit = fit_sparse(design, target, tolerance)
    assert snap(design, target, tolerance, fit)[2] == pytest.approx(0.123456789, 1e-9)
