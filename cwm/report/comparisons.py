"""Searches beside each other, as a table."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cwm.report.scores import PROGRAM

_FILE_WIDTH = 120


@dataclass(frozen=True, kw_only=True)
class SearchRow:
    """One search on one environment, over several seeds.

    Attributes:
        environment: Its id.
        search: Name of the search.
        held_out: Strict accuracy of the best program on held-out transitions, by
            seed; 0 where no program runs.
        train: Likewise, on training transitions.
        num_calls: Calls used, by seed.
        num_perfect: Runs that ended with a program that is right on all training and
            validation transitions.
        num_bugs: Answers that did not run, in all runs.
        num_repeated: Answers that repeated a program of the same run, in all runs.
        tokens: Sent and received, in all runs; stored answers count with what they
            had cost.
        saved_tokens: Those of stored answers.
        usd: What was paid for all runs in US dollars; `None` if it is not known.
        seconds: All calls of a run, one after the other: the median over the runs.
    """

    environment: str
    search: str
    held_out: tuple[float, ...]
    train: tuple[float, ...]
    num_calls: tuple[int, ...]
    num_perfect: int
    num_bugs: int
    num_repeated: int
    tokens: int
    saved_tokens: int
    usd: float | None
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Returns the row as plain data."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class ComparisonReport:
    """All rows, and what made them.

    Attributes:
        rows: By environment, then by search.
        seeds: One run of each row for each.
        made_by: Who wrote the programs.
        is_stand_in: Whether that was no model, but a file of answers.
        folder: Where the runs are.
    """

    rows: tuple[SearchRow, ...]
    seeds: tuple[int, ...]
    made_by: str
    is_stand_in: bool
    folder: Path

    def to_json(self) -> dict[str, Any]:
        """Returns the report as plain data."""
        return {
            "made_by": self.made_by,
            "is_stand_in": self.is_stand_in,
            "seeds": list(self.seeds),
            "rows": [row.to_json() for row in self.rows],
            "folder": str(self.folder),
        }

    def show(self, stream: TextIO) -> None:
        """Writes the report for people."""
        # Ten columns need more than the width that is assumed where none is known.
        width = None if stream.isatty() else _FILE_WIDTH
        console = Console(file=stream, highlight=False, soft_wrap=True, width=width)
        table = Table(title="searches at equal budget", title_justify="left")
        for name in ("environment", "search"):
            table.add_column(name)
        for name in (
            "held-out strict",
            "train strict",
            "calls",
            "perfect",
            "bugs",
            "repeated",
            "tokens",
            "cost",
            "s of calls",
        ):
            table.add_column(name, justify="right")
        for row in self.rows:
            table.add_row(*map(escape, self._cells(row)))
        console.print(table)
        for line in self.lines():
            console.print(escape(line))

    def lines(self) -> list[str]:
        """Returns what is said below the table."""
        lines = [f"made by: {self.made_by}"]
        if self.is_stand_in:
            lines.append(
                "This is a stand-in: its answers were written before, so the numbers "
                "say nothing about a model."
            )
        if any(row.saved_tokens for row in self.rows):
            lines.append(
                "tokens count stored answers with what they had cost; cost is what was "
                "paid now"
            )
        seeds = ", ".join(map(str, self.seeds))
        lines.append(f"seeds: {seeds}; accuracies are means over them")
        lines.append(f"runs: {self.folder}")
        return lines

    def _cells(self, row: SearchRow) -> list[str]:
        return [
            row.environment,
            row.search,
            _mean(row.held_out),
            _mean(row.train),
            "/".join(map(str, row.num_calls)),
            f"{row.num_perfect}/{len(row.num_calls)}",
            str(row.num_bugs),
            str(row.num_repeated),
            f"{row.tokens:,}",
            "not known" if row.usd is None else f"${row.usd:.2f}",
            f"{row.seconds:.0f}",
        ]


def best_strict(report: Mapping[str, Any], split: str) -> float:
    """Returns the strict accuracy of a run's best program; 0 if there is none.

    Args:
        report: Content of a run's `result.json`.
        split: Name of the split.
    """
    for row in report["rows"]:
        if row["name"] == PROGRAM and row["scores"].get(split) is not None:
            return float(row["scores"][split]["strict"])
    return 0.0


def _mean(values: Sequence[float]) -> str:
    return f"{statistics.fmean(values):.4f}"
