import numpy as np
import pytest

from cwm.core.codec import encode_columns
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
from cwm.evaluation.features import Features


def features(space: SpaceSpec, train: list[object], *values: object) -> list[object]:
    turn = Features(space, encode_columns(space, train))
    rows = turn(encode_columns(space, list(values)))
    assert rows.shape == (len(values), turn.size)
    return rows.tolist()


def test_numbers_are_standardised() -> None:
    space = BoxSpec((2,), "float32")
    train = [np.array([0, 5], dtype="f4"), np.array([4, 5], dtype="f4")]
    # Mean 2, spread 2; the second never changes and is only centred.
    value = np.array([6, 8], dtype="f4")
    assert features(space, train, value) == [[2.0, 3.0]]


def test_codes_are_one_hot_and_new_ones_nothing() -> None:
    found = features(DiscreteSpec(500), [7, 9, 7], 9, 7, 8)
    assert found == [[0.0, 1.0], [1.0, 0.0], [0.0, 0.0]]


def test_vectors_of_codes_are_one_hot_by_place() -> None:
    space = MultiDiscreteSpec((3, 3))
    train = [np.array([0, 1]), np.array([1, 1])]
    assert features(space, train, np.array([1, 1])) == [[0.0, 1.0, 1.0]]


def test_texts_are_one_hot_by_place() -> None:
    space = DictSpec((("board", NestedSpec()), ("word", TextSpec())))
    train = [{"board": [["a"], ["b"]], "word": "x"}, {"board": [["b"]], "word": "x"}]
    value = {"board": [["b"], ["b"], ["b"]], "word": "x"}
    assert features(space, train, value) == [[0.0, 1.0, 1.0, 1.0]]


def test_parts_stand_beside_each_other() -> None:
    space = TupleSpec((DiscreteSpec(3), BoxSpec((), "float64")))
    assert features(space, [(1, np.float64(1)), (1, np.float64(3))], (1, 5.0)) == [
        [1.0, 3.0]
    ]


@pytest.mark.filterwarnings("error")
def test_what_is_not_finite_is_nothing() -> None:
    space = BoxSpec((2,), "float64")
    train = [np.array([np.nan, 1.0]), np.array([np.inf, 3.0])]
    assert features(space, train, np.array([1.0, np.nan])) == [[1.0, 0.0]]
