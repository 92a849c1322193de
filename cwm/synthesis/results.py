"""How a search ended, and what its calls brought and cost."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from cwm.core.proposals import Usage
from cwm.execution.budget import Resource, Spending
from cwm.synthesis.candidates import Candidate
from cwm.synthesis.corrected import CorrectedBest
from cwm.synthesis.models import ModelRecord
from mcts.export import TreeStatistics

StopReason: TypeAlias = Literal["perfect", "budget", "exhausted", "stalled"]
"""Why a search ended: nothing left to improve, to spend, or to expand, or no
better program for as many calls as were allowed."""


@dataclass(frozen=True, kw_only=True)
class SynthesisResult:
    """How a search ended.

    Attributes:
        best: The best program that runs, if there is one; with its residual, if one
            was learned.
        corrected: What came of learning a residual, if that was tried.
        stopped_by: Why it ended.
        exhausted: The cap that ended it, if one did.
        num_calls: Answers in the tree.
        num_repeated: Answers that held a program that an earlier one had brought;
            it was not run again.
        tree: Figures about the tree.
        candidates: What each node's call brought, in the order of the nodes.
        models: How each model did.
        usages: What the calls to each model cost together, recorded ones included.
    """

    best: Candidate | None
    corrected: CorrectedBest | None = None
    stopped_by: StopReason
    exhausted: Resource | None
    num_calls: int
    num_repeated: int
    tree: TreeStatistics
    candidates: tuple[Candidate, ...]
    models: tuple[ModelRecord, ...]
    usages: tuple[Usage, ...]

    @property
    def usage(self) -> Usage:
        """What all calls cost together."""
        return sum(self.usages, start=Usage(calls=0))


def spending(usage: Usage) -> Spending:
    """Returns what a call has cost of the run's budget."""
    return Spending(
        calls=usage.calls,
        tokens=usage.prompt_tokens + usage.completion_tokens,
        usd=usage.usd or 0.0,
    )


def call_line(candidate: Candidate, *, is_best: bool) -> str:
    """Returns what one call brought, for people, on one line."""
    evaluation = candidate.evaluation
    if evaluation.is_bug:
        result = f"bug ({evaluation.outcome_kind})"
    else:
        result = f"score {evaluation.score:.4f}"
        if evaluation.train is not None:
            result += f", strict {evaluation.train.strict:.4f}"
    mark = "  best so far" if is_best else ""
    return (
        f"call {candidate.call_index + 1:>3}  {candidate.kind:<8}  "
        f"node {candidate.node_id:<3}  {result}{mark}"
    )
