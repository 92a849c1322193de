"""`python -m cwm.benchmark report|compare`: what came of suites, and paired tests."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from cwm.arguments import parse
from cwm.benchmark.plan import PROBLEM_SUITES, ResultsFolder
from cwm.benchmark.reading import read_contender, read_report
from cwm.cli import EXIT_DONE
from cwm.core.dataset_file import check_writable
from cwm.core.errors import ConfigError, DataError
from cwm.core.files import write_atomically
from cwm.evaluation.cell_results import FIGURES
from cwm.execution.options import shown_as
from cwm.report.paired import compare_results
from cwm.report.plots import check_plot
from cwm.report.suite_plots import write_suite_plot
from cwm.report.suites import SuiteReport

REPORT_DESCRIPTION = """\
Shows what came of a suite: a row for each task and search, none left out. A run that
is still going on can be looked at, too.

  python -m cwm.benchmark report runs/benchmark-cwmb-r
  python -m cwm.benchmark report runs/benchmark-cwmb-r --format markdown --out table.md
  python -m cwm.benchmark report runs/benchmark-cwmb-r --plot table.png

Exit codes: 0 done, 1 failed, 2 usage, 130 interrupted.
"""

COMPARE_DESCRIPTION = """\
Compares two sets of results, task by task and seed by seed: paired differences, the
Wilcoxon signed-rank test, a sign-flip permutation test, and a bootstrap interval.

  python -m cwm.benchmark compare runs/a runs/b
  python -m cwm.benchmark compare runs/a:gif-mcts runs/a:best-of-n --metric return

A side is a folder of results, or FOLDER:SEARCH where it has several. Sides with other
data are refused.

Exit codes: 0 done, 1 failed, 2 usage, 130 interrupted.
"""

Format = Literal["tables", "markdown", "csv", "json"]


@dataclass(frozen=True, kw_only=True)
class ReportArguments:
    """What the command line of `report` says.

    Attributes:
        folder: Folder of the results.
        format: How the report is written; csv has the rows only.
        out: File for the report, instead of standard output.
        plot: File (.png) for a picture; needs the extra [plot].
    """

    folder: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FOLDER")]
    format: Format = "tables"
    out: Annotated[Path | None, shown_as("FILE")] = None
    plot: Annotated[Path | None, shown_as("FILE")] = None


@dataclass(frozen=True, kw_only=True)
class CompareArguments:
    """What the command line of `compare` says.

    Attributes:
        first: Folder of results, or FOLDER:SEARCH.
        second: The other one.
        metric: Figure to compare; held_out_strict if not given, and strict of programs
            with unit tests. Any figure of results.jsonl.
        json: Print the result as JSON.
    """

    first: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="A")]
    second: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="B")]
    metric: Annotated[str | None, shown_as("NAME")] = None
    json: bool = False


def report_suite(words: list[str]) -> int:
    """Shows or writes the report on a folder of results; returns the exit code.

    Raises:
        CwmError: If the results cannot be read, or a file not be written.
    """
    arguments = parse(
        ReportArguments, words, command="benchmark report", text=REPORT_DESCRIPTION
    )
    if arguments.plot is not None:
        check_plot(arguments.plot)
        check_writable(arguments.plot)
    report = read_report(ResultsFolder(arguments.folder))
    if arguments.plot is not None:
        write_suite_plot(report, arguments.plot)
        sys.stderr.write(f"plot: {arguments.plot}\n")
    if arguments.out is None:
        _write(report, arguments.format)
        return EXIT_DONE
    text = _text(
        report, "markdown" if arguments.format == "tables" else arguments.format
    )
    try:
        write_atomically(arguments.out, text)
    except OSError as error:
        raise DataError(
            f"out ({str(arguments.out)!r}) cannot be written: {error}."
        ) from (error)
    return EXIT_DONE


def _write(report: SuiteReport, form: Format) -> None:
    if form == "tables":
        report.show(sys.stdout)
    else:
        sys.stdout.write(_text(report, form))


def _text(report: SuiteReport, form: Format) -> str:
    match form:
        case "csv":
            return report.csv()
        case "json":
            return json.dumps(report.to_json(), indent=2) + "\n"
        case _:
            return report.markdown()


def compare(words: list[str]) -> int:
    """Compares two sets of results, shows the tests and returns the exit code.

    Raises:
        CwmError: If results cannot be read, or not be compared.
    """
    arguments = parse(
        CompareArguments, words, command="benchmark compare", text=COMPARE_DESCRIPTION
    )
    if arguments.first == arguments.second:
        raise ConfigError(f"Two sides must be given, got {arguments.first!r} twice.")
    sides = [read_contender(word) for word in (arguments.first, arguments.second)]
    metric = arguments.metric
    if metric is None:
        suites = {one.suite for side in sides for one in side.results.values()}
        metric = "strict" if suites <= set(PROBLEM_SUITES) else "held_out_strict"
    assert metric in FIGURES or arguments.metric is not None, "defaults are figures"
    report = compare_results(sides[0], sides[1], metric)
    if arguments.json:
        sys.stdout.write(json.dumps(report.to_json(), indent=2) + "\n")
    else:
        report.show(sys.stdout)
    return EXIT_DONE
