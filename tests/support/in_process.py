"""An evaluator without a sandbox, for programs that the tests themselves wrote."""

from dataclasses import replace

from cwm.core.proposals import Counterexample, Task
from cwm.core.trajectories import Transition, TransitionBatch
from cwm.programs.accuracy import SplitScore
from cwm.programs.audit import Audit
from cwm.programs.evaluation import Evaluation, Needs, always, never
from cwm.programs.memorised import MemorisedValues


class InProcessEvaluator:
    """Runs programs of integers in this process; the score is the strict accuracy.

    Attributes:
        sources: Every program that it was given, oldest first.
        validated: Those of them that had to be run on validation transitions.
        audited: Those of them that had to be audited. A comment in a program says
            what comes of it: `# inconsistent` or `# memorised`.
    """

    def __init__(self, task: Task, validation: TransitionBatch | None = None) -> None:
        self.sources: list[str] = []
        self.validated: list[str] = []
        self.audited: list[str] = []
        self._train = task.train
        self._validation = validation

    def evaluate(
        self,
        source: str,
        *,
        needs_validation: Needs = always,
        needs_audit: Needs = never,
    ) -> Evaluation:
        evaluation = self._evaluate(source, needs_validation)
        if not needs_audit(evaluation):
            return evaluation
        self.audited.append(source)
        if "# inconsistent" in source:
            return _bug("Inconsistent: says its comment.", kind="inconsistent")
        number = 20 if "# memorised" in source else 0
        memorised = MemorisedValues(
            num_literals=number, num_matched=number, num_by_chance=0.0
        )
        audit = Audit(verdict="consistent", num_alone=1, memorised=memorised)
        return replace(evaluation, audit=audit)

    def _evaluate(self, source: str, needs_validation: Needs) -> Evaluation:
        self.sources.append(source)
        namespace: dict[str, type] = {}
        try:
            exec(source, namespace)
            score, wrong = _score(namespace["Environment"](), self._train)
            evaluation = Evaluation(
                outcome_kind="completed",
                score=score.strict,
                is_bug=False,
                train=score,
                counterexamples=tuple(wrong[:3]),
            )
            if self._validation is not None and needs_validation(evaluation):
                self.validated.append(source)
                found, _ = _score(namespace["Environment"](), self._validation)
                evaluation = replace(evaluation, validation=found)
        except (AttributeError, NameError, TypeError, ValueError) as error:
            return _bug(f"{type(error).__name__}: {error}")
        return evaluation


def _bug(feedback: str, *, kind: str = "raised") -> Evaluation:
    return Evaluation(
        outcome_kind=kind,
        feedback=feedback,
        failure_line=10,
        failing_index=0,
        score=0.0,
        is_bug=True,
    )


def _score(
    environment: object, batch: TransitionBatch
) -> tuple[SplitScore, list[Counterexample]]:
    right, wrong = 0, []
    for index in range(len(batch)):
        transition: Transition = batch.transition(index)
        environment.set_state(transition.observation)  # type: ignore[attr-defined]
        predicted = environment.step(transition.action)  # type: ignore[attr-defined]
        expected = (
            transition.next_observation,
            transition.reward,
            transition.terminated,
        )
        if predicted == expected:
            right += 1
        else:
            wrong.append(
                Counterexample(
                    index=index,
                    wrong_parts=("observation",),
                    observation=transition.observation,
                    action=transition.action,
                    expected=expected,
                    predicted=predicted,
                )
            )
    share = right / len(batch)
    score = SplitScore(
        num_transitions=len(batch),
        strict=share,
        paper=share,
        reference=share,
        score=share,
        part_accuracy={"observation": share},
    )
    return score, wrong
