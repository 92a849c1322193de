"""One cell of a suite, from its data to its figures; what is done is never done twice.

A cell of a world model: transitions (shared by all searches of a task and seed), the
search, metrics on what no search sees, and its best model with the task's planner
in the real environment, beside random actions and the same planner with the true
environment (shared as well). A cell of a problem: the search, and the hidden tests.
"""

import hashlib
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cwm.benchmark.measures import offline_return, usage_figures
from cwm.benchmark.plan import Cell
from cwm.benchmark.playing import acting_of, how_played
from cwm.benchmark.searching import Found, find_program, find_rules
from cwm.core.dataset_file import load_dataset
from cwm.core.errors import DataError
from cwm.core.trajectories import Dataset
from cwm.evaluation.cell_results import CellResult
from cwm.evaluation.kept_episodes import EpisodeRecord, digest, play, returns
from cwm.evaluation.setups import EnvironmentRef, Setup
from cwm.evaluation.summary import (
    NO_NORMALISED_RETURN,
    Interval,
    normalised_return,
)
from cwm.execution.isolated_jobs import Note
from cwm.execution.locks import locked
from cwm.execution.prerequisites import no_sandbox
from cwm.execution.progress import Progress, Status
from cwm.program_synthesis import ProgramRunConfig, solve
from cwm.programs.program_runs import open_test_sandbox
from cwm.programs.tolerances import Tolerances
from cwm.report.programs import ProblemReport
from cwm.sources import Source, environment_of
from cwm.suites.apps import load_apps_problem
from cwm.suites.benchmark_task import BenchmarkTask
from cwm.suites.data_sets import content_digest, task_data
from cwm.suites.human_eval import load_human_eval
from cwm.suites.own_tasks import load_own_task
from cwm.suites.problems import Problem
from envs.spec import EnvSpec
from planners.registry import PlannerConfig, default_planner
from sandbox.errors import SandboxUnavailable

DECISION_WALL_S = 60.0
"""Longest decision of a program with its planner."""


def run_cell(cell: Cell, note: Note) -> CellResult:
    """Returns what came of a cell; started again, it goes on where it was.

    Args:
        cell: Which one.
        note: Is told where it stands.

    Raises:
        CwmError: If something failed that is not the program's fault.
    """
    progress = NoteProgress(note)
    try:
        if cell.config.is_of_problems:
            return _problem_cell(cell, progress)
        if cell.config.is_of_providers:
            # It brings what makes agents and knowledge.
            from cwm.benchmark.provider_cells import provider_cell  # noqa: PLC0415

            return provider_cell(cell, progress)
        return _WorldCell.of(cell, progress).result()
    except SandboxUnavailable as error:
        raise no_sandbox(error) from error


class NoteProgress(Progress):
    """Tells in a few words where work stands; what happened goes to standard error."""

    def __init__(self, note: Note) -> None:
        """Makes it.

        Args:
            note: Is told.
        """
        self._note = note
        self._title = ""

    def phase(self, title: str) -> None:
        """Tells the title."""
        self._title = title
        self._note(title)

    def update(self, status: Status) -> None:
        """Tells how much is done."""
        self._note(f"{self._title}, {status.completed}/{status.total} {status.unit}")

    def event(self, line: str) -> None:
        """Writes the line down."""
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()

    def close(self) -> None:
        """Does nothing."""


