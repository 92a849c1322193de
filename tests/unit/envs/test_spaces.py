import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from cwm.core.errors import ConfigError, DataError
from cwm.core.spaces import (
    BoxSpec,
    DictSpec,
    DiscreteSpec,
    MultiDiscreteSpec,
    SpaceSpec,
    TextSpec,
    TupleSpec,
)
from envs.spaces import space_spec, to_gymnasium, to_value


@pytest.mark.parametrize(
    ("space", "expected"),
    [
        (spaces.Discrete(4, start=-1), DiscreteSpec(4, -1)),
        (spaces.MultiDiscrete([2, 3]), MultiDiscreteSpec((2, 3))),
        (
            spaces.MultiDiscrete([2, 3], start=[1, 0]),
            BoxSpec(shape=(2,), dtype="int64", low=(1.0, 0.0), high=(2.0,)),
        ),
        (
            spaces.MultiBinary(3),
            BoxSpec(shape=(3,), dtype="int8", low=(0.0,), high=(1.0,)),
        ),
        (
            spaces.Box(-1.0, np.array([2.0, 3.0]), dtype=np.float64),
            BoxSpec(shape=(2,), dtype="float64", low=(-1.0,), high=(2.0, 3.0)),
        ),
        (spaces.Text(7), TextSpec(7)),
        (
            spaces.Tuple((spaces.Discrete(2), spaces.Text(3))),
            TupleSpec((DiscreteSpec(2), TextSpec(3))),
        ),
        (spaces.Dict({"b": spaces.Discrete(2)}), DictSpec((("b", DiscreteSpec(2)),))),
    ],
)
def test_spaces_have_our_description(
    space: gymnasium.Space[object], expected: SpaceSpec
) -> None:
    assert space_spec(space) == expected


def test_a_space_without_fixed_layout_is_refused() -> None:
    with pytest.raises(ConfigError, match="got Sequence"):
        space_spec(spaces.Sequence(spaces.Discrete(2)))


@pytest.mark.parametrize(
    "space",
    [
        spaces.Discrete(3, start=5),
        spaces.MultiDiscrete([2, 3]),
        spaces.MultiBinary((2, 2)),
        spaces.Box(0, 255, (2, 2), np.uint8),
        spaces.Box(-1.0, 1.0, (), np.float32),
        spaces.Tuple((spaces.Discrete(2), spaces.Box(-1.0, 1.0, (2,)))),
        spaces.Dict({"a": spaces.Discrete(2), "b": spaces.Text(4)}),
    ],
)
def test_values_come_back_as_members_of_the_space(
    space: gymnasium.Space[object],
) -> None:
    spec = space_spec(space)
    space.seed(3)
    for _ in range(20):
        value = space.sample()
        assert space.contains(to_gymnasium(spec, to_value(spec, value)))


def test_a_value_that_is_not_of_its_space_is_the_environments_fault() -> None:
    with pytest.raises(DataError, match="must keep to its declared space: expected"):
        to_value(DiscreteSpec(3), "two")
