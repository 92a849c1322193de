"""Scores a program by the visible tests of a problem, for the search."""

from collections.abc import Sequence

from cwm.core.proposals import Counterexample
from cwm.programs.evaluation import Evaluation, Needs, always, never
from cwm.programs.program_runs import (
    ProgramTestConfig,
    ProgramTestRunner,
    Verdict,
    VerdictsOrBug,
)
from cwm.programs.tested_programs import ProgramTests
from cwm.programs.unit_tests import UnitTestScore
from sandbox.outcome import AnyOutcome, MemoryExceeded, Raised, Rejected
from sandbox.pool import Sandbox

MAX_COUNTEREXAMPLES = 12
"""Failed tests that an evaluation holds, at most."""


class ProgramTestEvaluator:
    """Scores programs on one problem; any number of threads may use it.

    The score is the share of the visible tests that a program passes. Only a program
    that cannot be compiled or loaded is a bug: a test that fails, raises or never ends
    is something to improve.

    Args:
        tests: The problem's tests.
        sandbox: Where programs run; made with `program_runs.DRIVERS`, closed by whoever
            made it.
        config: How they run, and what counts as right.
    """

    def __init__(
        self, tests: ProgramTests, *, sandbox: Sandbox, config: ProgramTestConfig
    ) -> None:
        self._tests = tests
        self._runner = ProgramTestRunner(tests, sandbox=sandbox, config=config)
        self._isolation = sandbox.isolation.to_json()

    def evaluate(
        self,
        source: str,
        *,
        needs_validation: Needs = always,
        needs_audit: Needs = never,
    ) -> Evaluation:
        """Returns how a program does in the visible tests.

        Args:
            source: The program.
            needs_validation: Not asked: the hidden tests are for the end.
            needs_audit: Not asked: what is due is in no process of the program's, so
                that there is nothing to find by running it again.

        Raises:
            SandboxUnavailable: If the sandbox does not work; never for a fault of
                the program's.
        """
        visible = self._tests.visible
        found = self._runner.run(source, visible)
        if found.bug is not None:
            return self._failed(found.bug)
        failed = [i for i in visible if not found.verdicts[i].is_right]
        return Evaluation(
            outcome_kind="completed",
            score=found.num_passed / len(visible),
            is_bug=False,
            unit_tests=UnitTestScore(
                num_tests=len(visible),
                num_passed=found.num_passed,
                failed=tuple(map(_name, failed)),
            ),
            counterexamples=self._counterexamples(failed, found.verdicts),
            isolation=self._isolation,
        )

    def run_hidden(self, source: str) -> VerdictsOrBug:
        """Returns how a program does in the hidden tests: for the final report alone.

        Raises:
            SandboxUnavailable: As in `evaluate`.
        """
        return self._runner.run(source, self._tests.hidden)

    def _counterexamples(
        self, failed: Sequence[int], verdicts: Sequence[Verdict]
    ) -> tuple[Counterexample, ...]:
        """Returns failed tests: of each way to fail the smallest, in turns."""
        by_ending: dict[str, list[int]] = {}
        for position in failed:
            by_ending.setdefault(verdicts[position].ending, []).append(position)
        ranked = []
        for positions in by_ending.values():
            positions.sort(key=lambda i: len(self._tests.tests[i].example.input))
            ranked += list(enumerate(positions))
        ranked.sort(key=lambda pair: pair[0])
        return tuple(
            Counterexample(
                index=-1,
                wrong_parts=(_name(position),),
                message=verdicts[position].message,
                example=self._tests.tests[position].example,
                output=verdicts[position].output,
            )
            for _, position in ranked[:MAX_COUNTEREXAMPLES]
        )

    def _failed(self, outcome: AnyOutcome) -> Evaluation:
        line: int | None = None
        if isinstance(outcome, Raised | MemoryExceeded | Rejected):
            line = outcome.line
        return Evaluation(
            outcome_kind=outcome.kind,
            score=0.0,
            is_bug=True,
            feedback=outcome.feedback(),
            failure_line=line,
            isolation=self._isolation,
        )


def _name(position: int) -> str:
    return f"test {position + 1}"
