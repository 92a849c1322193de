"""Which integers an observation consists of, and how their codes split into digits."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cwm.core.codec import Columns
from cwm.core.spaces import (
    BoxSpec,
    DiscreteSpec,
    LeafSpec,
    MultiDiscreteSpec,
    SpaceSpec,
    leaves,
)

MAX_ELEMENTS = 64
"""Most integers an observation may have; above, tables of facts get too wide."""

IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """One integer of an observation or an action.

    Attributes:
        path: Path of its leaf in the space.
        index: Position in the flattened leaf; `None` if the leaf is one integer.
        low: Smallest value that the space allows.
        num_values: Number of values that the space allows; 0 if unbounded.
    """

    path: str
    index: int | None
    low: int
    num_values: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Digit:
    """One digit of an element's mixed-radix code.

    Its value is `(element - offset) // divisor % radix`; an element that is not
    split is its own only digit, with `radix` 0.

    Attributes:
        element: Index of the element.
        offset: What is subtracted before splitting.
        divisor: Product of the radices of the less significant digits.
        radix: Number of values; 0 if the element is taken as it is.
    """

    element: int
    offset: int = 0
    divisor: int = 1
    radix: int = 0


def elements(space: SpaceSpec) -> tuple[Element, ...]:
    """Returns the integers that a value of `space` consists of, in order.

    Raises:
        ValueError: If a leaf is not integer-like.
    """
    return tuple(found for path, leaf in leaves(space) for found in _split(path, leaf))


def _split(path: str, leaf: LeafSpec) -> Iterator[Element]:
    match leaf:
        case DiscreteSpec(num_values=num_values, start=start):
            yield Element(path=path, index=None, low=start, num_values=num_values)
        case MultiDiscreteSpec(num_values=counts):
            for index, count in enumerate(counts):
                yield Element(path=path, index=index, low=0, num_values=count)
        case BoxSpec(is_integer=True):
            for index, (low, high) in enumerate(zip(*leaf.bounds(), strict=True)):
                bounded = np.isfinite(low) and np.isfinite(high) and high - low < 2**31
                yield Element(
                    path=path,
                    index=index,
                    low=int(low) if bounded else 0,
                    num_values=int(high - low) + 1 if bounded else 0,
                )
        case _:
            raise ValueError(
                f"Leaf {path!r} must be integer-like, got {type(leaf).__name__}."
            )


def supports(observation_space: SpaceSpec, action_space: SpaceSpec) -> bool:
    """Returns whether programs over these spaces can be induced here."""
    try:
        observed, acted = elements(observation_space), elements(action_space)
    except ValueError:
        return False
    discrete = all(
        isinstance(leaf, DiscreteSpec | MultiDiscreteSpec)
        for _, leaf in leaves(action_space)
    )
    return discrete and 0 < len(observed) <= MAX_ELEMENTS and 0 < len(acted) <= 8


def element_values(parts: tuple[Element, ...], columns: Columns) -> IntArray:
    """Returns the elements of `N` values as integers `[N, len(parts)]`."""
    flat: list[IntArray] = []
    for part in parts:
        column = np.asarray(columns[part.path]).astype(np.int64)
        rows = column.reshape(len(column), -1)
        flat.append(rows[:, part.index or 0])
    return np.stack(flat, axis=1)


def split_digits(
    parts: tuple[Element, ...], radices: tuple[tuple[int, ...], ...]
) -> tuple[Digit, ...]:
    """Returns the digits of all elements.

    Args:
        parts: The elements.
        radices: For each element, the radices from the most significant digit;
            a single radix leaves the element as it is.
    """
    digits: list[Digit] = []
    for index, (part, sizes) in enumerate(zip(parts, radices, strict=True)):
        if len(sizes) < 2:
            digits.append(Digit(element=index))
            continue
        divisor = int(np.prod(sizes))
        for size in sizes:
            divisor //= size
            digits.append(
                Digit(element=index, offset=part.low, divisor=divisor, radix=size)
            )
    return tuple(digits)


def digit_values(digit: Digit, values: IntArray) -> IntArray:
    """Returns one digit `[N]` of the elements `[N, E]`."""
    column = values[:, digit.element]
    if digit.radix == 0:
        return column
    return (column - digit.offset) // digit.divisor % digit.radix
