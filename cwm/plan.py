"""`python -m cwm.plan`: acts in the real environment by planning in a world model."""

import json
import math
import sys
from collections.abc import Sequence
from contextlib import closing, nullcontext, redirect_stdout
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from cwm.arguments import option, parse
from cwm.cli import EXIT_DONE, EXIT_FAILED, run_command
from cwm.config import SourceConfig
from cwm.core.dataset_file import check_writable
from cwm.core.errors import ConfigError
from cwm.core.files import write_atomically
from cwm.core.spaces import (
    BoxSpec,
    DiscreteSpec,
    MultiDiscreteSpec,
    SpaceSpec,
    leaves,
)
from cwm.evaluation.episodes import ActingConfig
from cwm.evaluation.setups import EnvironmentRef, Setup, guided_planner
from cwm.execution.executor_config import ExecutorConfig
from cwm.execution.options import shown_as
from cwm.guides.config import GuideConfig
from cwm.planning import (
    EXECUTE_STEPS,
    RANDOM,
    TRUE,
    NamedModel,
    PlanningRun,
    environment_for,
    is_stochastic,
    make_report,
    read_model,
    save_transitions,
    success_rule,
    tolerances_for,
)
from cwm.report.live import make_progress
from cwm.report.pictures import Pictures
from cwm.report.planning import PlanningReport
from envs.spec import EnvSpec
from planners.planner import TooFewModelSteps
from planners.registry import (
    PRESETS,
    PlannerConfig,
    PlannerSettings,
    default_planner,
)
from sandbox.isolation import Level
from sandbox.limits import Limits
from sandbox.opt_in import Library

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