@dataclass(frozen=True, kw_only=True)
class _WorldCell:
    """A task with its transitions."""

    cell: Cell
    task: BenchmarkTask
    data: Path
    dataset: Dataset
    spec: EnvSpec
    progress: Progress

    @classmethod
    def of(cls, cell: Cell, progress: Progress) -> "_WorldCell":
        """Returns the task with its transitions, made now if they are not there."""
        key = cell.key
        task = cell.config.task(key.task, key.seed)
        folder = cell.data
        progress.phase("transitions")
        with locked(folder / f".{task.slug}-{key.seed}.lock"):
            data = task_data(task, key.seed, folder)
        dataset = load_dataset(data)
        spec = environment_of(dataset)
        if spec is None:
            raise DataError(
                f"The environment of {str(data)!r}, {dataset.environment_id!r}, cannot "
                "be made from what the file says of it."
            )
        return cls(
            cell=cell,
            task=task,
            data=data,
            dataset=dataset,
            spec=spec,
            progress=progress,
        )

    def result(self) -> CellResult:
        """Searches, measures and plays."""
        cell, found = self.cell, self._found()
        played = self._play(found)
        measures = found.measures
        return CellResult(
            suite=cell.config.suite,
            key=cell.key,
            status="done" if found.has_model else "no program",
            reason=found.reason,
            made_by=found.made_by,
            is_stand_in=found.is_stand_in,
            data=content_digest(self.dataset),
            playing=how_played(self.task, self._planner()),
            figures={**measures.figures, **played.figures},
            normalised=played.normalised,
            notes=(*filter(None, [self.task.notes]), *measures.notes, *played.notes),
            folder=str(cell.folder.relative_to(cell.root)),
        )

    def _found(self) -> Found:
        source = Source(dataset=self.dataset, spec=self.spec)
        shared = self._reference("baselines").with_suffix(".json")
        if self.cell.is_of_rules:
            return find_rules(self.cell, source, shared=shared, progress=self.progress)
        return find_program(
            self.cell, source, data=self.data, shared=shared, progress=self.progress
        )

    def _play(self, found: Found) -> "_Played":
        """Plays what was found, the true environment and random actions."""
        task, key, planner = self.task, self.cell.key, self._planner()
        random = self._shared(self._setup("random", planner))
        oracle = self._shared(self._setup("true", planner))
        own = None
        if found.has_model:
            kind = "program" if found.model is None else "other"
            setup = self._setup(kind, planner, found)
            own = self._episodes(setup, self.cell.folder / "episodes.jsonl")
        normalised = normalised_return(
            returns(own or random), returns(random), returns(oracle), seed=key.seed
        )
        if normalised is not None and own is None:
            normalised = Interval(value=0.0, low=0.0, high=0.0)
        shown = own or random
        notes = [f"returns: {task.played}, {planner.name}"]
        failed = sum(one.num_failures for one in shown)
        if failed:
            first = next(one.failure for one in shown if one.failure)
            notes.append(
                f"no plan in {failed:,} of "
                f"{sum(one.num_decisions for one in shown):,} decisions, a random "
                f"action each time; first reason: {first}"
            )
        if normalised is None:
            notes.append(NO_NORMALISED_RETURN)
        return _Played(
            figures={
                "return": _mean(shown),
                "random_return": _mean(random),
                "oracle_return": _mean(oracle),
                "offline_return": self._offline(planner),
                "normalised_return": None if normalised is None else normalised.value,
            },
            normalised=normalised,
            notes=tuple(notes),
        )

    def _planner(self) -> PlannerConfig:
        return self.task.planner or default_planner(
            self.spec.action_space, is_stochastic=self.dataset.is_stochastic
        )

    def _setup(
        self, kind: Any, planner: PlannerConfig, found: Found | None = None
    ) -> Setup:
        run = self.cell.config.run
        return Setup(
            name=kind,
            environment=EnvironmentRef.of(self.spec),
            kind=kind,
            source="" if found is None else found.program or "",
            model=None if found is None else found.model,
            planner=planner,
            acting=acting_of(self.task, planner),
            tolerances=Tolerances.from_batch(self.dataset.batch("train")),
            seed=self.cell.key.seed,
            isolation=run.isolation,
            capabilities=run.capabilities,
            limits=replace(run.limits, wall_s=DECISION_WALL_S),
        )

    def _reference(self, name: str) -> Path:
        """Returns a file for what all searches share, without its ending."""
        # The name of the data says which they are.
        return self.cell.references / f"{self.data.stem}-{name}"

    def _shared(self, setup: Setup) -> tuple[EpisodeRecord, ...]:
        """Returns episodes that all searches share, played once."""
        name = "oracle" if setup.kind == "true" else setup.kind
        path = self._reference(f"{name}-{digest(setup)[:8]}").with_suffix(".jsonl")
        with locked(path.with_name(f".{path.stem}.lock")):
            return self._episodes(setup, path)

    def _offline(self, planner: PlannerConfig) -> float | None:
        if self.cell.config.offline_steps:
            self.progress.phase("offline RL")
        return offline_return(
            self.cell,
            Source(dataset=self.dataset, spec=self.spec),
            self._setup("random", planner),
            self.task.episodes,
            self._reference("").with_name(self.data.stem),
        )

    def _episodes(self, setup: Setup, path: Path) -> tuple[EpisodeRecord, ...]:
        total = self.task.episodes
        names = {"random": "random actions", "true": "oracle"}
        self.progress.phase(names.get(setup.kind, "acting"))

        def tell(episode: EpisodeRecord) -> None:
            done = Status(completed=episode.index + 1, total=total, unit="episodes")
            self.progress.update(done)

        return play(setup, total, path, on_episode=tell)


