"""Messages that no honest driver sends, and the order of those that one does."""

from typing import Any

import numpy as np
import pytest

from cwm.core.spaces import BoxSpec, DictSpec, NestedSpec, SpaceSpec, TextSpec
from cwm.programs.received import join_predictions
from cwm.programs.wire_types import PredictedRows
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
    return PredictedRows(**(fields | changes))


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
    message = PredictedRows(
        arrays={},
        texts={"words": ['[["a"],"b"]', ""], "text": ["é", ""]},
        rewards=np.zeros(2),
        terminated=np.zeros(2, dtype=bool),
        invalid={1: "no"},
    )
    (joined,) = join(message, space=WORDS)
    assert joined.next_observations["words"] == [[["a"], "b"], ""]
    assert joined.next_observations["text"] == ["é", ""]


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
        ({"arrays": {}}, "a column of observations is not of its form"),
        ({"arrays": {"x": FLOATS}}, "a column of observations"),
        ({"arrays": {"": FLOATS[:, :1]}}, "a column of observations"),
        ({"arrays": {"": FLOATS.astype(np.float64)}}, "a column of observations"),
        ({"arrays": {"": FLOATS, "x": FLOATS}}, "columns that the space does not"),
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
        ("[" * 9 + "]" * 9, "not text or lists of text"),
        ("[", "cannot be read"),
        ("[" * 100_000, "cannot be read"),
        ("[" * 1_000_001, "more than 1000000 lists"),
    ],
)
def test_nested_value_of_another_form_is_refused(text: str, message: str) -> None:
    nested = PredictedRows(
        arrays={},
        texts={"": [text]},
        rewards=np.zeros(1),
        terminated=np.zeros(1, dtype=bool),
        invalid={},
    )
    with pytest.raises(ProtocolError, match=message):
        join(nested, num_rows=1, space=NestedSpec())
