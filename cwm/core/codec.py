"""One representation of many values of a space: a dictionary of columns.

Dataset files and the sandbox's wire both carry values in this form: one column
per leaf of the space (`spaces.leaves` gives the paths). A numeric leaf becomes
an array with one row per value; text and nested lists stay Python lists.
Nothing here unpickles, evaluates or calls what a value brings along.
"""

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cwm.core.spaces import (
    BoxSpec,
    DictSpec,
    DiscreteSpec,
    LeafSpec,
    MultiDiscreteSpec,
    NestedSpec,
    SpaceSpec,
    TextSpec,
    TupleSpec,
    Value,
    leaves,
)

Column: TypeAlias = NDArray[Any] | list[Any]
"""Values of one leaf: an array `[N, ...]`, or a list of N texts or nested lists."""

Columns: TypeAlias = dict[str, Column]
"""Values of a space: path of the leaf -> its column. All have the same length."""

MAX_NESTING = 8
"""Deepest nested list that is accepted."""


def conform(space: SpaceSpec, value: Value) -> Value:
    """Returns `value` in the space's own representation, or refuses it.

    Lists and scalars that have the right shape become arrays, NumPy integers
    become `int`. Integers are never made of floats, nor numbers of booleans or
    text. Bounds are not checked: a wrong prediction may leave them.

    Raises:
        ValueError: If the value does not have the space's type and shape.
    """
    match space:
        case TupleSpec(members=members):
            if not isinstance(value, tuple | list) or len(value) != len(members):
                raise ValueError(
                    f"expected a tuple of {len(members)} values, got {_show(value)}"
                )
            return tuple(conform(m, v) for m, v in zip(members, value, strict=True))
        case DictSpec(members=named):
            keys = [key for key, _ in named]
            if not isinstance(value, dict) or set(value) != set(keys):
                raise ValueError(
                    f"expected a dict with keys {keys}, got {_show(value)}"
                )
            return {key: conform(member, value[key]) for key, member in named}
        case _:
            return _conform_leaf(space, value)


def is_conformed(space: SpaceSpec, value: object) -> bool:
    """Returns whether a value is sure to be in the space's own representation.

    Much faster than `conform`, which a value that is not sure to be has to go
    through; only integers of 64 bits and tuples of them are ever sure.
    """
    match space:
        case DiscreteSpec():
            return type(value) is int and -(1 << 63) <= value < 1 << 63
        case TupleSpec(members=members):
            return (
                type(value) is tuple
                and len(value) == len(members)
                and all(map(is_conformed, members, value))
            )
        case _:
            return False


def _conform_leaf(space: LeafSpec, value: Value) -> Value:
    match space:
        case BoxSpec(shape=shape, dtype=dtype):
            return _conform_array(value, shape, np.dtype(dtype))
        case DiscreteSpec():
            return _conform_int(value)
        case MultiDiscreteSpec(num_values=counts):
            return _conform_array(value, (len(counts),), np.dtype(np.int64))
        case TextSpec(max_length=max_length):
            if not isinstance(value, str):
                raise ValueError(f"expected text, got {_show(value)}")
            if len(value) > max_length:
                raise ValueError(
                    f"expected text of at most {max_length} characters, "
                    f"got {len(value)}"
                )
            return str(value)
        case NestedSpec():
            return _conform_nested(value, MAX_NESTING)


def _conform_int(value: Value) -> int:
    if type(value) is int:
        return value
    if isinstance(value, np.ndarray) and value.shape in ((), (1,)):
        value = value.reshape(())[()]
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer):
        raise ValueError(f"expected an integer, got {_show(value)}")
    return int(value)


