"""`python -m cwm.accelerate`: fast forms of a program, accepted where they equal it."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, redirect_stdout
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro

from cwm.arguments import parse
from cwm.cli import EXIT_DONE, run_command
from cwm.config import SourceConfig
from cwm.core.dataset_file import load_dataset
from cwm.core.errors import ConfigError, DataError, PrerequisiteError
from cwm.core.spaces import BoxSpec, DiscreteSpec, MultiDiscreteSpec
from cwm.core.trajectories import Dataset
from cwm.execution.options import shown_as
from cwm.execution.progress import Progress
from cwm.execution.run_folder import RunFolder
from cwm.llm.registry import make_chat_model
from cwm.programs.acceleration.comparing import TOLERANCE
from cwm.programs.acceleration.files import FastFiles
from cwm.programs.acceleration.imports import imported_modules
from cwm.programs.acceleration.samples import samples
from cwm.programs.acceleration.ways import (
    DRIVERS,
    FIRST_LIMITS,
    Acceleration,
    Trials,
)
from cwm.programs.kernels import CAPABILITY
from cwm.proposers.vectorising import ask_for_form
from cwm.report.acceleration import AccelerationReport
from cwm.report.live import make_progress
from cwm.sources import obtain, read_text
from sandbox.errors import SandboxUnavailable
from sandbox.isolation import Level
from sandbox.limits import Limits
from sandbox.opt_in import name_of
from sandbox.policy import parse_quietly
from sandbox.pool import Sandbox

DESCRIPTION = """\
Makes a program step many states at once, and checks that it still is the same program.

A program is the folder of a run of cwm.synthesize, or a Python file with a class
Environment (then --data or --env says on which transitions to compare). Every way is
tried in the sandbox: rewritten for NumPy, compiled by numba (extra [fast]), as a table,
and with --llm as a language model writes it. A way is accepted only if it equals the
program on the recorded transitions and on drawn states and actions. The fastest one
lies beside the program then, and cwm.plan uses it.

  python -m cwm.accelerate runs/2026-01-01-CartPole-v1-1
  python -m cwm.accelerate world_model.py --env Pendulum-v1
  python -m cwm.accelerate world_model.py --data transitions.npz --llm openai:MODEL

