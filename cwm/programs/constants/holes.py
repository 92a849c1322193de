"""A program as a function of the numbers in it: which, where, and other ones instead.

A hole is a stretch of the source that is a number. The text with holes has a name in
the place of each; what the name stands for is given when the text is executed, so that
one text does for all values.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cwm.core.constants import HoleKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Hole:
    """A number in a source that may be another one.

    Attributes:
        name: For people; unique in its program.
        kind: Who says so.
        value: What stands there: the guess.
        low: Smallest value.
        high: Greatest value.
        is_integer: Whether only whole numbers make sense.
        is_angle: Whether it is written with pi, so that degrees are round.
        line: Line of the source, from 1.
        start: Where the number's text begins, in bytes of the source in UTF-8.
        stop: Where it ends.
    """

    name: str
    kind: HoleKind
    value: float
    low: float
    high: float
    is_integer: bool = False
    is_angle: bool = False
    line: int
    start: int
    stop: int

    @property
    def is_logarithmic(self) -> bool:
        """Whether its size is searched by factors; its sign stays then."""
        same_sign = self.low > 0 or self.high < 0
        return same_sign and self.value != 0 and not self.is_integer

    @property
    def unit(self) -> float:
        """What a change by 1 means where it is not searched by factors."""
        width = self.high - self.low
        if self.value != 0 and math.isfinite(self.value):
            return min(abs(self.value), width)
        return 0.1 * width

    def from_search(self, coordinate: float) -> float:
        """Returns the value at a coordinate of the search; 0 is the guess."""
        if coordinate == 0.0:
            return self.value
        if self.is_logarithmic:
            value = self.value * math.exp(coordinate)
        else:
            value = self.value + self.unit * coordinate
        return min(max(value, self.low), self.high)

    def to_search(self, value: float) -> float:
        """Returns the coordinate of a value: the inverse of `from_search`."""
        if value == self.value:
            return 0.0
        if self.is_logarithmic:
            return math.log(value / self.value)
        return (value - self.value) / self.unit

    def slope(self, coordinate: float) -> float:
        """Returns how fast the value changes with the coordinate."""
        if self.is_logarithmic:
            return abs(self.from_search(coordinate))
        return self.unit


def to_values(holes: Sequence[Hole], coordinates: NDArray[np.float64]) -> list[float]:
    """Returns the values of all holes at a point of the search, `[P]`."""
    return [
        hole.from_search(float(c)) for hole, c in zip(holes, coordinates, strict=True)
    ]


def with_names(source: str, holes: Sequence[Hole]) -> tuple[str, str]:
    """Returns a source with names for numbers, and the name of the list of these."""
    name = "HOLE_VALUES"
    while name in source:
        name += "_"
    texts = [f"{name}[{index}]" for index in range(len(holes))]
    return _replaced(source, holes, texts), name


def with_values(source: str, holes: Sequence[Hole], values: Sequence[float]) -> str:
    """Returns a source with other numbers; those that are as they were stay as text."""
    changed = [
        (hole, number_text(value, is_integer=hole.is_integer))
        for hole, value in zip(holes, values, strict=True)
        if value != hole.value
    ]
    return _replaced(source, [h for h, _ in changed], [text for _, text in changed])


def number_text(value: float, *, is_integer: bool = False) -> str:
    """Returns the shortest text that is read as this number."""
    return str(round(value)) if is_integer else repr(float(value))


def _replaced(source: str, holes: Sequence[Hole], texts: Sequence[str]) -> str:
    data = source.encode()
    pairs = sorted(zip(holes, texts, strict=True), key=lambda p: p[0].start)
    for hole, text in reversed(pairs):
        data = data[: hole.start] + text.encode() + data[hole.stop :]
    return data.decode()
