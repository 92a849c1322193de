"""What a driver says of values that are not of their space's form."""

import pytest

from cwm.core.codec import conform
from cwm.core.spaces import (
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
from cwm.programs.world_model_driver import make_rows

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
