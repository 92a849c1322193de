"""Whether a fast form equals its original, on numbers worked out by hand."""

import numpy as np
import pytest

from cwm.programs.acceleration.comparing import (
    Rows,
    compare,
    differing,
    has_finite_row,
    slack_of,
)


def rows(observations: object, rewards: object, dtype: str = "float64") -> Rows:
    return (
        np.array(observations, dtype=dtype),
        np.array(rewards, dtype=np.float64),
        np.zeros(len(rewards), np.bool_),  # type: ignore[arg-type]
    )


def test_equal_bits_are_equal() -> None:
    wanted = rows([[1.0, np.nan], [0.1 + 0.2, np.inf]], [1.0, -1.0])
    found = compare(wanted, tuple(part.copy() for part in wanted))  # type: ignore[arg-type]
    assert found.is_bitwise
    assert (found.num_rows, found.largest, found.problem) == (2, 0.0, "")


def test_one_finite_row_is_something_to_compare_on() -> None:
    assert has_finite_row(rows([[1.0, np.nan], [1.0, 2.0]], [0.0, 0.0]))
    assert not has_finite_row(rows([[1.0, np.nan], [1.0, 2.0]], [0.0, np.inf]))


def test_a_difference_counts_relative_to_the_size_or_to_one() -> None:
    wanted = rows([[1e6], [1e-6]], [0.0, 0.0])
    found = compare(wanted, rows([[1e6 + 1e-7], [1e-6 + 5e-13]], [0.0, 0.0]))
    assert not found.problem
    assert found.num_identical == 0
    assert found.largest == pytest.approx(5e-13, rel=0.1)


@pytest.mark.parametrize("change", [2e-12, np.nan, np.inf])
def test_more_than_the_tolerance_is_named_with_its_row(change: float) -> None:
    found = compare(rows([[0.0], [0.0]], [0.0, 0.0]), rows([[0], [0]], [0.0, change]))
    assert found.problem == "reward of 1 of 2 rows, first of row 1"


def test_a_larger_tolerance_lets_more_through() -> None:
    wanted, other = rows([[0.0]], [0.0]), rows([[0.0]], [1e-9])
    assert compare(wanted, other).problem
    assert not compare(wanted, other, tolerance=1e-8).problem


def test_short_numbers_may_differ_by_their_last_place() -> None:
    above = np.nextafter(np.float32(0.5), np.float32(1))
    two = np.nextafter(above, np.float32(1))
    wanted = rows([[0.5]], [0.0], "float32")
    assert not compare(wanted, rows([[above]], [0.0], "float32")).problem
    assert compare(wanted, rows([[two]], [0.0], "float32")).problem


def test_a_flag_and_a_whole_number_must_be_equal() -> None:
    wanted = rows([3, 4], [0.0, 0.0], "int64")
    assert compare(wanted, rows([3, 5], [0.0, 0.0], "int64")).problem
    flipped = (wanted[0], wanted[1], np.array([False, True]))
    found = compare(wanted, flipped)
    assert found.problem == "terminated of 1 of 2 rows, first of row 1"
    assert found.largest == np.inf


def test_another_type_or_shape_is_another_form() -> None:
    wanted = rows([[1.0]], [0.0])
    for other in (rows([[1.0]], [0.0], "float32"), rows([[1.0, 2.0]], [0.0])):
        assert compare(wanted, other).problem == "next observation of another form"


def test_a_row_is_granted_what_the_last_bit_of_its_state_changes() -> None:
    wanted = rows([[50.0, 2.0], [1.0, 2.0]], [0.0, 0.0])
    moved = rows([[50.0, 2.0 + 4e-12], [1.0, 2.0]], [0.0, 0.0])
    slack = slack_of(wanted, [wanted, moved])
    np.testing.assert_allclose(slack, [10 * 2e-12, 0.0], rtol=1e-3)
    found = rows([[50.0, 2.0 + 3e-11], [1.0, 2.0]], [0.0, 0.0])
    assert differing(wanted, found, 1e-12).tolist() == [True, False]
    agreement = compare(wanted, found, slack=slack)
    assert not agreement.problem
    assert agreement.num_inexact == 1
    assert not agreement.is_bitwise


def test_what_is_granted_to_a_row_is_granted_to_no_other_and_is_little() -> None:
    wanted = rows([[1.0], [1.0]], [0.0, 0.0])
    moved = rows([[3.0], [1.0]], [0.0, 0.0])
    slack = slack_of(wanted, [moved])
    assert slack.tolist() == [1e-9, 0.0]
    for far in ([[1.0 + 2e-9], [1.0]], [[1.0], [1.0 + 1e-10]]):
        assert compare(wanted, rows(far, [0.0, 0.0]), slack=slack).problem


def test_flags_and_whole_numbers_are_granted_nothing() -> None:
    wanted = (np.array([3, 4]), np.zeros(2), np.zeros(2, np.bool_))
    other = (np.array([3, 5]), np.zeros(2), np.zeros(2, np.bool_))
    assert compare(wanted, other, slack=np.full(2, 1e-9)).problem
    flipped = (wanted[0], wanted[1], np.array([True, False]))
    assert compare(wanted, flipped, slack=np.full(2, 1e-9)).problem
