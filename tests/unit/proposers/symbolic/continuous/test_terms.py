import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cwm.proposers.symbolic.continuous.terms import (
    CONSTANT,
    Atom,
    Term,
    atom_term,
    design_matrix,
    products,
)

FUNCTIONS = ("identity", "sin", "cos", "abs", "sqrt_abs", "exp", "inverse", "tanh")

atoms = st.builds(
    Atom,
    st.sampled_from(["x", "y"]),
    st.sampled_from(FUNCTIONS),
    st.sampled_from([1.0, 2.5, -3.0]),
)
terms = st.builds(
    lambda parts: Term(tuple(parts.items())),
    st.dictionaries(atoms, st.integers(1, 3), min_size=1, max_size=3),
)


@given(terms, st.floats(0.1, 2.0), st.floats(-2.0, -0.1))
def test_the_printed_term_computes_what_evaluate_computes(term, x, y):
    variables = {"x": np.array([x]), "y": np.array([y])}
    printed = eval(term.render(), {"math": math, "np": np, "x": x, "y": y})
    assert printed == pytest.approx(term.evaluate(variables)[0], rel=1e-12)


@given(terms)
def test_a_term_survives_json(term):
    assert Term.from_json(term.to_json()) == term


def test_a_product_adds_the_powers_of_equal_atoms():
    x, y = atom_term("x"), atom_term("y")
    assert x.times(y).times(x).render() == "x ** 2 * y"


def test_an_indicator_times_itself_is_itself():
    is_one = Term(((Atom("a", "is", 1.0), 1),))
    assert is_one.times(is_one) == is_one


def test_products_are_ordered_by_degree_and_start_with_the_constant():
    found = products([atom_term("x"), atom_term("y")], 2)
    assert [t.render() for t in found] == ["", "x", "y", "x ** 2", "x * y", "y ** 2"]


def test_the_design_matrix_has_one_column_per_term():
    variables = {"x": np.array([1.0, 2.0])}
    matrix = design_matrix([CONSTANT, Term(((Atom("x"), 2),))], variables)
    np.testing.assert_array_equal(matrix, [[1.0, 1.0], [1.0, 4.0]])
