import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cwm.core.codec import encode_columns
from cwm.core.spaces import (
    BoxSpec,
    DictSpec,
    DiscreteSpec,
    MultiDiscreteSpec,
    TextSpec,
    TupleSpec,
)
from cwm.proposers.symbolic.discrete.layout import (
    Digit,
    digit_values,
    element_values,
    elements,
    split_digits,
    supports,
)

MIXED = TupleSpec(
    (DiscreteSpec(5, start=2), DictSpec((("k", MultiDiscreteSpec((3, 4))),)))
)


def test_elements_come_in_the_order_of_the_leaves() -> None:
    found = [(e.path, e.index, e.low, e.num_values) for e in elements(MIXED)]
    assert found == [("0", None, 2, 5), ("1/k", 0, 0, 3), ("1/k", 1, 0, 4)]


def test_element_values_are_the_integers_of_each_value() -> None:
    columns = encode_columns(MIXED, [(3, {"k": [1, 2]}), (6, {"k": [0, 3]})])
    values = element_values(elements(MIXED), columns)
    assert values.tolist() == [[3, 1, 2], [6, 0, 3]]


def test_an_unbounded_integer_box_has_no_number_of_values() -> None:
    assert [e.num_values for e in elements(BoxSpec((2,), "int64"))] == [0, 0]


@pytest.mark.parametrize(
    ("space", "expected"),
    [
        (DiscreteSpec(500), True),
        (BoxSpec((2, 2), "uint8", (0.0,), (9.0,)), True),
        (BoxSpec((2,), "float32"), False),
        (TextSpec(), False),
        (TupleSpec((DiscreteSpec(3), TextSpec())), False),
        (BoxSpec((65,), "int64"), False),
    ],
)
def test_only_integer_observations_of_small_size_are_supported(
    space: object, expected: bool
) -> None:
    assert supports(space, DiscreteSpec(4)) is expected  # type: ignore[arg-type]


def test_integer_boxes_are_not_supported_as_actions() -> None:
    assert not supports(DiscreteSpec(4), BoxSpec((1,), "int64", (0.0,), (3.0,)))


def test_a_leaf_of_reals_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="Leaf '1' must be integer-like, got BoxSpec"):
        elements(TupleSpec((DiscreteSpec(2), BoxSpec((1,), "float32"))))


def test_the_code_385_has_the_digits_3_4_1_1_in_radices_5_5_5_4() -> None:
    digits = split_digits(elements(DiscreteSpec(500)), ((5, 5, 5, 4),))
    values = np.asarray([[385]])
    assert [int(digit_values(d, values)[0]) for d in digits] == [3, 4, 1, 1]


def test_a_single_radix_leaves_the_element_as_it_is() -> None:
    assert split_digits(elements(DiscreteSpec(7, start=3)), ((7,),)) == (
        Digit(element=0),
    )


@given(
    radices=st.lists(st.integers(2, 6), min_size=2, max_size=4),
    start=st.integers(-5, 5),
    data=st.data(),
)
def test_digits_add_up_to_the_code(
    radices: list[int], start: int, data: st.DataObject
) -> None:
    number = int(np.prod(radices))
    code = data.draw(st.integers(start, start + number - 1))
    digits = split_digits(elements(DiscreteSpec(number, start)), (tuple(radices),))
    values = np.asarray([[code]])
    total = sum(int(digit_values(d, values)[0]) * d.divisor for d in digits)
    assert total + start == code
