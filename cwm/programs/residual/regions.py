"""Where a correction holds: comparisons whose rows gain most from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cwm.programs.residual.elements import Element
from cwm.programs.round_numbers import simplest_between

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
Sign: TypeAlias = Literal[">=", "<=", "=="]

_NUM_STARTS = 5
"""First comparisons that a second is looked for."""

_WORTH_A_SECOND = 1.05
"""How many times as much two comparisons must gain as one."""

_MAX_CODES = 64
"""Values of an element up to which equality with one of them is a comparison."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A number of a transition beside a constant.

    Attributes:
        element: Which, as a place in the list of elements.
        sign: How it is compared.
        value: With what.
    """

    element: int
    sign: Sign
    value: float

    def holds(self, values: FloatArray) -> BoolArray:
        """Returns where it holds, of all values of its element."""
        match self.sign:
            case ">=":
                return np.asarray(values >= self.value)
            case "<=":
                return np.asarray(values <= self.value)
        return np.asarray(values == self.value)


@dataclass(frozen=True, slots=True)
class Region:
    """Comparisons that all hold; everywhere if there are none.

    Attributes:
        comparisons: One or two of them.
        gain: What the rows in it gain together.
    """

    comparisons: tuple[Comparison, ...] = ()
    gain: float = 0.0

    def rows(self, elements: Sequence[Element], number: int) -> BoolArray:
        """Returns which of `number` rows are in it."""
        inside = np.ones(number, dtype=np.bool_)
        for one in self.comparisons:
            inside &= one.holds(elements[one.element].values)
        return inside

    def words(self, elements: Sequence[Element]) -> str:
        """Returns it for people; empty for everywhere."""
        return " and ".join(
            f"{elements[c.element].words} {c.sign} {c.value:.12g}"
            for c in self.comparisons
        )


class RegionSearch:
    """Finds regions on some of the rows; sorts each element once.

    Args:
        elements: What may be compared.
        rows: The rows to look at.
    """

    def __init__(self, elements: Sequence[Element], rows: NDArray[np.intp]) -> None:
        self._elements = elements
        self._rows = rows
        self._sorted = [_Sorted(e.values[rows], is_real=e.is_real) for e in elements]

    def best(self, gains: FloatArray) -> Region:
        """Returns the region whose rows gain most; everywhere if nothing is better.

        Args:
            gains: `[N]` of all rows, those that are not looked at included.
        """
        own = gains[self._rows]
        everywhere = Region((), float(own.sum()))
        singles = sorted(
            (self._single(e, own) for e in range(len(self._elements))),
            key=lambda region: -region.gain,
        )
        if not singles or singles[0].gain <= everywhere.gain:
            return everywhere
        best = singles[0]
        for first in singles[:_NUM_STARTS]:
            second = self._narrowed(first, own)
            if second.gain > max(_WORTH_A_SECOND * best.gain, best.gain + 1.0):
                best = second
        return best

    def _single(self, element: int, own: FloatArray) -> Region:
        found = self._sorted[element].best(own)
        if found is None:
            return Region((), -np.inf)
        sign, value, gain = found
        return Region((Comparison(element, sign, value),), gain)

    def _narrowed(self, first: Region, own: FloatArray) -> Region:
        """Returns the best region within another."""
        (one,) = first.comparisons or (None,)
        if one is None:
            return first
        inside = one.holds(self._elements[one.element].values[self._rows])
        masked = np.where(inside, own, 0.0)
        best = first
        for element in range(len(self._elements)):
            found = self._sorted[element].best(masked)
            if found is not None and found[2] > best.gain:
                best = Region((one, Comparison(element, *found[:2])), found[2])
        return best


class _Sorted:
    """The values of one element in order, with equal ones together."""

    def __init__(self, values: FloatArray, *, is_real: bool) -> None:
        self._order = np.argsort(values, kind="stable")
        self._levels, starts = np.unique(values[self._order], return_index=True)
        self._starts = starts
        self._has_codes = not is_real and len(self._levels) <= _MAX_CODES

    def best(self, gains: FloatArray) -> tuple[Sign, float, float] | None:
        """Returns the comparison whose rows gain most, and what they do."""
        if len(self._levels) < 2:
            return None
        by_level = np.add.reduceat(gains[self._order], self._starts)
        below = np.cumsum(by_level)
        above = below[-1] - below + by_level
        options: list[tuple[float, Sign, float]] = []
        if self._has_codes:
            k = int(np.argmax(by_level))
            options.append((float(by_level[k]), "==", float(self._levels[k])))
        k = len(above) - 1 - int(np.argmax(above[::-1]))
        options.append((float(above[k]), ">=", float(self._levels[k])))
        k = int(np.argmax(below))
        options.append((float(below[k]), "<=", float(self._levels[k])))
        gain, sign, value = max(options, key=lambda option: option[0])
        return sign, value, gain


def rounded(region: Region, elements: Sequence[Element], gains: FloatArray) -> Region:
    """Returns the same region with the simplest limits between the rows.

    Args:
        region: Its limits are recorded values.
        elements: What its comparisons read.
        gains: `[N]`; rows that neither gain nor lose set no limit.
    """
    comparisons = list(region.comparisons)
    for place, one in enumerate(comparisons):
        if one.sign == "==":
            continue
        others = np.ones(len(gains), dtype=np.bool_)
        for other in comparisons[:place] + comparisons[place + 1 :]:
            others &= other.holds(elements[other.element].values)
        comparisons[place] = _rounded(one, elements[one.element], gains, others)
    return Region(tuple(comparisons), region.gain)


def _rounded(
    one: Comparison, element: Element, gains: FloatArray, others: BoolArray
) -> Comparison:
    up = 1.0 if one.sign == ">=" else -1.0
    values = up * element.values
    # Limits were chosen among some of the rows: a gaining row just outside, among the
    # others, moves the limit out to it.
    gaining = values[others & (gains > 0)]
    losing = values[(values < up * one.value) & others & (gains < 0)]
    if len(losing):
        gaining = gaining[gaining > losing.max()]
    if not len(gaining):
        return one
    high = float(gaining.min())
    # A limit that no row sets is that of the rows there are.
    low = float(losing.max()) if len(losing) else min(high, float(values.min()))
    if not low < high:
        return one
    ends = (up * float(np.nextafter(low, high)), up * high)
    limit = simplest_between(min(ends), max(ends))
    return Comparison(one.element, one.sign, limit)
