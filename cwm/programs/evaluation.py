"""Runs a program on recorded transitions and says what it is worth.

The program predicts in the sandbox; its predictions are compared with the truth
here, on decoded plain data. The transitions go into two children: no child holds an
observation together with the one that followed it, so that a program cannot read
the answers off its inputs as they are. What lies between two inputs can still be
guessed from them (docs/sandbox.md says how far that goes).
"""

import builtins
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from cwm.core.predictions import Predictions
from cwm.core.proposals import Counterexample, Task
from cwm.core.trajectories import TransitionBatch
from cwm.programs.accuracy import (
    SplitScore,
    merged_matches,
    score_draws,
    score_predictions,
    strict_matches,
)
from cwm.programs.audit import Audit, audit, audit_all
from cwm.programs.constants.fit import FitReport
from cwm.programs.constants.messages import FIT_DRIVER
from cwm.programs.counterexamples import find_counterexamples
from cwm.programs.json_values import counterexample_from_json, counterexample_to_json
from cwm.programs.memorised import TrainingValues
from cwm.programs.runner import STEPS_DRIVER, ProgramRunner
from cwm.programs.tolerances import Tolerances
from cwm.programs.unit_tests import DRIVER as UNIT_TEST_DRIVER
from cwm.programs.unit_tests import UnitTest, UnitTestScore, run_unit_tests
from sandbox.isolation import Level
from sandbox.limits import Limits
from sandbox.outcome import AnyOutcome, MemoryExceeded, Raised, Rejected
from sandbox.policy import PolicyMode
from sandbox.pool import Sandbox

DRIVERS = (STEPS_DRIVER, UNIT_TEST_DRIVER, FIT_DRIVER)
"""What a sandbox must be made with to evaluate programs."""

NUM_DRAWS = 32
"""Predictions of each distinct (observation, action) of a stochastic task."""

UNIT_TEST_WEIGHT = 0.2
"""Share of the score that unit tests decide, where there are any."""


