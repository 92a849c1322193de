"""Everything that a page knows of a run of `cwm.induce`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cwm.core.journal import Record, read_journal
from cwm.induction import InductionFolder, InductionRunConfig
from cwm.pages.considered import Considered, Course, course_of
from cwm.pages.plans import find_plans, plan_views
from cwm.pages.reading import UNFINISHED, files_signature, made_with
from cwm.pages.scored import reached_rows, world_scores
from cwm.pages.settings import flat_settings
from cwm.pages.texts import TextStore
from cwm.providers.hypotheses.making import RoleConfig
from cwm.providers.hypotheses.search.keeping import RunFiles
from cwm.providers.hypotheses.search.retracing import RetracedPhase, retrace
from cwm.providers.hypotheses.search.weighing import Weighed
from cwm.providers.hypotheses.texts import TextTrajectory, count_types
from cwm.providers.hypotheses.worlds import TextWorld, find_world
from cwm.report.hypotheses import stand_in_lines

STAND_IN = "a stand-in, no language model"

MAX_STEPS = 10_000
"""Steps of trajectories that a page has; those of later phases are left out."""

MEASURED = ("scored", "scored phase", "acted")
"""Records of the evaluation at the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InductionReader:
    """Reads the folder of a run of `cwm.induce`, also while it goes on.

    Attributes:
        path: The folder.
        name: What the page calls the run.
        plans: Files and folders of `cwm.plan` besides what lies in it.
    """

    path: Path
    name: str
    plans: tuple[Path, ...] = ()

    @property
    def group(self) -> str:
        """Which runs it can be compared with."""
        return "cwm.induce"

    def signature(self) -> str:
        """Returns a text that changes when the run's page does."""
        folder = InductionFolder(self.path)
        files = (folder.journal, folder.result, folder.config)
        return files_signature([*files, *find_plans(self.path, self.plans)])

    def read(self) -> dict[str, Any]:
        """Returns all that a page shows of the run, as plain data.

        Raises:
            ConfigError: If a setting of the run is wrong.
            DataError: If a file of the run cannot be read.
        """
        folder = InductionFolder(self.path)
        config = folder.read_config()
        records: Sequence[Record] = ()
        if folder.journal.exists():
            records = read_journal(folder.journal).records
        phases = retrace(
            records,
            RunFiles(self.path),
            settings=config.induction.inference,
            first=config.induction.first,
            seed=config.seed,
        )
        result = folder.read_json(folder.result) if folder.result.exists() else None
        world, texts = find_world(config.induction.env), TextStore()
        course = course_of(phases, config.induction.inference)
        writer = _ItemWriter(texts, phases)
        return {
            "name": self.name,
            "kind": "induction",
            "environment": world.environment_id,
            "world": world.name,
            "types": list(world.types),
            "seed": config.seed,
            "status": _status(records, result),
            "roles": _roles(config, result),
            "cost": _cost(course, records),
            "nodes": [writer.write(one) for one in course.items],
            "best": course.best[-1] if course.best else None,
            "phases": phase_views(phases, course, world=world, result=result),
            "trajectories": _trajectories(phases, texts),
            "scores": world_scores(result, "scores", texts),
            "reworded": world_scores(result, "reworded", texts),
            "acting": reached_rows(result),
            "texts": texts.to_json(),
            "settings": flat_settings(config.to_json()),
            "made_with": made_with(folder),
            "next": [] if result is None else result["next"],
            "plans": plan_views(find_plans(self.path, self.plans)),
        }


class _ItemWriter:
    """Writes hypotheses as plain data, their texts into a store."""

    def __init__(self, texts: TextStore, phases: Sequence[RetracedPhase]) -> None:
        self._texts = texts
        self._sizes = {one.number: sum(map(len, one.data)) for one in phases}
        self._keys: dict[int, str] = {}

    def write(self, item: Considered) -> dict[str, Any]:
        """Returns a hypothesis; what it was compared with was written before."""
        proposal, size = item.proposal, self._sizes[item.phase]
        key = self._texts.add_plain(proposal.hypothesis)
        self._keys[item.id] = key
        before = item.before
        known = None if before is None or before.id is None else self._keys[before.id]
        changes = None if known is None else self._texts.changes(known, key)
        return {
            "node": item.id,
            "phase": item.phase,
            "iteration": item.iteration,
            "chain": item.chain,
            "text": key,
            "num_words": len(proposal.hypothesis.split()),
            "is_whole": proposal.is_whole,
            "tokens": [proposal.prompt_tokens, proposal.completion_tokens],
            **_weighed(item.weighed, size),
            "before": before and {"node": before.id, **_weighed(before.weighed, size)},
            "changes": changes and [list(change) for change in changes],
            "gain": item.gain,
            "correction": item.correction,
            "log_ratio": item.log_ratio,
            "log_draw": item.log_draw,
            "is_accepted": item.is_accepted,
        }


