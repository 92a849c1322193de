"""Plain values as text, and back."""

import contextlib
import enum
import json
import math
from collections import Counter, OrderedDict, namedtuple
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.errors import ProtocolError
from sandbox.plain_values import (
    MAX_DEPTH,
    MAX_ITEMS,
    MAX_RARE_KEYS,
    MAX_TEXT_CHARS,
    decode_plain,
    encode_plain,
)

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
)
HASHABLE = SCALARS | st.tuples(st.integers(), st.text())
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(HASHABLE, inner)
        | st.sets(HASHABLE)
    ),
    max_leaves=20,
)


def types_of(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return type(value), [types_of(item) for item in value]
    if isinstance(value, dict):
        return type(value), [(types_of(k), types_of(v)) for k, v in value.items()]
    return type(value)


@given(VALUES)
def test_values_come_back_as_they_were(value: Any) -> None:
    again = decode_plain(encode_plain(value))
    assert again == value
    assert types_of(again) == types_of(value)


@given(st.text())
def test_any_text_is_a_plain_value_or_refused(text: str) -> None:
    with contextlib.suppress(ProtocolError):
        decode_plain(text)


class Level(enum.IntEnum):
    HIGH = 3


class Word(str):
    def __str__(self) -> str:
        return "another word"


Point = namedtuple("Point", ["x", "y"])


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.arange(4).reshape(2, 2), [[0, 1], [2, 3]]),
        ({"a": np.zeros(2)}, {"a": [0.0, 0.0]}),
        (Level.HIGH, 3),
        (Word("word"), "word"),
        (Point(1, 2), (1, 2)),
        (OrderedDict(a=1), {"a": 1}),
        (Counter("aa"), {"a": 2}),
        (frozenset({1}), {1}),
        (bytearray(b"x"), b"x"),
        ({"$tuple": [1]}, {"$tuple": [1]}),
        (10**100, 10**100),
        (-0.0, -0.0),
        (math.inf, math.inf),
    ],
)
def test_kindred_values_become_plain_ones(value: Any, plain: Any) -> None:
    again = decode_plain(encode_plain(value))
    assert (again, types_of(again)) == (plain, types_of(plain))
    assert repr(again) == repr(plain)


def test_not_a_number_is_a_number() -> None:
    assert math.isnan(decode_plain(encode_plain(math.nan)))


@pytest.mark.parametrize("value", [object(), 1j, len, [1, {2: object}], range(3)])
def test_other_values_are_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="is not plain data"):
        encode_plain(value)


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


def test_values_have_a_largest_depth_and_size() -> None:
    assert decode_plain(encode_plain(nested(MAX_DEPTH))) == nested(MAX_DEPTH)
    with pytest.raises(ValueError, match="nested at most 32 deep"):
        encode_plain(nested(MAX_DEPTH + 1))
    with pytest.raises(ValueError, match="at most 200000 parts"):
        encode_plain([0] * MAX_ITEMS)
    with pytest.raises(ValueError, match="at most 1048576 characters"):
        encode_plain("x" * MAX_TEXT_CHARS)
    itself: list[Any] = []
    itself.append(itself)
    with pytest.raises(ValueError, match="nested at most 32 deep"):
        encode_plain(itself)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[1",
        "[" * 100_000 + "]" * 100_000,
        "[" * 200 + "]" * 200,
        '{"$call": [1]}',
        '{"$tuple": [1], "x": 1}',
        '{"$tuple": 1}',
        '{"$bytes": "?"}',
        '{"$bytes": 1}',
        '{"$dict": [[1]]}',
        '{"$dict": [1]}',
        '{"$set": [[1]]}',
        "1" * 5000,
        '"' + "x" * MAX_TEXT_CHARS + '"',
        "[" + ",".join(["[]"] * 400_000) + "]",
    ],
)
def test_texts_that_nobody_encoded_are_refused(text: str) -> None:
    with pytest.raises(ProtocolError):
        decode_plain(text)


def test_keys_made_to_clash_are_refused() -> None:
    # All of them have the hash 0: that many would take minutes.
    clashing = [number * (2**61 - 1) * 2**61 for number in range(MAX_RARE_KEYS + 2)]
    assert {hash(number) for number in clashing} == {0}
    for text in (
        json.dumps({"$set": clashing}),
        json.dumps({"$dict": [[number, 0] for number in clashing]}),
    ):
        with pytest.raises(ProtocolError, match="too many unusual keys"):
            decode_plain(text)
    usual = set(range(10 * MAX_RARE_KEYS))
    assert decode_plain(encode_plain(usual)) == usual
