"""`python -m cwm.ppo plot`: learning curves."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from cwm.agents.runs import PolicyFolder, read_lines
from cwm.arguments import parse
from cwm.cli import EXIT_DONE
from cwm.core.dataset_file import check_writable
from cwm.core.errors import ConfigError, DataError
from cwm.execution.options import shown_as
from cwm.report.picture_packages import FOR_PLOT, require_packages
from cwm.report.policy_plots import Course, write_learning_plot

DESCRIPTION = """\
Draws how trainings went: success rate, length of episodes and entropy over frames. Runs
with the same settings but another seed are one curve, with a band from the lowest to
the highest of them. Of a run on its own, the probability of each action on fixed
prompts is drawn as well. Needs the extra [plot].

  python -m cwm.ppo plot runs/2026-01-31-BabyAI-GoToLocal-v0-policy-1 --out curve.png
  python -m cwm.ppo plot runs/seed-0 runs/seed-1 runs/seed-2 --out curves.png

Exit codes: 0 done, 1 failed, 2 usage, 130 interrupted.
"""


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """What the command line says.

    Attributes:
        runs: Folders of runs of cwm.ppo train; they may still be going on.
        out: File (.png) for the picture.
    """

    runs: Annotated[
        tyro.conf.Positional[tuple[Path, ...]],
        tyro.conf.arg(metavar="RUN [RUN ...]", help_behavior_hint="(at least one)"),
    ]
    out: Annotated[Path, shown_as("FILE")]


def plot(words: list[str]) -> int:
    """Draws the picture and returns the exit code.

    Raises:
        CwmError: If a run or the file is none, or a package is missing.
    """
    arguments = parse(Arguments, words, command="ppo plot", text=DESCRIPTION)
    if arguments.out.suffix.lower() != ".png":
        raise ConfigError(f"out must end in .png, got {str(arguments.out)!r}.")
    require_packages(FOR_PLOT, option="cwm.ppo plot")
    check_writable(arguments.out)
    runs = courses_by_label([PolicyFolder(path) for path in arguments.runs])
    write_learning_plot(runs, arguments.out)
    sys.stdout.write(f"picture: {arguments.out}\n")
    return EXIT_DONE


def courses_by_label(folders: Sequence[PolicyFolder]) -> dict[str, list[Course]]:
    """Returns how runs went, those of the same settings but the seed together.

    Where and in how many threads it was computed is no difference.

    Raises:
        ConfigError: If a folder is none of a run.
        DataError: If a run has made no update, or cannot be read.
    """
    groups: dict[str, list[Course]] = {}
    names: dict[str, str] = {}
    for folder in folders:
        config = folder.read_config()
        settings = config.to_json() | {"seed": None, "local": None}
        groups.setdefault(json.dumps(settings), []).append(_course(folder))
        label = f"{config.name}, {config.task.env.removeprefix('cwm/')}"
        names.setdefault(json.dumps(settings), f"{label} ({folder.path.name})")
    return {
        f"{names[settings]}, {len(courses)} seeds"
        if len(courses) > 1
        else names[settings]: courses
        for settings, courses in groups.items()
    }


def _course(folder: PolicyFolder) -> Course:
    log = folder.read_log()
    if not log:
        raise DataError(f"{str(folder.path)!r} has made no update yet.")
    return Course(log=log, probabilities=read_lines(folder.probabilities))
