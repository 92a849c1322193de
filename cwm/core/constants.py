"""Constants of a program, and what recorded data say of each: plain data for all."""

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

HoleKind: TypeAlias = Literal["declared", "named", "literal"]
"""Who says that a number is a constant.

`declared`: the program, in `CONSTANTS`. `named`: it is what a name is given.
`literal`: it stands in a formula.
"""

Verdict: TypeAlias = Literal["fitted", "kept", "undetermined", "no effect"]
"""What the data say of a constant.

`fitted`: its value, with an interval. `kept`: nothing asks for another value.
`undetermined`: others can make up for it. `no effect`: no prediction depends on it.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedConstant:
    """A constant of a program, and what the data say of it.

    Attributes:
        name: As in the program.
        kind: Who says that it is a constant.
        line: Line of the source, from 1.
        before: The program's value.
        after: The fitted value.
        verdict: What the data say.
        low: Lower end of the interval, of 95 % or between recorded values; `None` if
            there is none.
        high: Upper end.
        others: Constants that can make up for it, if it is undetermined.
    """

    name: str
    kind: HoleKind
    line: int
    before: float
    after: float
    verdict: Verdict
    low: float | None = None
    high: float | None = None
    others: tuple[str, ...] = ()

    @property
    def is_changed(self) -> bool:
        """Whether the fitted program has another value."""
        return self.after != self.before

    def value_text(self) -> str:
        """Returns its name and value, and what it was."""
        if not self.is_changed:
            return f"{self.name} = {self.after:.6g} (unchanged)"
        return f"{self.name} = {self.after:.6g} (was {self.before:.6g})"

    def sentence(self) -> str:
        """Returns its name, its value, and the interval that the data allow."""
        low, high = self.low, self.high
        if low is not None and high is not None:
            interval = f", between {low:.6g} and {high:.6g}"
        elif low is not None:
            interval = f", at least {low:.6g}"
        else:
            interval = "" if high is None else f", at most {high:.6g}"
        return f"{self.value_text()}{interval}"

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "FittedConstant":
        """Returns the constant whose attributes `data` has."""
        return cls(**{**data, "others": tuple(data["others"])})


def undetermined_groups(
    constants: tuple[FittedConstant, ...],
) -> list[tuple[FittedConstant, ...]]:
    """Returns the undetermined constants that hang together, each in one group."""
    left = {c.name: c for c in constants if c.verdict == "undetermined"}
    groups = []
    while left:
        name = next(iter(left))
        members = {name}
        while True:
            more = {o for n in members if n in left for o in left[n].others} | members
            more &= set(left)
            if more == members:
                break
            members = more
        groups.append(tuple(left.pop(n) for n in list(left) if n in members))
    return groups
