"""What came of fitting a program's constants: plain data, for journals and people."""

from dataclasses import asdict, dataclass
from typing import Any

from cwm.core.constants import FittedConstant


@dataclass(frozen=True, slots=True, kw_only=True)
class FitReport:
    """What came of a fit, but for the program.

    Attributes:
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
        """Returns the report as plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "FitReport":
        """Returns the report that `to_json` described."""
        constants = tuple(FittedConstant.from_json(c) for c in data["constants"])
        texts = {name: tuple(data[name]) for name in ("problems", "remainder")}
        return cls(**{**data, **texts, "constants": constants})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A program with constants that fit.

    Attributes:
        source: The program; as it was if other values are no better.
        report: What was found.
    """

    source: str
    report: FitReport

    @property
    def constants(self) -> tuple[FittedConstant, ...]:
        """All constants that were looked at, in the order of the source."""
        return self.report.constants

    @property
    def is_changed(self) -> bool:
        """Whether any constant has another value."""
        return self.report.is_changed