Exit codes: 0 done, 1 failed, 2 usage, 130 interrupted.
"""


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """What the command line says.

    Attributes:
        program: Folder of a run, or Python file with a class Environment.
        source: Which transitions to compare on, for a file.
        samples: States and actions that are drawn to compare on, beside the recorded
            ones; at least 1,000.
        max_recorded: Recorded transitions to compare on, at most; of more, as many in
            even distances.
        tolerance: Largest difference of a real number, relative to its size or to
            one; at least 0, which asks for equal bits.
        seed: Seed of what is drawn; at least 0.
        llm: Language model that is asked for a form, too, such as openai:MODEL.
        base_url: Address of the endpoint of openai:MODEL; OpenAI's own if not given.
        isolation: Weakest isolation of programs that is acceptable, where kernel
            is the strongest; with less, no program is run. docs/sandbox.md says
            what each keeps out.
        limits: What the program may use for its first 32 steps, before its forms are
            tried: those may take minutes, to be compiled.
        json: Print the result as JSON.
        quiet: Show no progress.
    """

    program: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="PROGRAM")]
    source: Annotated[SourceConfig, tyro.conf.arg(name="")] = field(
        default_factory=SourceConfig
    )
    samples: int = 3_000
    max_recorded: int = 20_000
    tolerance: float = TOLERANCE
    seed: int = 0
    llm: Annotated[str | None, shown_as("KIND:NAME")] = None
    base_url: Annotated[str | None, shown_as("URL")] = None
    isolation: Level = "kernel"
    limits: Limits = FIRST_LIMITS
    json: bool = False
    quiet: bool = False

    def __post_init__(self) -> None:
        if self.samples < 1_000:
            raise ConfigError(f"samples must be at least 1000, got {self.samples}.")
        if self.max_recorded < 1:
            raise ConfigError(
                f"max_recorded must be at least 1, got {self.max_recorded}."
            )
        if not 0.0 <= self.tolerance < 1.0:
            raise ConfigError(
                f"tolerance must be at least 0 and below 1, got {self.tolerance!r}."
            )
        if self.seed < 0:
            raise ConfigError(f"seed must be at least 0, got {self.seed}.")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    return run_command(
        lambda: accelerate(
            parse(Arguments, words, command="accelerate", text=DESCRIPTION)
        )
    )


def accelerate(arguments: Arguments) -> int:
    """Tries the ways and writes the fastest form.

    Raises:
        CwmError: If a setting is wrong, the program cannot be run or has no rows, or
            programs cannot be run here.
    """
    with (
        closing(make_progress(sys.stderr, quiet=arguments.quiet)) as progress,
        redirect_stdout(sys.stderr),  # Environments print; the result stands alone.
    ):
        path = _file_of(arguments.program)
        source = read_text(path)
        _refuse_other_texts(arguments.program, source)
        _refuse_libraries(arguments.program, source)
        dataset = _transitions(arguments, progress)
        result = _tried(arguments, source, dataset, progress)
    report = AccelerationReport(
        name=str(arguments.program),
        environment_id=dataset.environment_id,
        result=result,
    )
    files = FastFiles.beside(path)
    if result.best.source == source:
        files.remove()
    else:
        report = AccelerationReport(
            name=report.name,
            environment_id=report.environment_id,
            result=result,
            file=str(files.program),
        )
        files.write(source, result.best.source, report.to_json())
    if arguments.json:
        sys.stdout.write(json.dumps(report.to_json(), indent=2) + "\n")
    else:
        report.show(sys.stdout)
    return EXIT_DONE


def _file_of(program: Path) -> Path:
    """Returns the file of a program, which may be that of a run."""
    if not program.is_dir():
        if program.exists():
            return program
        lack = "which does not exist"
    else:
        path = RunFolder(program).world_model
        if path.is_file():
            return path
        lack = "a folder without one"
    raise ConfigError(
        "A program must be a Python file or the folder of a run with "
        f"{RunFolder(program).world_model.name}, got {str(program)!r}, {lack}."
    )


def _refuse_other_texts(program: Path, source: str) -> None:
    """Refuses what is no Python, before transitions are collected for it."""
    try:
        parse_quietly(source)
    except SyntaxError as error:
        where = "" if error.lineno is None else f" in line {error.lineno}"
        raise DataError(
            f"{str(program)!r} is no Python program: {error.msg}{where}."
        ) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise DataError(f"{str(program)!r} cannot be parsed: {error}.") from error


def _transitions(arguments: Arguments, progress: Progress) -> Dataset:
    """Returns what to compare on: the transitions of a run, unless others are named."""
    config = arguments.source
    if arguments.program.is_dir() and config.env is None and config.data is None:
        return load_dataset(RunFolder(arguments.program).dataset)
    return obtain(config, seed=arguments.seed, progress=progress).dataset


def _refuse_libraries(program: Path, source: str) -> None:
    """Refuses a program whose steps are made by a library of a capability."""
    for module in imported_modules(source):
        if name_of(module) is not None:
            raise DataError(
                f"{str(program)!r} has no fast form: its steps are made by {module}, "
                "which no other form can follow. cwm.plan steps it as it is."
            )


def _recorded(dataset: Dataset, most: int) -> tuple[Any, Any]:
    """Returns observations and actions of the transitions that a search may see."""
    spaces = (dataset.observation_space, dataset.action_space)
    if not all(
        isinstance(s, BoxSpec | DiscreteSpec | MultiDiscreteSpec) for s in spaces
    ):
        raise DataError(
            f"Observations and actions of {dataset.environment_id} must be rows of an "
            "array, and some are texts or of several parts. Such programs step alone."
        )
    batch = dataset.batch("train")
    step = -(-len(batch) // most)
    return (
        np.asarray(batch.observations[""])[::step],
        np.asarray(batch.actions[""])[::step],
    )


def _tried(
    arguments: Arguments, source: str, dataset: Dataset, progress: Progress
) -> Acceleration:
    chosen = samples(
        dataset.observation_space,
        dataset.action_space,
        recorded=_recorded(dataset, arguments.max_recorded),
        number=arguments.samples,
        seed=arguments.seed,
    )
    others = {}
    if arguments.llm is not None:
        progress.phase(f"Asking {arguments.llm}")
        model = make_chat_model(arguments.llm, base_url=arguments.base_url)
        others[arguments.llm] = ask_for_form(
            model,
            source,
            observation_space=dataset.observation_space,
            action_space=dataset.action_space,
            seed=arguments.seed,
        )
    progress.phase("Trying each way")
    with _sandboxes(arguments.isolation) as (usual, compiling):
        trials = Trials(
            source,
            observation_space=dataset.observation_space,
            action_space=dataset.action_space,
            samples=chosen,
            sandbox=usual,
            compiling=compiling,
            tolerance=arguments.tolerance,
            limits=arguments.limits,
        )
        try:
            return trials.run(others)
        except ValueError as error:
            reason = str(error).removesuffix(".")
            raise DataError(
                f"{str(arguments.program)!r} has no fast form: {reason}."
            ) from error


@contextmanager
def _sandboxes(isolation: Level) -> Iterator[tuple[Sandbox, Sandbox | None]]:
    """Yields a usual sandbox, and one that compiles where numba is installed."""
    with ExitStack() as stack:
        try:
            usual = stack.enter_context(Sandbox(drivers=DRIVERS, require=isolation))
            compiling = None
            if find_spec(CAPABILITY) is not None:
                compiling = stack.enter_context(
                    Sandbox(
                        drivers=DRIVERS, require=isolation, capabilities=[CAPABILITY]
                    )
                )
        except SandboxUnavailable as error:
            raise PrerequisiteError(
                f"SandboxUnavailable: {error} (The option is --isolation.)"
            ) from error
        yield usual, compiling


if __name__ == "__main__":
    sys.exit(main())
