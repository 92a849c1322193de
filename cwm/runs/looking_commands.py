"""`python -m cwm.runs list|show|compare`: looking at runs."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import tyro
from rich.markup import escape

from cwm.arguments import parse
from cwm.cli import EXIT_DONE
from cwm.core.counts import counted
from cwm.core.errors import ConfigError
from cwm.runs.comparing import compare_runs
from cwm.runs.kinds import find_run, find_runs
from cwm.runs.showing import show_run
from cwm.runs.summaries import RunSummary, summarise
from cwm.runs.tables import (
    comparison_tables,
    console_for,
    problem_lines,
    runs_table,
    show_size,
)

Order: TypeAlias = Literal["date", "score", "env"]

LIST_DESCRIPTION = """\
Lists the runs of all commands that lie in a folder, one line each.

  python -m cwm.runs list
  python -m cwm.runs list other/runs --sort score
  python -m cwm.runs list --json

Exit codes: 0 done, 1 failed, 2 usage, 130 interrupted.
"""

SHOW_DESCRIPTION = """\
Shows what came of a run from its files; nothing is run again.

  python -m cwm.runs show runs/2026-01-01-CartPole-v1-1

Exit codes: 0 done, 1 failed, 2 usage, 130 interrupted.
"""

COMPARE_DESCRIPTION = """\
Puts runs of one kind beside each other: settings that differ, and results. Runs on
other transitions, or in other environments, are refused.

  python -m cwm.runs compare runs/2026-01-01-CartPole-v1-1 runs/2026-01-01-CartPole-v1-2

Exit codes: 0 done, 1 failed, 2 usage, 130 interrupted.
"""


@dataclass(frozen=True, kw_only=True)
class ListArguments:
    """What the command line of `list` says.

    Attributes:
        folder: Where the runs are.
        sort: By date, the newest first; by score, the best first (held-out accuracy,
            then that of the search); or by environment.
        json: Print the result as JSON.
    """

    folder: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FOLDER")] = (
        Path("runs")
    )
    sort: Order = "date"
    json: bool = False


@dataclass(frozen=True, kw_only=True)
class ShowArguments:
    """What the command line of `show` says.

    Attributes:
        run: Its folder, or a file that cwm.plan --out has written.
        json: Print the result as JSON.
    """

    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    json: bool = False


@dataclass(frozen=True, kw_only=True)
class CompareArguments:
    """What the command line of `compare` says.

    Attributes:
        runs: Their folders, at least two.
        allow_other_data: Also compare runs on other transitions, or in other
            environments; their figures do not mean the same.
        json: Print the result as JSON.
    """

    runs: Annotated[
        tyro.conf.Positional[tuple[Path, ...]],
        tyro.conf.arg(metavar="RUN RUN [RUN ...]"),
    ]
    allow_other_data: bool = False
    json: bool = False


def list_runs(words: list[str]) -> int:
    """Shows the runs of a folder; returns the exit code.

    Raises:
        CwmError: If the folder cannot be read.
    """
    arguments = parse(ListArguments, words, command="runs list", text=LIST_DESCRIPTION)
    found = sorted_runs(
        [summarise(run) for run in find_runs(arguments.folder)], arguments.sort
    )
    if arguments.json:
        plain = [one.to_json() for one in found]
        sys.stdout.write(json.dumps(plain, indent=2) + "\n")
        return EXIT_DONE
    console = console_for(sys.stdout)
    if found:
        console.print(runs_table(found))
    total = show_size(sum(one.num_bytes for one in found))
    console.print(
        escape(f"{counted(len(found), 'run')} in {arguments.folder}, {total}")
    )
    for line in problem_lines(found):
        console.print(escape(line))
    return EXIT_DONE


def sorted_runs(found: Sequence[RunSummary], order: Order) -> list[RunSummary]:
    """Returns runs in an order; equal ones by name."""
    keys: Mapping[Order, Callable[[RunSummary], Any]] = {
        "date": lambda one: -one.made_at.timestamp(),
        "score": lambda one: (-_or_low(one.figures.held_out), -_best(one)),
        "env": lambda one: (one.figures.environment, -one.made_at.timestamp()),
    }
    return sorted(found, key=lambda one: (keys[order](one), one.name))


def _best(one: RunSummary) -> float:
    return _or_low(one.figures.score)


def _or_low(value: float | None) -> float:
    return -1.0 if value is None else value


def show(words: list[str]) -> int:
    """Shows a run; returns the exit code.

    Raises:
        CwmError: If there is no run, or it cannot be read.
    """
    arguments = parse(ShowArguments, words, command="runs show", text=SHOW_DESCRIPTION)
    show_run(read_run(arguments.run), sys.stdout, as_json=arguments.json)
    return EXIT_DONE


def compare(words: list[str]) -> int:
    """Compares runs; returns the exit code.

    Raises:
        CwmError: If they cannot be read, or not be compared.
    """
    arguments = parse(
        CompareArguments, words, command="runs compare", text=COMPARE_DESCRIPTION
    )
    comparison = compare_runs(
        [read_run(path) for path in arguments.runs],
        allows_other_data=arguments.allow_other_data,
    )
    if arguments.json:
        sys.stdout.write(json.dumps(comparison.to_json(), indent=2) + "\n")
        return EXIT_DONE
    console = console_for(sys.stdout)
    for table in comparison_tables(comparison):
        console.print(table)
    if not comparison.settings:
        console.print("All settings are the same.")
    if comparison.has_other_data:
        console.print("warning: the runs have different data")
    return EXIT_DONE


def read_run(path: Path) -> RunSummary:
    """Returns what a run came to.

    Raises:
        ConfigError: If there is none.
    """
    found = find_run(path)
    if found is None:
        raise ConfigError(
            f"{str(path)!r} must be the folder of a run, or a file of cwm.plan --out, "
            "got neither. python -m cwm.runs list FOLDER shows what there is."
        )
    return summarise(found)
