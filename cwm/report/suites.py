"""The results of a suite: for people, as Markdown, as CSV and as plain data."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TextIO

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cwm.evaluation.cell_results import FIGURES, CellKey, CellResult
from cwm.evaluation.paired_tests import MIN_UNITS, Estimate
from cwm.report.scores import show_share
from cwm.report.suite_rows import (
    BASELINE_MEANS,
    PROBLEM_MEANS,
    WORLD_MEANS,
    SuiteMean,
    SuiteRow,
    make_means,
    make_rows,
    shared_pairs,
)

_FILE_WIDTH = 160

ACCURACIES = (
    "held_out_strict",
    "planner_strict",
    "held_out_reference",
    *BASELINE_MEANS,
)
ACTING = (
    "normalised_return",
    "return",
    "random_return",
    "oracle_return",
    "offline_return",
)
ERRORS = (
    "held_out_rmse",
    "held_out_tolerance_area",
    "held_out_rollout_10",
    "program_ms",
    "asked_held_out_strict",
    "asked_ms",
)
WORDS = (
    "held_out_observation",
    "planner_observation",
    "nearest_held_out_observation",
    "held_out_nats",
    "planner_nats",
    "test_nats",
    "no_rules_test_nats",
)
COSTS = ("calls", "calls_to_strict", "tokens", "seconds")
PROBLEMS = ("strict", "accuracy", "hidden_accuracy", "calls", "tokens", "seconds")
"""Columns of the tables."""

OPTIONAL = {"asked_held_out_strict": "--ask-model", "offline_return": "--offline-steps"}
"""Figures that are measured if an option says so."""

REMARKS = "remarks"

MAX_MAKERS = 3
"""So many names of who wrote programs are shown."""

STAND_IN = "This is a stand-in, no language model: the numbers say nothing about one."


@dataclass(frozen=True, kw_only=True)
class TextTable:
    """A table of texts.

    Attributes:
        title: What it shows.
        columns: Titles of the columns; the first `num_names` are names.
        rows: Their texts.
        num_names: Columns with names, which are to the left.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    num_names: int = 2

    def markdown(self) -> str:
        """Returns the table as Markdown."""
        marks = [
            "---" if self._is_left(i) else "---:" for i in range(len(self.columns))
        ]
        lines = [self.columns, tuple(marks), *self.rows]
        return "\n".join(
            "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |"
            for line in lines
        )

    def _is_left(self, position: int) -> bool:
        return position < self.num_names or self.columns[position] == REMARKS

    def show(self, console: Console) -> None:
        """Writes the table for people."""
        table = Table(title=escape(self.title), title_justify="left")
        for position, column in enumerate(self.columns):
            is_left = self._is_left(position)
            table.add_column(
                column,
                justify="left" if is_left else "right",
                overflow="fold" if is_left else "ellipsis",
            )
        for row in self.rows:
            table.add_row(*map(escape, row))
        console.print(table)


