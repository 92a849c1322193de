"""`python -m cwm.mcp`: serves the verifier of a run to coding agents."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, redirect_stdout
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import tyro

from cwm.arguments import parse
from cwm.cli import EXIT_DONE, run_command
from cwm.config import RunConfig, SourceConfig, load_config
from cwm.core.dataset_file import check_writable, load_dataset, save_dataset
from cwm.core.errors import ConfigError
from cwm.core.trajectories import Dataset
from cwm.execution.options import shown_as
from cwm.execution.run_folder import RunFolder, open_run_folder
from cwm.mcp.acting import Stage
from cwm.mcp.keeping import FOLDER, SourceLog
from cwm.mcp.limits import ServiceLimits
from cwm.mcp.server import check_protocol, make_server
from cwm.mcp.service import VerifierService, Workplace
from cwm.report.live import make_progress
from cwm.scoring import open_evaluator
from cwm.sources import environment_of, obtain, read_text
from sandbox.isolation import Level
from sandbox.limits import Limits
from sandbox.opt_in import Library

DECISION_WALL_S = 60.0

DESCRIPTION = """\
Serves the verifier of a run to coding agents, by the Model Context Protocol: they hand
in programs, which run in the sandbox, and are told what these are worth. Over standard
input and output, or with --http on this machine only. docs/mcp.md has the tools.

  python -m cwm.mcp runs/2026-01-01-CartPole-v1-1
  python -m cwm.mcp --env CartPole-v1 --out work
  python -m cwm.mcp runs/2026-01-01-CartPole-v1-1 --http 8000

Needs the extra [mcp]. Exit codes: 0 the client has gone, 1 failed, 2 usage,
130 interrupted.
"""


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """What the command line says.

    Attributes:
        run: Folder of a run of cwm.synthesize, running or not; what agents try is kept
            in its folder mcp.
        source: Transitions instead of a run, as in cwm.synthesize; they need out.
        out: Folder for what agents try, and for the transitions, without a run;
            nothing is written elsewhere, and a server that is started again goes on.
        http: Port on 127.0.0.1 for streamable HTTP, instead of standard input and
            output. Everybody on this machine can use it.
        no_plan: Leave the real environment alone: plan is refused.
        allow: What a client may use.
        seed: Seed of transitions, episodes and programs that draw; a run has its own.
        isolation: Weakest isolation of programs that is acceptable, where kernel
            is the strongest; with less, no program is run.
        capabilities: What a program may use besides NumPy; a run says it itself.
        limits: What a program may use while it runs.
    """

    run: Annotated[
        tyro.conf.Positional[Path | None], tyro.conf.arg(metavar="[RUN]")
    ] = None
    source: Annotated[SourceConfig, tyro.conf.arg(name="")] = field(
        default_factory=SourceConfig
    )
    out: Annotated[Path | None, shown_as("FOLDER")] = None
    http: Annotated[int | None, shown_as("PORT")] = None
    no_plan: bool = False
    allow: Annotated[ServiceLimits, tyro.conf.arg(name="")] = field(
        default_factory=ServiceLimits
    )
    seed: int = 0
    isolation: Level = "kernel"
    capabilities: tuple[Library, ...] = ()
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        is_given = self.source != SourceConfig()
        if (self.run is None) != is_given:
            raise ConfigError(
                "Exactly one of RUN and transitions (--env or --data) must be given, "
                f"got {'neither' if self.run is None else 'both'}."
            )
        if is_given:
            self.source.check()
        if is_given != (self.out is not None):
            raise ConfigError(
                "out must be given with --env or --data, and not with RUN, got "
                f"{'nothing' if is_given else repr(str(self.out))}."
            )
        if self.http is not None and not 1 <= self.http <= 65_535:
            raise ConfigError(f"http must be a port, 1 to 65535, got {self.http}.")
        if self.seed < 0:
            raise ConfigError(f"seed must be at least 0, got {self.seed}.")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    return run_command(
        lambda: serve(parse(Arguments, words, command="mcp", text=DESCRIPTION))
    )


def serve(arguments: Arguments) -> int:
    """Serves until the client has gone; returns the exit code.

    Raises:
        CwmError: If a file cannot be read, a package is missing, or programs cannot
            be run safely on this machine.
    """
    check_protocol()
    with opened(arguments) as service:
        server = make_server(service, is_told=arguments.http is not None)
        if arguments.http is None:
            server.run("stdio")
        else:
            server.run("streamable-http", host="127.0.0.1", port=arguments.http)
    return EXIT_DONE


@contextmanager
def opened(arguments: Arguments) -> Iterator[VerifierService]:
    """Yields the service that the command line asks for.

    Raises:
        CwmError: As `serve`.
    """
    with redirect_stdout(sys.stderr):  # Standard output belongs to the protocol.
        given = _given(arguments)
        SourceLog(given.folder).check()
        data, config = given.dataset, given.config
        spec = None if arguments.no_plan else environment_of(data)
    with open_evaluator(
        data,
        isolation=config.isolation,
        capabilities=config.capabilities,
        limits=config.limits,
        tests=given.tests,
        seed=config.seed,
    ) as evaluator:
        stage = None
        if spec is not None:
            stage = Stage(
                spec=spec,
                dataset=data,
                isolation=config.isolation,
                capabilities=config.capabilities,
                limits=replace(config.limits, wall_s=DECISION_WALL_S),
                seed=config.seed,
            )
        place = Workplace(
            dataset=data,
            evaluator=evaluator,
            stage=stage,
            run=arguments.run,
            folder=given.folder,
        )
        yield VerifierService(place, arguments.allow)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """What is served.

    Attributes:
        dataset: The transitions.
        config: Settings of the run: its seed, and how programs are run.
        tests: Text of the user's unit tests, if there are any.
        folder: Where things are kept.
    """

    dataset: Dataset
    config: RunConfig
    tests: str | None
    folder: Path


def _given(arguments: Arguments) -> _Given:
    if arguments.run is None:
        config = RunConfig(
            seed=arguments.seed,
            isolation=arguments.isolation,
            capabilities=arguments.capabilities,
            limits=arguments.limits,
        )
        assert arguments.out is not None, "checked before: there is a folder"
        return _Given(
            dataset=_transitions(arguments, arguments.out),
            config=config,
            tests=None,
            folder=arguments.out,
        )
    folder = open_run_folder(arguments.run)
    config = load_config(folder.config, RunConfig())
    if arguments.limits != Limits():
        config = replace(config, limits=arguments.limits)
    return _Given(
        dataset=load_dataset(folder.dataset),
        config=replace(config, isolation=arguments.isolation),
        tests=read_text(folder.tests) if folder.tests.exists() else None,
        folder=folder.path / FOLDER,
    )


def _transitions(arguments: Arguments, folder: Path) -> Dataset:
    """Returns the transitions of a folder: the same each time a server is started."""
    path = RunFolder(folder).dataset
    if path.is_file():
        return load_dataset(path)
    check_writable(path)  # Before the work, not after it.
    with closing(make_progress(sys.stderr, quiet=False)) as progress:
        dataset = obtain(
            arguments.source, seed=arguments.seed, progress=progress
        ).dataset
    save_dataset(dataset, path)
    return dataset
