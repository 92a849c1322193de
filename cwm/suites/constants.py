"""Constants that are drawn: in which ranges, how far from the original, and how."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np

from cwm.core.errors import InternalError

Drawn: TypeAlias = Mapping[str, float]
"""Name of a constant -> its value."""

MARGIN = 0.15
"""Least distance of a drawn constant from the original, as a share of the latter."""

NUM_DIGITS = 3
"""Significant digits of a drawn constant."""

MAX_DRAWS = 1_000


def itself(value: float) -> Any:
    """Returns the value: an attribute or argument that is the constant."""
    return value


def times(value: float | list[float]) -> Any:
    """Returns a change that multiplies the original's value."""
    return {"times": value}


@dataclass(frozen=True, kw_only=True)
class Constant:
    """A constant that is drawn.

    Attributes:
        name: What it is, unique in its task.
        low: Least value.
        high: Greatest value.
        original: What the original has; `None` if it has no such constant. For a
            factor, 1.
        margin: Least distance from the original as a share of it. A whole number
            differs from the original at least.
        distribution: Uniform, uniform of the logarithm, or a whole number.
        target: Whether it is an attribute to change or an argument.
        paths: Names of the attributes or arguments; `None` for `name` alone.
        form: From the value to that of the attribute or argument.
    """

    name: str
    low: float
    high: float
    original: float | None
    margin: float = MARGIN
    distribution: Literal["uniform", "log", "integer"] = "log"
    target: Literal["change", "argument"] = "change"
    paths: tuple[str, ...] | None = None
    form: Callable[[float], Any] = field(default=itself, repr=False)

    def draw(self, rng: np.random.Generator) -> float:
        """Returns a value in the range that is far enough from the original.

        Args:
            rng: Advanced by the call.
        """
        for _ in range(MAX_DRAWS):
            value = self._draw(rng)
            if self.is_allowed(value):
                return value
        raise InternalError(f"The range of {self.name} lies within its margin.")

    def is_allowed(self, value: float) -> bool:
        """Returns whether a value is in the range and far enough from the original."""
        if not self.low <= value <= self.high:
            return False
        if self.original is None:
            return True
        if self.distribution == "integer":
            return value != self.original
        return abs(value - self.original) >= self.margin * abs(self.original)

    def _draw(self, rng: np.random.Generator) -> float:
        if self.distribution == "integer":
            return int(rng.integers(int(self.low), int(self.high), endpoint=True))
        if self.distribution == "log":
            value = float(np.exp(rng.uniform(np.log(self.low), np.log(self.high))))
        else:
            value = float(rng.uniform(self.low, self.high))
        return float(f"{value:.{NUM_DIGITS}g}")


def draw_constants(
    constants: Sequence[Constant],
    rng: np.random.Generator,
    *,
    is_solvable: Callable[[Drawn], bool],
) -> dict[str, float]:
    """Returns a value for each constant, drawn until they are solvable together.

    Args:
        constants: What to draw.
        rng: Advanced by the call.
        is_solvable: Whether the goal can still be reached.
    """
    for _ in range(MAX_DRAWS):
        drawn = {constant.name: constant.draw(rng) for constant in constants}
        if is_solvable(drawn):
            return drawn
    names = ", ".join(constant.name for constant in constants)
    raise InternalError(f"No draw of {names} can be solved.")


def settings(
    constants: Sequence[Constant], drawn: Drawn, target: Literal["change", "argument"]
) -> dict[str, Any]:
    """Returns what drawn constants set: attributes to change, or arguments."""
    return {
        path: constant.form(drawn[constant.name])
        for constant in constants
        if constant.target == target
        for path in constant.paths or (constant.name,)
    }