@dataclass(frozen=True, kw_only=True)
class _Played:
    """What acting came to."""

    figures: dict[str, float | None]
    normalised: Interval | None
    notes: tuple[str, ...]


def _mean(episodes: Sequence[EpisodeRecord]) -> float:
    return sum(returns(episodes)) / len(episodes)


def _problem_cell(cell: Cell, progress: Progress) -> CellResult:
    """Searches for a program that passes tests; returns what it passes."""
    run = cell.run_config()
    config = ProgramRunConfig(
        models=run.models,
        seed=run.seed,
        budget=run.budget,
        synthesis=run.synthesis,
        tree=run.tree,
        tests=cell.config.tests,
        isolation=run.isolation,
    )
    with open_test_sandbox(require=run.isolation) as sandbox:
        problem = _PROBLEMS[cell.config.suite](cell, sandbox)
        report = solve(problem, config, cell.folder, progress, sandbox=sandbox)
    has_program = report.best_call is not None
    return CellResult(
        suite=cell.config.suite,
        key=cell.key,
        status="done" if has_program else "no program",
        reason="" if has_program else "no program that can be loaded was found",
        made_by=report.made_by,
        is_stand_in=cell.config.is_stand_in,
        data=_problem_digest(problem),
        figures=_problem_figures(report),
        notes=(f"hidden tests: {report.hidden_bug}",) if report.hidden_bug else (),
        folder=str(cell.folder.relative_to(cell.root)),
    )


def _problem_figures(report: ProblemReport) -> dict[str, float | None]:
    return {
        "strict": float(report.is_strict),
        "accuracy": report.accuracy,
        "hidden_accuracy": report.hidden_accuracy,
        **usage_figures(report.to_json()["usage"]),
    }


def _problem_digest(problem: Problem) -> str:
    text = json.dumps(problem.to_json(), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _own(cell: Cell, sandbox: Any) -> Problem:
    return load_own_task(cell.key.task)


def _human_eval(cell: Cell, sandbox: Any) -> Problem:
    (problem,) = load_human_eval(sandbox, [cell.key.task])
    return problem


def _apps(cell: Cell, sandbox: Any) -> Problem:
    root = Path(str(cell.config.run.source.data))
    # The folder of one problem may be given, too.
    path = root if not (root / cell.key.task).is_dir() else root / cell.key.task
    return load_apps_problem(path, cell.key.task)


_PROBLEMS: dict[str, Callable[[Cell, Any], Problem]] = {
    "own": _own,
    "humaneval": _human_eval,
    "apps": _apps,
}
