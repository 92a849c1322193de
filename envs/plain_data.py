"""Plain data of environments: independent copies, equality to the last bit."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np


class GeneratorState(NamedTuple):
    """Saved state of a random generator."""

    state: Mapping[str, Any]


class NotPlainError(TypeError):
    """A value that is not made of plain data."""


COMMON_ATOMS = frozenset({type(None), bool, int, float, str})
"""Types whose values are their own copies; most of what an environment holds."""

_ATOMS = (type(None), bool, int, float, complex, str, bytes, np.generic)


def copy_plain(value: Any) -> Any:
    """Returns an independent copy of plain data.

    Raises:
        NotPlainError: If there is anything else in it.
    """
    kind = type(value)
    if kind in COMMON_ATOMS or isinstance(value, _ATOMS):
        return value
    if isinstance(value, np.ndarray) and value.dtype != object:
        return value.copy()
    if kind in (list, tuple, set, frozenset):
        return kind(copy_plain(item) for item in value)
    if kind is dict:
        return {key: copy_plain(item) for key, item in value.items()}
    if isinstance(value, np.random.Generator):
        return GeneratorState(value.bit_generator.state)
    raise NotPlainError(f"{kind.__name__} is not plain data")


def num_items(value: Any) -> int:
    """Returns the number of items in nested containers; arrays count as one."""
    if isinstance(value, list | tuple | set | frozenset):
        return sum(map(num_items, value), start=1)
    if isinstance(value, dict):
        return sum(map(num_items, value.values()), start=1)
    return 1


def same_value(left: Any, right: Any) -> bool:
    """Returns whether two observations are equal to the last bit."""
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(
            same_value(left[key], right[key]) for key in left
        )
    if isinstance(left, tuple | list):
        return len(left) == len(right) and all(map(same_value, left, right))
    return bool(np.array_equal(left, right, equal_nan=_is_float(left)))


def _is_float(value: Any) -> bool:
    return np.asarray(value).dtype.kind == "f"
