"""`python -m cwm.plan`: acts in the real environment by planning in a world model."""

import json
import sys
from collections.abc import Sequence
from contextlib import closing, nullcontext, redirect_stdout
from dataclasses import replace
from typing import Any

import tyro

from cwm.arguments import option, parse
from cwm.cli import EXIT_DONE, EXIT_FAILED, run_command
from cwm.config import SourceConfig
from cwm.core.dataset_file import check_writable
from cwm.core.errors import ConfigError
from cwm.core.files import write_atomically
from cwm.core.spaces import BoxSpec, DiscreteSpec, MultiDiscreteSpec, SpaceSpec, leaves
from cwm.evaluation.setups import EnvironmentRef, Setup, guided_planner
from cwm.named_models import (
    RANDOM,
    TRUE,
    NamedModel,
    environment_for,
    read_model,
    tolerances_for,
)
from cwm.plan_arguments import Arguments
from cwm.planning import PlanningRun, make_report, save_transitions, success_rule
from cwm.report.live import make_progress
from cwm.report.planning import PlanningReport
from envs.spec import EnvSpec
from planners.planner import TooFewModelSteps
from planners.registry import PRESETS

DESCRIPTION = """\
Acts in the real environment by planning in a world model, and reports how it went.

A model is the folder of a run of cwm.synthesize or cwm.induce, a Python file with a
class Environment, true (the real simulator: what a perfect model would reach) or random
(no model, random actions). docs/planning.md says what each column means.

  python -m cwm.plan runs/2026-01-01-CartPole-v1-1
  python -m cwm.plan runs/2026-01-01-playground-hypotheses-1 --model-steps 500
  python -m cwm.plan world_model.py --env Pendulum-v1 --planner icem --reference
  python -m cwm.plan true --env Taxi-v4 --planner beam --episodes 100 --json
  python -m cwm.plan world_model.py --env cwm/PrivilegedBabyAI-GoToLocalS6N4-v0 \\
      --prior ppo:runs/my-policy --value ppo:runs/my-policy
  python -m cwm.plan true --env twc --planner mcts --prior wkm:runs/knowledge

Exit codes: 0 done, 1 some model made no decision at all or the command failed, 2
usage, 130 interrupted.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    return run_command(lambda: plan(_parse(words)))


def _parse(words: list[str]) -> Arguments:
    """Returns the arguments; settings of planners start from those of the preset."""
    name: Any = option(words, "--preset")
    settings = PRESETS.get(name, PRESETS["default"])
    default = Arguments(models=tyro.MISSING, settings=settings)
    return parse(Arguments, words, command="plan", text=DESCRIPTION, default=default)


def plan(arguments: Arguments) -> int:
    """Runs the episodes and shows the tables.

    Raises:
        CwmError: If a setting is wrong, a file cannot be read or written, or programs
            cannot be run here.
    """
    arguments.execution.check()
    for path in (arguments.out, arguments.save_transitions):
        if path is not None:
            check_writable(path)  # Before the work, not after it.
    with (
        closing(make_progress(sys.stderr, quiet=arguments.quiet)) as progress,
        redirect_stdout(sys.stderr),  # Environments print; the result stands alone.
    ):
        models = _models(arguments)
        source = SourceConfig(
            env=arguments.env, env_kwargs=arguments.env_kwargs, set=arguments.set
        )
        spec = environment_for(source, models)
        setups, origin = _setups(arguments, spec, models)
        for setup in setups:
            _check_planner(setup, spec)
            if setup.model is not None:
                setup.model.check(spec, num_processes=arguments.num_processes)
        pictures = arguments.pictures()
        pictures.check(spec, setups)
        rule = success_rule(spec)
        run = PlanningRun(
            setups=setups,
            num_episodes=arguments.episodes,
            num_workers=arguments.workers,
            execution=arguments.execution,
            decision_seconds=arguments.decision_seconds,
        )
        try:
            rows = run.run(rule, progress)
        except TooFewModelSteps as error:
            raise ConfigError(
                f"{error} Give more --model-steps or a shorter --horizon."
            ) from error
        files = []
        if arguments.save_transitions is not None:
            path = arguments.save_transitions
            number = save_transitions(
                path, spec, rows, models=models, seed=arguments.seed
            )
            files.append(
                f"{number:,} real transitions: {path} "
                f"(python -m cwm.synthesize --data {path})"
            )
        if arguments.out is not None:
            files.append(f"result: {arguments.out}")
        report = make_report(
            spec,
            rows,
            setups[0],
            rule=rule,
            tolerances_from=origin,
            shows_published=arguments.published,
            files=files,
        )
        text = json.dumps(report.to_json(), indent=2) + "\n"
        if arguments.out is not None:
            # First: pictures take long, and whoever ends them has the result.
            write_atomically(arguments.out, text)
        lines, has_all = pictures.write(report, setups, progress)
        report = replace(report, files=(*report.files, *lines))
    if arguments.json:
        sys.stdout.write(text)
    else:
        report.show(sys.stdout)
    return _exit_code(report, has_all=has_all)


def _models(arguments: Arguments) -> tuple[NamedModel, ...]:
    words = list(arguments.models)
    if len(set(words)) < len(words):
        raise ConfigError(f"Each model must be given once, got {' '.join(words)}.")
    if arguments.reference:
        words += [word for word in (TRUE, RANDOM) if word not in words]
    return tuple(read_model(word, for_planning=True) for word in words)


def _setups(
    arguments: Arguments, spec: EnvSpec, models: Sequence[NamedModel]
) -> tuple[tuple[Setup, ...], str]:
    """Returns the rows, and where their tolerances are from."""
    names = arguments.planner_names(spec, models)
    arguments.guide.check_planners(names)
    guide = arguments.guide.guide()
    discount = None if guide is None else guide.discount
    tolerances, origin = tolerances_for(spec, models, seed=arguments.seed)
    setups = tuple(
        Setup(
            name=model.name,
            environment=EnvironmentRef.of(spec),
            kind=model.kind,
            source=model.fast_source or model.source,
            is_fast=bool(model.fast_source),
            model=model.model,
            guide=None if model.kind == "random" else guide,
            planner=arguments.planner_config(name, discount=discount),
            acting=arguments.acting(name),
            tolerances=tolerances,
            seed=arguments.seed,
            isolation=arguments.isolation,
            capabilities=arguments.capabilities,
            limits=model.limits(arguments.limits),
        )
        for model, name in _pairs(models, names)
    )
    return setups, origin


def _pairs(
    models: Sequence[NamedModel], names: Sequence[str]
) -> list[tuple[NamedModel, str]]:
    """Returns each model with each planner; random actions need none."""
    return [
        (model, name)
        for model in models
        for name in (names[:1] if model.kind == "random" else names)
    ]


def _check_planner(setup: Setup, spec: EnvSpec) -> None:
    """Refuses a planner or guide that is not for such an environment."""
    if setup.kind == "random":
        return
    try:
        with setup.guide.open(spec) if setup.guide else nullcontext() as guide:
            guided_planner(setup.planner, spec, guide)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    shown = [leaf for _, leaf in leaves(spec.observation_space)]
    if setup.planner.name == "feedback" and not all(map(_is_numeric, shown)):
        raise ConfigError(
            "planner feedback needs observations that are numbers, and those of "
            f"{spec.id!r} have text. Choose another planner."
        )


def _is_numeric(space: SpaceSpec) -> bool:
    return isinstance(space, BoxSpec | DiscreteSpec | MultiDiscreteSpec)


def _exit_code(report: PlanningReport, *, has_all: bool) -> int:
    """Returns the exit code; `has_all` says whether all pictures are there."""
    is_idle = any(
        row.summary.num_decisions
        and row.summary.num_failures == row.summary.num_decisions
        for row in report.rows
    )
    return EXIT_FAILED if is_idle or not has_all else EXIT_DONE


if __name__ == "__main__":
    sys.exit(main())
