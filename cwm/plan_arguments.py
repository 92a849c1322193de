"""What the command line of `python -m cwm.plan` says, and which planners that means."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from cwm.core.errors import ConfigError
from cwm.core.spaces import BoxSpec
from cwm.evaluation.episodes import ActingConfig
from cwm.execution.executor_config import ExecutorConfig
from cwm.execution.options import shown_as
from cwm.guides.config import GuideConfig
from cwm.named_models import NamedModel, is_stochastic
from cwm.planning import EXECUTE_STEPS
from cwm.report.pictures import Pictures
from envs.spec import EnvSpec
from planners.registry import PlannerConfig, PlannerSettings, default_planner
from sandbox.isolation import Level
from sandbox.limits import Limits
from sandbox.opt_in import Library

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