@dataclass(frozen=True, kw_only=True)
class SuiteReport:
    """What came of a suite.

    Attributes:
        suite: Its name.
        rows: A row for each task and search.
        means: Over the tasks of each search.
        is_of_problems: Whether the suite has programs with unit tests.
        is_stand_in: Whether no model wrote the programs, but a file of answers.
        settings: What the settings say that a reader must know, as lines.
        published: What others have published, and what is not comparable.
        folder: Where the results are.
    """

    suite: str
    rows: tuple[SuiteRow, ...]
    means: tuple[SuiteMean, ...]
    is_of_problems: bool
    is_stand_in: bool = False
    settings: tuple[str, ...] = ()
    published: tuple[TextTable, ...] = ()
    published_notes: tuple[str, ...] = ()
    folder: str = ""

    def tables(self) -> list[TextTable]:
        """Returns the tables of the rows and of the means."""
        if self.is_of_problems:
            found = [self._table("programs with unit tests", PROBLEMS)]
        else:
            found = [
                self._table("accuracy on transitions that no search saw", ACCURACIES),
                self._table("return of the best program, and what it took", _acting()),
            ]
            if any(row.values(name) for row in self.rows for name in ERRORS):
                found.append(self._table("errors and speed, held-out", ERRORS))
            if any(row.values("held_out_nats") for row in self.rows):
                title = "next texts alone, and log-likelihoods in nats"
                found.append(self._table(title, WORDS))
        return [*found, *([self._means_table()] if self.means else [])]

    def lines(self) -> list[str]:
        """Returns what is said below the tables."""
        makers = sorted({row.made_by for row in self.rows if row.cells})
        shown = makers[:MAX_MAKERS]
        if len(makers) > len(shown):
            shown.append(f"and {len(makers) - len(shown)} more")
        lines = [f"made by: {', '.join(shown) or 'nobody yet'}"]
        if self.is_stand_in:
            lines.append(STAND_IN)
        lines += self.settings
        lines += self._missing_lines()
        lines += self._mean_lines()
        lines += _explanations(self.is_of_problems)
        lines += [*self._unmeasured_lines(), *self._remarks()]
        return [*lines, f"results: {self.folder}"]

    def _missing_lines(self) -> list[str]:
        counts = {
            "failed": sum(len(row.failed) for row in self.rows),
            "not finished": sum(len(row.missing) for row in self.rows),
            "without a program": sum(row.num_without_program for row in self.rows),
        }
        total = sum(row.num_seeds for row in self.rows)
        parts = [f"{number} {what}" for what, number in counts.items() if number]
        return [f"cells: {total}" + (f", {', '.join(parts)}" if parts else "")]

    def _unmeasured_lines(self) -> list[str]:
        if self.is_of_problems:
            return []
        names = [
            f"{FIGURES[name].title} ({option})"
            for name, option in OPTIONAL.items()
            if not any(row.values(name) for row in self.rows)
        ]
        return [f"not measured: {', '.join(names)}"] if names else []

    def _mean_lines(self) -> list[str]:
        """Returns what the means are of, and those that there cannot be."""
        lines = []
        if self.means:
            lines.append(
                "means: over the tasks and seeds that all searches have the figure of; "
                "what failed or is not finished in one search counts in none. "
                f"Intervals: 95 %, none of fewer than {MIN_UNITS} tasks (or seeds, of "
                "one task)"
            )
        for name in PROBLEM_MEANS if self.is_of_problems else WORLD_MEANS:
            known = [row for row in self.rows if row.values(name)]
            if known and not shared_pairs(self.rows, name):
                lines.append(
                    f"no mean of {FIGURES[name].title}: no task and seed has it of "
                    f"all of {', '.join(dict.fromkeys(row.search for row in known))}"
                )
        return lines

    def _remarks(self) -> list[str]:
        """Returns the reasons and the notes of all rows; each note once."""
        lines = [line for row in self.rows for line in row.reasons()]
        about: dict[str, list[SuiteRow]] = {}
        for row in self.rows:
            for note in row.notes():
                about.setdefault(note, []).append(row)
        return lines + [f"{self._whom(rows)}: {note}" for note, rows in about.items()]

    def _whom(self, about: Sequence[SuiteRow]) -> str:
        """Returns the tasks of some rows, with the search where others differ."""
        names = []
        for task in dict.fromkeys(row.task for row in about):
            searches = [row.search for row in about if row.task == task]
            is_all = len(searches) == sum(row.task == task for row in self.rows)
            names.append(task if is_all else f"{task} ({', '.join(searches)})")
        return ", ".join(names)

    def _table(self, title: str, figures: Sequence[str]) -> TextTable:
        known = [
            n for n in figures if any(row.mean(n) is not None for row in self.rows)
        ]
        shown = known or list(figures)
        rows = tuple(
            (row.task, row.search, *(_cell(row, name) for name in shown), row.status)
            for row in self.rows
        )
        titles = tuple(FIGURES[name].title for name in shown)
        what = "problem" if self.is_of_problems else "task"
        columns = (what, "search", *titles, REMARKS)
        if not any(row.status for row in self.rows):
            columns, rows = columns[:-1], tuple(row[:-1] for row in rows)
        return TextTable(title=f"{self.suite}: {title}", columns=columns, rows=rows)

    def _means_table(self) -> TextTable:
        rows = tuple(
            (
                mean.search,
                FIGURES[mean.figure].title,
                show_interval(mean.interval),
                f"{mean.num_tasks} of {mean.num_planned}",
                str(mean.num_cells),
            )
            for mean in self.means
        )
        return TextTable(
            title=f"{self.suite}: means over tasks that all searches have, with 95 % "
            "bootstrap intervals over tasks and seeds",
            columns=("search", "figure", "mean (interval)", "tasks", "tasks x seeds"),
            rows=rows,
        )

    def show(self, stream: TextIO) -> None:
        """Writes the report for people."""
        width = None if stream.isatty() else _FILE_WIDTH
        console = Console(file=stream, highlight=False, soft_wrap=True, width=width)
        for table in [*self.tables(), *self.published]:
            table.show(console)
        for line in [*self.lines(), *self._published_lines()]:
            console.print(escape(line))

    def _published_lines(self) -> list[str]:
        """Returns a word of warning in the place of all that could be said."""
        if not self.published_notes:
            return []
        return [
            "published numbers are from other transitions, versions and planners, and "
            "cannot simply be compared: --format markdown says what differs"
        ]

    def markdown(self) -> str:
        """Returns the report as Markdown."""
        blocks = []
        for table in [*self.tables(), *self.published]:
            blocks.append(f"### {table.title}\n\n{table.markdown()}")
        notes = [*self.lines(), *self.published_notes]
        blocks.append("\n".join(f"- {line}" for line in notes))
        return "\n\n".join(blocks) + "\n"

    def csv(self) -> str:
        """Returns a line for each task and search, with the mean of every figure."""
        names = [
            n for n in FIGURES if any(row.mean(n) is not None for row in self.rows)
        ]
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        ends = ("normalised_return_low", "normalised_return_high")
        head = ("suite", "task", "search", "made_by", "is_stand_in", "seeds")
        writer.writerow((*head, *names, *ends, "remarks"))
        for row in self.rows:
            found = row.normalised
            writer.writerow(
                (
                    self.suite,
                    row.task,
                    row.search,
                    row.made_by,
                    self.is_stand_in,
                    row.num_seeds,
                    *map(row.mean, names),
                    *((None, None) if found is None else (found.low, found.high)),
                    row.status,
                )
            )
        return stream.getvalue()

    def to_json(self) -> dict[str, Any]:
        """Returns the report as plain data."""
        names = [
            n for n in FIGURES if any(row.mean(n) is not None for row in self.rows)
        ]
        return {
            "suite": self.suite,
            "is_stand_in": self.is_stand_in,
            "rows": [row.to_json(names) for row in self.rows],
            "means": [asdict(mean) for mean in self.means],
            "published": [asdict(table) for table in self.published],
            "notes": [*self.lines(), *self.published_notes],
            "folder": self.folder,
        }


