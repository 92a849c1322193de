"""Evaluating planners: which rows there are, and what comes of them.

The place where a program, the true environment and a planner meet: to act, and to
say what good acting would be.
"""

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from cwm.core.dataset_file import save_dataset
from cwm.core.trajectories import Dataset, Split
from cwm.evaluation.cluster_episodes import PlayEpisodes, cluster_episodes
from cwm.evaluation.episodes import EpisodeResult
from cwm.evaluation.guides import use_note
from cwm.evaluation.parallel import StepNote, mean_return, run_episodes
from cwm.evaluation.published import published
from cwm.evaluation.setups import EnvironmentRef, Setup, plain_env
from cwm.evaluation.summary import (
    Interval,
    SuccessRule,
    normalised_return,
    summarise,
)
from cwm.evaluation.timing import within_seconds
from cwm.execution.executor_config import ExecutorConfig
from cwm.execution.prerequisites import no_sandbox
from cwm.execution.progress import Progress, Status
from cwm.execution.provenance import environment_report
from cwm.named_models import RANDOM, TRUE, NamedModel, is_stochastic
from cwm.report.planning import PlanningReport, PlanningRow
from envs.spec import EnvSpec
from planners.registry import planner_config_to_json
from sandbox.errors import SandboxUnavailable

EXECUTE_STEPS: dict[str, int] = {
    "random": 1,
    "random-shooting": 1,
    "cem": 1,
    "icem": 1,
    "mppi": 1,
    "policy": 1,
    "feedback": 10,
}
"""Steps for which plans are made to be followed; those of other planners to the end."""


def success_rule(spec: EnvSpec) -> SuccessRule:
    """Returns when an episode of an environment is a success."""
    env = plain_env(spec)
    try:
        registered = env.env.spec
        threshold = registered.reward_threshold if registered else None
        return SuccessRule(threshold=None if threshold is None else float(threshold))
    finally:
        env.close()


@dataclass(frozen=True, kw_only=True)
class PlanningRun:
    """What is to be run.

    Attributes:
        setups: The rows, in order.
        num_episodes: Episodes of each.
        num_workers: Episodes at a time; by default 1, and on a cluster as many as it
            has processors.
        decision_seconds: Time that a decision is to take, instead of the setups'
            model steps; `None` to leave them.
        execution: Where episodes are played.
    """

    setups: tuple[Setup, ...]
    num_episodes: int
    num_workers: int | None = None
    decision_seconds: float | None = None
    execution: ExecutorConfig = field(default_factory=ExecutorConfig)

    def run(self, rule: SuccessRule, progress: Progress) -> tuple[PlanningRow, ...]:
        """Returns the rows.

        Raises:
            CwmError: If a setting is wrong or the environment fails.
            PrerequisiteError: If programs cannot be run safely on this machine.
        """
        try:
            with self._players(progress) as play:
                rows = [self._row(setup, rule, progress, play) for setup in self.setups]
        except SandboxUnavailable as error:
            raise no_sandbox(error) from error
        return _normalised(rows, self.setups)

    def _players(self, progress: Progress) -> AbstractContextManager[PlayEpisodes]:
        """Returns who plays episodes: processes of this machine, or a cluster."""
        if not self.execution.is_ray:
            number = self.num_workers or 1
            return nullcontext(
                partial(run_episodes, num_workers=number, on_event=progress.event)
            )
        programs = [setup for setup in self.setups if setup.kind == "program"]
        return cluster_episodes(
            self.execution,
            require=programs[0].isolation if programs else "none",
            capabilities=programs[0].capabilities if programs else (),
            max_workers=self.num_workers,
            on_event=progress.event,
        )

    def _row(
        self,
        setup: Setup,
        rule: SuccessRule,
        progress: Progress,
        play: PlayEpisodes,
    ) -> PlanningRow:
        name = _title(setup)
        progress.phase(name)
        note = ""
        if self.decision_seconds is not None and setup.kind != "random":
            setup, note = within_seconds(setup, self.decision_seconds)
            progress.event(f"{name}: {note}")
        watch = _Watch(name, self.num_episodes, progress)
        episodes = play(
            setup,
            self.num_episodes,
            on_note=watch.note,
            on_episode=watch.episode,
        )
        is_random = setup.kind == "random"
        settings = _settings(setup)
        parts = [note]
        if setup.is_fast:
            parts.append("steps by the program's fast form (cwm.accelerate)")
        if "capabilities" in settings:
            names = ", ".join(settings["capabilities"])
            parts.append(f"the program could use {names}")
        if setup.guide is not None:
            parts += [setup.guide.name, use_note(episodes)]
        return PlanningRow(
            model=setup.name,
            planner="" if is_random else setup.planner.name,
            settings=settings,
            summary=summarise(episodes, rule, seed=setup.seed),
            episodes=episodes,
            note="; ".join(filter(None, parts)),
        )


