"""What came of learning a residual: plain data, for journals and people."""

from dataclasses import asdict, dataclass
from typing import Any

from cwm.programs.accuracy import SplitScore


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidualTerm:
    """One correction.

    Attributes:
        part: What it corrects: `"reward"`, `"terminated"`, `"observation[1]"`.
        text: What it does, in words that are nearly code.
        num_repaired: Training transitions whose part was wrong and is right now.
        num_broken: Those whose part was right and is wrong now.
        num_confirmed: How many of the repaired ones it was not learned from.
    """

    part: str
    text: str
    num_repaired: int
    num_broken: int
    num_confirmed: int

    def sentence(self) -> str:
        """Returns the correction and what it is worth, for people."""
        worth = (
            f"repairs {self.num_repaired} training transitions, "
            f"{self.num_confirmed} of them held back"
        )
        return (
            f"{self.text}: {worth}"
            if not self.num_broken
            else (f"{self.text}: {worth}, breaks {self.num_broken}")
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidualReport:
    """What came of learning a residual, but for the program.

    Attributes:
        terms: The corrections that are in the program; empty if there are none.
        law: How the program does without them on the training transitions.
        whole: How it does with them; `None` if there are none.
        num_learned: Training transitions that corrections were learned from.
        num_held_back: Those on which each had to gain.
        is_capped: Whether more was found than `max_terms` allows.
        problems: Why parts that are wrong have no correction, in sentences.
    """

    terms: tuple[ResidualTerm, ...] = ()
    law: SplitScore | None = None
    whole: SplitScore | None = None
    num_learned: int = 0
    num_held_back: int = 0
    is_capped: bool = False
    problems: tuple[str, ...] = ()

    @property
    def is_changed(self) -> bool:
        """Whether the program has corrections now."""
        return bool(self.terms)

    def to_json(self) -> dict[str, Any]:
        """Returns the report as plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "ResidualReport":
        """Returns the report that `to_json` described."""
        scores = {
            name: None if data[name] is None else SplitScore.from_json(data[name])
            for name in ("law", "whole")
        }
        return cls(
            **{
                **data,
                **scores,
                "terms": tuple(ResidualTerm(**term) for term in data["terms"]),
                "problems": tuple(data["problems"]),
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrected:
    """A program with its residual.

    Attributes:
        source: The program; as it was if nothing was learned.
        report: What was found.
    """

    source: str
    report: ResidualReport
