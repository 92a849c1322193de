"""Gymnasium's spaces and values in terms of the project's own."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from cwm.core.codec import conform
from cwm.core.errors import ConfigError, DataError
from cwm.core.spaces import (
    BoxSpec,
    DictSpec,
    DiscreteSpec,
    MultiDiscreteSpec,
    SpaceSpec,
    TextSpec,
    TupleSpec,
    Value,
)


def space_spec(  # noqa: PLR0911 - one return per kind of space
    space: gymnasium.Space[Any],
) -> SpaceSpec:
    """Returns our description of a Gymnasium space.

    `MultiBinary` becomes a Box of 8-bit integers, and a `MultiDiscrete` that has
    several axes or does not start at 0 a Box of 64-bit integers.

    Raises:
        ConfigError: If the space is of a kind that has no fixed layout (graphs,
            sequences, unions).
    """
    match space:
        case spaces.Box():
            return _box(space.shape, space.dtype, space.low, space.high)
        case spaces.Discrete():
            return DiscreteSpec(int(space.n), int(space.start))
        case spaces.MultiDiscrete():
            if space.nvec.ndim == 1 and not np.any(space.start):
                return MultiDiscreteSpec(tuple(int(n) for n in space.nvec))
            high = space.start + space.nvec - 1
            return _box(space.nvec.shape, np.dtype(np.int64), space.start, high)
        case spaces.MultiBinary():
            zeros = np.zeros(space.shape, dtype=np.int8)
            return _box(space.shape, np.dtype(np.int8), zeros, zeros + 1)
        case spaces.Tuple():
            return TupleSpec(tuple(space_spec(member) for member in space.spaces))
        case spaces.Dict():
            members = space.spaces.items()
            return DictSpec(tuple((str(key), space_spec(m)) for key, m in members))
        case spaces.Text():
            return TextSpec(int(space.max_length))
        case _:
            raise ConfigError(
                "A space must be made of Box, Discrete, MultiDiscrete, MultiBinary, "
                f"Tuple, Dict and Text, got {type(space).__name__}."
            )


def _box(shape: Any, dtype: Any, low: Any, high: Any) -> BoxSpec:
    return BoxSpec(
        shape=tuple(int(n) for n in shape),
        dtype=np.dtype(dtype).name,
        low=_bound(low),
        high=_bound(high),
    )


def _bound(bound: Any) -> tuple[float, ...]:
    """Returns the bounds as numbers: one if they are all equal (images)."""
    values = np.asarray(bound, dtype=np.float64).ravel()
    if values.size and np.all(values == values[0]):
        return (float(values[0]),)
    return tuple(values.tolist()) or (0.0,)


def to_value(space: SpaceSpec, value: Any) -> Value:
    """Returns what an environment gave, in the space's own representation.

    Raises:
        DataError: If the environment gave something its space does not allow.
    """
    try:
        return conform(space, value)
    except ValueError as error:
        raise DataError(
            f"An environment must keep to its declared space: {error}."
        ) from error


def to_gymnasium(space: SpaceSpec, value: Value) -> Any:
    """Returns a value of ours in the form that Gymnasium's spaces contain."""
    match space:
        case BoxSpec(dtype=dtype):
            return np.array(value, dtype=dtype)
        case TupleSpec(members=members):
            pairs = zip(members, value, strict=True)
            return tuple(to_gymnasium(member, v) for member, v in pairs)
        case DictSpec(members=named):
            return {key: to_gymnasium(member, value[key]) for key, member in named}
        case MultiDiscreteSpec():
            return np.array(value, dtype=np.int64)
        case DiscreteSpec():
            return int(value)
        case _:
            return value
