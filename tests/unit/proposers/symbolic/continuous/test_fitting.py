import numpy as np
import pytest

from cwm.core.spaces import BoxSpec, DiscreteSpec, TupleSpec
from cwm.core.trajectories import Transition, batch_trajectories, make_trajectory
from cwm.proposers.symbolic.continuous.fitting import (
    description_bits,
    fit_law,
    free_rows,
    saturated,
)
from cwm.proposers.symbolic.continuous.terms import atom_term, products
from cwm.proposers.symbolic.continuous.view import make_view


def lamp_view():
    """A lamp that an action toggles, and a number that clips at 1."""
    spaces = TupleSpec((DiscreteSpec(2), BoxSpec((1,), "float32"))), DiscreteSpec(2)
    rng = np.random.default_rng(0)
    lamp, x, steps = 0, 0.0, []
    for index in range(300):
        action = int(rng.integers(2))
        after = (lamp + action) % 2
        y = 0.0 if index % 20 == 0 else min(x + 0.11, 1.0)
        steps.append(
            Transition(
                (lamp, np.float32([x])),
                action,
                (after, np.float32([y])),
                0.0,
                False,
                False,
            )
        )
        lamp, x = after, y
    trajectory = make_trajectory(
        steps, observation_space=spaces[0], action_space=spaces[1]
    )
    return make_view(batch_trajectories([trajectory], *spaces))


def test_repeated_extremes_are_saturation():
    values = np.array([0.0, 0.5, 1.0, 1.0, 1.0, 0.3, 0.2, 0.6])
    everywhere = np.ones(8, dtype=bool)
    assert saturated(values, everywhere).tolist() == [v == 1.0 for v in values]


def test_an_extreme_that_is_most_of_the_data_is_no_saturation():
    values = np.array([1.0, 1.0, 1.0, 1.0, 0.5])
    assert not saturated(values, np.ones(5, dtype=bool)).any()


def test_a_code_is_never_saturated_but_a_clipped_number_is():
    view = lamp_view()
    free = free_rows(view, "s0")
    clipped = view.targets["s1"] == 1.0
    assert clipped.sum() > 50
    assert not free[clipped].any()
    assert {0.0, 1.0} <= set(view.targets["s0"][free])


def test_a_toggle_is_a_polynomial_of_code_and_action():
    view = lamp_view()
    terms = products([atom_term("s0"), atom_term("a")], 2)
    fit = fit_law(view, "s0", view.inputs, terms, family="polynomial")
    law = {
        t.render(): c
        for t, c in zip(fit.law.change.terms, fit.law.change.coefficients, strict=True)
    }
    assert fit.fraction == 1.0
    state = dict(view.inputs)
    change = fit.law.change.evaluate(state, len(view))
    np.testing.assert_allclose(change, view.change("s0"), atol=1e-9)
    assert law.keys() <= {"a", "s0", "a * s0", "a ** 2", "s0 ** 2", ""}


def test_an_exact_law_is_shorter_than_one_that_just_passes():
    tolerance, quantum = np.full(100, 1e-6), np.full(100, 1e-8)
    exact, digits = description_bits(np.full(100, 1e-9), tolerance, quantum, 9)
    rough, more = description_bits(np.full(100, 9e-7), tolerance, quantum, 2)
    # log2(1 + 0.1) * 100 + 9 * 40, and log2(1 + 90) * 100 + 2 * 40.
    assert exact == pytest.approx(373.75, abs=0.01)
    assert rough == pytest.approx(730.78, abs=0.01)
    assert digits < 1 < more


def test_rows_that_are_missed_cost_a_number_each():
    bits, _ = description_bits(
        np.array([1.0, 0.0]), np.full(2, 1e-6), np.full(2, 1e-8), 0
    )
    assert bits == 32.0
