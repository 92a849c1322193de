"""`python -m cwm.benchmark`: suites, their reports, and searches at equal budget."""

import sys
from collections.abc import Callable, Mapping, Sequence

from cwm.benchmark.collect_command import collect_suite
from cwm.benchmark.report_command import compare, report_suite
from cwm.benchmark.run_command import run_suite
from cwm.benchmark.search_command import compare_searches
from cwm.cli import run_command, run_subcommand


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    return run_command(
        lambda: run_subcommand("cwm.benchmark", words, COMMANDS, text=DESCRIPTION)
    )


COMMANDS: Mapping[str, Callable[[list[str]], int]] = {
    "run": run_suite,
    "report": report_suite,
    "compare": compare,
    "collect": collect_suite,
    "search": compare_searches,
}
"""Benchmarks by name."""

DESCRIPTION = """\
usage: python -m cwm.benchmark {run,report,compare,collect,search} ...

Runs many tasks, searches and seeds, and says what came of them.

  run       a suite: many tasks, searches and seeds into one folder of results
  report    what came of it, as tables, Markdown, CSV, JSON or a picture
  compare   two sets of results: paired differences and tests
  collect   the data of a suite: transitions, their splits and their digests
  search    searches beside each other at an equal number of calls

  python -m cwm.benchmark run cwmb-r --envs CartPole,Taxi --quick
  python -m cwm.benchmark report runs/benchmark-cwmb-r

python -m cwm.benchmark NAME --help says more about each.

Exit codes: 0 done, 1 failed, 2 usage, 130 interrupted.
"""
