"""`python -m cwm.replay`: a run's tree again, from its journal alone."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from cwm.arguments import parse
from cwm.cli import EXIT_DONE, EXIT_FAILED, run_command
from cwm.config import RunConfig, load_config
from cwm.core.dataset_file import load_dataset
from cwm.core.journal import read_journal
from cwm.execution.run_folder import RunFolder, open_run_folder
from cwm.program_synthesis import is_program_run, recorded_search
from cwm.session import make_search
from cwm.synthesis.replay import replay
from cwm.synthesis.search import ProgramSearch

DESCRIPTION = """\
Rebuilds a run's search tree from its journal and checks it.

Nothing is asked or run again. Every request is derived anew and compared with the
recorded one, and so is the tree after every call; the last one is compared with
tree.json.

  python -m cwm.replay runs/2026-01-31-CartPole-v1-1
  python -m cwm.replay runs/benchmark-own/cells/coins/gif-mcts-0

Exit codes: 0 the tree is the one recorded, 1 it is not or cannot be rebuilt,
2 usage, 130 interrupted.
"""


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """What the command line says.

    Attributes:
        run: Folder of the run, as cwm.synthesize or a cell of cwm.benchmark made it.
        json: Print the result as JSON.
        quiet: Show no progress: no line for every call.
    """

    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    json: bool = False
    quiet: bool = False


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    return run_command(
        lambda: replay_run(parse(Arguments, words, command="replay", text=DESCRIPTION))
    )


def replay_run(arguments: Arguments) -> int:
    """Replays a run and says whether its tree is the one recorded.

    Raises:
        DataError: If a file of the run cannot be read, or the journal does not
            lead to the recorded requests and trees.
    """
    folder, search = _recorded(arguments.run)
    content = read_journal(folder.journal)
    result = replay(search, content.records)
    # Through JSON, as the file went.
    rebuilt = json.loads(json.dumps(search.tree.to_json()))
    recorded = folder.read_json(folder.tree) if folder.tree.exists() else None
    is_equal = recorded == rebuilt
    report: dict[str, Any] = {
        "num_calls": result.num_calls,
        "num_unfinished": result.num_unfinished,
        "num_torn_bytes": content.num_torn_bytes,
        "best_call": None if search.best is None else search.best.call_index,
        "best_score": None if search.best is None else search.best.evaluation.score,
        "tree": "missing" if recorded is None else "equal" if is_equal else "different",
    }
    if arguments.json:
        sys.stdout.write(json.dumps(report, indent=2) + "\n")
    else:
        lines = () if arguments.quiet else result.lines
        sys.stdout.write("\n".join([*lines, *_verdict(report)]) + "\n")
    return EXIT_FAILED if report["tree"] == "different" else EXIT_DONE


def _recorded(path: Path) -> tuple[RunFolder, ProgramSearch]:
    """Returns a run's folder, and its search without any call."""
    if is_program_run(path):
        return recorded_search(path)
    folder = open_run_folder(path)
    config = load_config(folder.config, RunConfig())
    return folder, make_search(config, load_dataset(folder.dataset))


def _verdict(report: dict[str, Any]) -> list[str]:
    lines = [f"{report['num_calls']} calls replayed; every request and tree agrees."]
    if report["num_unfinished"]:
        lines.append(
            f"{report['num_unfinished']} calls are not in the tree: they were on their "
            "way, or did not fit the budget, when the run ended."
        )
    if report["num_torn_bytes"]:
        lines.append(
            f"The journal's last line is torn ({report['num_torn_bytes']} bytes); "
            "it will be dropped when the run is resumed."
        )
    lines.append(
        {
            "equal": "tree.json is the tree that the journal leads to.",
            "different": "tree.json is NOT the tree that the journal leads to.",
            "missing": "There is no tree.json: the run was killed before its end.",
        }[report["tree"]]
    )
    return lines


if __name__ == "__main__":
    sys.exit(main())
