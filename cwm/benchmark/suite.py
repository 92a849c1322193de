"""Running the cells of a suite in parallel processes, into one folder of results."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cwm.benchmark.cells import run_cell
from cwm.benchmark.induction import HYPOTHESES, check_roles
from cwm.benchmark.on_cluster import ClusterCells
from cwm.benchmark.plan import Cell, ResultsFolder, SuiteConfig, settings_text
from cwm.benchmark.playing import possible_ways
from cwm.core.errors import ConfigError, DataError, PrerequisiteError
from cwm.core.files import write_atomically
from cwm.evaluation.cell_results import CellKey, CellResult, ResultsFile
from cwm.evaluation.offline_rl import load_d3rlpy
from cwm.execution.executor_config import ExecutorConfig
from cwm.execution.isolated_jobs import Ended, Isolated
from cwm.execution.locks import only_one
from cwm.execution.progress import Progress, Status
from cwm.execution.provenance import environment_report
from cwm.proposers.symbolic.proposer import refusal
from cwm.suites.providers import ProviderTask

NUM_WORKERS = 2
"""Cells at a time, on a machine with two processors; a sandbox has two workers."""


@dataclass(frozen=True, kw_only=True)
class SuiteRun:
    """What is to be run.

    Attributes:
        config: The settings.
        tasks: Names of tasks.
        searches: Names of searches, or of hypothesis induction.
        seeds: Each is one run of each search on each task.
        folder: Where the results go; cells that are there are taken as they are, and
            others continued.
        num_workers: Cells at a time; by default 2, and on a cluster as many as it
            has processors.
        cell_seconds: After so many seconds a cell is ended; `None` for never.
        data_folder: Of transitions, and of what acting comes to without a program,
            which other folders of results share; `None` for the own one.
        execution: Where cells are run; no part of what comes of them.
    """

    config: SuiteConfig
    tasks: tuple[str, ...]
    searches: tuple[str, ...]
    seeds: tuple[int, ...]
    folder: ResultsFolder
    num_workers: int | None = None
    cell_seconds: float | None = None
    data_folder: Path | None = None
    execution: ExecutorConfig = field(default_factory=ExecutorConfig)

    def __post_init__(self) -> None:
        for name in ("tasks", "searches", "seeds"):
            values = getattr(self, name)
            if not values or len(set(values)) < len(values):
                raise ConfigError(
                    f"{name} must name at least one, each once, got {values}."
                )
        if self.data_folder is not None and self.config.is_of_problems:
            raise ConfigError(
                f"--data-folder cannot be given for {self.config.suite!r}: programs "
                "with unit tests have no transitions."
            )
        if self.num_workers is not None and self.num_workers < 1:
            raise ConfigError(
                f"workers must be at least 1, got {self.num_workers} (processes)."
            )
        if self.cell_seconds is not None and not self.cell_seconds > 0:
            raise ConfigError(
                f"cell_seconds must be positive, got {self.cell_seconds!r} (seconds)."
            )

    def keys(self) -> tuple[CellKey, ...]:
        """Returns the cells, those of one task and seed as far apart as can be.

        They share transitions and references, and would wait for each other.
        """
        return tuple(
            CellKey(task, search, seed)
            for seed in self.seeds
            for search in self.searches
            for task in self.tasks
        )

    def check_proposer(self) -> None:
        """Refuses tasks for none of which a world model can be proposed.

        Raises:
            ConfigError: If there is no language model, and each task needs one, or
                hypotheses cannot be induced.
            PrerequisiteError: If a package that inducing them needs is missing.
        """
        if HYPOTHESES in self.searches:
            self._check_induction()
        if self.config.is_of_problems or self.config.run.models.llm:
            return
        if self.config.is_of_providers:
            return  # Rows say what they lack.
        if set(self.searches) == {HYPOTHESES}:
            return
        reason = None
        for name in self.tasks:
            try:
                spec = self.config.task(name, self.seeds[0]).spec()
            except PrerequisiteError:
                return  # The cell says what is missing.
            reason = refusal(spec.observation_space, spec.action_space)
            if reason is None:
                return
        raise ConfigError(f"{', '.join(self.tasks)}: {reason}")

    def _check_induction(self) -> None:
        """Refuses hypothesis induction where it cannot be, before the work."""
        if self.config.is_of_problems:
            raise ConfigError(
                f"{HYPOTHESES} cannot be searched for in {self.config.suite!r}: "
                "programs with unit tests are no worlds."
            )
        for name in self.tasks:
            key = CellKey(name, HYPOTHESES, self.seeds[0])
            task = self.config.task(*key[::2])
            if isinstance(task, ProviderTask) and HYPOTHESES in task.absent:
                continue
            cell = Cell(key=key, config=self.config, root=self.folder.path)
            check_roles(cell.induction_config())

    def run(self, progress: Progress) -> bool:
        """Runs the cells that are missing or failed; returns whether none failed.

        Raises:
            ConfigError: If the folder holds results with other settings, or another
                process writes it.
            DataError: If its files cannot be read or written.
            PrerequisiteError: If a package that is needed is missing.
        """
        if self.config.offline_steps:
            load_d3rlpy()  # What is missing is said before the work.
        with only_one(self.folder.lock, name=f"out ({str(self.folder.path)!r})"):
            keys = self.keys()
            results = ResultsFile(self.folder.results)
            done = {
                key: one
                for key, one in results.read().items()
                if one.status not in ("failed", "not made")
            }
            self._check_played(done.values())
            self._begin(keys)
            cells = [self._cell(key) for key in keys if key not in done]
            watch = _Watch(progress, total=len(keys), done=len(keys) - len(cells))
            has_all = True
            for ended in self._ended(cells, watch):
                result = _result(ended)
                results.append(result)
                watch.ended(result)
                has_all = has_all and result.status != "failed"
            return has_all

    def _cell(self, key: CellKey) -> Cell:
        root, data = self.folder.path, self.data_folder
        if self.execution.is_ray:
            # Other machines have other working folders.
            root, data = root.resolve(), None if data is None else data.resolve()
        return Cell(key=key, config=self.config, root=root, data_folder=data)

    def _ended(
        self, cells: Sequence[Cell], watch: "_Watch"
    ) -> Iterator[Ended[Cell, CellResult]]:
        """Yields the cells as they end, here or on a cluster."""
        if not self.execution.is_ray:
            crew: Isolated[Cell, CellResult] = Isolated(
                function=run_cell,
                num_workers=self.num_workers or NUM_WORKERS,
                messages=lambda cell: cell.messages,
                max_seconds=self.cell_seconds,
                on_note=lambda cell, text: watch.note(cell.key, text),
            )
            return crew.run(cells)
        folders = [self.folder.path, self.data_folder]
        return ClusterCells(
            execution=self.execution,
            folders=tuple(path.resolve() for path in folders if path is not None),
            num_workers=self.num_workers,
            max_seconds=self.cell_seconds,
            on_note=lambda cell, text: watch.note(cell.key, text),
            nodes=self.folder.nodes,
        ).run(cells, watch.progress)

    def _check_played(self, results: Iterable[CellResult]) -> None:
        """Refuses results of episodes that would be played in another way now."""
        for one in results:
            key = one.key
            if not one.playing or key.task not in self.tasks:
                continue
            try:
                ways = possible_ways(self.config.task(key.task, key.seed))
            except PrerequisiteError:
                continue  # Cells that need it say so.
            differing = min(map(one.played_otherwise, ways), key=len)
            if differing:
                raise ConfigError(
                    f"out must hold results of episodes that are played as now, got "
                    f"{str(self.folder.path)!r}, where those of {key.task} differ in "
                    f"{'; '.join(differing)}. Name another folder with --out."
                )

    def _begin(self, keys: Sequence[CellKey]) -> None:
        """Writes down the settings, the cells and the versions, or refuses."""
        path = self.folder.config
        planned = list(keys)
        if path.exists():
            known = read_settings(self.folder)
            mine = json.loads(settings_text(self.config, ()))
            differing = _differing(known["settings"], mine["settings"])
            if differing:
                raise ConfigError(
                    f"out must hold results with the settings given now, got "
                    f"{str(self.folder.path)!r}, which differ in "
                    f"{', '.join(differing)}. Name another folder with --out."
                )
            before = self.folder.planned(known)
            planned = [*before, *(key for key in keys if key not in before)]
        self._write(path, settings_text(self.config, planned))
        versions = []
        if self.folder.versions.exists():
            versions = json.loads(self.folder.versions.read_text(encoding="utf-8"))
        report = environment_report()
        if report not in versions:
            versions.append(report)
            self._write(self.folder.versions, json.dumps(versions, indent=2) + "\n")

    def _write(self, path: Any, text: str) -> None:
        try:
            write_atomically(path, text)
        except OSError as error:
            raise DataError(f"{str(path)!r} cannot be written: {error}.") from error


def read_settings(folder: ResultsFolder) -> dict[str, Any]:
    """Returns the content of the settings file of a folder of results.

    Raises:
        ConfigError: If there are no results in it.
    """
    try:
        found = json.loads(folder.config.read_text(encoding="utf-8"))
        if isinstance(found, dict) and {"suite", "cells", "settings"} <= set(found):
            return found
    except (OSError, ValueError):
        pass
    raise ConfigError(
        f"{str(folder.path)!r} must be a folder of results of cwm.benchmark run."
    )


def _differing(known: Any, mine: Any, name: str = "") -> list[str]:
    """Returns the names of the settings that differ."""
    if isinstance(known, dict) and isinstance(mine, dict):
        found = []
        for key in sorted(set(known) | set(mine)):
            full = f"{name}.{key}" if name else key
            found += _differing(known.get(key), mine.get(key), full)
        return found
    return [] if known == mine else [name]


def _result(ended: Ended[Cell, CellResult]) -> CellResult:
    reason = ended.failure
    if ended.result is not None:
        wrong = ended.result.not_finite()
        if not wrong:
            return ended.result
        # Neither can it be written, nor is there a mean with it.
        reason = f"figures that are no finite numbers: {', '.join(wrong)}"
    cell = ended.job
    return CellResult(
        suite=cell.config.suite,
        key=cell.key,
        status="failed",
        reason=reason,
        is_stand_in=cell.config.is_stand_in,
        folder=str(cell.folder.relative_to(cell.root)),
    )


@dataclass(slots=True)
class _Watch:
    """Shows how the cells go."""

    progress: Progress
    total: int
    done: int
    notes: dict[CellKey, str] = field(default_factory=dict)
    num_failed: int = 0

    def __post_init__(self) -> None:
        self.progress.phase("Running cells")
        if self.done:
            self.progress.event(f"{self.done} of {self.total} cells are there already")

    def note(self, key: CellKey, text: str) -> None:
        """Shows where a cell stands."""
        self.notes[key] = text
        self._update()

    def ended(self, result: CellResult) -> None:
        """Says what came of a cell."""
        self.notes.pop(result.key, None)
        self.done += 1
        self.num_failed += result.status == "failed"
        self.progress.event(
            f"[{self.done}/{self.total}] {result.key}: {describe(result)}"
        )
        self._update()

    def _update(self) -> None:
        running = [f"{key.task}: {text}" for key, text in self.notes.items()]
        self.progress.update(
            Status(
                completed=self.done,
                total=self.total,
                unit="cells",
                activity="; ".join(running),
                measures={"failed": str(self.num_failed)} if self.num_failed else {},
            )
        )


def describe(result: CellResult) -> str:
    """Returns what came of a cell, in one line."""
    if result.status in ("failed", "not made"):
        return f"{result.status}: {result.reason}"
    parts: list[str] = [result.status] if result.status == "no program" else []
    for name, title in (
        ("held_out_strict", "held-out strict"),
        ("planner_strict", "planner-visited strict"),
        ("normalised_return", "normalised return"),
        ("success", "success"),
        ("strict", "strict"),
        ("accuracy", "accuracy"),
    ):
        value = result.figure(name)
        if value is not None:
            parts.append(f"{title} {value:.4f}")
    if result.returns:
        parts.append(f"return {result.figure('return'):.5g}")
    else:
        parts.append(f"{result.figure('calls') or 0:g} calls")
    return ", ".join(parts)