def _conform_array(
    value: Value, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> NDArray[Any]:
    try:
        array = np.asarray(value)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(
            f"expected an array of shape {shape}, got {_show(value)}"
        ) from error
    if array.shape != shape:
        raise ValueError(f"expected an array of shape {shape}, got shape {array.shape}")
    if array.dtype.kind not in "biuf" or (
        dtype.kind in "iub" and array.dtype.kind == "f"
    ):
        raise ValueError(f"expected numbers of type {dtype}, got {array.dtype}")
    if array.dtype.kind == "b" and dtype.kind != "b":
        raise ValueError(f"expected numbers of type {dtype}, got booleans")
    # A float beyond the dtype's range becomes infinite, which never matches.
    with np.errstate(over="ignore", invalid="ignore"):
        converted = np.array(array, dtype=dtype)
    # Integers would wrap around, and a wrong prediction could become right.
    if dtype.kind in "iu" and not np.array_equal(converted, array):
        raise ValueError(f"expected numbers that fit into {dtype}, got larger ones")
    return converted


def _conform_nested(value: Value, depth: int) -> Value:
    if isinstance(value, str):
        return str(value)
    if isinstance(value, list | tuple) and depth > 0:
        return [_conform_nested(item, depth - 1) for item in value]
    raise ValueError(f"expected text or lists of text, got {_show(value)}")


def _show(value: object) -> str:
    """Names a value by type only: its `repr` could be long, or a program's own."""
    return f"a value of type {type(value).__name__}"


def encode_columns(space: SpaceSpec, values: Sequence[Value]) -> Columns:
    """Returns the columns of values that `conform` has accepted."""
    columns = zip(leaves(space), _leaf_columns(space, values), strict=True)
    return {path: _stack(leaf, column) for (path, leaf), column in columns}


def _leaf_columns(space: SpaceSpec, values: Sequence[Value]) -> Iterator[list[Value]]:
    """Yields the values of each leaf of a space, in order."""
    match space:
        case TupleSpec(members=members):
            parts = zip(*values, strict=True) if values else [()] * len(members)
            for member, part in zip(members, parts, strict=True):
                yield from _leaf_columns(member, part)
        case DictSpec(members=named):
            for key, member in named:
                yield from _leaf_columns(member, [value[key] for value in values])
        case _:
            yield list(values)


def _stack(leaf: LeafSpec, values: list[Any]) -> Column:
    match leaf:
        case BoxSpec(shape=shape, dtype=dtype):
            array = np.asarray(values, dtype=dtype)
            return array.reshape((len(values), *shape))
        case DiscreteSpec():
            return np.asarray(values, dtype=np.int64)
        case MultiDiscreteSpec(num_values=counts):
            return np.asarray(values, dtype=np.int64).reshape(len(values), len(counts))
        case _:
            return values


def decode_columns(space: SpaceSpec, columns: Columns) -> list[Value]:
    """Returns the values that `encode_columns` encoded."""
    match space:
        case TupleSpec(members=members):
            parts = [
                decode_columns(member, subcolumns(columns, str(index)))
                for index, member in enumerate(members)
            ]
            return list(zip(*parts, strict=True))
        case DictSpec(members=named):
            keys = [key for key, _ in named]
            rows = zip(
                *(decode_columns(m, subcolumns(columns, k)) for k, m in named),
                strict=True,
            )
            return [dict(zip(keys, row, strict=True)) for row in rows]
        case DiscreteSpec():
            return [int(x) for x in columns[""]]
        case _:
            return list(columns[""])


def subcolumns(columns: Columns, key: str) -> Columns:
    """Returns the columns under one tuple position or dict key."""
    found: Columns = {}
    for path, column in columns.items():
        if path == key:
            found[""] = column
        elif path.startswith(f"{key}/"):
            found[path[len(key) + 1 :]] = column
    return found


def num_rows(columns: Columns) -> int:
    """Returns the number of values that the columns hold."""
    return len(next(iter(columns.values()))) if columns else 0


def select_rows(columns: Columns, indices: NDArray[np.intp]) -> Columns:
    """Returns the columns of the values at `indices`, in that order."""
    return {
        path: column[indices]
        if isinstance(column, np.ndarray)
        else [column[i] for i in indices]
        for path, column in columns.items()
    }


def concatenate_columns(parts: Sequence[Columns]) -> Columns:
    """Returns the columns of all values of `parts`, which share a space."""
    joined: Columns = {}
    for path, first in parts[0].items():
        if isinstance(first, np.ndarray):
            joined[path] = np.concatenate([np.asarray(part[path]) for part in parts])
        else:
            joined[path] = [value for part in parts for value in part[path]]
    return joined
