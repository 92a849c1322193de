"""`python -m cwm.runs export`: what a run has found, in forms that others read."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import tyro

from cwm.arguments import parse
from cwm.cli import EXIT_DONE
from cwm.core.errors import ConfigError
from cwm.core.names import slug
from cwm.execution.options import shown_as
from cwm.runs.events import run_points, write_events
from cwm.runs.looking_commands import read_run
from cwm.runs.packaging import package_of, write_files
from cwm.runs.summaries import RunSummary
from envs.data import load_data
from envs.minari_export import export_minari

Form: TypeAlias = Literal["package", "minari", "tensorboard"]

DESCRIPTION = """\
Writes what a run has found in a form that others read.

  package      the world model as a Python package with a Gymnasium environment, which
               needs NumPy and Gymnasium only: pip install OUT, then
               gymnasium.make("cwm_NAME:cwm/NAME"). It runs without a sandbox.
  minari       the transitions as a Minari data set (extra [minari])
  tensorboard  score and cost by call as curves that TensorBoard reads

  python -m cwm.runs export runs/2026-01-01-CartPole-v1-1 --as package --name CartPole
  python -m cwm.runs export runs/2026-01-01-CartPole-v1-1 --as minari --out data

Exit codes: 0 done, 1 failed, 2 usage, 130 interrupted.
"""


@dataclass(frozen=True, kw_only=True)
class ExportArguments:
    """What the command line of `export` says.

    Attributes:
        run: Its folder.
        form: What to write.
        out: Folder for it, new or empty; by default the run's name with the form.
        name: Name of the environment, cwm/NAME, or of the Minari data set; by default
            that of the run's folder.
    """

    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    form: Annotated[Form, tyro.conf.arg(name="as")]
    out: Annotated[Path | None, shown_as("FOLDER")] = None
    name: Annotated[str | None, shown_as("NAME")] = None


def export_run(words: list[str]) -> int:
    """Writes a package, a data set or curves; returns the exit code.

    Raises:
        CwmError: If the run has no such thing, or the folder cannot be written.
    """
    arguments = parse(ExportArguments, words, command="runs export", text=DESCRIPTION)
    summary = read_run(arguments.run)
    if summary.problem:
        raise ConfigError(f"{str(arguments.run)!r} cannot be read: {summary.problem}.")
    out = arguments.out or Path(f"{summary.name}-{arguments.form}")
    match arguments.form:
        case "package":
            lines = _export_package(summary, out, arguments.name)
        case "minari":
            lines = _export_minari(summary, out, arguments.name)
        case "tensorboard":
            file = write_events(run_points(summary), out)
            lines = [f"curves: {file}", f"next: tensorboard --logdir {out}"]
    sys.stdout.write("\n".join(lines) + "\n")
    return EXIT_DONE


def _export_package(summary: RunSummary, out: Path, name: str | None) -> list[str]:
    package = package_of(summary, name=name)
    write_files(out, package.files())
    env = f"{package.module}:cwm/{package.name}"
    unfinished = summary.unfinished_line(str(summary.run.path))
    return [
        f"package: {out}",
        *([unfinished] if unfinished else []),
        "It runs without a sandbox: read "
        f"{out / package.module / 'world_model.py'} before you install it.",
        "next:",
        f"  pip install {'' if out.is_absolute() else './'}{out}",
        f"  python -c \"import gymnasium; gymnasium.make('{env}')\"",
    ]


def _export_minari(summary: RunSummary, out: Path, name: str | None) -> list[str]:
    if not summary.data:
        raise ConfigError(
            f"{str(summary.run.path)!r} must be a run with transitions, got none."
        )
    dataset = load_data(summary.run.path)
    full = f"cwm/{slug(name or summary.name)}-v0"
    number = export_minari(dataset, out, name=full)
    return [
        f"Minari data set {full}: {number} episodes in {out}",
        f"next: python -m cwm.synthesize --data {out}",
    ]
