import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cwm.programs.round_numbers import (
    round_significant,
    simplest_between,
    simplest_near,
)


@pytest.mark.parametrize(
    ("value", "margin", "expected"),
    [(0.0199999, 1e-6, 0.02), (0.0024996, 1e-6, 0.0025), (1e-9, 1e-8, 0.0)],
)
def test_the_fewest_digits_within_the_margin_win(value, margin, expected):
    assert simplest_near(value, margin) == expected


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.4985, 0.503, 0.5),
        (-0.1, 0.3, 0.0),
        (0.2085, 0.2098, math.radians(12)),
        (0.25, 0.27, math.radians(15)),
        (2.39, 2.42, 2.4),
        (-1.21, -1.19, -1.2),
    ],
)
def test_thresholds_are_round_numbers_or_whole_degrees(low, high, expected):
    assert simplest_between(low, high) == pytest.approx(expected, rel=1e-12)


def test_a_hint_comes_before_a_rounder_number():
    assert simplest_between(0.19, 0.23, hints=(9.0, 0.2094)) == 0.2094


def test_an_empty_interval_is_refused():
    with pytest.raises(ValueError, match=r"low must not exceed high \(1.0\), got 2.0."):
        simplest_between(2.0, 1.0)


@given(st.floats(-1e3, 1e3), st.floats(1e-6, 10.0))
def test_the_threshold_lies_in_its_interval(low, width):
    assert low <= simplest_between(low, low + width) <= low + width


@given(st.floats(-1e6, 1e6), st.integers(1, 9))
def test_rounding_changes_at_most_half_a_unit(value, digits):
    rounded = round_significant(value, digits)
    assert abs(rounded - value) <= abs(value) * 0.51 * 10.0 ** (1 - digits) + 1e-300
