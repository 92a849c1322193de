"""`python -m cwm.evaluate`: scores programs, and rules in words, on transitions."""

import json
import sys
from collections.abc import Sequence
from contextlib import closing, redirect_stdout
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import tyro

from cwm.arguments import parse
from cwm.cli import EXIT_DONE, EXIT_FAILED, run_command
from cwm.config import SourceConfig
from cwm.core.errors import ConfigError
from cwm.evaluation.setups import OpenableModel
from cwm.execution.options import shown_as
from cwm.named_models import read_model
from cwm.programs.unit_tests import load_unit_tests
from cwm.report.files import FileScore, FilesReport
from cwm.report.live import make_progress
from cwm.scoring import baseline_rows, open_evaluator, score_files, score_model
from cwm.sources import find_env, obtain, read_text
from sandbox.isolation import Level
from sandbox.limits import Limits
from sandbox.opt_in import Library

DESCRIPTION = """\
Scores world models on transitions, beside doing nothing and the true simulator.

A model is a Python file with a class Environment, or the folder of a run of
cwm.synthesize or cwm.induce. Transitions come from an environment (--env, collected as
cwm.synthesize does it) or from a file (--data); rules of cwm.induce alone are scored in
the environment in which they were found. docs/scoring.md says what each column means.

  python -m cwm.evaluate world_model.py --env CartPole-v1
  python -m cwm.evaluate world_model.py --env CartPole-v1 --seed 1
  python -m cwm.evaluate a.py b.py --data transitions.npz --json
  python -m cwm.evaluate runs/2026-01-01-playground-hypotheses-1

Exit codes: 0 every program ran, 1 one did not or the command failed, 2 usage,
130 interrupted.
"""


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """What the command line says.

    Attributes:
        programs: Python files, each with a class Environment, and folders of runs.
        source: Which transitions.
        tests: Python file with unit tests of the world model, functions
            test_...(Environment).
        seed: Seed of collecting and of programs that draw; at least 0. The
            default collects what cwm.synthesize collects by default; another
            one gives fresh transitions.
        isolation: Weakest isolation of programs that is acceptable, where kernel
            is the strongest; with less, no program is run. docs/sandbox.md says
            what each keeps out.
        capabilities: What a program may use besides NumPy: physics, the physics engine
            MuJoCo, without files. docs/physics-engines.md.
        limits: What a program may use while it runs.
        json: Print the result as JSON.
        quiet: Show no progress.
    """

    programs: Annotated[
        tyro.conf.Positional[tuple[Path, ...]],
        tyro.conf.arg(metavar="MODEL [MODEL ...]", help_behavior_hint="(at least one)"),
    ]
    source: Annotated[SourceConfig, tyro.conf.arg(name="")] = field(
        default_factory=SourceConfig
    )
    tests: Annotated[Path | None, shown_as("FILE")] = None
    seed: int = 0
    isolation: Level = "kernel"
    capabilities: tuple[Library, ...] = ()
    limits: Limits = field(default_factory=Limits)
    json: bool = False
    quiet: bool = False

    def __post_init__(self) -> None:
        if not self.programs:
            raise ConfigError("At least one model must be given, got none.")
        if self.seed < 0:
            raise ConfigError(f"seed must be at least 0, got {self.seed}.")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    return run_command(
        lambda: evaluate(parse(Arguments, words, command="evaluate", text=DESCRIPTION))
    )


def evaluate(arguments: Arguments) -> int:
    """Scores the models and shows the tables.

    Raises:
        CwmError: If a file cannot be read, a model is none of the environment, or
            programs cannot be run here.
    """
    sources, models = _read(arguments.programs)
    config = _where(arguments.source, models, has_programs=bool(sources))
    tests = None
    if arguments.tests is not None:
        load_unit_tests(arguments.tests)  # Before the work, not after it.
        tests = read_text(arguments.tests)
    with (
        closing(make_progress(sys.stderr, quiet=arguments.quiet)) as progress,
        redirect_stdout(sys.stderr),  # Environments print; the result stands alone.
    ):
        source = obtain(config, seed=arguments.seed, progress=progress)
        files: tuple[FileScore, ...] = ()
        if sources:
            progress.phase("Running the programs")
            with open_evaluator(
                source.dataset,
                isolation=arguments.isolation,
                capabilities=arguments.capabilities,
                limits=arguments.limits,
                tests=tests,
                seed=arguments.seed,
            ) as evaluator:
                files = score_files(
                    sources, evaluator, source.dataset, is_alone=not models
                )
        report = FilesReport(
            dataset=source.dataset,
            files=files,
            models=tuple(
                score_model(model, source, seed=arguments.seed, progress=progress)
                for model in models
            ),
            baselines=baseline_rows(source),
        )
    if arguments.json:
        sys.stdout.write(json.dumps(report.to_json(), indent=2) + "\n")
    else:
        report.show(sys.stdout)
    return EXIT_FAILED if report.has_bug else EXIT_DONE


def _read(paths: Sequence[Path]) -> tuple[dict[str, str], list[OpenableModel]]:
    """Returns programs by their names, and models that are none."""
    sources: dict[str, str] = {}
    models: list[OpenableModel] = []
    for path in dict.fromkeys(paths):
        if not path.is_dir():
            sources[str(path)] = read_text(path)
            continue
        found = read_model(str(path))
        if found.model is None:
            sources[found.name] = found.source
        else:
            models.append(found.model)
    return sources, models


def _where(
    config: SourceConfig, models: Sequence[OpenableModel], *, has_programs: bool
) -> SourceConfig:
    """Returns which transitions to score on; models of another environment are refused.

    Raises:
        ConfigError: If a model is none of the environment.
    """
    is_open = config.env is None and config.data is None
    if is_open and models and not has_programs:
        config = replace(config, env=models[0].environment_id)
    if config.env is not None:
        for model in models:
            model.check(find_env(config))  # Before the work, not after it.
    return config


if __name__ == "__main__":
    sys.exit(main())