def _weighed(weighed: Weighed, size: int) -> dict[str, Any]:
    return {
        "total": weighed.total,
        "mean": weighed.total / size if size else None,
        "by_type": dict(weighed.by_type),
        "by_trajectory": list(weighed.by_trajectory),
    }


def phase_views(
    phases: Sequence[RetracedPhase],
    course: Course,
    *,
    world: TextWorld,
    result: Mapping[str, Any] | None,
) -> list[dict[str, Any]]:
    """Returns each phase as plain data.

    Args:
        phases: What the journal has.
        course: The hypotheses.
        world: Where.
        result: Of the run; `None` before its end.
    """
    on_test = (
        {} if result is None else {p["phase"]: p["test"] for p in result["phases"]}
    )
    size = len(_test_types(result))
    found = []
    for phase in phases:
        proposed = [one for one in course.items if one.phase == phase.number]
        test = on_test.get(phase.number)
        found.append(
            {
                "phase": phase.number,
                "has_ended": phase.outcome is not None,
                "best": course.best[phase.number] if phase.outcome else None,
                "num_proposed": len(phase.steps),
                "num_accepted": sum(one.is_accepted for one in phase.steps),
                "last": proposed[-1].id if proposed else None,
                "counts": count_types(phase.collected, world.types),
                "num_transitions": sum(map(len, phase.data)),
                "data_mean": _data_mean(phase),
                "test_mean": test and test["total"] / size,
                "test_by_type": test and test["by_type"],
                "effective_size": phase.outcome and phase.outcome.effective_size,
            }
        )
    return found


def _data_mean(phase: RetracedPhase) -> float | None:
    size = sum(map(len, phase.data))
    if phase.outcome is None or not size:
        return None
    return phase.outcome.best.weighed.total / size


def _test_types(result: Mapping[str, Any] | None) -> list[str]:
    """Returns the types of the transitions of the test set."""
    if result is None:
        return []
    rows = result["scores"]["scores"].values()
    return next((list(row["likelihood"]["types"]) for row in rows), [])


def _trajectories(
    phases: Sequence[RetracedPhase], texts: TextStore
) -> list[list[dict[str, Any]] | None]:
    """Returns what hypotheses had to explain in each phase; `None` where too much."""
    found: list[list[dict[str, Any]] | None] = []
    total = 0
    for phase in phases:
        total += sum(map(len, phase.data))
        fits = total <= MAX_STEPS
        found.append([_trajectory(one, texts) for one in phase.data] if fits else None)
    return found


def _trajectory(trajectory: TextTrajectory, texts: TextStore) -> dict[str, Any]:
    return {
        "begin": texts.add_text(trajectory.states[0]),
        "steps": [
            [texts.add_text(action), texts.add_text(change), kind]
            for action, change, kind in zip(
                trajectory.actions, trajectory.changes, trajectory.types, strict=True
            )
        ],
    }


def _status(records: Sequence[Record], result: Any) -> dict[str, Any]:
    if result is not None:
        return {"state": "finished", "sentence": "all its phases are done"}
    if any(record.kind in MEASURED for record in records):
        return {
            "state": "scoring",
            "sentence": "all its phases are done, and it is being evaluated",
        }
    return dict(UNFINISHED)


def _roles(config: InductionRunConfig, result: Any) -> dict[str, Any]:
    """Returns who took the roles; before the end, who is to take them."""
    names = ("statistician", "scientist", "experimenter")
    if result is not None:
        stand_ins = list(result["stand_ins"])
        found = {name: result[name] for name in names}
    else:
        found = _named_roles(config.roles) | {
            "experimenter": config.induction.experimenter
        }
        stand_ins = [name for name in names if found[name] == STAND_IN]
    return {**found, "stand_ins": stand_ins, "warnings": stand_in_lines(stand_ins)}


def _named_roles(roles: RoleConfig) -> dict[str, str]:
    return {
        "statistician": roles.statistician_llm or roles.llm or STAND_IN,
        "scientist": roles.scientist_llm or roles.llm or STAND_IN,
    }


def _cost(course: Course, records: Sequence[Record]) -> dict[str, Any]:
    proposals = [one.proposal for one in course.items]
    return {
        "prompt_tokens": sum(one.prompt_tokens for one in proposals),
        "completion_tokens": sum(one.completion_tokens for one in proposals),
        "seconds": round(
            sum(float(one.clock.get("seconds", 0.0)) for one in records), 1
        ),
    }
