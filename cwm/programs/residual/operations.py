"""What a correction does to a part: as numbers, as words, and as code."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cwm.programs.residual.elements import Element
from cwm.programs.residual.parts import Part
from cwm.programs.round_numbers import simplest_between

FloatArray = NDArray[np.float64]

Action: TypeAlias = Literal["add", "low", "high", "clip", "wrap", "set", "stay"]

_RANKS: dict[Action, int] = {
    "add": 0,
    "low": 1,
    "high": 1,
    "clip": 1,
    "wrap": 1,
    "stay": 2,
    "set": 3,
}
_CONDITIONAL = ("add", "set", "stay")

_MAX_CLUSTERS = 4
_HINTS = (np.pi, 2.0 * np.pi, -np.pi, -2.0 * np.pi)


@dataclass(frozen=True, slots=True)
class Operation:
    """A change of one part.

    Attributes:
        action: What is done: a constant or a term added, a limit from below, from
            above or both, wrapping into a period, another value, or the value from
            before the step.
        numbers: Its constants: what is added or set, the limits, the lower end and
            the length of a period.
        factor: What the constant is multiplied with, if anything is.
    """

    action: Action
    numbers: tuple[float, ...] = ()
    factor: Element | None = None

    @property
    def rank(self) -> int:
        """Place in the order of what is tried first."""
        return _RANKS[self.action]

    @property
    def is_conditional(self) -> bool:
        """Whether it may be made in some rows only."""
        return self.action in _CONDITIONAL

    def apply(  # noqa: PLR0911 - one a kind
        self, values: FloatArray, part: Part
    ) -> FloatArray:
        """Returns the values of the part with it made everywhere."""
        match self.action:
            case "add":
                term = 1.0 if self.factor is None else self.factor.values
                return values + self.numbers[0] * term
            case "low":
                return np.maximum(values, self.numbers[0])
            case "high":
                return np.minimum(values, self.numbers[0])
            case "clip":
                low, high = self.numbers
                return np.minimum(np.maximum(values, low), high)
            case "wrap":
                low, length = self.numbers
                return np.asarray((values - low) % length + low)
            case "set":
                return np.full(len(values), self.numbers[0])
        return part.nothing

    def code(self, part: Part, numbers: str) -> str:  # noqa: PLR0911 - likewise
        """Returns what the part becomes, as an expression.

        Args:
            part: The part.
            numbers: What the code calls the list of constants.
        """
        target, first = part.target, f"{numbers}[0]"
        match self.action:
            case "add":
                term = first if self.factor is None else f"{first} * {_of(self.factor)}"
                return f"{target} + {term}"
            case "low":
                return f"np.maximum({target}, {first})"
            case "high":
                return f"np.minimum({target}, {first})"
            case "clip":
                return f"np.clip({target}, {first}, {numbers}[1])"
            case "wrap":
                return f"({target} - {first}) % {numbers}[1] + {first}"
            case "set":
                return str(self.numbers[0] > 0) if part.is_flag else first
        return part.before

    def words(self, part: Part) -> str:  # noqa: PLR0911 - likewise
        """Returns it for people."""
        name = part.words
        if part.is_flag:
            return name if self.numbers[0] else f"not {name}"
        shown = [f"{number:.12g}" for number in self.numbers]
        match self.action:
            case "add":
                sign = "-" if self.numbers[0] < 0 else "+"
                size = f"{abs(self.numbers[0]):.12g}"
                term = "" if self.factor is None else f" * {self.factor.words}"
                return f"{name} {sign} {size}{term}"
            case "low":
                return f"{name} at least {shown[0]}"
            case "high":
                return f"{name} at most {shown[0]}"
            case "clip":
                return f"{name} at least {shown[0]} and at most {shown[1]}"
            case "wrap":
                return f"{name} wrapped into {shown[1]} from {shown[0]} on"
            case "set":
                return f"{name} = {shown[0]}"
        return f"{name} = {part.name}"


def _of(factor: Element) -> str:
    return f"({factor.code})" if " " in factor.code else factor.code


def proposals(
    part: Part, values: FloatArray, rows: NDArray[np.intp], *, min_rows: int
) -> Iterator[Operation]:
    """Yields operations that set some of the wrong rows right.

    Args:
        part: What is corrected.
        values: `[N]`, the part as it is so far.
        rows: Rows to learn from.
        min_rows: Fewest of them that a constant must fit.
    """
    wrong = rows[~part.is_right(values)[rows]]
    if part.is_flag:
        yield Operation("set", (1.0,))
        yield Operation("set", (0.0,))
        return
    bounds, errors = part.bounds[wrong], (part.truth - values)[wrong]
    shifts = clusters(errors, bounds, min_rows)
    for shift in shifts:
        yield Operation("add", (shift,))
    targets = clusters(part.truth[wrong], bounds, min_rows)
    for target in targets:
        yield Operation("low", (target,))
        yield Operation("high", (target,))
    for low in targets:
        for high in targets:
            if low < high:
                yield Operation("clip", (low, high))
    for length in dict.fromkeys(abs(shift) for shift in shifts):
        yield Operation("wrap", (-0.5 * length, length))
        yield Operation("wrap", (0.0, length))
    if part.before:
        yield Operation("stay")
    for target in targets:
        yield Operation("set", (target,))


def clusters(values: FloatArray, bounds: FloatArray, min_rows: int) -> list[float]:
    """Returns simple numbers that many values are within their bounds of."""
    found: list[float] = []
    order = np.argsort(values)
    values, bounds = values[order], bounds[order]
    while len(values) >= min_rows and len(found) < _MAX_CLUSTERS:
        # Rows from each on that share a number with it.
        ends = np.searchsorted(values, values + bounds, side="right")
        start = int(np.argmax(ends - np.arange(len(values))))
        inside = slice(start, int(ends[start]))
        if inside.stop - start < min_rows:
            break
        found.append(_middle(values[inside], bounds[inside]))
        keep = np.ones(len(values), dtype=np.bool_)
        keep[inside] = False
        values, bounds = values[keep], bounds[keep]
    return list(dict.fromkeys(found))


def _middle(values: Sequence[float] | FloatArray, bounds: FloatArray) -> float:
    middle = float(np.median(values))
    half = 0.5 * float(bounds.min())
    return simplest_between(middle - half, middle + half, _HINTS, angles=False)
