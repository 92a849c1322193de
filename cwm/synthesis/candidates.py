"""Programs proposed in this run, each with its evaluation, and which is best."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeAlias

from cwm.core.proposals import Kind, ParentProgram, Usage
from cwm.programs.evaluation import Evaluation
from cwm.programs.identity import program_hash

UNPARSED = "unparsed"
"""Kind of the outcome of a completion from which no program could be read."""

MEMORISED = "memorised"
"""Kind of the outcome of a program that holds training transitions."""


Rank: TypeAlias = tuple[float, float, int]
"""Order among candidates that run; greater is better.

By score on the training transitions (and unit tests), then by strict accuracy on the
validation transitions, then the shorter source.
"""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """What one call brought.

    Attributes:
        call_index: The call, from 0.
        node_id: Its node in the tree.
        kind: What was asked for.
        model: Which of the run's models was asked, from 0.
        source: The program; the completion's raw text if none could be read.
        annotation: What the proposer stored with it; JSON-able.
        usage: What the call cost.
        evaluation: How it did on the training and validation transitions.
    """

    call_index: int
    node_id: int
    kind: Kind
    model: int = 0
    source: str
    annotation: dict[str, Any] = field(default_factory=dict)
    usage: Usage = field(default_factory=Usage, compare=False)
    evaluation: Evaluation

    @property
    def rank(self) -> Rank:
        """Where it stands among candidates that run."""
        return rank(self.source, self.evaluation)

    @property
    def measured(self) -> tuple[float, float]:
        """Its score on the training, and strict accuracy on validation transitions."""
        return self.rank[:2]

    @cached_property
    def program_hash(self) -> str | None:
        """Hash of the program, comments and layout aside; see `programs.identity`."""
        return program_hash(self.source)

    def as_parent(self) -> ParentProgram:
        """Returns what a proposer may know about this candidate."""
        evaluation = self.evaluation
        train, fit = evaluation.train, evaluation.fit
        return ParentProgram(
            source=self.source,
            annotation=self.annotation,
            score=evaluation.score,
            part_accuracy={} if train is None else train.part_accuracy,
            counterexamples=() if evaluation.is_bug else evaluation.counterexamples,
            failure=evaluation.feedback,
            failure_line=evaluation.failure_line,
            failing_index=evaluation.failing_index,
            is_program=evaluation.outcome_kind != UNPARSED,
            constants=() if fit is None else fit.constants,
            remainder=() if fit is None else fit.remainder,
        )

    def summary(self) -> str:
        """Returns how it did in one line, for those who try next."""
        evaluation = self.evaluation
        if not evaluation.is_bug:
            return f"a program that scores {evaluation.score:.4f}"
        lines = evaluation.feedback.strip().splitlines()
        return f"{evaluation.outcome_kind}: {lines[0] if lines else 'no details'}"


def rank(source: str, evaluation: Evaluation) -> Rank:
    """Returns where a program stands among those that run."""
    validation = evaluation.validation
    strict = 0.0 if validation is None else validation.strict
    return (evaluation.score, strict, -len(source))


def could_beat(evaluation: Evaluation, best: Rank | None) -> bool:
    """Whether validation decides if a program takes the place of the best one.

    Args:
        evaluation: How it does on the training transitions.
        best: Rank of the best candidate; `None` if there is none.
    """
    return not evaluation.is_bug and (best is None or evaluation.score >= best[0])


def beats(source: str, evaluation: Evaluation, best: Rank | None) -> bool:
    """Whether a program takes the place of the best one; the earlier wins a tie.

    A program that raises is never the best.
    """
    if evaluation.is_bug:
        return False
    return best is None or rank(source, evaluation) > best


def is_better(candidate: Candidate, best: Candidate | None) -> bool:
    """Whether `candidate` takes the place of `best`."""
    above = None if best is None else best.rank
    return beats(candidate.source, candidate.evaluation, above)


def refuse_memorised(evaluation: Evaluation) -> Evaluation:
    """Returns the evaluation of a program that holds training transitions: a bug.

    It would otherwise be the best of those that are not perfect, and be improved
    instead of the programs that have found a rule.
    """
    memorised = evaluation.audit and evaluation.audit.memorised
    if evaluation.is_bug or not memorised or not memorised.is_memorised:
        return evaluation
    return replace(
        evaluation,
        outcome_kind=MEMORISED,
        score=0.0,
        is_bug=True,
        feedback=memorised.explanation(),
        train=None,
        validation=None,
        unit_tests=None,
        counterexamples=(),
    )


def unparsed(reason: str) -> Evaluation:
    """Returns the evaluation of a completion without a program: a bug, to be fixed.

    Args:
        reason: Why no program could be read; the feedback of a fix request.
    """
    return Evaluation(outcome_kind=UNPARSED, score=0.0, is_bug=True, feedback=reason)
