"""What came of fitting a program's constants: plain data, for journals and people."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

from cwm.programs.constants.holes import HoleKind

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

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "FittedConstant":
        """Returns the constant that `Fit.to_json` described."""
        return cls(**{**data, "others": tuple(data["others"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """What came of a fit.

    Attributes:
        source: The program with the fitted values; unchanged if they are no better.
        constants: All that were looked at, in the order of the source.
        strict_before: Share of the fitted rows that the program had right.
        strict_after: Share that the fitted program has right.
        cost_before: Mean over rows of the logarithm of errors, in tolerances.
        cost_after: The same of the fitted program.
        num_steps: Steps of the program that it took.
        is_complete: Whether it came to its end before its budget did.
        problems: What is wrong with the program's declarations.
        remainder: What the fitted values leave unexplained, in sentences.
    """

    source: str
    constants: tuple[FittedConstant, ...] = ()
    strict_before: float = 0.0
    strict_after: float = 0.0
    cost_before: float = 0.0
    cost_after: float = 0.0
    num_steps: int = 0
    is_complete: bool = True
    problems: tuple[str, ...] = ()
    remainder: tuple[str, ...] = ()

    @property
    def is_changed(self) -> bool:
        """Whether any constant has another value."""
        return any(constant.is_changed for constant in self.constants)

    def to_json(self) -> dict[str, Any]:
        """Returns plain data; the source is not in it."""
        data = asdict(self)
        del data["source"]
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any], source: str) -> "Fit":
        """Returns the fit that `to_json` described, of which `source` came."""
        constants = tuple(FittedConstant.from_json(c) for c in data["constants"])
        changed = {
            "constants": constants,
            "problems": tuple(data["problems"]),
            "remainder": tuple(data["remainder"]),
        }
        return cls(source=source, **{**data, **changed})
