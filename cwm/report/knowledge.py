"""How players of text games did, with and without knowledge: for people, as data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TextIO

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cwm.evaluation.paired_tests import Estimate, PairedTest

FILE_WIDTH = 150
"""Columns of a table that goes into a file."""

SPLIT_TITLES = {"seen": "seen", "unseen": "unseen", "train": "training"}


@dataclass(frozen=True, kw_only=True)
class KnowledgeRow:
    """One player in one split.

    Attributes:
        name: Who played.
        made_by: Which components: models, writers, base.
        split: Which games.
        figures: As `Measures.to_json` of `cwm.knowledge` gives them.
        score: Mean score from 0 to 100, with its interval.
        difference: From the baseline, game by game; `None` for the baseline.
        by_seed: Mean difference of each seed.
        tasks: Mean score of each kind of task.
    """

    name: str
    made_by: str
    split: str
    figures: Mapping[str, Any]
    score: Estimate
    difference: PairedTest | None = None
    by_seed: Mapping[int, float] = field(default_factory=dict)
    tasks: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Returns the row as plain data."""
        return {
            "row": self.name,
            "made_by": self.made_by,
            "split": self.split,
            **self.figures,
            "difference": None
            if self.difference is None
            else self.difference.to_json(),
            "difference_by_seed": dict(self.by_seed),
            "tasks": dict(self.tasks),
        }


@dataclass(frozen=True, kw_only=True)
class KnowledgeReport:
    """An evaluation.

    Attributes:
        environment: Id of the environment.
        rows: In the order of the table.
        baseline: Name of the row that the others are compared with.
        seeds: Of the models.
        notes: What else there is to say, as lines.
        files: What was written, as lines.
        made_with: Versions and machine.
    """

    environment: str
    rows: tuple[KnowledgeRow, ...]
    baseline: str
    seeds: tuple[int, ...]
    notes: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    made_with: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Returns the report as plain data."""
        return {
            "environment": self.environment,
            "baseline": self.baseline,
            "seeds": list(self.seeds),
            "rows": [row.to_json() for row in self.rows],
            "notes": list(self.notes),
            "made_with": dict(self.made_with),
        }

    def show(self, stream: TextIO) -> None:
        """Writes the report for people."""
        width = None if stream.isatty() else FILE_WIDTH
        console = Console(file=stream, highlight=False, soft_wrap=True, width=width)
        for split in dict.fromkeys(row.split for row in self.rows):
            rows = [row for row in self.rows if row.split == split]
            console.print(self._table(split, rows))
            if len({task for row in rows for task in row.tasks}) > 1:
                console.print(_task_table(split, rows))
        for line in (*self.notes, *self.files):
            console.print(escape(line))

    def _table(self, split: str, rows: Sequence[KnowledgeRow]) -> Table:
        title = f"{self.environment}, {SPLIT_TITLES.get(split, split)} games"
        table = Table(title=title, title_justify="left", title_style="bold")
        table.add_column("player", overflow="fold")
        table.add_column("made by", overflow="fold")
        for name in (
            "score x 100",
            f"minus {self.baseline}",
            "won",
            "steps",
            "invalid steps",
            "too long",
            "calls",
            "tokens",
            "s",
        ):
            table.add_column(name, justify="right")
        for row in rows:
            table.add_row(escape(row.name), escape(row.made_by), *_cells(row))
        return table


def _cells(row: KnowledgeRow) -> list[str]:
    known = row.figures
    return [
        show_estimate(row.score),
        "" if row.difference is None else show_difference(row.difference),
        f"{100 * known['success']:.0f} %",
        f"{known['steps']:.1f}",
        f"{100 * known['invalid_steps']:.1f} %",
        f"{100 * known['out_of_context']:.0f} %",
        f"{known['num_calls']:.1f}",
        f"{known['prompt_tokens'] + known['completion_tokens']:,.0f}",
        f"{known['seconds']:.2f}",
    ]


def show_estimate(estimate: Estimate) -> str:
    """Returns a mean with its interval, if it has one."""
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.1f}"
    return f"{estimate.value:.1f} ({estimate.low:.1f} to {estimate.high:.1f})"


def show_difference(test: PairedTest) -> str:
    """Returns a mean difference, its interval and its p."""
    mean = test.mean
    text = f"{mean.value:+.1f}"
    if mean.low is not None and mean.high is not None:
        text += f" ({mean.low:+.1f} to {mean.high:+.1f})"
    return f"{text}, p {test.sign_flip_p:.3f}"


def _task_table(split: str, rows: Sequence[KnowledgeRow]) -> Table:
    title = f"score x 100 by kind of task, {SPLIT_TITLES.get(split, split)} games"
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column("player", overflow="fold")
    tasks = sorted({task for row in rows for task in row.tasks})
    for task in tasks:
        table.add_column(task, justify="right")
    for row in rows:
        cells = [
            f"{row.tasks[task]:.1f}" if task in row.tasks else "" for task in tasks
        ]
        table.add_row(escape(row.name), *cells)
    return table
