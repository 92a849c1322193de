"""Spaces and values as text that a language model can read and copy."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cwm.core.codec import Column
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

MAX_EXACT_ELEMENTS = 8
"""Longest array of real numbers that is shown to the last digit; of a longer one ten
significant digits are."""

MAX_REAL_ELEMENTS = 24
"""Longest array of real numbers that is shown whole."""

_NUM_ELEMENTS_SHOWN = 12

MIN_VALUE_CHARS = 40
"""Least that a value, or a part of one, may take."""


def element_name(path: str, index: tuple[int, ...]) -> str:
    """Returns the name of one number of an observation, as in `wrong_parts`.

    Args:
        path: Path of the leaf (`spaces.leaves`).
        index: Place in the leaf's array; `()` for a number of its own.
    """
    name = f"observation/{path}" if path else "observation"
    return f"{name}[{','.join(map(str, index))}]" if index else name


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
            return _describe_whole_numbers(counts)
        case TextSpec():
            return "text (a str)"
        case NestedSpec():
            return "text, or nested lists of text"


def _describe_whole_numbers(counts: tuple[int, ...]) -> str:
    head = f"a NumPy array of shape ({len(counts)},), dtype int64"
    if len(set(counts)) == 1:
        return f"{head}, each element from 0 to {counts[0] - 1}"
    if len(counts) > MAX_BOUNDS_SHOWN:
        return f"{head}, with bounds that differ by element"
    tops = ", ".join(str(count - 1) for count in counts)
    return f"{head}, with elements from 0 to [{tops}]"


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
    them back at their dtype, so that a `float32` 0.1 reads 0.1. More than
    `MAX_EXACT_ELEMENTS` real numbers are rounded. Of more than `MAX_REAL_ELEMENTS`,
    or an array whose text would be too long, the first elements are shown and the
    range of the others.

    Args:
        value: An observation, an action, or a part of one.
        max_chars: Longer text is abbreviated; at least 40.
    """
    text = _format(value, max_chars)
    # An abbreviated array may need a little more to say what is missing.
    return text if isinstance(value, np.ndarray) else shorten(text, max_chars)


def _format(value: Any, max_chars: int) -> str:
    match value:
        case np.ndarray() | np.generic():
            array = np.asarray(value)
            is_long = array.size > (
                MAX_REAL_ELEMENTS if array.dtype.kind == "f" else max_chars
            )
            is_exact = array.size <= MAX_EXACT_ELEMENTS
            text = "" if is_long else _format_array(array, is_exact=is_exact)
            if text and len(text) <= max_chars:
                return text
            return _abbreviated(array, max_chars)
        case tuple():
            inner = ", ".join(_members(value, max_chars))
            return f"({inner},)" if len(value) == 1 else f"({inner})"
        case list():
            return "[" + ", ".join(_members(value, max_chars)) + "]"
        case dict():
            texts = _members(tuple(value.values()), max_chars)
            pairs = (f"{k!r}: {t}" for k, t in zip(value, texts, strict=True))
            return "{" + ", ".join(pairs) + "}"
        case _:
            return repr(value)


def _members(values: tuple[Any, ...] | list[Any], max_chars: int) -> list[str]:
    room = max(MIN_VALUE_CHARS, max_chars // max(len(values), 1))
    return [_format(value, room) for value in values]


def _format_array(array: NDArray[Any], *, is_exact: bool) -> str:
    if array.dtype.kind != "f":
        return repr(array.tolist())
    if array.ndim == 0:
        return format_number(array[()], is_exact=is_exact)
    rows = (_format_array(row, is_exact=is_exact) for row in np.asarray(array))
    return f"[{', '.join(rows)}]"


def format_number(number: Any, *, is_exact: bool) -> str:
    """Returns a NumPy number with all its digits, or with ten significant ones."""
    if number.dtype.kind != "f":
        return repr(number.item())
    if not is_exact and number.dtype.itemsize > np.dtype(np.float32).itemsize:
        return repr(float(f"{number:.10g}"))
    text = np.format_float_positional(number, unique=True, trim="0")
    short = np.format_float_scientific(number, unique=True, trim="0")
    return text if len(text) <= len(short) + 6 else short


def _abbreviated(array: NDArray[Any], max_chars: int) -> str:
    """Returns the first elements of an array and the range of the others."""
    flat = array.reshape(-1)
    room = max_chars // 2
    shown: list[str] = []
    is_real = array.dtype.kind == "f"
    for number in flat[: _NUM_ELEMENTS_SHOWN if is_real else room]:
        text = f"{number:.6g}" if is_real else repr(number.item())
        room -= len(text) + 2
        if room < 0:
            break
        shown.append(text)
    rest = flat[len(shown) :]
    head = "".join(f"{text}, " for text in shown)
    shape = f" of shape {array.shape}" if array.ndim > 1 else ""
    about = f"{len(rest)} more of {len(flat)} elements{shape}, {describe_range(rest)}"
    return f"[{head}... {about}]"


def describe_range(numbers: NDArray[Any]) -> str:
    """Returns between which values numbers lie, and how many of them are 0.

    Args:
        numbers: At least one.
    """
    numbers = numbers.reshape(-1).astype(np.float64, copy=False)
    known = numbers[np.isfinite(numbers)]
    if not len(known):
        return "none of them finite"
    low, high = float(known.min()), float(known.max())
    if low == high and len(known) == len(numbers):
        return f"all {low:.6g}"
    text = f"from {low:.6g} to {high:.6g}"
    if len(known) < len(numbers):
        text += f", {len(numbers) - len(known)} of them not finite"
    num_zero = int((numbers == 0.0).sum())
    return f"{text}, {num_zero} of them 0" if num_zero else text


def cell_key(column: Column, row: int) -> bytes:
    """Returns one value of a column as bytes: the same for the same value."""
    if isinstance(column, np.ndarray):
        return bytes(column[row].tobytes())
    return repr(column[row]).encode(errors="surrogatepass")


def shorten(text: str, max_chars: int) -> str:
    """Returns the text, cut in the middle with the number of characters removed."""
    if len(text) <= max_chars:
        return text
    note = f" ... {len(text) - max_chars} characters removed ... "
    head = max_chars // 2
    tail = max_chars - head
    return f"{text[:head]}{note}{text[len(text) - tail :]}"
