"""What is there on some paths only: elements of lists, and arrays made of them."""

from dataclasses import dataclass
from typing import Any

from cwm.programs.acceleration.symbols import NoFastForm, Scalar


@dataclass(eq=False, frozen=True, slots=True)
class Maybe:
    """An element of a list that is there where a condition holds.

    Attributes:
        condition: When it is.
        value: What it is then; anything where it is not there.
    """

    condition: Scalar
    value: Any


class Varying:
    """An array whose length values decide; see `gathered.Gathered`."""

    def elementwise(self, op: str, values: tuple[Any, ...]) -> Any:
        """Returns an operation on values of which this is one."""
        raise NotImplementedError

    def attribute(self, name: str) -> Any:
        """Returns an attribute, or a method that takes the array first."""
        raise NotImplementedError


def has_maybe(value: Any) -> bool:
    """Returns whether a list has elements that are there on some paths only."""
    return isinstance(value, list | tuple) and any(isinstance(v, Maybe) for v in value)


def slots(values: Any) -> list[Maybe]:
    """Returns the elements of a list, each with when it is there."""
    return [v if isinstance(v, Maybe) else Maybe(True, v) for v in values]


def refuse_maybe(*values: Any) -> None:
    """Raises where lists have elements that are there on some paths only.

    Raises:
        NoFastForm: If one has.
    """
    if any(map(has_maybe, values)):
        raise NoFastForm("How long a list is depends on values.")
