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
    NestedSpec,
    SpaceSpec,
    TextSpec,
    TupleSpec,
    Value,
)


class NestedText(gymnasium.Space[Any]):
    """Nested lists of texts, all of one shape.

    For boards of words: Gymnasium has no space for them but tuples of tuples of texts,
    in which every cell would be an element of its own.

    Args:
        shape: Lengths of the lists, outermost first.
        words: What texts there are; `None` for any. Samples need some.
        seed: Seed of the samples.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        words: tuple[str, ...] | None = None,
        seed: int | None = None,
    ) -> None:
        self.words = words
        super().__init__(shape, None, seed)

    @property
    def is_np_flattenable(self) -> bool:
        """False: texts are no numbers."""
        return False

    def sample(self, mask: Any | None = None, probability: Any | None = None) -> Any:
        """Returns lists of random words."""
        return self._sampled(self._shape or ())

    def _sampled(self, lengths: tuple[int, ...]) -> Any:
        if lengths:
            return [self._sampled(lengths[1:]) for _ in range(lengths[0])]
        words = self.words or ("",)
        return words[int(self.np_random.integers(len(words)))]

    def contains(self, x: Any) -> bool:
        """Returns whether lists are of this shape, and texts among the words."""
        return self._contains(x, self._shape or ())

    def _contains(self, x: Any, lengths: tuple[int, ...]) -> bool:
        if not lengths:
            return isinstance(x, str) and (self.words is None or x in self.words)
        return (
            isinstance(x, list)
            and len(x) == lengths[0]
            and all(self._contains(item, lengths[1:]) for item in x)
        )

    def __eq__(self, other: object) -> bool:
        """Returns whether another space has the same values."""
        return (
            isinstance(other, NestedText)
            and self._shape == other._shape
            and self.words == other.words
        )

    def __hash__(self) -> int:
        return hash((self._shape, self.words))

    def __repr__(self) -> str:
        return f"NestedText({self._shape})"


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
        case NestedText():
            return NestedSpec()
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
