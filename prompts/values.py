"""Spaces and values as text that a language model can read and copy."""

from typing import Any

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
)

MAX_BOUNDS_SHOWN = 24
"""Longest box whose bounds are listed one by one."""


def describe_space(space: SpaceSpec) -> str:
    """Returns what values of the space are, as one sentence part."""
    match space:
        case TupleSpec(members=members):
            parts = "; ".join(
                f"[{index}] {describe_space(member)}"
                for index, member in enumerate(members)
            )
            return f"a tuple of {len(members)}: {parts}"
        case DictSpec(members=named):
            parts = "; ".join(f"{k!r}: {describe_space(m)}" for k, m in named)
            return f"a dict with the keys {parts}"
        case _:
            return _describe_leaf(space)


def _describe_leaf(space: LeafSpec) -> str:
    match space:
        case BoxSpec():
            return _describe_box(space)
        case DiscreteSpec(num_values=num_values, start=start):
            return f"an int from {start} to {start + num_values - 1}"
        case MultiDiscreteSpec(num_values=counts):
            tops = ", ".join(str(count - 1) for count in counts)
            return (
                f"a NumPy array of shape ({len(counts)},), dtype int64, with elements "
                f"from 0 to [{tops}]"
            )
        case TextSpec():
            return "text (a str)"
        case NestedSpec():
            return "text, or nested lists of text"


def _describe_box(space: BoxSpec) -> str:
    low, high = space.bounds()
    head = f"a NumPy array of shape {space.shape}, dtype {space.dtype}"
    if space.size == 0:
        return head
    if (low == low[0]).all() and (high == high[0]).all():
        if np.isinf(low[0]) and np.isinf(high[0]):
            return f"{head}, unbounded"
        return f"{head}, each element from {low[0]:g} to {high[0]:g}"
    if space.size > MAX_BOUNDS_SHOWN:
        return f"{head}, with bounds that differ by element"
    pairs = ", ".join(f"{a:g} to {b:g}" for a, b in zip(low, high, strict=True))
    return f"{head}, with elements from {pairs}"


def format_value(value: Value, *, max_chars: int) -> str:
    """Returns a value as Python text, at its own precision.

    Arrays become lists, and numbers are written with the fewest digits that give
    them back at their dtype, so that a `float32` 0.1 reads 0.1.

    Args:
        value: An observation, an action, or a part of one.
        max_chars: Longer text is cut in the middle; at least 40.
    """
    return shorten(_format(value), max_chars)


def _format(value: Any) -> str:
    match value:
        case np.ndarray():
            return _format_array(value)
        case np.generic():
            return _format_array(np.asarray(value))
        case tuple():
            inner = ", ".join(_format(item) for item in value)
            return f"({inner},)" if len(value) == 1 else f"({inner})"
        case list():
            return "[" + ", ".join(_format(item) for item in value) + "]"
        case dict():
            pairs = (f"{k!r}: {_format(v)}" for k, v in value.items())
            return "{" + ", ".join(pairs) + "}"
        case _:
            return repr(value)


def _format_array(array: NDArray[Any]) -> str:
    if array.dtype.kind != "f":
        return repr(array.tolist())
    if array.ndim == 0:
        return _format_number(array[()])
    return "[" + ", ".join(_format_array(row) for row in np.asarray(array)) + "]"


def _format_number(number: Any) -> str:
    text = np.format_float_positional(number, unique=True, trim="0")
    short = np.format_float_scientific(number, unique=True, trim="0")
    return text if len(text) <= len(short) + 6 else short


def shorten(text: str, max_chars: int) -> str:
    """Returns the text, cut in the middle with the number of characters removed."""
    if len(text) <= max_chars:
        return text
    note = f" ... {len(text) - max_chars} characters removed ... "
    head = max_chars // 2
    tail = max_chars - head
    return f"{text[:head]}{note}{text[len(text) - tail :]}"
