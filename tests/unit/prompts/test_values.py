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
from prompts.values import describe_space, format_value, shorten


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
