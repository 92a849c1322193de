import numpy as np
import pytest

from cwm.core.spaces import (
    BoxSpec,
    DictSpec,
    DiscreteSpec,
    TupleSpec,
    leaves,
    space_from_json,
    space_to_json,
)


def test_leaves_have_paths_of_positions_and_keys() -> None:
    box = BoxSpec(shape=(2,), dtype="float64")
    space = TupleSpec((DiscreteSpec(2), DictSpec((("a", box), ("b", DiscreteSpec(3))))))
    assert [path for path, _ in leaves(space)] == ["0", "1/a", "1/b"]


def test_a_leaf_has_the_empty_path() -> None:
    assert list(leaves(DiscreteSpec(2))) == [("", DiscreteSpec(2))]


@pytest.mark.parametrize("key", ["", "a/b"])
def test_keys_that_paths_could_not_tell_apart_are_refused(key: str) -> None:
    with pytest.raises(ValueError, match="must be texts without '/'"):
        list(leaves(DictSpec(((key, DiscreteSpec(2)),))))


def test_one_bound_stands_for_all_elements() -> None:
    low, high = BoxSpec(shape=(2, 2), dtype="uint8", low=(0.0,), high=(255.0,)).bounds()
    assert low.tolist() == [0.0] * 4
    assert high.tolist() == [255.0] * 4


def test_a_wrong_number_of_bounds_is_refused() -> None:
    with pytest.raises(ValueError, match=r"high must have 1 or 3 numbers .* got 2"):
        BoxSpec(shape=(3,), dtype="float32", high=(1.0, 2.0))


def test_a_scalar_box_has_one_element() -> None:
    assert BoxSpec(shape=(), dtype="float32").size == 1


def test_an_empty_discrete_space_is_refused() -> None:
    with pytest.raises(ValueError, match="num_values must be at least 1, got 0"):
        DiscreteSpec(0)


def test_infinite_and_odd_bounds_survive_json() -> None:
    space = BoxSpec(
        shape=(2,), dtype="float32", low=(-np.inf, -0.1), high=(np.inf, 1 / 3)
    )
    assert space_from_json(space_to_json(space)) == space


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="known kind, got 'graph'"):
        space_from_json({"kind": "graph"})
