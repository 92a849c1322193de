"""Messages that no honest driver sends, and the order of those that one does."""

import tracemalloc
from typing import Any

import numpy as np
import pytest

from cwm.core.spaces import BoxSpec, DictSpec, NestedSpec, SpaceSpec, TextSpec
from cwm.programs.received import check_rows, join_predictions
from cwm.programs.wire_types import MAX_REASON_CHARS, PredictedRows
from sandbox import wire
from sandbox.errors import ProtocolError

BOX = BoxSpec((2,), "float32")
WORDS = DictSpec((("words", NestedSpec()), ("text", TextSpec())))


def rows(values: list[float], **changes: Any) -> PredictedRows:
    fields: dict[str, Any] = {
        "arrays": {"": np.array([[v, v] for v in values], dtype=np.float32)},
        "texts": {},
        "rewards": np.array(values, dtype=np.float64),
        "terminated": np.zeros(len(values), dtype=bool),
        "invalid": {},
    }
    return sent(PredictedRows(**(fields | changes)))


def texts(columns: dict[str, list[str]], **changes: Any) -> PredictedRows:
    number = len(next(iter(columns.values())))
    return rows([0.0] * number, arrays={}, texts=columns, **changes)


def sent(message: PredictedRows) -> PredictedRows:
    """Returns a driver's message as it arrives."""
    return received(wire.encode(message))


def received(payload: bytes) -> PredictedRows:
    return wire.decode(payload, PredictedRows, max_array_bytes=1 << 22)


def join(
    *messages: PredictedRows,
    num_rows: int = 2,
    num_draws: int = 1,
    space: SpaceSpec = BOX,
) -> Any:
    everything = np.arange(num_rows)
    return join_predictions([messages], [everything], space, everything, num_draws)


def test_halves_are_put_back_into_the_order_of_the_transitions() -> None:
    halves = [np.array([4, 0, 2]), np.array([3, 1])]
    (joined,) = join_predictions(
        [[rows([4.0, 0.0]), rows([2.0])], [rows([3.0, 1.0], invalid={0: "no"})]],
        halves,
        BOX,
        np.arange(5),
        1,
    )
    assert joined.rewards.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert joined.next_observations[""][:, 1].tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert joined.valid.tolist() == [True, True, True, False, True]
    assert joined.messages == {3: "no"}


def test_draws_of_equal_inputs_are_shared_by_their_transitions() -> None:
    # Rows 1 and 3 of the batch were run, in this order, with two draws each.
    message = rows([30.0, 31.0, 10.0, 11.0])
    inverse = np.array([0, 0, 1, 1])
    first, second = join_predictions([[message]], [np.array([3, 1])], BOX, inverse, 2)
    assert first.rewards.tolist() == [10.0, 10.0, 30.0, 30.0]
    assert second.rewards.tolist() == [11.0, 11.0, 31.0, 31.0]


def test_text_and_nested_columns_are_decoded() -> None:
    message = texts(
        {"words": ['[["a"],"b"]', ""], "text": ["é", ""]}, invalid={1: "no"}
    )
    (joined,) = join(message, space=WORDS)
    assert joined.next_observations["words"] == [[["a"], "b"], ""]
    assert joined.next_observations["text"] == ["é", ""]


# MessagePack has a length of 4, of 16 and of 32 bits.
@pytest.mark.parametrize("number", [15, 16, 65_535, 65_536])
def test_column_of_any_length_is_counted(number: int) -> None:
    message = texts({"": ["x"] * number})
    (joined,) = join(message, num_rows=number, space=TextSpec())
    assert joined.next_observations[""] == ["x"] * number
    one_more = texts({"": ["x"] * (number + 1)}, **scalars(number))
    with pytest.raises(ProtocolError, match="a column of texts is not of its form"):
        join(one_more, num_rows=number, space=TextSpec())


@pytest.mark.parametrize("number", [15, 16, 65_536])
def test_space_of_any_number_of_columns_is_read(number: int) -> None:
    space = DictSpec(tuple((f"t{i}", TextSpec()) for i in range(number)))
    columns = {f"t{i}": [str(i)] for i in range(number)}
    (joined,) = join(texts(columns), num_rows=1, space=space)
    assert joined.next_observations == columns
    with pytest.raises(ProtocolError, match="columns that the space does not have"):
        join(texts(columns | {"other": [""]}), num_rows=1, space=space)


def scalars(number: int) -> dict[str, Any]:
    return {"rewards": np.zeros(number), "terminated": np.zeros(number, dtype=bool)}


def test_text_may_be_as_long_as_its_space_says() -> None:
    longest = texts({"": ["\U0001f600" * 3, "é"]})
    (joined,) = join(longest, space=TextSpec(max_length=3))
    assert joined.next_observations[""][0] == "\U0001f600" * 3
    with pytest.raises(ProtocolError, match="while decoding"):
        join(longest, space=TextSpec(max_length=2))


