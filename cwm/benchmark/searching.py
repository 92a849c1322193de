"""What a cell's search has found: a program, or rules in words, with its figures."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cwm.benchmark.induction import induced_in
from cwm.benchmark.measures import Measures, measure, usage_figures
from cwm.benchmark.plan import Cell
from cwm.config import SourceConfig
from cwm.evaluation.setups import OpenableModel
from cwm.execution.progress import Progress
from cwm.execution.run_folder import RunFolder
from cwm.induction import InductionFolder
from cwm.opening import result_in
from cwm.providers.hypotheses.evaluation.scores import BEST, NO_HYPOTHESIS
from cwm.providers.hypotheses.models.induced import read_induced
from cwm.report.hypotheses import stand_in_lines
from cwm.sources import Source, read_text

NO_PROGRAM = "no program that runs was found; the return is that of random actions"
NO_RULES = "no hypothesis was found; the return is that of random actions"


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a search has found, and what it is worth.

    Attributes:
        made_by: Who wrote it.
        measures: Its figures.
        program: The program, if it is one that runs.
        model: The rules in words, if there are some.
        reason: Why there is neither.
        is_stand_in: Whether something took the place of a model.
    """

    made_by: str
    measures: Measures
    program: str | None = None
    model: OpenableModel | None = None
    reason: str = ""
    is_stand_in: bool = False

    @property
    def has_model(self) -> bool:
        """Whether there is something to plan in."""
        return self.program is not None or self.model is not None


def find_program(
    cell: Cell, source: Source, *, data: Path, shared: Path, progress: Progress
) -> Found:
    """Searches for a program and measures it; what is done is taken as it is.

    Args:
        cell: Whose search.
        source: The transitions.
        data: The file with them.
        shared: File for the rows that all searches on them share.
        progress: Is told.

    Raises:
        CwmError: If something failed that is not the program's fault.
    """
    config = replace(cell.run_config(), source=SourceConfig(data=str(data)))
    report = result_in(cell.folder, config, progress)
    has_program = report["best"] is not None
    measures = measure(
        cell,
        source,
        usage=usage_figures(report["usage"]),
        has_model=has_program,
        shared=shared,
        progress=progress,
    )
    folder = RunFolder(cell.folder)
    return Found(
        made_by=report["made_by"],
        measures=measures,
        program=read_text(folder.world_model) if has_program else None,
        reason="" if has_program else NO_PROGRAM,
        is_stand_in=cell.config.is_stand_in,
    )


def find_rules(
    cell: Cell, source: Source, *, shared: Path, progress: Progress
) -> Found:
    """Induces rules in words and measures them; what is done is taken as it is.

    Args:
        cell: Whose search.
        source: Transitions to measure on; induction gathers its own.
        shared: File for the rows that all searches on them share.
        progress: Is told.

    Raises:
        CwmError: If a language model, the experimenter or the disk failed.
    """
    config = cell.induction_config()
    report = induced_in(cell.folder, config, progress)
    folder = InductionFolder(cell.folder)
    best = folder.read_json(folder.hypotheses)["best"]
    model = None
    if best is not None and best.strip():
        model = read_induced(cell.folder, config.roles)
    measures = measure(
        cell,
        source,
        usage=_usage(report) | _test_figures(report),
        has_model=model is not None,
        rules=model,
        shared=shared,
        progress=progress,
    )
    notes = (*stand_in_lines(report["stand_ins"]), COST_NOTE, *measures.notes)
    return Found(
        made_by=f"{report['scientist']}, {report['statistician']}",
        measures=replace(measures, notes=notes),
        model=model,
        reason="" if model is not None else NO_RULES,
        is_stand_in=bool(report["stand_ins"]),
    )


COST_NOTE = (
    "calls: hypotheses that were proposed, without what the statistician was asked; "
    "seconds: of the whole run"
)


def _usage(report: Mapping[str, Any]) -> dict[str, float | None]:
    proposed = sum(phase["num_proposed"] for phase in report["phases"])
    return {"calls": proposed, "seconds": report["seconds"]}


def _test_figures(report: Mapping[str, Any]) -> dict[str, float | None]:
    """Returns mean log-likelihoods on the published test set, as far as measured."""
    scores = report["scores"]["scores"]
    figures: dict[str, float | None] = {}
    for row, name in ((BEST, "test_nats"), (NO_HYPOTHESIS, "no_rules_test_nats")):
        if row in scores:
            found = scores[row]["likelihood"]
            figures[name] = found["total"] / len(found["log_probs"])
    return figures
