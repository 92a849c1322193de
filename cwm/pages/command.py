"""`python -m cwm.report`: runs in a browser."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, get_args

import tyro

from cwm.arguments import parse
from cwm.cli import EXIT_DONE, run_command
from cwm.core.dataset_file import check_writable
from cwm.core.errors import ConfigError, DataError
from cwm.core.files import write_atomically
from cwm.execution.options import shown_as
from cwm.pages.kinds import make_reader
from cwm.pages.reading import Reader
from cwm.pages.runs import distinct_names
from cwm.pages.serving import LiveData, LiveServer
from cwm.pages.writing import page_data, page_html
from sandbox.isolation import Level

DESCRIPTION = """\
Shows runs in a browser: one HTML file with everything in it, for which no network is
needed.

Of cwm.synthesize the search tree, each program with its differences, prompts, answers,
accuracies and counterexamples, the score over calls, where the best program is right
and where it goes on its own, fitted constants, and what planners did with it. Of
cwm.induce the rules, each proposal and why it was accepted or not; of cwm.ppo train
the curves and the evaluations; of cwm.knowledge the players, each game step by step,
and what was written about it. Several runs of one command are compared.
docs/report.md says what everything on the page means.

  python -m cwm.report runs/2026-01-31-CartPole-v1-1
  python -m cwm.report runs/a runs/b runs/c --out comparison.html
  python -m cwm.report runs/a --plans plan.json --plans drift.mp4
  python -m cwm.report runs/a --live

Exit codes: 0 done, 1 a file cannot be read, 2 usage, 130 interrupted.
"""

DEFAULT_PORT = 8787


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """What the command line says.

    Attributes:
        runs: Folders of runs of cwm.synthesize, cwm.induce, cwm.ppo train or
            cwm.knowledge, or of cells of cwm.benchmark; several must be of one command.
        out: File (.html) for the page; by default report.html in the run's folder, and
            in the current one for several runs.
        live: Serve the page on this machine, up to date while the runs go on, until
            Ctrl-C.
        port: Where to serve it; 0 takes a free port.
        plans: Results (--out) and videos (--video) of cwm.plan, results of cwm.ppo
            evaluate (--out), or folders with them, besides those in the run's folder.
        no_run: Do not run the best program once more, in the sandbox, for the parts
            of the page that say where it is right and where it goes.
        isolation: Weakest isolation of programs that is acceptable, where kernel is
            the strongest; by default that of the run.
    """

    runs: Annotated[
        tyro.conf.Positional[tuple[Path, ...]],
        tyro.conf.arg(metavar="RUN [RUN ...]", help_behavior_hint="(at least one)"),
    ]
    out: Annotated[Path | None, shown_as("FILE")] = None
    live: bool = False
    port: int = DEFAULT_PORT
    plans: Annotated[
        tuple[Path, ...],
        tyro.conf.arg(
            metavar="FILE|FOLDER", help_behavior_hint=lambda _: "(repeatable)"
        ),
    ] = ()
    no_run: bool = False
    isolation: Annotated[Level | None, shown_as(f"{{{','.join(get_args(Level))}}}")] = (
        None
    )

    def __post_init__(self) -> None:
        if not self.runs:
            raise ConfigError("At least one run must be given, got none.")
        if len({path.resolve() for path in self.runs}) < len(self.runs):
            raise ConfigError(
                f"Each run must be given once, got {' '.join(map(str, self.runs))}."
            )
        if self.live and self.out is not None:
            raise ConfigError("out is for a file, which live does not write: got both.")
        if self.plans and len(self.runs) > 1:
            raise ConfigError(
                f"plans belong to one run, got {len(self.runs)} runs. Put the files "
                "into the folders of their runs instead."
            )
        if not 0 <= self.port <= 65_535:
            raise ConfigError(f"port must be between 0 and 65535, got {self.port}.")

    @property
    def file(self) -> Path:
        """Where the page is written."""
        if self.out is not None:
            return self.out
        return (self.runs[0] if len(self.runs) == 1 else Path()) / "report.html"

    def readers(self) -> tuple[Reader, ...]:
        """Returns who reads the runs.

        Raises:
            ConfigError: If one is no run that this page can show.
        """
        names = distinct_names(self.runs)
        readers = tuple(
            make_reader(
                path,
                name=name,
                plans=self.plans,
                runs_program=not self.no_run,
                isolation=self.isolation,
            )
            for path, name in zip(self.runs, names, strict=True)
        )
        groups = dict.fromkeys(reader.group for reader in readers)
        if len(groups) > 1:
            raise ConfigError(
                "Runs that are compared must be of one command, got runs of "
                f"{' and '.join(groups)}."
            )
        return readers


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    return run_command(
        lambda: report(parse(Arguments, words, command="report", text=DESCRIPTION))
    )


def report(arguments: Arguments) -> int:
    """Writes the page of some runs, or serves it.

    Raises:
        CwmError: If a run cannot be read, or the file not be written.
    """
    readers = arguments.readers()
    if arguments.live:
        serve(readers, arguments.port)
        return EXIT_DONE
    path = arguments.file
    check_writable(path)
    page = page_html(page_data([one.read() for one in readers], is_live=False))
    try:
        write_atomically(path, page)
    except OSError as error:
        raise DataError(f"{str(path)!r} cannot be written: {error}.") from error
    sys.stdout.write(f"report: {path} ({len(page.encode()) / 1e6:.1f} MB)\n")
    return EXIT_DONE


def serve(readers: Sequence[Reader], port: int) -> None:
    """Serves the page of some runs until it is interrupted."""
    data = LiveData(readers)
    data.get()  # What cannot be read is said here, and not in the browser.
    with LiveServer(data, port) as server:
        sys.stdout.write(f"{server.address} (Ctrl-C ends it)\n")
        sys.stdout.flush()
        server.serve_forever()