FLOATS = np.zeros((2, 2), dtype=np.float32)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rewards": np.zeros((2, 1))}, "more rows than asked for, or empty"),
        ({"rewards": np.zeros(0)}, "more rows than asked for, or empty"),
        ({"rewards": np.zeros(3)}, "more rows than asked for, or empty"),
        ({"rewards": np.zeros(2, dtype=np.int64)}, "not of their form"),
        ({"terminated": np.zeros(2)}, "not of their form"),
        ({"terminated": np.zeros(1, dtype=bool)}, "not of their form"),
        ({"invalid": {2: "x"}}, "not of their form"),
        ({"invalid": {-1: "x"}}, "not of their form"),
        ({"invalid": {0: "x", 1: "x", 2: "x"}}, "not of their form"),
        ({"invalid": [0]}, "not of their form"),
        ({"invalid": {0: "x" * (MAX_REASON_CHARS + 1)}}, "while decoding"),
        ({"arrays": {}}, "a column of observations is not of its form"),
        ({"arrays": {"x": FLOATS}}, "a column of observations"),
        ({"arrays": {"": FLOATS[:, :1]}}, "a column of observations"),
        ({"arrays": {"": FLOATS.astype(np.float64)}}, "a column of observations"),
        ({"arrays": {"": FLOATS, "x": FLOATS}}, "columns that the space does not"),
        ({"arrays": {"": 1}}, "while decoding"),
        ({"arrays": [FLOATS]}, "columns that the space does not"),
        ({"texts": {"x": ["a", "b"]}}, "columns that the space does not have"),
    ],
)
def test_message_of_another_form_is_refused(
    changes: dict[str, Any], message: str
) -> None:
    join(rows([1.0, 2.0]))
    with pytest.raises(ProtocolError, match=message):
        join(rows([1.0, 2.0], **changes))


def test_missing_rows_are_noticed() -> None:
    with pytest.raises(ProtocolError, match="2 rows were asked for, 1 came"):
        join(rows([1.0]))


def test_surplus_message_is_noticed() -> None:
    with pytest.raises(ProtocolError, match="more rows than asked for"):
        join(rows([1.0, 2.0]), rows([3.0]))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", "not text or lists of text"),
        ("[[1.5]]", "not text or lists of text"),
        ('{"a":"b"}', "not text or lists of text"),
        ("[" * 9 + "]" * 9, "not text or lists of text"),
        ("[" * 100_000, "not text or lists of text"),
        ("[", "cannot be read"),
        ("[" * 1_000_001, "more than 1000000 lists"),
        ('"",' * 2_000_001, "more than 2000000 texts"),
    ],
)
def test_nested_value_of_another_form_is_refused(text: str, message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        join(texts({"": [text]}), num_rows=1, space=NestedSpec())


def test_nested_value_may_be_as_deep_as_the_codec_says() -> None:
    (joined,) = join(
        texts({"": ["[" * 8 + '"x"' + "]" * 8]}), num_rows=1, space=NestedSpec()
    )
    assert joined.next_observations[""] == [[[[[[[[["x"]]]]]]]]]


def test_nested_values_of_all_messages_are_counted_together() -> None:
    half = texts({"": ["[" + ",".join(["[]"] * 500_000) + "]"]})
    check_rows([half], NestedSpec(), 2)
    with pytest.raises(ProtocolError, match="more than 1000000 lists"):
        check_rows([half, half], NestedSpec(), 2)


NAMES = [f"{number:06d}" for number in range(100_000)]
FLAG = np.zeros((), dtype=bool)
FLOODS: dict[str, tuple[SpaceSpec, dict[str, Any]]] = {
    "columns of text": (BOX, {"texts": dict.fromkeys(NAMES, ("ab", "cd"))}),
    "columns beside a text": (TextSpec(), {"texts": dict.fromkeys(NAMES, ("ab",))}),
    "texts of a column": (TextSpec(), {"texts": {"": ["ab"] * 100_000}}),
    "too long texts": (TextSpec(2), {"texts": {"": ["abc" * 10] * 100_000}}),
    "arrays": (BOX, {"arrays": dict.fromkeys(NAMES, FLAG)}),
    "reasons": (BOX, {"invalid": dict.fromkeys(range(100_000), "ab")}),
    "lists": (NestedSpec(), {"texts": {"": ["[" + "[]," * 1_000_001]}}),
    "texts in lists": (NestedSpec(), {"texts": {"": ["[" + '"ab",' * 2_000_001]}}),
    "dictionaries": (NestedSpec(), {"texts": {"": ["[" + "{}," * 100_000]}}),
    "numbers": (NestedSpec(), {"texts": {"": ["[" + "1.5," * 100_000]}}),
}


@pytest.mark.parametrize("name", FLOODS)
def test_flood_is_refused_before_it_is_built(name: str) -> None:
    space, changes = FLOODS[name]
    number = 100_000 if name == "too long texts" else 1
    fields: dict[str, Any] = {"arrays": {}, "texts": {}, "invalid": {}}
    payload = wire.encode(PredictedRows(**(fields | scalars(number) | changes)))
    tracemalloc.start()
    try:
        with pytest.raises(ProtocolError):
            check_rows([received(payload)], space, number)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Built, they take at least three times their bytes; most take ten times as many.
    assert peak < 1.5 * len(payload)
