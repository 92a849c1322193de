import numpy as np
import pytest

from cwm.proposers.symbolic.continuous.laws import Rule, Sum
from cwm.proposers.symbolic.continuous.rules import Feature, learn_rule
from cwm.proposers.symbolic.continuous.terms import Atom, Term


def feature(name, values, function="identity", hints=()):
    left = Sum((Term(((Atom(name, function), 1),)),), (1.0,))
    given = np.abs(values) if function == "abs" else values
    return Feature(left=left, values=given, hints=hints)


@pytest.fixture
def columns():
    rng = np.random.default_rng(0)
    return {name: rng.uniform(-3, 3, 2000) for name in ("x", "y", "z")}


def fires(rule, columns):
    return rule.evaluate(columns, 2000)


def test_one_threshold_is_found_and_rounded(columns):
    truth = columns["y"] >= 2.4
    features = [feature(n, v) for n, v in columns.items()]
    rule = learn_rule(features, truth, ~truth)
    (condition,) = rule.alternatives[0]
    assert condition.right == 2.4
    assert (fires(rule, columns) == truth).all()


def test_two_ways_to_end_are_a_disjunction(columns):
    truth = (np.abs(columns["x"]) > 2.4) | (np.abs(columns["z"]) > 1.5)
    features = [feature(n, v, "abs") for n, v in columns.items()]
    rule = learn_rule(features, truth, ~truth)
    assert rule.num_conditions == 2
    assert (fires(rule, columns) == truth).all()


def test_a_conjunction_of_two_thresholds_is_found(columns):
    truth = (columns["x"] >= 0.5) & (columns["y"] >= 0.0)
    features = [feature(n, v) for n, v in columns.items()]
    rule = learn_rule(features, truth, ~truth)
    assert (fires(rule, columns) == truth).all()
    assert len(rule.alternatives) == 1


def test_an_inequality_on_a_sum_has_round_weights(columns):
    named = {f"next_{n}": v for n, v in columns.items()}
    truth = -columns["x"] - columns["y"] > 1.0
    features = [feature(n, v) for n, v in named.items()]
    rule = learn_rule(features, truth, ~truth)
    (condition,) = rule.alternatives[0]
    assert condition.left.coefficients == (-1.0, -1.0)
    assert condition.right == pytest.approx(1.0, abs=0.02)


def test_without_positive_rows_the_rule_never_fires(columns):
    nothing = np.zeros(2000, dtype=bool)
    assert learn_rule([], nothing, ~nothing) == Rule()


def test_what_no_feature_tells_is_not_learned(columns):
    truth = np.random.default_rng(5).random(2000) < 0.01
    assert learn_rule([feature("x", columns["x"])], truth, ~truth) is None


def test_a_bound_of_the_space_is_preferred_as_threshold(columns):
    truth = np.abs(columns["x"]) > 2.0943951
    hinted = feature("x", columns["x"], "abs", hints=(2.0943951,))
    rule = learn_rule([hinted], truth, ~truth)

    assert rule.alternatives[0][0].right == pytest.approx(2.0943951, abs=1e-7)


def test_a_row_that_another_comparison_explains_does_not_move_a_threshold():
    x = np.array([1.69, 1.695, 0.2, 1.72, 1.75, 0.1, 0.3, 1.698, 0.0, 0.4])
    z = np.array([0.1, 0.0, 0.2, 0.1, 0.0, 0.9, 0.8, 0.85, 0.7, 0.95])
    truth = (x >= 1.7) | (z >= 0.79)
    rule = learn_rule([feature("x", x), feature("z", z)], truth, ~truth)
    limits = {c.left.terms[0].render(): c.right for (c,) in rule.alternatives}
    assert limits["x"] == 1.7
    assert (rule.evaluate({"x": x, "z": z}, len(x)) == truth).all()
