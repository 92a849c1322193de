"""What a driver makes of values, and says of those not of their space's form."""

import numpy as np
import pytest

from cwm.core.codec import conform, is_conformed
from cwm.core.spaces import (
    BoxSpec,
    DictSpec,
    DiscreteSpec,
    NestedSpec,
    SpaceSpec,
    TextSpec,
    TupleSpec,
    Value,
    space_to_json,
)
from cwm.programs.wire_types import MAX_REASON_CHARS
from cwm.programs.world_model_driver import copier, make_rows

SHORT = TextSpec(max_length=2)


@pytest.mark.parametrize(
    ("space", "longest", "longer"),
    [
        (SHORT, "éé", "abc"),
        (TupleSpec((DiscreteSpec(9), SHORT)), (7, "ab"), (7, "abc")),
        (DictSpec((("a", SHORT), ("b", TextSpec()))), {"a": "", "b": "abc"}, None),
        (DictSpec((("a", TupleSpec((SHORT,))),)), {"a": ("ab",)}, {"a": ("abc",)}),
        (NestedSpec(), ["abc" * 1000], None),
    ],
)
def test_text_may_be_as_long_as_its_space_says(
    space: SpaceSpec, longest: Value, longer: Value | None
) -> None:
    assert conform(space, longest) == longest
    if longer is not None:
        with pytest.raises(ValueError, match="at most 2 characters, got 3"):
            conform(space, longer)


def test_reason_is_cut_to_what_the_evaluator_takes() -> None:
    space = DictSpec((("k" * 1000, DiscreteSpec(2)),))
    rows = make_rows(space_to_json(space), 1)
    rows.add((0, 0.0, False))
    (reason,) = rows.flush().invalid.values()
    assert reason.startswith("observation: expected a dict with keys ['kkk")
    assert len(reason) == MAX_REASON_CHARS


PAIR = TupleSpec((DiscreteSpec(9), TupleSpec((DiscreteSpec(9),))))


class Whole(int):
    """An integer that is more than one."""


@pytest.mark.parametrize(
    ("value", "is_sure"),
    [
        ((1, (2,)), True),
        ((-(1 << 63), ((1 << 63) - 1,)), True),
        ((1, (1 << 63,)), False),
        ((-(1 << 63) - 1, (1,)), False),
        ((True, (2,)), False),
        ((1, (np.int64(2),)), False),
        ((1, (Whole(2),)), False),
        ([1, (2,)], False),
        ((1, 2), False),
        ((1,), False),
        ((1, (2,), 3), False),
    ],
)
def test_only_plain_integers_and_tuples_are_sure_to_be_in_form(
    value: Value, is_sure: bool
) -> None:
    assert is_conformed(PAIR, value) is is_sure
    if is_sure:
        assert conform(PAIR, value) == value


def test_values_that_are_not_sure_to_be_in_form_are_brought_into_it() -> None:
    rows = make_rows(space_to_json(PAIR), 4)
    for value in ((1, (2,)), [np.int64(3), [4]], (5, (1 << 64,)), (True, (2,))):
        rows.add((value, 0.0, False))
    flushed = rows.flush()
    assert flushed.arrays["0"].tolist()[:2] == [1, 3]
    assert flushed.arrays["1/0"].tolist()[:2] == [2, 4]
    assert set(flushed.invalid) == {2, 3}


@pytest.mark.parametrize(
    ("space", "value", "is_shared"),
    [
        (DiscreteSpec(9), 7, True),
        (PAIR, (1, (2,)), True),
        (TupleSpec((DiscreteSpec(9), SHORT)), (7, "ab"), True),
        (BoxSpec((2,), "float32"), np.zeros(2, dtype=np.float32), False),
        (TupleSpec((DiscreteSpec(9), BoxSpec((1,), "int8"))), (7, np.ones(1)), False),
        (NestedSpec(), [["a"]], False),
        (DictSpec((("a", DiscreteSpec(9)),)), {"a": 1}, False),
    ],
)
def test_draws_share_what_a_program_cannot_change_and_nothing_else(
    space: SpaceSpec, value: Value, is_shared: bool
) -> None:
    copied = copier(space_to_json(space))(value)
    assert (copied is value) is is_shared
    assert repr(copied) == repr(value)
