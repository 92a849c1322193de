"""`python -m cwm.runs`: what lies in the folder of runs, and what to make of it."""

import sys
from collections.abc import Callable, Mapping, Sequence

from cwm.cli import run_command, run_subcommand
from cwm.runs.looking_commands import compare, list_runs, show
from cwm.runs.prune_command import prune


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    return run_command(
        lambda: run_subcommand("cwm.runs", words, COMMANDS, text=DESCRIPTION)
    )


def export(words: list[str]) -> int:
    """Writes a package, a data set or curves; returns the exit code.

    Raises:
        CwmError: If the run has no such thing, or the folder cannot be written.
    """
    # It brings Gymnasium, and who looks at a list should not wait for it.
    from cwm.runs.export_command import export_run  # noqa: PLC0415

    return export_run(words)


COMMANDS: Mapping[str, Callable[[list[str]], int]] = {
    "list": list_runs,
    "show": show,
    "compare": compare,
    "export": export,
    "prune": prune,
}
"""What can be done with runs, by name."""

DESCRIPTION = """\
usage: python -m cwm.runs {list,show,compare,export,prune} ...

Looks after the runs of all commands: what there is, what came of it, and what may go.

  list      the runs of a folder: what they are and what came of them
  show      one run: its figures, its files, and commands to go on with
  compare   runs beside each other: settings that differ, and results
  export    a world model as a package for Gymnasium, transitions for Minari, curves
  prune     which runs could go, and how much room that makes; --yes removes them

  python -m cwm.runs list
  python -m cwm.runs export runs/2026-01-01-CartPole-v1-1 --as package

python -m cwm.runs NAME --help says more about each.

Exit codes: 0 done, 1 failed, 2 usage, 130 interrupted.
"""