DECISION_WALL_S = 60.0
"""Longest decision of a program with its planner, unless `--limits.wall-s` is set."""


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """What the command line says.

    Attributes:
        models: Folder of a run, Python file, true or random; several are compared.
        env: Environment: a Gymnasium id, module:EnvId, or one of ours, as in
            cwm.synthesize; by default that of the run.
        planner: Planner, or several with commas between them; by default icem (with
            --preset paper: cem) for real-valued actions, and for finitely many beam,
            or mcts where outcomes vary (with --preset paper, prior or value: mcts).
        episodes: Episodes of each model with each planner; at least 1.
        seed: Seed of everything random; at least 0. Episodes with the same number
            begin alike for all models and planners.
        preset: Settings of the planners to start from. paper follows the published
            ones: plans are carried out to their end without a look at what happens.
        horizon: Steps that a plan looks ahead at most; by default the planner's own.
        discount: Weight of the next reward, above 0 and at most 1; by default that of
            the value, or the planner's own.
        model_steps: Steps of the model that one decision may take; likewise.
        decision_seconds: Time that a decision is to take. The speed of each model is
            measured first; what it can do in that time becomes --model-steps.
        max_steps: Steps after which an episode is cut off; by default the time limit
            of the environment, or 1,000 if it has none.
        execute_steps: Actions of a plan to carry out before planning again, at most; 0
            for all of them. By default 1 for planners that are made for it
            (random-shooting, cem, icem, mppi), 10 for feedback, otherwise all.
        replan_error: Prediction error from which on the rest of a plan is given up,
            in standard deviations of an element's usual change in one step; 1 is a
            wrong integer or a wrong end. inf never gives up. By default 0.1, and inf
            with --preset paper.
        guide: What guides the planners. A program is stepped in the sandbox then,
            and the planner is in this process.
        reference: Also run random actions and each planner with the true environment,
            and state returns between these two.
        published: Also show the returns that others have published.
        save_transitions: File (.npz) for all real transitions, for
            cwm.synthesize --data.
        plot: File (.png) for a picture of the returns, and of prediction errors over
            time; needs the extra [plot].
        video: File (.gif or .mp4) for the first episode of the first world model: the
            real environment beside what the model makes of the same actions without
            being told what really happened; needs the extra [plot].
        video_steps: Steps that the video shows, at most.
        out: File for the result as JSON, with every step.
        env_kwargs: Arguments of the environment's constructor, as a JSON object such
            as '{"is_slippery": false}'.
        set: Constant of the environment to change, such as gravity=3.7.
        workers: Episodes at a time, each in a process of its own; by default 1, and
            on a cluster as many as it has processors. The result does not depend on
            it, but times do.
        execution: Where episodes are played.
        isolation: Weakest isolation of programs that is acceptable, where kernel
            is the strongest; with less, no program is run. docs/sandbox.md says
            what each keeps out.
        capabilities: What a program may use besides NumPy: physics, the physics engine
            MuJoCo, without files. docs/physics-engines.md.
        limits: What a program, with the planner beside it, may use; wall-s is for one
            decision.
        settings: Settings of each planner.
        json: Print the result as JSON.
        quiet: Show no progress.
    """

    models: Annotated[
        tyro.conf.Positional[tuple[str, ...]],
        tyro.conf.arg(metavar="MODEL [MODEL ...]", help_behavior_hint="(at least one)"),
    ]
    env: Annotated[str | None, shown_as("ID")] = None
    planner: Annotated[str | None, shown_as("NAME,NAME,...")] = None
    episodes: int = 10
    seed: int = 0
    preset: Literal["default", "paper"] = "default"
    horizon: Annotated[int | None, shown_as("INT")] = None
    discount: Annotated[float | None, shown_as("FLOAT")] = None
    model_steps: Annotated[int | None, shown_as("INT")] = None
    decision_seconds: Annotated[float | None, shown_as("FLOAT")] = None
    max_steps: Annotated[int | None, shown_as("INT")] = None
    execute_steps: Annotated[int | None, shown_as("INT")] = None
    replan_error: Annotated[float | None, shown_as("FLOAT")] = None
    guide: Annotated[GuideConfig, tyro.conf.arg(name="")] = field(
        default_factory=GuideConfig
    )
    reference: bool = False
    published: bool = False
    save_transitions: Annotated[Path | None, shown_as("FILE")] = None
    plot: Annotated[Path | None, shown_as("FILE")] = None
    video: Annotated[Path | None, shown_as("FILE")] = None
    video_steps: int = 300
    out: Annotated[Path | None, shown_as("FILE")] = None
    env_kwargs: Annotated[str, shown_as("JSON")] = "{}"
    set: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME=VALUE")] = ()
    workers: Annotated[int | None, shown_as("INT")] = None
    execution: Annotated[ExecutorConfig, tyro.conf.arg(name="")] = field(
        default_factory=ExecutorConfig
    )
    isolation: Level = "kernel"
    capabilities: tuple[Library, ...] = ()
    limits: Limits = field(default_factory=lambda: Limits(wall_s=DECISION_WALL_S))
    settings: Annotated[PlannerSettings, tyro.conf.arg(name="")] = field(
        default_factory=PlannerSettings
    )
    json: bool = False
    quiet: bool = False

    def __post_init__(self) -> None:
        if not self.models:
            raise ConfigError("At least one model must be given, got none.")
        for name, lowest, unit in (
            ("episodes", 1, "episodes"),
            ("workers", 1, "processes"),
            ("seed", 0, "seed"),
            ("video_steps", 1, "steps"),
        ):
            value = getattr(self, name)
            if value is not None and value < lowest:
                raise ConfigError(
                    f"{name} must be at least {lowest}, got {value} ({unit})."
                )
        seconds = self.decision_seconds
        if seconds is not None and not 0.0 < seconds < math.inf:
            raise ConfigError(
                f"decision_seconds must be positive, got {seconds!r} (seconds)."
            )
        if seconds is not None and self.model_steps is not None:
            raise ConfigError(
                "Only one of decision_seconds and model_steps can be given, got "
                f"{seconds:g} and {self.model_steps}."
            )

    def planner_names(
        self, spec: EnvSpec, models: Sequence[NamedModel]
    ) -> tuple[str, ...]:
        """Returns the planners to use in an environment."""
        if self.planner is None:
            is_real = isinstance(spec.action_space, BoxSpec)
            if self.preset == "paper":
                return ("cem" if is_real else "mcts",)
            if self.guide != GuideConfig():
                return ("mcts",)
            varies = not is_real and is_stochastic(spec, models, self.seed)
            return (default_planner(spec.action_space, is_stochastic=varies).name,)
        names = tuple(word.strip() for word in self.planner.split(",") if word.strip())
        if not names or len(set(names)) < len(names):
            raise ConfigError(
                f"planner must name at least one, each once, got {self.planner!r}."
            )
        return names

    def planner_config(
        self, name: str, *, discount: float | None = None
    ) -> PlannerConfig:
        """Returns the settings of a planner.

        Args:
            name: The planner.
            discount: Where the command line says none; `None` for the planner's own.

        Raises:
            ConfigError: If there is no such planner, or a setting breaks its rule.
        """
        try:
            return PlannerConfig(
                name=name,
                preset=self.preset,
                horizon=self.horizon,
                discount=self.discount if self.discount is not None else discount,
                model_steps=self.model_steps,
                settings=self.settings,
            )
        except ValueError as error:
            raise ConfigError(str(error)) from error

    def acting(self, name: str) -> ActingConfig:
        """Returns how the plans of a planner are carried out."""
        is_paper = self.preset == "paper"
        error = self.replan_error
        if error is None:
            error = math.inf if is_paper else ActingConfig().replan_error
        steps = self.execute_steps
        if steps is None:
            steps = 0 if is_paper else EXECUTE_STEPS.get(name, 0)
        try:
            return ActingConfig(
                max_steps=self.max_steps,
                execute_steps=None if steps == 0 else steps,
                replan_error=error,
            )
        except ValueError as found:
            raise ConfigError(str(found)) from found

    @property
    def num_processes(self) -> int:
        """How many processes may act, as far as that is known."""
        if self.workers is None:
            return self.episodes if self.execution.is_ray else 1
        return min(self.workers, self.episodes)

    def pictures(self) -> Pictures:
        """Returns which pictures are wanted."""
        return Pictures(plot=self.plot, video=self.video, video_steps=self.video_steps)


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
    return tuple(map(read_model, words))


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
