"""One cell of the suite `providers`: a row in one environment, with one seed.

What the row needs is made or found, and plays the same episodes as every other row,
with the same planner and budget. What cannot be made here is a result, too, with its
reason.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cwm.benchmark.measures import baselines, row_figures
from cwm.benchmark.plan import Cell
from cwm.benchmark.playing import acting_of, how_played
from cwm.benchmark.provider_making import Made, Workshop
from cwm.benchmark.provider_playing import expert_episodes
from cwm.benchmark.provider_rows import EXPERT, RANDOM, ROWS, TRUE, ProviderRow
from cwm.core.dataset_file import load_dataset
from cwm.core.errors import DataError, PrerequisiteError
from cwm.evaluation.cell_results import CellResult
from cwm.evaluation.kept_episodes import EpisodeRecord, play, returns
from cwm.evaluation.setups import EnvironmentRef, Setup
from cwm.execution.locks import locked
from cwm.execution.progress import Progress, Status
from cwm.programs.tolerances import Tolerances
from cwm.proposers.symbolic.proposer import refusal
from cwm.report.scores import TRUE_SIMULATOR
from cwm.sources import Source, environment_of
from cwm.suites.data_sets import content_digest, task_data
from cwm.suites.providers import ProviderTask
from envs.spec import EnvSpec
from planners.registry import PlannerConfig

DECISION_WALL_S = 60.0
"""Longest decision of a program with its planner."""


def provider_cell(cell: Cell, progress: Progress) -> CellResult:
    """Returns what came of a row; started again, it goes on where it was.

    Raises:
        CwmError: If something failed that is no provider's fault.
    """
    row, task = ROWS[cell.key.search], cell.task()
    assert isinstance(task, ProviderTask), "the suite has no others"
    try:
        reason = why_not(cell, task, row)
        if reason:
            return _not_made(cell, reason)
        return _ProviderCell.of(cell, task, row, progress).result()
    except PrerequisiteError as error:
        return _not_made(cell, str(error))


def why_not(cell: Cell, task: ProviderTask, row: ProviderRow) -> str:
    """Returns why a row cannot be made, as far as settings say; else nothing.

    Raises:
        PrerequisiteError: If a package that the environment needs is missing.
    """
    spec = task.spec()
    for name in row.providers:
        if name in task.absent:
            return task.absent[name]
        if name == "symbolic":
            reason = refusal(spec.observation_space, spec.action_space)
            if reason is not None:
                return reason.partition(" Use a language model")[0]
        if name == "code":
            given = task.name in cell.config.providers.files()
            if not given and not cell.config.run.models.llm:
                return (
                    "no language model is there to write a program (--llm), and no "
                    "program was given (--providers.programs)"
                )
    return ""


def _not_made(cell: Cell, reason: str) -> CellResult:
    return CellResult(
        suite=cell.config.suite, key=cell.key, status="not made", reason=reason
    )


@dataclass(frozen=True, kw_only=True)
class _ProviderCell:
    """A row with the transitions of its task."""

    cell: Cell
    task: ProviderTask
    row: ProviderRow
    data: Path
    source: Source
    progress: Progress

    @classmethod
    def of(
        cls, cell: Cell, task: ProviderTask, row: ProviderRow, progress: Progress
    ) -> "_ProviderCell":
        """Returns the row with the transitions, recorded now if they are not there."""
        progress.phase("transitions")
        source, data = _transitions(task, cell)
        return cls(
            cell=cell, task=task, row=row, data=data, source=source, progress=progress
        )

    def result(self) -> CellResult:
        """Makes what the row needs, measures it and plays."""
        cell, made = self.cell, self._made()
        missing = next((one.missing for one in made if one.missing), "")
        played: tuple[EpisodeRecord, ...] = ()
        if not missing:
            played = self._played(made)
        return CellResult(
            suite=cell.config.suite,
            key=cell.key,
            status="no program" if missing else "done",
            reason=missing,
            made_by="; ".join(dict.fromkeys(one.made_by for one in made)),
            is_stand_in=any(one.is_stand_in for one in made),
            data=content_digest(self.source.dataset),
            # One way for all rows, of which some do not search.
            playing=how_played(self.task, self._planner),
            figures=_together(made) | _figures(played),
            returns=tuple(returns(played)),
            successes=tuple(map(has_succeeded, played)),
            notes=self._notes(made, played),
            folder=str(cell.folder.relative_to(cell.root)),
        )

    def _made(self) -> list[Made]:
        row, task = self.row, self.task
        if self.cell.key.search == RANDOM:
            return [Made(made_by="uniform legal actions")]
        if self.cell.key.search == EXPERT:
            return [Made(made_by=f"{task.expert}, which knows the way")]
        workshop = Workshop(
            cell=self.cell,
            task=task,
            source=self.source,
            data=self.data,
            words=self._in_words,
            progress=self.progress,
        )
        found = []
        for name in row.providers:
            if name == TRUE:
                found.append(self._true())
            else:
                found.append(workshop.make(name, gives_value=row.gives_value))
        return found

    def _true(self) -> Made:
        """Returns the environment itself, with what it scores where it can start."""
        self.progress.phase("metrics")
        path = self.cell.references / f"{self.data.stem}-baselines.json"
        figures: dict[str, float | None] = {}
        for row in baselines(self.source, path):
            if row.name == TRUE_SIMULATOR:
                found = row_figures(row)
                figures["held_out_strict"] = found.get("simulator_held_out_strict")
        return Made(made_by="the environment itself", figures=figures)

    def _in_words(self) -> tuple[Source, Path]:
        """Returns transitions of the environment that tells the same in words."""
        return _transitions(replace(self.task, env=self.task.env_in_words), self.cell)

    def _played(self, made: Sequence[Made]) -> tuple[EpisodeRecord, ...]:
        path, setup = self.cell.folder / "episodes.jsonl", self._setup(made)
        total = self.task.episodes
        self.progress.phase("acting")

        def tell(episode: EpisodeRecord) -> None:
            done = Status(completed=episode.index + 1, total=total, unit="episodes")
            self.progress.update(done)

        if self.cell.key.search == EXPERT:
            return expert_episodes(setup, self.task, tell)
        return play(setup, total, path, on_episode=tell)

    @property
    def _planner(self) -> PlannerConfig:
        planner = self.task.planner
        assert planner is not None, "each environment of the suite has one"
        return planner

    def _setup(self, made: Sequence[Made]) -> Setup:
        row, run = self.row, self.cell.config.run
        planner = self._planner
        if row.role == "policy alone":
            planner = replace(planner, name="policy", settings=None)
        kind: Any = "random" if self.cell.key.search in (RANDOM, EXPERT) else "true"
        program = next((one.program for one in made if one.program is not None), None)
        model = next((one.model for one in made if one.model is not None), None)
        if program is not None:
            kind = "program"
        env, spec = self.task.env, self.source.spec
        assert spec is not None, "cells have their environment"
        environment = EnvironmentRef.of(spec)
        if model is not None:
            kind, env = "other", self.task.env_in_words
            environment = replace(environment, id=env)
        return Setup(
            name=self.cell.key.search,
            environment=environment,
            kind=kind,
            source=program or "",
            model=model,
            guide=next((one.guide for one in made if one.guide is not None), None),
            planner=planner,
            acting=replace(acting_of(self.task, planner), execute_steps=1),
            tolerances=Tolerances.from_batch(self._batch(env)),
            seed=self.cell.key.seed,
            isolation=run.isolation,
            capabilities=run.capabilities,
            limits=replace(run.limits, wall_s=DECISION_WALL_S),
        )

    def _batch(self, env: str) -> Any:
        """Returns the training transitions of an environment."""
        source = self.source if env == self.task.env else self._in_words()[0]
        return source.dataset.batch("train")

    def _notes(
        self, made: Sequence[Made], played: Sequence[EpisodeRecord]
    ) -> tuple[str, ...]:
        notes = [self.task.notes] if self.task.notes else []
        for one in made:
            notes += one.notes
        failed = sum(one.num_failures for one in played)
        if failed:
            first = next(one.failure for one in played if one.failure)
            total = sum(one.num_decisions for one in played)
            notes.append(
                f"no plan in {failed:,} of {total:,} decisions, a random action each "
                f"time; first reason: {first}"
            )
        return tuple(notes)


def _transitions(task: ProviderTask, cell: Cell) -> tuple[Source, Path]:
    """Returns transitions of a task, with their file."""
    seed, folder = cell.key.seed, cell.data
    name = f".{task.slug}-{seed}.lock"
    with locked(folder / name):
        path = task_data(task, seed, folder)
    dataset = load_dataset(path)
    spec: EnvSpec | None = environment_of(dataset)
    if spec is None:
        raise DataError(
            f"The environment of {str(path)!r}, {dataset.environment_id!r}, cannot be "
            "made from what the file says of it."
        )
    return Source(dataset=dataset, spec=spec), path


def has_succeeded(episode: EpisodeRecord) -> bool:
    """Returns whether an episode ended in a terminal state with a positive reward."""
    return episode.terminated and episode.rewards[-1] > 0.0


def _together(made: Sequence[Made]) -> dict[str, float | None]:
    """Returns the figures of all that a row needs; what was spent is added up."""
    figures: dict[str, float | None] = {}
    for one in made:
        for name, value in one.figures.items():
            known = figures.get(name)
            is_sum = None not in (known, value) and name.startswith("making_")
            figures[name] = (known or 0.0) + (value or 0.0) if is_sum else value
    return figures


def _figures(played: Sequence[EpisodeRecord]) -> dict[str, float | None]:
    """Returns what acting came to; nothing where nobody acted."""
    if not played:
        return {}
    decisions = sum(one.num_decisions for one in played)
    seconds = sum(one.decision_s for one in played)
    return {
        "return": sum(returns(played)) / len(played),
        "success": sum(map(has_succeeded, played)) / len(played),
        "decision_s": seconds / decisions if decisions else None,
    }
