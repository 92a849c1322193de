"""Spaces and values in words."""

import numpy as np
import pytest

from cwm.core.spaces import (
    BoxSpec,
    DictSpec,
    DiscreteSpec,
    MultiDiscreteSpec,
    NestedSpec,
    SpaceSpec,
    TextSpec,
    TupleSpec,
)
from prompts.values import (
    cell_key,
    describe_range,
    describe_space,
    element_name,
    format_number,
    format_value,
    shorten,
)


@pytest.mark.parametrize(
    ("space", "text"),
    [
        (DiscreteSpec(5, 2), "an int from 2 to 6"),
        (
            BoxSpec((2,), "float32"),
            "a NumPy array of shape (2,), dtype float32, unbounded",
        ),
        (
            BoxSpec((2,), "float32", (-1.0,), (1.5,)),
            "a NumPy array of shape (2,), dtype float32, each element from -1 to 1.5",
        ),
        (
            BoxSpec((2,), "float64", (0.0, -1.0), (3.0, 1.0)),
            "a NumPy array of shape (2,), dtype float64, with elements from 0 to 3, "
            "-1 to 1",
        ),
        (
            BoxSpec((30,), "float64", tuple(range(30)), (99.0,)),
            "a NumPy array of shape (30,), dtype float64, with bounds that differ by "
            "element",
        ),
        (BoxSpec((0,), "float32"), "a NumPy array of shape (0,), dtype float32"),
        (
            MultiDiscreteSpec((3, 4)),
            "a NumPy array of shape (2,), dtype int64, with elements from 0 to [2, 3]",
        ),
        (
            TupleSpec((DiscreteSpec(2, 0), TextSpec())),
            "a tuple of 2: [0] an int from 0 to 1; [1] text (a str)",
        ),
        (
            DictSpec((("grid", NestedSpec()),)),
            "a dict with the keys 'grid': text, or nested lists of text",
        ),
    ],
)
def test_space_is_described_in_words(space: SpaceSpec, text: str) -> None:
    assert describe_space(space) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.array([0.1, 2.0], np.float32), "[0.1, 2.0]"),
        (np.array([1e-12, 1e20]), "[1.0e-12, 1.0e+20]"),
        (np.array([[1, 2], [3, 4]]), "[[1, 2], [3, 4]]"),
        (np.array([np.nan, -np.inf]), "[nan, -inf]"),
        (np.array([], np.float32), "[]"),
        (np.float32(0.1), "0.1"),
        (np.int64(3), "3"),
        ((1, np.array([True])), "(1, [True])"),
        ((1,), "(1,)"),
        ({"a": [["wall", "door"]]}, "{'a': [['wall', 'door']]}"),
        ("left", "'left'"),
        (None, "None"),
    ],
)
def test_value_is_written_as_short_as_its_precision_allows(
    value: object, text: str
) -> None:
    assert format_value(value, max_chars=100) == text


def test_long_text_is_cut_in_the_middle_and_says_how_much() -> None:
    assert shorten("a" * 30 + "b" * 30, 40) == (
        "a" * 20 + " ... 20 characters removed ... " + "b" * 20
    )
    assert shorten("a" * 30 + "b" * 30, 41).endswith(" ... " + "b" * 21)
    assert shorten("short", 40) == "short"
    assert len(format_value(np.arange(10_000), max_chars=60)) < 100


def test_more_than_eight_real_numbers_are_rounded_to_ten_digits() -> None:
    third = np.full(9, 1 / 3)
    assert format_value(third[:8], max_chars=400).startswith("[0.3333333333333333, ")
    assert format_value(third, max_chars=400).startswith("[0.3333333333, ")
    singles = third.astype(np.float32)
    assert format_value(singles, max_chars=400).startswith("[0.33333334, ")


def test_long_vector_shows_its_first_numbers_and_the_range_of_the_others() -> None:
    values = np.arange(-2.0, 38.0)
    assert format_value(values, max_chars=600) == (
        "[-2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ... 28 more of 40 elements, from 10 to "
        "37]"
    )
    assert "," in format_value(values[:24], max_chars=600)
    assert "more of" not in format_value(values[:24], max_chars=600)


def test_grid_of_codes_is_shown_whole_as_long_as_it_fits() -> None:
    grid = np.arange(100).reshape(10, 10)
    assert format_value(grid, max_chars=600) == repr(grid.tolist())
    text = format_value(grid, max_chars=100)
    assert text.startswith("[0, 1, 2, 3, ")
    assert text.endswith("more of 100 elements of shape (10, 10), from 15 to 99]")


def test_parts_of_a_value_share_the_room_there_is() -> None:
    pair = {"a": np.arange(100), "b": np.arange(100)}
    text = format_value(pair, max_chars=200)
    assert text.count("more of 100 elements") == 2
    assert len(text) < 260


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ([1.0, 2.0], "from 1 to 2"),
        ([0.0, 2.0, 0.0], "from 0 to 2, 2 of them 0"),
        ([2.5, 2.5], "all 2.5"),
        ([[2.5], [2.5]], "all 2.5"),
        ([2.5, np.nan], "from 2.5 to 2.5, 1 of them not finite"),
        ([np.nan, np.inf], "none of them finite"),
    ],
)
def test_range_of_numbers_is_described(numbers: list[float], text: str) -> None:
    assert describe_range(np.array(numbers)) == text


def test_whole_numbers_of_one_range_share_their_bound() -> None:
    assert describe_space(MultiDiscreteSpec((4,) * 30)) == (
        "a NumPy array of shape (30,), dtype int64, each element from 0 to 3"
    )
    assert describe_space(MultiDiscreteSpec(tuple(range(2, 32)))).endswith(
        "with bounds that differ by element"
    )


def test_number_is_written_with_ten_digits_or_all() -> None:
    assert format_number(np.float64(2 / 3), is_exact=True) == "0.6666666666666666"
    assert format_number(np.float64(2 / 3), is_exact=False) == "0.6666666667"
    assert format_number(np.float32(0.1), is_exact=False) == "0.1"
    assert format_number(np.int64(7), is_exact=False) == "7"
    assert format_number(np.bool_(True), is_exact=False) == "True"


def test_element_is_named_by_path_and_place() -> None:
    assert element_name("", ()) == "observation"
    assert element_name("", (1, 2)) == "observation[1,2]"
    assert element_name("a/0", (3,)) == "observation/a/0[3]"


def test_equal_values_have_equal_keys() -> None:
    column = np.array([[1.0, 2.0], [1.0, 2.0], [1.0, 3.0]])
    assert cell_key(column, 0) == cell_key(column, 1) != cell_key(column, 2)
    assert cell_key(["a", "a", "b"], 0) == cell_key(["a", "a", "b"], 1)
    assert cell_key(["\ud800"], 0) != cell_key(["?"], 0)
