"""`python -m cwm.runs prune`: which runs could go, and removing them."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.markup import escape

from cwm.arguments import parse
from cwm.cli import EXIT_DONE
from cwm.core.counts import counted
from cwm.runs.kinds import find_runs
from cwm.runs.pruning import Decision, PruneConfig, decide, remove
from cwm.runs.summaries import summarise
from cwm.runs.tables import console_for, show_size

DESCRIPTION = """\
Says which runs of a folder could go and how much room that makes; --yes removes them.
Runs that are being written stay, and so do files that no command of ours writes, and
runs in which language models were asked (unless --paid is given).

  python -m cwm.runs prune --failed
  python -m cwm.runs prune --older-than 30 --keep-best 3
  python -m cwm.runs prune --failed --yes

Exit codes: 0 done, 1 failed, 2 usage, 130 interrupted.
"""


@dataclass(frozen=True, kw_only=True)
class PruneArguments:
    """What the command line of `prune` says.

    Attributes:
        folder: Where the runs are; or one run.
        which: Which runs may go.
        yes: Remove them; otherwise they are only listed.
        json: Print the result as JSON.
    """

    folder: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FOLDER")] = (
        Path("runs")
    )
    which: Annotated[PruneConfig, tyro.conf.arg(name="")] = field(
        default_factory=PruneConfig
    )
    yes: bool = False
    json: bool = False


def prune(words: list[str]) -> int:
    """Lists or removes runs; returns the exit code.

    Raises:
        CwmError: If nothing says which runs, or a file cannot be removed.
    """
    arguments = parse(PruneArguments, words, command="runs prune", text=DESCRIPTION)
    arguments.which.check()
    found = [summarise(run) for run in find_runs(arguments.folder)]
    decisions = decide(found, arguments.which, now=datetime.now(UTC))
    if arguments.yes:
        decisions = [remove(one.run) if one.goes else one for one in decisions]
    if arguments.json:
        plain = {
            "removed": arguments.yes,
            "runs": [one.to_json() for one in decisions],
        }
        sys.stdout.write(json.dumps(plain, indent=2) + "\n")
    else:
        _show(decisions, console_for(sys.stdout), is_done=arguments.yes)
    return EXIT_DONE


def _show(decisions: Sequence[Decision], console: Console, *, is_done: bool) -> None:
    verb = "removed" if is_done else "would be removed"
    for one in decisions:
        what = verb if one.goes else "stays"
        reason = f": {one.reason}" if one.reason else ""
        size = show_size(one.run.num_bytes)
        console.print(escape(f"{what:<16}  {one.run.run.path} ({size}){reason}"))
    gone = [one for one in decisions if one.goes]
    total = show_size(sum(one.run.num_bytes for one in gone))
    console.print(f"{len(gone)} of {counted(len(decisions), 'run')} {verb}, {total}")
    if gone and not is_done:
        console.print("Nothing was removed. Give --yes to remove them.")
