"""How programs did in the tests of problems, as a table."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, TextIO

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cwm.core.errors import DataError
from cwm.core.proposals import Usage

_FILE_WIDTH = 120


@dataclass(frozen=True, kw_only=True)
class ProblemReport:
    """How the best program of one search did.

    Attributes:
        problem_id: The problem.
        suite: Where it comes from.
        difficulty: As the suite says; may be empty.
        made_by: Who wrote the programs.
        search: Name of the search.
        seed: The run's seed.
        num_visible: Tests that the search looked at.
        num_hidden: Tests that were held out.
        visible_passed: How many of them the best program passes.
        hidden_passed: Likewise; it was run on them once, after the search.
        hidden_bug: How it ended if it could not be loaded there; else empty.
        num_calls: Programs that were asked for.
        num_bugs: How many of them could not be read, compiled or loaded.
        best_call: The call that brought the best program, from 0; `None` if none ran.
        stopped_by: Why the search ended.
        exhausted: The cap that ended it, if one did.
        usage: What all calls cost together.
        folder: Where the run is.
    """

    problem_id: str
    suite: str
    difficulty: str
    made_by: str
    search: str
    seed: int
    num_visible: int
    num_hidden: int
    visible_passed: int
    hidden_passed: int
    hidden_bug: str
    num_calls: int
    num_bugs: int
    best_call: int | None
    stopped_by: str
    exhausted: str | None
    usage: Usage
    folder: str

    @property
    def is_strict(self) -> bool:
        """Whether every test was passed, visible and hidden."""
        return self._num_passed == self.num_visible + self.num_hidden

    @property
    def accuracy(self) -> float:
        """Share of all tests that were passed."""
        return self._num_passed / (self.num_visible + self.num_hidden)

    @property
    def hidden_accuracy(self) -> float | None:
        """Share of the hidden tests that were passed; `None` if there are none."""
        return self.hidden_passed / self.num_hidden if self.num_hidden else None

    @property
    def _num_passed(self) -> int:
        return self.visible_passed + self.hidden_passed

    def to_json(self) -> dict[str, Any]:
        """Returns plain data; `from_json` reads the fields again."""
        return {
            **asdict(self),
            "is_strict": self.is_strict,
            "accuracy": self.accuracy,
            "hidden_accuracy": self.hidden_accuracy,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "ProblemReport":
        """Returns the report that `to_json` described.

        Raises:
            DataError: If it did not.
        """
        fields = dict(data)
        for name in ("is_strict", "accuracy", "hidden_accuracy"):
            fields.pop(name, None)
        try:
            return cls(**{**fields, "usage": Usage(**fields["usage"])})
        except (KeyError, TypeError) as error:
            raise DataError(f"A result cannot be read: {error}.") from error


@dataclass(frozen=True, kw_only=True)
class ProblemsReport:
    """Several problems beside each other.

    Attributes:
        problems: At least one.
    """

    problems: tuple[ProblemReport, ...]

    def __post_init__(self) -> None:
        if not self.problems:
            raise ValueError("problems must have at least one member, got none.")

    @property
    def strict_accuracy(self) -> float:
        """Share of the problems of which every test was passed."""
        return statistics.fmean(one.is_strict for one in self.problems)

    @property
    def average_accuracy(self) -> float:
        """Mean over the problems of the share of tests that were passed."""
        return statistics.fmean(one.accuracy for one in self.problems)

    @property
    def hidden_accuracy(self) -> float | None:
        """Likewise of hidden tests, over the problems that have some."""
        known = [
            one.hidden_accuracy
            for one in self.problems
            if one.hidden_accuracy is not None
        ]
        return statistics.fmean(known) if known else None

    def to_json(self) -> dict[str, Any]:
        """Returns the report as plain data."""
        return {
            "strict_accuracy": self.strict_accuracy,
            "average_accuracy": self.average_accuracy,
            "hidden_accuracy": self.hidden_accuracy,
            "problems": [one.to_json() for one in self.problems],
        }

    def show(self, stream: TextIO) -> None:
        """Writes the report for people."""
        width = None if stream.isatty() else _FILE_WIDTH
        console = Console(file=stream, highlight=False, soft_wrap=True, width=width)
        table = Table(title="programs with unit tests", title_justify="left")
        table.add_column("problem")
        for name in ("visible", "hidden", "strict", "calls", "bugs", "tokens"):
            table.add_column(name, justify="right")
        for one in self.problems:
            table.add_row(*map(escape, _cells(one)))
        console.print(table)
        for line in self.lines():
            console.print(escape(line))

    def lines(self) -> Sequence[str]:
        """Returns what is said below the table."""
        num_strict = sum(one.is_strict for one in self.problems)
        hidden = self.hidden_accuracy
        return (
            f"strict accuracy: {self.strict_accuracy:.4f} "
            f"({num_strict} of {len(self.problems)} problems with every test passed)",
            f"average accuracy: {self.average_accuracy:.4f} (share of all tests, mean "
            "over the problems)",
            "hidden tests alone: "
            + ("there are none" if hidden is None else f"{hidden:.4f}"),
            "made by: " + ", ".join(sorted({one.made_by for one in self.problems})),
        )


def _cells(one: ProblemReport) -> list[str]:
    usage = one.usage
    return [
        one.problem_id,
        f"{one.visible_passed}/{one.num_visible}",
        f"{one.hidden_passed}/{one.num_hidden}" if one.num_hidden else "-",
        "yes" if one.is_strict else "no",
        str(one.num_calls),
        str(one.num_bugs),
        f"{usage.prompt_tokens + usage.completion_tokens:,}",
    ]
