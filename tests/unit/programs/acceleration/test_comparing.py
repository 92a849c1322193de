"""Whether a fast form equals its original, on numbers worked out by hand."""

import numpy as np
import pytest

from cwm.programs.acceleration.comparing import Rows, compare


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
