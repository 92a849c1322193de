import numpy as np
import pytest

from cwm.core.codec import (
    concatenate_columns,
    conform,
    decode_columns,
    encode_columns,
    num_rows,
    select_rows,
    subcolumns,
)
from cwm.core.spaces import (
    BoxSpec,
    DictSpec,
    DiscreteSpec,
    MultiDiscreteSpec,
    NestedSpec,
    TextSpec,
    TupleSpec,
)

PAIR = TupleSpec((DiscreteSpec(5), BoxSpec(shape=(2,), dtype="float32")))


def test_numpy_integers_become_plain_ones() -> None:
    assert type(conform(DiscreteSpec(5), np.int64(3))) is int
    assert conform(DiscreteSpec(5), np.array([3])) == 3


@pytest.mark.parametrize("value", [True, np.bool_(True), 1.0, "1", None, [1, 2]])
def test_what_is_no_integer_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="expected an integer, got"):
        conform(DiscreteSpec(5), value)


def test_integers_are_never_made_of_floats() -> None:
    with pytest.raises(ValueError, match="expected numbers of type int64"):
        conform(MultiDiscreteSpec((3, 3)), [1.0, 2.0])


def test_floats_are_never_made_of_booleans() -> None:
    with pytest.raises(ValueError, match="got booleans"):
        conform(BoxSpec(shape=(2,), dtype="float32"), [True, False])


def test_a_list_of_the_right_shape_is_an_array() -> None:
    value = conform(BoxSpec(shape=(2,), dtype="float32"), [1, 2.5])
    assert value.dtype == np.float32
    assert value.tolist() == [1.0, 2.5]


def test_a_wrong_shape_names_both_shapes() -> None:
    with pytest.raises(ValueError, match=r"shape \(2,\), got shape \(3,\)"):
        conform(BoxSpec(shape=(2,), dtype="float32"), [1, 2, 3])


def test_bounds_are_not_checked() -> None:
    assert conform(DiscreteSpec(5), 99) == 99


def test_too_large_floats_become_infinite_without_a_warning() -> None:
    value = conform(BoxSpec(shape=(1,), dtype="float32"), [1e300])
    assert np.isinf(value[0])


def test_a_dict_with_other_keys_is_refused() -> None:
    space = DictSpec((("a", DiscreteSpec(2)),))
    with pytest.raises(ValueError, match=r"keys \['a'\]"):
        conform(space, {"b": 1})


def test_nested_text_keeps_its_shape() -> None:
    assert conform(NestedSpec(), ["a", ("b", ["c"])]) == ["a", ["b", ["c"]]]


def test_text_nested_too_deep_is_refused() -> None:
    value: object = "a"
    for _ in range(9):
        value = [value]
    with pytest.raises(ValueError, match="expected text or lists of text"):
        conform(NestedSpec(), value)


def test_columns_are_named_by_position_and_have_one_row_per_value() -> None:
    values = [(1, np.zeros(2, np.float32)), (4, np.ones(2, np.float32))]
    columns = encode_columns(PAIR, values)
    assert list(columns) == ["0", "1"]
    assert np.asarray(columns["0"]).tolist() == [1, 4]
    assert np.asarray(columns["1"]).shape == (2, 2)
    assert num_rows(columns) == 2


def test_columns_of_no_values_have_the_right_shape() -> None:
    columns = encode_columns(PAIR, [])
    assert np.asarray(columns["1"]).shape == (0, 2)
    assert num_rows({}) == 0


def test_subcolumns_do_not_confuse_keys_with_a_common_start() -> None:
    columns = {"1": [1], "10": [2], "1/0": [3]}
    assert subcolumns(columns, "1") == {"": [1], "0": [3]}


def test_rows_are_selected_in_the_order_asked_for() -> None:
    columns = {"": np.array([5, 6, 7]), "t": ["a", "b", "c"]}
    chosen = select_rows(columns, np.array([2, 0]))
    assert np.asarray(chosen[""]).tolist() == [7, 5]
    assert chosen["t"] == ["c", "a"]


def test_concatenated_columns_decode_to_all_values_in_order() -> None:
    space = TupleSpec((DiscreteSpec(9), TextSpec()))
    parts = [encode_columns(space, [(1, "a")]), encode_columns(space, [(2, "b")])]
    joined = concatenate_columns(parts)
    assert decode_columns(space, joined) == [(1, "a"), (2, "b")]