def make_suite_report(
    suite: str,
    planned: Sequence[CellKey],
    results: Mapping[CellKey, CellResult],
    *,
    is_of_problems: bool,
    **more: Any,
) -> SuiteReport:
    """Returns the report of a suite.

    Args:
        suite: Its name.
        planned: All cells that there are to be.
        results: Those that have ended.
        is_of_problems: Whether the suite has programs with unit tests.
        more: Further fields of the report.
    """
    rows = make_rows(planned, results)
    figures = PROBLEM_MEANS if is_of_problems else WORLD_MEANS
    return SuiteReport(
        suite=suite,
        rows=rows,
        means=make_means(rows, figures),
        is_of_problems=is_of_problems,
        **more,
    )


def show_interval(found: Estimate, digits: int = 4) -> str:
    """Returns a mean with its interval, if it has one."""
    shown = f"{found.value:.{digits}f}"
    if found.low is None or found.high is None:
        return shown
    return f"{shown} ({found.low:.{digits}f} to {found.high:.{digits}f})"


def _acting() -> tuple[str, ...]:
    return (*ACTING, *COSTS)


def _cell(row: SuiteRow, name: str) -> str:
    """Returns what a table shows of a figure: its mean over the seeds."""
    if name == "normalised_return":
        found = row.normalised
        return "-" if found is None else show_interval(found, digits=2)
    if name == "calls_to_strict":
        return _calls_to_strict(row)
    value = row.mean(name)
    if value is None:
        return "-"
    if FIGURES[name].digits == 4:
        return show_share(value)
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.5g}"


def _calls_to_strict(row: SuiteRow) -> str:
    """Returns the calls of the runs that came to 1.0, and how many did not."""
    values = row.values("calls_to_strict")
    shown = f"{sum(values) / len(values):.3g}" if values else "-"
    if 0 < len(values) < len(row.cells):
        shown += f" ({len(values)}/{len(row.cells)})"
    return shown


def _explanations(is_of_problems: bool) -> list[str]:
    if is_of_problems:
        return [
            "strict: every test of a problem passed, visible and hidden; accuracy: "
            "share of all tests; without a program both are 0"
        ]
    return [
        "strict: every part of a transition right, within stated tolerances; "
        "reference: the published metric, on held-out transitions; 0 without a "
        "program that runs",
        "do nothing, nearest neighbour and true simulator (restarted from "
        "observations): strict of each, held-out if nothing else is said",
        "normalised RMSE: in usual changes of one step, about 1 where nothing happens; "
        "tolerance area: mean strict accuracy over tolerances from 1e-8 to 1 of them; "
        "right after 10 steps: of rollouts from recorded observations",
        "normalised return: (R - random) / (oracle - random), the oracle being the "
        f"same planner with the true environment; the interval is over {MIN_UNITS} or "
        "more seeds, or over episodes of a single seed",
    ]
