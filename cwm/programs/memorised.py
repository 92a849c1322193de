"""Whether a program holds training transitions instead of a rule.

Covers: numbers in the source (also inside text and bytes) that are recorded values of
the training transitions, more of them than chance and a rule's own constants explain;
and accuracy that is gone on held-out transitions. Does not cover: values that were
scaled, compressed or otherwise encoded; only the held-out transitions show those.

Of integers, codes and text nothing can be said from the source: the map of a grid is
a rule. The same holds for real values that come up again and again (bounds, levels).
"""

import ast
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cwm.core.trajectories import TransitionBatch
from cwm.programs.tolerances import real_leaves
from sandbox.policy import parse_quietly

NUM_SIMPLE_DIGITS = 4
"""Numbers with as many significant digits are constants that anyone would write."""

MAX_OCCURRENCES = 3
"""A value that more transitions lead to is a bound or a level, not a memory."""

MIN_MATCHED = 16
"""Recorded values in a source that are too many for thresholds of rules, which single
transitions may set. Four transitions of CartPole have 16 numbers to predict."""

MIN_RATIO_TO_CHANCE = 4.0
"""How many times more matches there must be than literals nearby would have."""

STRICT_ENOUGH = 0.9
"""Strict accuracy on training transitions from which a drop is looked for."""

LARGE_DROP = 0.2
"""Drop of strict accuracy on held-out transitions that is reported."""

_MIN_ROUNDED_DIGITS = 5
_NEARBY = 0.01
_NUMBER = re.compile(r"\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class MemorisedValues:
    """How many numbers of a source are recorded values.

    Attributes:
        num_literals: Distinct numbers in the source that are not simple.
        num_matched: How many of them are values of training transitions.
        num_by_chance: How many would be by chance: the density of recorded values
            around the literals.
    """

    num_literals: int
    num_matched: int
    num_by_chance: float

    @property
    def is_memorised(self) -> bool:
        """Whether training transitions are written into the source."""
        return (
            self.num_matched >= MIN_MATCHED
            and self.num_matched >= MIN_RATIO_TO_CHANCE * self.num_by_chance
        )

    @property
    def evidence(self) -> str:
        """What was found, as a clause."""
        return (
            f"{self.num_matched} of the {self.num_literals} numbers in the source that "
            "are not simple are recorded values of training transitions"
        )

    def explanation(self) -> str:
        """Returns what to tell the program's author."""
        return (
            f"Memorised: {self.evidence}. A table of recorded transitions predicts "
            "nothing else. Write the rule that leads from observation and action to "
            "the outcome, with the few constants that it needs."
        )


class TrainingValues:
    """The recorded real values of training transitions that are worth remembering.

    Args:
        train: The training transitions.
    """

    def __init__(self, train: TransitionBatch) -> None:
        found: list[NDArray[np.float64]] = [np.zeros(0)]
        for path, _ in real_leaves(train.observation_space):
            following = np.asarray(train.next_observations[path])
            starts = np.asarray(train.observations[path])[train.time == 0]
            found.append(_rare(np.concatenate([following.ravel(), starts.ravel()])))
        if len(found) > 1:
            found.append(_rare(train.rewards))
        self._values = np.unique(np.concatenate(found))

    def __len__(self) -> int:
        return len(self._values)

    def look_for(self, source: str) -> MemorisedValues:
        """Returns how many of the values a source holds."""
        literals = np.asarray(_literals(source)) if len(self) else np.zeros(0)
        digits = np.asarray([_num_digits(x) for x in literals.tolist()], dtype=int)
        is_odd = digits > NUM_SIMPLE_DIGITS
        literals, digits = literals[is_odd], digits[is_odd]
        widths = _half_widths(literals, digits)
        near = self._count(literals, np.maximum(_NEARBY * literals, widths))
        chance = np.minimum(near * widths / np.maximum(_NEARBY * literals, widths), 1.0)
        return MemorisedValues(
            num_literals=len(literals),
            num_matched=int((self._count(literals, widths) > 0).sum()),
            num_by_chance=round(float(chance.sum()), 3),
        )

    def _count(
        self, at: NDArray[np.float64], width: NDArray[np.float64]
    ) -> NDArray[np.intp]:
        """Number of values within `width` of each of `at`."""
        above = np.searchsorted(self._values, at + width, side="right")
        below = np.searchsorted(self._values, at - width, side="left")
        return np.asarray(above - below)


def _half_widths(
    literals: NDArray[np.float64], digits: NDArray[np.intp]
) -> NDArray[np.float64]:
    """How far a recorded value may be from a literal that stands for it.

    Half a unit of the literal's last digit, if it has a few; at least the rounding to
    single precision.
    """
    largest = float(np.finfo(np.float32).max) / 2
    within = np.minimum(literals, largest).astype(np.float32)
    single = np.spacing(within).astype(np.float64) / 2
    exponents = np.floor(np.log10(np.maximum(literals, 1e-300)))
    units = 10.0 ** (exponents + 1 - digits) / 2
    return np.where(
        digits >= _MIN_ROUNDED_DIGITS, np.maximum(units * 1.000001, single), single
    )


def _rare(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Returns the sizes of the values that are neither simple nor frequent."""
    sizes, counts = np.unique(np.abs(values), return_counts=True)
    kept = sizes[(counts <= MAX_OCCURRENCES) & np.isfinite(sizes) & (sizes > 0)]
    # The shortest text of a number of its type: 0.1 has one digit, also as float32.
    is_odd = [len(_digits_of(str(x))) > NUM_SIMPLE_DIGITS for x in kept]
    return np.asarray(kept[np.asarray(is_odd, dtype=np.bool_)], dtype=np.float64)


def _literals(source: str) -> list[float]:
    """Returns the sizes of the distinct numbers in a source, ascending."""
    try:
        tree = parse_quietly(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    found: set[float] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant):
            found.update(_numbers(node.value))
    return sorted(x for x in found if math.isfinite(x) and x > 0)


def _numbers(value: object) -> Iterator[float]:
    if isinstance(value, bool):
        return
    if isinstance(value, int | float):
        yield _size(value)
    elif isinstance(value, complex):
        yield from (abs(value.real), abs(value.imag))
    elif isinstance(value, str):
        yield from (_size(float(text)) for text in _NUMBER.findall(value))
    elif isinstance(value, bytes):
        for size in (4, 8):
            usable = value[: len(value) // size * size]
            array = np.frombuffer(usable, dtype=f"<f{size}")
            yield from np.abs(array[np.isfinite(array)]).tolist()


def _size(value: float) -> float:
    try:
        return abs(float(value))
    except OverflowError:
        return math.inf


def _num_digits(value: float) -> int:
    return len(_digits_of(repr(value)))


def _digits_of(text: str) -> str:
    """Returns the significant digits of a number's text."""
    mantissa = text.lower().partition("e")[0].lstrip("-")
    whole, _, fraction = mantissa.partition(".")
    return (whole + fraction).lstrip("0").rstrip("0")


def drop_evidence(train: float, held_out: float) -> str:
    """Returns what a drop of strict accuracy shows, as a clause; empty for none.

    Args:
        train: Strict accuracy on the training transitions.
        held_out: On held-out ones.
    """
    if train < STRICT_ENOUGH or held_out >= train - LARGE_DROP:
        return ""
    return (
        f"strict accuracy drops from {train:.4f} on training transitions to "
        f"{held_out:.4f} on held-out ones"
    )
