from itertools import pairwise

import numpy as np
import pytest

from cwm.core.spaces import (
    BoxSpec,
    DictSpec,
    DiscreteSpec,
    MultiDiscreteSpec,
    NestedSpec,
    TupleSpec,
)
from envs.actions import ActionSource, is_table_like, to_key, to_vector

TORQUE = BoxSpec(shape=(1,), dtype="float32", low=(-2.0,), high=(2.0,))


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_few_actions_are_listed() -> None:
    assert ActionSource(DiscreteSpec(3, -1)).actions == [-1, 0, 1]
    assert len(ActionSource(MultiDiscreteSpec((2, 3))).actions) == 6
    pair = TupleSpec((DiscreteSpec(2), DiscreteSpec(2)))
    assert ActionSource(pair).actions == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert ActionSource(DiscreteSpec(1000)).actions == []
    assert ActionSource(TORQUE).actions == []


def test_actions_stay_within_their_bounds(rng: np.random.Generator) -> None:
    source = ActionSource(TORQUE)
    drawn = np.concatenate([source.held(rng, 20, 3.0) for _ in range(60)])
    assert drawn.dtype == np.float32
    assert np.abs(drawn).max() == 2.0
    assert (np.abs(drawn) < 0.2).mean() > 0.05


def test_a_perturbed_plan_keeps_its_length_and_bounds(rng: np.random.Generator) -> None:
    source = ActionSource(TORQUE)
    plan = source.held(rng, 12, 2.0)
    for _ in range(30):
        other = source.perturbed(plan, rng, 4.0)
        assert len(other) == 12
        assert np.abs(np.concatenate(other)).max() <= 2.0


def test_held_actions_stay_for_about_the_mean(rng: np.random.Generator) -> None:
    drawn = ActionSource(DiscreteSpec(50)).held(rng, 20_000, 8.0)
    changes = sum(a != b for a, b in pairwise(drawn))
    assert 20_000 / changes == pytest.approx(8.0, rel=0.1)


def test_unbounded_and_nested_actions_can_be_drawn(rng: np.random.Generator) -> None:
    space = DictSpec(
        (("a", BoxSpec(shape=(2,), dtype="float64")), ("b", DiscreteSpec(99)))
    )
    action = ActionSource(space).uniform(rng)
    assert np.isfinite(action["a"]).all()
    assert 0 <= action["b"] < 99


def test_like_actions_share_a_bin() -> None:
    bins = ActionSource(TORQUE).bins([np.array([x]) for x in (-2.0, -1.9, 0.0, 2.0)])
    assert bins[0] == bins[1] != bins[2] != bins[3]
    assert ActionSource(DiscreteSpec(3)).bins([2, 0]).tolist() == [2, 0]


def test_vectors_join_all_numbers_in_order() -> None:
    space = TupleSpec(
        (DiscreteSpec(9), NestedSpec(), BoxSpec(shape=(2,), dtype="int8"))
    )
    value = (4, ["text"], np.array([1, 2], dtype=np.int8))
    assert to_vector(space, value).tolist() == [4.0, 1.0, 2.0]


def test_keys_are_equal_when_values_are() -> None:
    assert to_key((1, np.array([2]), "a", [{"b": 3}])) == to_key(
        (1, np.array([2]), "a", [{"b": 3}])
    )
    assert to_key(np.array([1, 2])) != to_key(np.array([2, 1]))


def test_only_what_repeats_exactly_is_like_a_table() -> None:
    assert is_table_like(
        TupleSpec((DiscreteSpec(2), BoxSpec(shape=(2,), dtype="uint8")))
    )
    assert not is_table_like(TORQUE)