def open_sandbox(
    *,
    limits: Limits | None = None,
    num_workers: int = 2,
    policy: PolicyMode = "enforce",
    require: Level = "kernel",
    extra_drivers: Sequence[str] = (),
    capabilities: Sequence[str] = (),
) -> Sandbox:
    """Returns a sandbox that can evaluate programs; close it, or use `with`.

    Args:
        limits: Limits of each run; an evaluation takes two of them for each split,
            and one more for each file of unit tests.
        num_workers: Runs at the same time; with 2, both halves of the transitions.
        policy: As in `Sandbox`.
        require: As in `Sandbox`.
        extra_drivers: Further driver modules.
        capabilities: As in `Sandbox`.

    Raises:
        SandboxUnavailable: If it cannot be had here.
    """
    return Sandbox(
        drivers=(*DRIVERS, *extra_drivers),
        limits=limits,
        num_workers=num_workers,
        policy=policy,
        require=require,
        capabilities=capabilities,
    )


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What a program turned out to be worth.

    Attributes:
        outcome_kind: How the run ended: `"completed"`, `"raised"`, `"timed_out"`,
            ... (`sandbox.outcome`); `"inconsistent"` if the audit says so.
        score: What the search maximises, in `[0, 1]`; 0 for a bug.
        is_bug: Whether any run did not complete. One exception anywhere is one.
        feedback: What to tell the program's author about a bug; else empty.
        failure_line: Line of the source that raised, from 1.
        failing_index: Training transition at which it raised.
        train: Scores on the training transitions; `None` for a bug.
        validation: Likewise, if it was run on validation transitions.
        unit_tests: Results of the unit tests, if there are any.
        counterexamples: Failing training transitions and unit tests.
        isolation: What kept the program in (`IsolationReport.to_json`).
        audit: What came of running it again, if that was asked for.
        fit: What came of fitting its constants, if they were.
    """

    outcome_kind: str
    score: float
    is_bug: bool
    feedback: str = ""
    failure_line: int | None = None
    failing_index: int | None = None
    train: SplitScore | None = None
    validation: SplitScore | None = None
    unit_tests: UnitTestScore | None = None
    counterexamples: tuple[Counterexample, ...] = ()
    isolation: dict[str, Any] = field(default_factory=dict)
    audit: Audit | None = None
    fit: FitReport | None = None

    @property
    def is_perfect(self) -> bool:
        """Whether everything that was judged is right, strictly."""
        splits = [s for s in (self.train, self.validation) if s is not None]
        tests = self.unit_tests
        return (
            not self.is_bug
            # A program that is no world model is judged by tests alone.
            and (bool(splits) or tests is not None)
            and all(split.strict == 1.0 for split in splits)
            and (tests is None or tests.num_passed == tests.num_tests)
        )

    def to_json(self) -> dict[str, Any]:
        """Returns plain data for the journal; `from_json` is the inverse."""
        return {
            "outcome_kind": self.outcome_kind,
            "score": self.score,
            "is_bug": self.is_bug,
            "feedback": self.feedback,
            "failure_line": self.failure_line,
            "failing_index": self.failing_index,
            "train": None if self.train is None else self.train.to_json(),
            "validation": (
                None if self.validation is None else self.validation.to_json()
            ),
            "unit_tests": (
                None if self.unit_tests is None else self.unit_tests.to_json()
            ),
            "counterexamples": [
                counterexample_to_json(c) for c in self.counterexamples
            ],
            "isolation": self.isolation,
            "audit": None if self.audit is None else self.audit.to_json(),
            "fit": None if self.fit is None else self.fit.to_json(),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Evaluation":
        """Returns the evaluation that `to_json` described."""
        train, validation, tests = (
            data[name] for name in ("train", "validation", "unit_tests")
        )
        examples = tuple(counterexample_from_json(c) for c in data["counterexamples"])
        return cls(
            outcome_kind=data["outcome_kind"],
            score=data["score"],
            is_bug=data["is_bug"],
            feedback=data["feedback"],
            failure_line=data["failure_line"],
            failing_index=data["failing_index"],
            train=None if train is None else SplitScore.from_json(train),
            validation=None if validation is None else SplitScore.from_json(validation),
            unit_tests=None if tests is None else UnitTestScore.from_json(tests),
            counterexamples=examples,
            isolation=data["isolation"],
            # Runs of earlier versions have none.
            audit=Audit.from_json(data["audit"]) if data.get("audit") else None,
            fit=FitReport.from_json(data["fit"]) if data.get("fit") else None,
        )


class SplitResult(NamedTuple):
    """How a program did on other transitions.

    Attributes:
        outcome: How the run ended.
        score: `None` for a bug, or if the audit failed.
        audit: What came of running it again, if that was asked for.
    """

    outcome: AnyOutcome
    score: SplitScore | None
    audit: Audit | None = None


Needs: TypeAlias = Callable[[Evaluation], bool]
"""Whether a program with such an evaluation needs a further step."""


def never(evaluation: Evaluation) -> bool:
    """Asks for no audit."""
    return False


def always(evaluation: Evaluation) -> bool:
    """Asks for an audit of every program that runs."""
    return True


class ProgramEvaluator:
    """Evaluates programs on one task; any number of threads may use it.

    Args:
        task: What is to be modelled, with the training transitions.
        validation: Transitions that the search may look at but not learn from.
        unit_tests: Tests of the user's, run beside the transitions.
        sandbox: Where programs run; made with `DRIVERS`, closed by whoever made it.
        seed: Seed of the order of transitions and of stochastic programs.
    """

    def __init__(
        self,
        task: Task,
        *,
        validation: TransitionBatch | None = None,
        unit_tests: Sequence[UnitTest] = (),
        sandbox: Sandbox,
        seed: int = 0,
    ) -> None:
        self.task = task
        self.tolerances = Tolerances.from_batch(task.train)
        self._validation = validation
        self._unit_tests = tuple(unit_tests)
        self._sandbox = sandbox
        self._seed = seed
        self._num_draws = NUM_DRAWS if task.is_stochastic else 1
        usual = [task.train] if validation is None else [task.train, validation]
        self._runner = ProgramRunner(sandbox, seed=seed, usual=usual)
        self._isolation = sandbox.isolation.to_json()

    def evaluate(
        self,
        source: str,
        *,
        needs_validation: Needs = always,
        needs_audit: Needs = never,
    ) -> Evaluation:
        """Runs a program on every transition and unit test, and scores it.

        The same source gets the same evaluation, if it is a function of its inputs.
        Validation transitions have children of their own: nothing that the program's
        author gets to read was written by a process that had one.

        Args:
            source: The program.
            needs_validation: Whether a program with this evaluation is to be run on
                the validation transitions, too; by default if there are any.
            needs_audit: Whether a program with this evaluation is to be audited, as
                one must be that is kept or shown; never by default. One that is not
                consistent is a bug.

        Raises:
            SandboxUnavailable: If the sandbox does not work; never for a fault of
                the program's.
        """
        train = self.task.train
        outcome, draws = self._runner.predict(source, train, self._num_draws)
        if draws is None:
            return self._failed(outcome)
        runs = [(train, draws)]
        evaluation = self._scored(source, outcome, draws)
        if self._validation is not None and needs_validation(evaluation):
            outcome, draws = self._runner.predict(
                source, self._validation, self._num_draws
            )
            if draws is None:
                return self._failed_in_validation(outcome)
            runs.append((self._validation, draws))
            score = self._score(draws, self._validation)
            evaluation = replace(evaluation, validation=score)
        if not needs_audit(evaluation):
            return evaluation
        return self._audited(source, evaluation, runs)

    def _scored(
        self, source: str, outcome: AnyOutcome, draws: list[Predictions]
    ) -> Evaluation:
        """Returns how a program does on training transitions and unit tests."""
        train = self._score(draws, self.task.train)
        matches = merged_matches(
            [strict_matches(d, self.task.train, self.tolerances) for d in draws]
        )
        examples = find_counterexamples(matches, draws[0], self.task.train)
        score = train.score
        tests: UnitTestScore | None = None
        if self._unit_tests:
            _, tests, failures = run_unit_tests(
                source, self._unit_tests, sandbox=self._sandbox, seed=self._seed
            )
            score = (
                1 - UNIT_TEST_WEIGHT
            ) * score + UNIT_TEST_WEIGHT * tests.passed_fraction
            examples = (*failures, *examples)
        return Evaluation(
            outcome_kind=outcome.kind,
            score=score,
            is_bug=False,
            train=train,
            unit_tests=tests,
            counterexamples=examples,
            isolation=self._isolation,
        )

    def _audited(
        self,
        source: str,
        evaluation: Evaluation,
        runs: Sequence[tuple[TransitionBatch, list[Predictions]]],
    ) -> Evaluation:
        """Returns the evaluation with its audit: of a bug, if that failed."""
        found = audit_all(source, runs, runner=self._runner)
        if found.is_consistent:
            memorised = self._training_values.look_for(source)
            return replace(evaluation, audit=replace(found, memorised=memorised))
        return Evaluation(
            outcome_kind=found.verdict,
            score=0.0,
            is_bug=True,
            feedback=found.explanation,
            failing_index=found.example,
            isolation=self._isolation,
            audit=found,
        )

    @cached_property
    def _training_values(self) -> TrainingValues:
        return TrainingValues(self.task.train)

    @property
    def sandbox(self) -> Sandbox:
        """Where programs run."""
        return self._sandbox

    def predict(
        self, source: str, batch: TransitionBatch
    ) -> tuple[AnyOutcome, Predictions | None]:
        """Returns what a program predicts, once, for each transition of a batch.

        The predictions are `None` unless the outcome is `Completed`.
        """
        outcome, draws = self._runner.predict(source, batch, 1)
        return outcome, None if draws is None else draws[0]

    def predict_draws(
        self, source: str, batch: TransitionBatch
    ) -> tuple[AnyOutcome, list[Predictions] | None]:
        """Returns what `score_on` judges: several draws of a stochastic task."""
        return self._runner.predict(source, batch, self._num_draws)

    def score_on(
        self, source: str, batch: TransitionBatch, *, audited: bool = False
    ) -> SplitResult:
        """Returns a program's score on other transitions, such as held-out ones.

        Judged exactly as the training transitions are: with their tolerances, and by
        repeated draws if the task is stochastic.

        Args:
            source: The program.
            batch: The transitions.
            audited: Whether to run it again on them; without a consistent audit
                there is no score then.
        """
        outcome, draws = self._runner.predict(source, batch, self._num_draws)
        if draws is None:
            return SplitResult(outcome, None)
        found: Audit | None = None
        if audited:
            found = audit(source, batch, draws, runner=self._runner)
            if not found.is_consistent:
                return SplitResult(outcome, None, found)
        return SplitResult(outcome, self._score(draws, batch), found)

    def _score(self, draws: list[Predictions], batch: TransitionBatch) -> SplitScore:
        if len(draws) == 1:
            return score_predictions(draws[0], batch, self.tolerances)
        return score_draws(draws, batch, self.tolerances)

    def _failed(self, outcome: AnyOutcome) -> Evaluation:
        feedback = outcome.feedback()
        line: int | None = None
        index: int | None = None
        if isinstance(outcome, Raised | MemoryExceeded | Rejected):
            line = outcome.line
        if isinstance(outcome, Raised) and outcome.position is not None:
            feedback += self._where(outcome.position)
            index = outcome.position
        return Evaluation(
            outcome_kind=outcome.kind,
            score=0.0,
            is_bug=True,
            feedback=feedback,
            failure_line=line,
            failing_index=index,
            isolation=self._isolation,
        )

    def _failed_in_validation(self, outcome: AnyOutcome) -> Evaluation:
        """Returns the evaluation of a program that only failed on hidden inputs.

        The text of an exception is the program's: what its author reads there, the
        author knows from then on, and the program had validation inputs to write.
        """
        if isinstance(outcome, Raised):
            known = isinstance(getattr(builtins, outcome.error_type, None), type)
            name = outcome.error_type if known else "Exception"
            outcome = replace(outcome, error_type=name, message="", position=None)
        failed = self._failed(outcome)
        where = "\nThis happened in a validation transition."
        return replace(failed, feedback=failed.feedback + where)

    def _where(self, row: int) -> str:
        transition = self.task.train.transition(row)
        with np.printoptions(threshold=32, precision=6):
            observation = repr(transition.observation)[:300]
            action = repr(transition.action)[:100]
        return f"\nThis happened in step({action}) after set_state({observation})."
