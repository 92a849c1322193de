"""Everything that a page knows of one run, read from its folder.

Read anew, the folder of a run that goes on gives a page of what is there by then: a
line of the journal that is only half written is not there yet.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cwm.config import RunConfig, load_config
from cwm.core.dataset_file import load_dataset
from cwm.core.journal import Record, read_journal
from cwm.core.proposals import Usage
from cwm.core.spaces import space_to_json
from cwm.core.trajectories import Dataset
from cwm.execution.run_folder import RunFolder, open_run_folder
from cwm.pages.checks import Check, check_program
from cwm.pages.nodes import (
    NodeView,
    NodeWriter,
    elapsed_s,
    node_views,
    pending,
    usage_json,
)
from cwm.pages.plans import find_plans, plan_views
from cwm.pages.prompts import conversations
from cwm.pages.reading import UNFINISHED, files_signature, made_with
from cwm.pages.settings import flat_settings
from cwm.pages.texts import TextStore
from cwm.program_synthesis import ProgramFolder, is_program_run
from cwm.report.runs import BUDGET_SENTENCES, STOP_SENTENCES
from cwm.synthesis.records import RUN_FINISHED, RUN_STARTED, RecordedRun, read_run
from sandbox.isolation import Level


@dataclass(slots=True)
class RunReader:
    """Reads a run's folder, again and again while the run goes on.

    Attributes:
        path: The folder.
        name: What the page calls the run.
        plans: Files and folders of `cwm.plan` besides what lies in it.
        runs_program: Whether the best program is run once more, after the search.
        isolation: Weakest isolation that is acceptable for that; by default the run's.
    """

    path: Path
    name: str
    plans: tuple[Path, ...] = ()
    runs_program: bool = True
    isolation: Level | None = None
    _checks: dict[str, Check] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not is_program_run(self.path):
            open_run_folder(self.path)

    @property
    def group(self) -> str:
        """Which runs it can be compared with."""
        return "cwm.synthesize"

    def signature(self) -> str:
        """Returns a text that changes when the run's page does."""
        folder = RunFolder(self.path)
        files = [folder.journal, folder.result, folder.config]
        files += list(find_plans(self.path, self.plans))
        return files_signature(files)

    def read(self) -> dict[str, Any]:
        """Returns all that a page shows of the run, as plain data.

        Raises:
            ConfigError: If a setting of the run is wrong.
            DataError: If a file of the run cannot be read.
            PrerequisiteError: If its program cannot be run safely on this machine.
        """
        folder = RunFolder(self.path)
        records: Sequence[Record] = ()
        if folder.journal.exists():
            records = read_journal(folder.journal).records
        run = read_run(records)
        texts = TextStore()
        asked = conversations(folder, records)
        writer = NodeWriter(texts, asked.by_call)
        views = node_views(run, records)
        nodes = [writer.write(view) for view in views]
        result = folder.read_json(folder.result) if folder.result.exists() else None
        config = folder.read_json(folder.config)
        is_problem = is_program_run(self.path)
        return {
            "name": self.name,
            "kind": "problem" if is_problem else "program",
            **_about(records, config),
            "status": _status(records, result),
            "cost": _cost(run, records),
            "models": _model_names(records, config),
            "rows": [] if result is None else result.get("rows", []),
            "problem": _problem(self.path, result) if is_problem else None,
            "tree": None if result is None else result.get("tree"),
            "nodes": nodes,
            "pending": pending(run),
            "isolations": writer.isolations,
            "prompts_problem": asked.problem,
            "texts": texts.to_json(),
            "data": None if is_problem else _data(folder),
            "settings": flat_settings(config),
            "made_with": made_with(folder),
            "check": self._check(folder, views, is_done=result is not None),
            "plans": plan_views(find_plans(self.path, self.plans)),
        }

    def _check(
        self, folder: RunFolder, views: Sequence[NodeView], *, is_done: bool
    ) -> dict[str, Any] | None:
        """Runs the best program of a run that has ended, once for each program."""
        best = next((view for view in views if view.is_best), None)
        if not (self.runs_program and is_done) or best is None:
            return None
        if is_program_run(self.path):
            return None
        source = best.call.source
        if source not in self._checks:
            config = load_config(folder.config, RunConfig())
            self._checks[source] = check_program(
                source,
                load_dataset(folder.dataset),
                config,
                isolation=self.isolation or config.isolation,
            )
        return {"node": best.node_id, **self._checks[source].to_json()}


def distinct_names(paths: Sequence[Path]) -> list[str]:
    """Returns the last parts of some paths, as many as tell them apart.

    Args:
        paths: Different folders.
    """
    parts = [path.resolve().parts for path in paths]
    length = 1
    while len({one[-length:] for one in parts}) < len(parts):
        length += 1
    return ["/".join(one[-length:]) for one in parts]


def _about(records: Sequence[Record], config: dict[str, Any]) -> dict[str, Any]:
    """Returns what the first record says."""
    first = records[0].body if records and records[0].kind == RUN_STARTED else {}
    return {
        "environment": first.get("environment") or first.get("problem") or "",
        "made_by": first.get("proposer", ""),
        "seed": config.get("seed"),
        "search": config.get("tree", {}).get("search"),
    }


def _status(records: Sequence[Record], result: dict[str, Any] | None) -> dict[str, Any]:
    """Returns how far the run is, with a sentence."""
    finished = [record.body for record in records if record.kind == RUN_FINISHED]
    if not finished or records[-1].kind != RUN_FINISHED:
        return dict(UNFINISHED)
    last = finished[-1]
    exhausted = last.get("exhausted")
    reason = (
        BUDGET_SENTENCES[exhausted]
        if exhausted is not None
        else STOP_SENTENCES[last["stopped_by"]]
    )
    return {
        "state": "finished" if result is not None else "scoring",
        "stopped_by": last["stopped_by"],
        "sentence": reason,
    }


def _cost(run: RecordedRun, records: Sequence[Record]) -> dict[str, Any]:
    usages = [c.completion.usage for c in run.calls if c.completion is not None]
    total = sum(usages, start=Usage(calls=0))
    return {
        **usage_json(total),
        "calls": len(usages),
        "seconds": round(elapsed_s(records), 1),
    }


def _model_names(records: Sequence[Record], config: dict[str, Any]) -> list[str]:
    named = config.get("models", {}).get("llm") or []
    return list(named) or [_about(records, config)["made_by"]]


def _data(folder: RunFolder) -> dict[str, Any]:
    dataset: Dataset = load_dataset(folder.dataset)
    return {
        "description": dataset.description,
        "num_transitions": dict(dataset.num_transitions),
        "num_trajectories": {
            split: len(dataset.in_split(split)) for split in dataset.num_transitions
        },
        "is_stochastic": dataset.is_stochastic,
        "observation_space": space_to_json(dataset.observation_space),
        "action_space": space_to_json(dataset.action_space),
    }


def _problem(path: Path, result: dict[str, Any] | None) -> dict[str, Any]:
    """Returns what is to be solved, and how many tests the best program passes."""
    folder = ProgramFolder(path)
    names = ("num_visible", "num_hidden", "visible_passed", "hidden_passed")
    return {
        "statement": folder.read_json(folder.problem)["statement"],
        "tests": None if result is None else {name: result[name] for name in names},
    }