def _settings(setup: Setup) -> dict[str, Any]:
    planner = None
    if setup.kind != "random":
        planner = planner_config_to_json(setup.planner)
        planner["planning"] = asdict(setup.planner.planning())
    acting = asdict(setup.acting)
    if math.isinf(acting["replan_error"]):
        acting["replan_error"] = None  # JSON has no infinity.
    settings: dict[str, Any] = {
        "kind": setup.kind,
        "planner": planner,
        "acting": acting,
    }
    if setup.capabilities and setup.kind == "program":
        settings["capabilities"] = list(setup.capabilities)
    if setup.is_fast:
        settings["is_fast"] = True
    if setup.model is not None:
        settings["model"] = setup.model.to_json()
    if setup.guide is not None:
        settings["guide"] = setup.guide.to_json()
    return settings


def _title(setup: Setup) -> str:
    if setup.kind == "random":
        return "random actions"
    return f"{setup.name}, {setup.planner.name}"


class _Watch:
    """Shows how the episodes of a row go."""

    def __init__(self, name: str, total: int, progress: Progress) -> None:
        self._name, self._total, self._progress = name, total, progress
        self._episodes: list[EpisodeResult] = []

    def note(self, note: StepNote) -> None:
        """Shows where an episode stands."""
        self._update(
            f"episode {note.index}: step {note.num_steps:,}, "
            f"return {note.episode_return:.5g}"
        )

    def episode(self, episode: EpisodeResult) -> None:
        """Says how an episode ended."""
        self._episodes.append(episode)
        line = (
            f"{self._name}: episode {episode.index}: return "
            f"{episode.episode_return:.5g} in {len(episode.steps):,} steps"
        )
        if episode.num_failures:
            line += f", {episode.num_failures:,} decisions failed"
        self._progress.event(line)
        self._update("")

    def _update(self, activity: str) -> None:
        measures = {}
        if self._episodes:
            measures["mean return"] = f"{mean_return(self._episodes):.5g}"
            failures = sum(episode.num_failures for episode in self._episodes)
            measures["failures"] = f"{failures:,}"
        self._progress.update(
            Status(
                completed=len(self._episodes),
                total=self._total,
                unit="episodes",
                activity=activity,
                measures=measures,
            )
        )


def _normalised(
    rows: Sequence[PlanningRow], setups: Sequence[Setup]
) -> tuple[PlanningRow, ...]:
    """Returns the rows with their normalised returns, where both ends are known."""
    random = next((row for row in rows if row.model == RANDOM), None)
    oracles = {row.planner: row for row in rows if row.model == TRUE}
    return tuple(
        replace(row, normalised=_between(row, random, oracles.get(row.planner), seed))
        for row, seed in zip(rows, [setup.seed for setup in setups], strict=True)
    )


def _between(
    row: PlanningRow, random: PlanningRow | None, oracle: PlanningRow | None, seed: int
) -> Interval | None:
    if random is None or oracle is None or row.model == TRUE:
        return None
    return normalised_return(
        _returns(row), _returns(random), _returns(oracle), seed=seed
    )


def _returns(row: PlanningRow) -> list[float]:
    return [episode.episode_return for episode in row.episodes]


def make_report(
    spec: EnvSpec,
    rows: tuple[PlanningRow, ...],
    setup: Setup,
    *,
    rule: SuccessRule,
    tolerances_from: str,
    shows_published: bool,
    files: Sequence[str],
) -> PlanningReport:
    """Returns the report on some rows; `setup` is one of theirs."""
    found = published(spec.id) if shows_published else None
    if shows_published and found is None:
        files = [f"nothing is published for {spec.id}", *files]
    return PlanningReport(
        environment=spec.id,
        seed=setup.seed,
        max_steps=setup.acting.limit(spec),
        rule=rule,
        tolerances_from=tolerances_from,
        rows=rows,
        published=found,
        files=tuple(files),
        made_with=environment_report(),
    )


def save_transitions(
    path: Path,
    spec: EnvSpec,
    rows: Sequence[PlanningRow],
    *,
    models: Sequence[NamedModel],
    seed: int,
) -> int:
    """Writes all real transitions of all rows as a data set; returns how many.

    `python -m cwm.synthesize --data` reads it.

    Raises:
        DataError: If the file cannot be written.
    """
    trajectories = tuple(episode.trajectory for row in rows for episode in row.episodes)
    environment = EnvironmentRef.of(spec)
    split: Split = "train"
    dataset = Dataset(
        environment_id=spec.id,
        description=spec.description,
        observation_space=spec.observation_space,
        action_space=spec.action_space,
        trajectories=trajectories,
        splits=(split,) * len(trajectories),
        collection={
            "collector": "cwm.plan",
            "seed": seed,
            "env_kwargs": dict(environment.kwargs),
            "env_changes": dict(environment.changes),
            "max_episode_steps": spec.max_episode_steps,
            "rows": [row.title for row in rows],
        },
        is_stochastic=is_stochastic(spec, models, seed),
    )
    save_dataset(dataset, path)
    return dataset.num_transitions["train"]
