"""`python -m cwm.fit`: sets a program's constants to what fits transitions best."""

import json
import sys
from collections.abc import Sequence
from contextlib import closing, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from cwm.arguments import parse
from cwm.cli import EXIT_DONE, run_command
from cwm.config import SourceConfig
from cwm.core.errors import ConfigError, DataError
from cwm.core.files import write_atomically
from cwm.core.trajectories import SPLIT_TITLES, Dataset, Split, TransitionBatch
from cwm.execution.options import shown_as
from cwm.programs.acceleration.files import FastFiles
from cwm.programs.constants.config import FitConfig
from cwm.programs.constants.fit import Fit
from cwm.programs.evaluation import ProgramEvaluator, never
from cwm.programs.residual.config import ResidualConfig
from cwm.programs.residual.report import Corrected
from cwm.programs.residual.writing import law_of
from cwm.report.constants import every_constant
from cwm.report.live import make_progress
from cwm.report.residual import residual_lines
from cwm.scoring import make_corrector, make_fitter, open_evaluator
from cwm.sources import obtain, read_text
from sandbox.isolation import Level
from sandbox.limits import Limits
from sandbox.opt_in import Library

_SHOWN: tuple[Split, ...] = ("train", "held_out")

DESCRIPTION = """\
Fits the constants of a program to recorded transitions, and writes the program again.

A program is a Python file with a class Environment. Its constants are what it declares
in CONSTANTS, and numbers that its text gives names or has in formulas. Only the text of
numbers changes. Transitions come from an environment (--env, collected as
cwm.synthesize does it) or from a file (--data); the fit sees those for training.
docs/fitting.md says how it is done, and what the intervals mean.

  python -m cwm.fit world_model.py --env CartPole-v1 --set gravity=3.7 --out mars.py
  python -m cwm.fit world_model.py --data transitions.npz --json
  python -m cwm.fit world_model.py --env Pendulum-v1 --residual.mode sparse --out all.py

Exit codes: 0 done (also if nothing fits better), 1 failed, 2 usage, 130 interrupted.
"""


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """What the command line says.

    Attributes:
        program: Python file with a class Environment.
        source: Which transitions.
        out: File for the program with the fitted constants. If not given, it is
            only told what they are.
        fit: How they are fitted.
        residual: What is learned on top of the program with the fitted constants; off
            if no mode is given.
        seed: Seed of collecting and of the fit; at least 0.
        isolation: Weakest isolation of programs that is acceptable, where kernel
            is the strongest; with less, no program is run. docs/sandbox.md says
            what each keeps out.
        capabilities: What a program may use besides NumPy: physics, the physics engine
            MuJoCo, without files. docs/physics-engines.md.
        limits: What a program may use while it runs.
        json: Print the result as JSON.
        quiet: Show no progress.
    """

    program: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="PROGRAM")]
    source: Annotated[SourceConfig, tyro.conf.arg(name="")] = field(
        default_factory=SourceConfig
    )
    out: Annotated[Path | None, shown_as("FILE")] = None
    fit: FitConfig = field(default_factory=FitConfig)
    residual: ResidualConfig = field(default_factory=ResidualConfig)
    seed: int = 0
    isolation: Level = "kernel"
    capabilities: tuple[Library, ...] = ()
    limits: Limits = field(default_factory=Limits)
    json: bool = False
    quiet: bool = False

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ConfigError(f"seed must be at least 0, got {self.seed}.")
        if self.out is not None and not self.out.parent.is_dir():
            raise ConfigError(
                f"out must be in a folder that exists, got {str(self.out)!r}."
            )
        if self.fit.mode == "off":
            raise ConfigError("fit.mode must be all or declared here, got 'off'.")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    return run_command(
        lambda: fit(parse(Arguments, words, command="fit", text=DESCRIPTION))
    )


