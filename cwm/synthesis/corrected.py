"""The last step of a run: a residual on top of the best law, learned once.

The tree is one of laws: no residual decides what is improved, and no prompt shows one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from cwm.core.journal import Record
from cwm.programs.evaluation import Evaluation, always
from cwm.programs.residual.report import Corrected, ResidualReport
from cwm.synthesis.candidates import Candidate, refuse_memorised
from cwm.synthesis.fitted import Evaluator

RESIDUAL = "residual"
"""Kind of the record that says what came of it."""


class Corrector(Protocol):
    """Who learns the residual of a program from the training transitions."""

    @property
    def settings(self) -> dict[str, Any]:
        """What decides the result, as plain data."""
        ...

    def correct(self, source: str) -> Corrected:
        """Returns the program with a residual, and what was found.

        Raises:
            sandbox.SandboxUnavailable: If no program can be run at all.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class CorrectedBest:
    """The best candidate of a run with its residual.

    Attributes:
        law: The candidate as the search has it.
        candidate: The same with the residual; `law` itself if there is none.
        report: What was found.
    """

    law: Candidate
    candidate: Candidate
    report: ResidualReport

    @property
    def is_changed(self) -> bool:
        """Whether there is a residual."""
        return self.report.is_changed

    def body(self, corrector: Corrector) -> dict[str, Any]:
        """Returns the body of its record."""
        found = self.candidate
        return {
            "call": self.law.call_index,
            "settings": corrector.settings,
            "source": found.source if self.is_changed else None,
            "evaluation": found.evaluation.to_json() if self.is_changed else None,
            "report": self.report.to_json(),
        }


def correct_best(
    law: Candidate, corrector: Corrector, evaluator: Evaluator
) -> CorrectedBest:
    """Returns a candidate with a residual, audited and validated as any other.

    What the validation transitions say decides nothing here.
    """
    found = corrector.correct(law.source)
    if not found.report.is_changed:
        return CorrectedBest(law=law, candidate=law, report=found.report)
    evaluation = refuse_memorised(
        evaluator.evaluate(found.source, needs_validation=always, needs_audit=always)
    )
    if evaluation.is_bug:
        kind = evaluation.outcome_kind
        reason = f"the residual was dropped: with it, the program is {kind}"
        report = replace(
            found.report,
            terms=(),
            whole=None,
            problems=(*found.report.problems, reason),
        )
        return CorrectedBest(law=law, candidate=law, report=report)
    return _corrected(law, found.source, evaluation, found.report)


def recorded_best(
    law: Candidate, corrector: Corrector, journal: Sequence[Record]
) -> CorrectedBest | None:
    """Returns what a journal has of a candidate's residual with the same settings."""
    for record in reversed(journal):
        body = record.body
        if record.kind != RESIDUAL or body["call"] != law.call_index:
            continue
        if body["settings"] != corrector.settings:
            continue
        report = ResidualReport.from_json(body["report"])
        if body["source"] is None:
            return CorrectedBest(law=law, candidate=law, report=report)
        evaluation = Evaluation.from_json(body["evaluation"])
        return _corrected(law, str(body["source"]), evaluation, report)
    return None


def _corrected(
    law: Candidate, source: str, evaluation: Evaluation, report: ResidualReport
) -> CorrectedBest:
    evaluation = replace(evaluation, fit=law.evaluation.fit)
    candidate = replace(law, source=source, evaluation=evaluation)
    return CorrectedBest(law=law, candidate=candidate, report=report)
