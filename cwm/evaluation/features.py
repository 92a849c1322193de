"""Values of any space as rows of numbers, for methods that need such.

Covers: real and integer arrays (standardised), codes (one-hot), texts and nested
lists of texts (one-hot for each place). Does not cover: what training never shows; a
code or a text that is new is 0 everywhere.
"""

from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cwm.core.codec import Column, Columns
from cwm.core.spaces import BoxSpec, SpaceSpec, leaves

Place: TypeAlias = tuple[int, ...]
"""Where in a value a code or text stands."""


class Features:
    """Turns values of a space into rows of numbers, as training values set it.

    Attributes:
        size: Numbers of a row.
    """

    def __init__(self, space: SpaceSpec, columns: Columns) -> None:
        """Learns means, spreads and codes.

        Args:
            space: The space.
            columns: Training values; at least one.
        """
        self._leaves = list(leaves(space))
        self._scales: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
        self._codes: dict[str, dict[tuple[Place, Any], int]] = {}
        self.size = 0
        for path, leaf in self._leaves:
            if isinstance(leaf, BoxSpec):
                numbers = _numbers(columns[path])
                self._scales[path] = _mean_and_spread(numbers)
                self.size += numbers.shape[1]
            else:
                codes: dict[tuple[Place, Any], int] = {}
                for row in _entries(columns[path]):
                    for entry in row:
                        codes.setdefault(entry, len(codes))
                self._codes[path] = codes
                self.size += len(codes)

    def __call__(self, columns: Columns) -> NDArray[np.float64]:
        """Returns the rows of values, `[N, size]`; 0 for what is not finite."""
        parts = []
        for path, _ in self._leaves:
            if path in self._scales:
                mean, spread = self._scales[path]
                numbers = (_numbers(columns[path]) - mean) / spread
                parts.append(np.where(np.isfinite(numbers), numbers, 0.0))
            else:
                parts.append(_one_hot(self._codes[path], columns[path]))
        return np.concatenate(parts, axis=1)


def _numbers(column: Column) -> NDArray[np.float64]:
    array = np.asarray(column, dtype=np.float64)
    return array.reshape(len(array), -1)


def _mean_and_spread(
    numbers: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns them of finite numbers; spread 1 for what does not change."""
    known = np.where(np.isfinite(numbers), numbers, np.nan)
    is_there = np.isfinite(known).any(axis=0)
    known[:, ~is_there] = 0.0
    spread = np.nanstd(known, axis=0)
    return np.nanmean(known, axis=0), np.where(spread > 0.0, spread, 1.0)


def _entries(column: Column) -> Iterator[list[tuple[Place, Any]]]:
    """Yields the codes or texts of each value, with their places."""
    for value in column:
        if isinstance(value, np.ndarray):
            yield [((place,), int(code)) for place, code in enumerate(value)]
        elif isinstance(value, str | list):
            yield list(_texts(value, ()))
        else:
            yield [((), int(value))]


def _texts(value: Any, place: Place) -> Iterator[tuple[Place, str]]:
    if isinstance(value, str):
        yield place, value
        return
    for index, part in enumerate(value):
        yield from _texts(part, (*place, index))


def _one_hot(
    codes: dict[tuple[Place, Any], int], column: Column
) -> NDArray[np.float64]:
    found = np.zeros((len(column), len(codes)))
    for row, entries in enumerate(_entries(column)):
        for entry in entries:
            index = codes.get(entry)
            if index is not None:
                found[row, index] = 1.0
    return found
