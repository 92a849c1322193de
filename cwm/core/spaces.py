"""Descriptions of the values that observations and actions can take.

These are our own types, so that nothing below `envs` needs Gymnasium and a
dataset file can be read without it. How a value is represented:

    BoxSpec            `np.ndarray` of `shape` and `dtype`
    DiscreteSpec       `int` in `start .. start + num_values - 1`
    MultiDiscreteSpec  `np.ndarray[len(num_values)]` of `int64`
    TupleSpec          `tuple`, one value per member
    DictSpec           `dict`, one value per key
    TextSpec           `str`
    NestedSpec         text, or a list of such values (RTFM's grids of words)
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Value: TypeAlias = Any
"""One observation or action; see the module's table for the type by space."""


@dataclass(frozen=True, slots=True)
class BoxSpec:
    """An array of numbers with elementwise bounds.

    Attributes:
        shape: Shape of a value; `()` is a scalar.
        dtype: Name of the NumPy dtype, such as `"float32"`.
        low: Smallest values, flattened in C order; one number stands for all.
        high: Largest values, likewise. Infinite where unbounded.
    """

    shape: tuple[int, ...]
    dtype: str
    low: tuple[float, ...] = (-float("inf"),)
    high: tuple[float, ...] = (float("inf"),)

    def __post_init__(self) -> None:
        size = self.size
        for name, bound in (("low", self.low), ("high", self.high)):
            if len(bound) not in (1, size):
                raise ValueError(
                    f"{name} must have 1 or {size} numbers for shape "
                    f"{self.shape}, got {len(bound)}."
                )

    @property
    def size(self) -> int:
        """Number of elements of a value."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def is_integer(self) -> bool:
        """Whether the elements are integers or booleans."""
        return np.dtype(self.dtype).kind in "iub"

    def bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Returns the smallest and the largest values, each `[size]`."""
        low = np.broadcast_to(np.asarray(self.low, dtype=np.float64), self.size)
        high = np.broadcast_to(np.asarray(self.high, dtype=np.float64), self.size)
        return low, high


@dataclass(frozen=True, slots=True)
class DiscreteSpec:
    """Integers `start .. start + num_values - 1`."""

    num_values: int
    start: int = 0

    def __post_init__(self) -> None:
        if self.num_values < 1:
            raise ValueError(f"num_values must be at least 1, got {self.num_values}.")


@dataclass(frozen=True, slots=True)
class MultiDiscreteSpec:
    """A vector of integers, element `i` in `0 .. num_values[i] - 1`."""

    num_values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TupleSpec:
    """A fixed sequence of spaces."""

    members: tuple["SpaceSpec", ...]


@dataclass(frozen=True, slots=True)
class DictSpec:
    """Named spaces, as `(key, space)` pairs in the environment's order."""

    members: tuple[tuple[str, "SpaceSpec"], ...]


@dataclass(frozen=True, slots=True)
class TextSpec:
    """Text of at most `max_length` characters."""

    max_length: int = 100_000


@dataclass(frozen=True, slots=True)
class NestedSpec:
    """Text, or nested lists of text, of a length that may vary."""


LeafSpec: TypeAlias = BoxSpec | DiscreteSpec | MultiDiscreteSpec | TextSpec | NestedSpec
SpaceSpec: TypeAlias = LeafSpec | TupleSpec | DictSpec


def leaves(space: SpaceSpec, path: str = "") -> Iterator[tuple[str, LeafSpec]]:
    """Yields `(path, leaf)` for each leaf of a space, in order.

    Paths join tuple positions and dict keys with `/`; a space that is itself a
    leaf has the path `""`.

    Raises:
        ValueError: If a dict key is empty or has a `/`: paths could not tell it apart.
    """
    match space:
        case TupleSpec(members=tuple_members):
            for index, member in enumerate(tuple_members):
                yield from leaves(member, _join(path, str(index)))
        case DictSpec(members=dict_members):
            for key, member in dict_members:
                if not key or "/" in key:
                    raise ValueError(
                        f"Keys of a space must be texts without '/', got {key!r}."
                    )
                yield from leaves(member, _join(path, key))
        case _:
            yield path, space


def _join(path: str, part: str) -> str:
    return f"{path}/{part}" if path else part


def space_to_json(space: SpaceSpec) -> dict[str, Any]:  # noqa: PLR0911 - one a kind
    """Returns a JSON-able description; `space_from_json` is its inverse."""
    match space:
        case BoxSpec(shape=shape, dtype=dtype, low=low, high=high):
            return {
                "kind": "box",
                "shape": list(shape),
                "dtype": dtype,
                "low": [repr(x) for x in low],
                "high": [repr(x) for x in high],
            }
        case DiscreteSpec(num_values=num_values, start=start):
            return {"kind": "discrete", "num_values": num_values, "start": start}
        case MultiDiscreteSpec(num_values=counts):
            return {"kind": "multi_discrete", "num_values": list(counts)}
        case TupleSpec(members=members):
            return {"kind": "tuple", "members": [space_to_json(m) for m in members]}
        case DictSpec(members=named):
            return {
                "kind": "dict",
                "members": [[key, space_to_json(m)] for key, m in named],
            }
        case TextSpec(max_length=max_length):
            return {"kind": "text", "max_length": max_length}
        case NestedSpec():
            return {"kind": "nested"}


def space_from_json(data: Mapping[str, Any]) -> SpaceSpec:  # noqa: PLR0911 - likewise
    """Returns the space that `space_to_json` described.

    Raises:
        ValueError: If the description is not of one of the known kinds.
    """
    kind = data.get("kind")
    if kind == "box":
        return BoxSpec(
            shape=tuple(int(n) for n in data["shape"]),
            dtype=str(data["dtype"]),
            low=tuple(float(x) for x in data["low"]),
            high=tuple(float(x) for x in data["high"]),
        )
    if kind == "discrete":
        return DiscreteSpec(int(data["num_values"]), int(data["start"]))
    if kind == "multi_discrete":
        return MultiDiscreteSpec(tuple(int(n) for n in data["num_values"]))
    if kind == "tuple":
        return TupleSpec(tuple(space_from_json(m) for m in data["members"]))
    if kind == "dict":
        return DictSpec(tuple((str(k), space_from_json(m)) for k, m in data["members"]))
    if kind == "text":
        return TextSpec(int(data["max_length"]))
    if kind == "nested":
        return NestedSpec()
    raise ValueError(f"A space must have a known kind, got {kind!r}.")