def fit(arguments: Arguments) -> int:
    """Fits the program's constants, writes it, and shows what was found.

    Raises:
        CwmError: If a file cannot be read or written, outcomes vary, the program
            does not run whatever its constants are, or programs cannot be run here.
    """
    arguments.source.check()
    program = read_text(arguments.program)
    law = law_of(program)
    if law != program and arguments.residual.mode != "sparse":
        raise ConfigError(
            f"{str(arguments.program)!r} has a learned residual, which would be wrong "
            "for other constants. Learn it anew with --residual.mode sparse."
        )
    with (
        closing(make_progress(sys.stderr, quiet=arguments.quiet)) as progress,
        redirect_stdout(sys.stderr),  # Environments print; the result stands alone.
    ):
        source = obtain(arguments.source, seed=arguments.seed, progress=progress)
        progress.phase("Fitting constants")
        with open_evaluator(
            source.dataset,
            isolation=arguments.isolation,
            capabilities=arguments.capabilities,
            limits=arguments.limits,
            tests=None,
            seed=arguments.seed,
        ) as evaluator:
            fitter = make_fitter(evaluator, arguments.fit, seed=arguments.seed)
            if fitter is None:
                raise ConfigError(
                    "Constants are fitted where outcomes do not vary, but equal inputs "
                    f"of {source.dataset.environment_id} have different outcomes."
                )
            fitted = fitter.fit(law)
            _refuse_bugs(evaluator, arguments.program, fitted.source)
            corrected = _corrected(evaluator, arguments, fitted.source)
            found = _Found(
                fit=fitted,
                corrected=corrected,
                strict=_strict_by_split(
                    evaluator, source.dataset, program, fitted, corrected
                ),
            )
    if arguments.out is not None:
        _write(arguments.out, found.source)
    _show(arguments, found)
    return EXIT_DONE


@dataclass(frozen=True, kw_only=True)
class _Found:
    """What was found.

    Attributes:
        fit: The constants.
        corrected: The residual, if one was asked for.
        strict: By split: the strict accuracy of the program as it was, with the
            fitted constants, and with the residual.
    """

    fit: Fit
    corrected: Corrected | None
    strict: dict[Split, list[float | None]]

    @property
    def source(self) -> str:
        """The program that came of it."""
        return self.fit.source if self.corrected is None else self.corrected.source


def _refuse_bugs(evaluator: ProgramEvaluator, program: Path, source: str) -> None:
    """Refuses what does not run after the fit either: numbers do not mend it."""
    found = evaluator.evaluate(source, needs_validation=never)
    if found.is_bug:
        told = "\n".join(f"  {line}" for line in found.feedback.splitlines())
        raise DataError(
            f"{str(program)!r} is a bug ({found.outcome_kind}), with any constants "
            f"that were tried:\n{told}"
        )


def _corrected(
    evaluator: ProgramEvaluator, arguments: Arguments, source: str
) -> Corrected | None:
    learner = make_corrector(evaluator, arguments.residual, seed=arguments.seed)
    return None if learner is None else learner.correct(source)


def _strict_by_split(
    evaluator: ProgramEvaluator,
    dataset: Dataset,
    program: str,
    fitted: Fit,
    corrected: Corrected | None,
) -> dict[Split, list[float | None]]:
    sources = [program, fitted.source]
    if corrected is not None:
        sources.append(corrected.source)
    return {
        split: [_strict(evaluator, one, dataset.batch(split)) for one in sources]
        for split in _SHOWN
        if dataset.in_split(split)
    }


def _write(path: Path, source: str) -> None:
    FastFiles.beside(path).remove_stale(source)
    try:
        write_atomically(path, source)
    except OSError as error:
        raise ConfigError(f"out cannot be written: {error}.") from error


def _strict(
    evaluator: ProgramEvaluator, source: str, batch: TransitionBatch
) -> float | None:
    score = evaluator.score_on(source, batch).score
    return None if score is None else score.strict


_STAGES = ("before", "after", "with_residual")


def _show(arguments: Arguments, found: _Found) -> None:
    report = found.fit.report
    residual = None if found.corrected is None else found.corrected.report
    if arguments.json:
        result = {
            "program": str(arguments.program),
            "strict": {
                split: dict(zip(_STAGES, values, strict=False))
                for split, values in found.strict.items()
            },
            "out": None if arguments.out is None else str(arguments.out),
            "fit": report.to_json(),
            "residual": None if residual is None else residual.to_json(),
        }
        sys.stdout.write(json.dumps(result, indent=2) + "\n")
        return
    lines = every_constant(report)
    for split, values in found.strict.items():
        shares = " -> ".join(map(_share, values))
        note = "" if residual is None else " (as it was, fitted, with the residual)"
        lines.append(f"strict accuracy, {SPLIT_TITLES[split]}: {shares}{note}")
    lines += [f"unexplained: {sentence}" for sentence in report.remainder]
    if not report.is_complete:
        lines.append("the fit used up its budget (--fit.max-steps, --fit.max-seconds)")
    lines += residual_lines(residual)
    if arguments.out is not None:
        lines.append(f"program: {arguments.out}")
    sys.stdout.write("\n".join(lines) + "\n")


def _share(value: float | None) -> str:
    return "does not run" if value is None else f"{value:.4f}"


if __name__ == "__main__":
    sys.exit(main())
