"""Runs a program on tests: a script once for each input, a function call by call.

What is due stays outside the processes in which the program runs. What comes back is
compared here, or by the problem's own check in a process without the program.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from cwm.programs.check_driver import CheckRequest, Judgement
from cwm.programs.output_comparison import (
    Comparison,
    is_right_output,
    is_right_value,
)
from cwm.programs.tested_programs import (
    CallTest,
    Check,
    CheckTest,
    ProgramTest,
    ProgramTests,
    StdinTest,
    shown,
)
from sandbox.child import CANDIDATE_FILE
from sandbox.isolation import Level
from sandbox.limits import Limits
from sandbox.outcome import AnyOutcome, Completed, Outcome, Raised, TimedOut
from sandbox.plain_values import decode_plain, encode_plain
from sandbox.pool import Sandbox
from sandbox.programs import DRIVERS as PROGRAM_DRIVERS
from sandbox.programs import (
    Call,
    CallRaised,
    CallResult,
    ProgramOutput,
    Returned,
    run_calls,
    run_stdin_tests,
)

CHECK_DRIVER = "cwm.programs.check_driver"

DRIVERS = (*PROGRAM_DRIVERS, CHECK_DRIVER)
"""What a sandbox must be made with to run the tests of programs."""

CHECK_SEED = 0
"""Seed of what a check draws: its calls are the same for every program."""

_CHECK_LIMITS = Limits(wall_s=20.0)
_SYNTAX_ERRORS = ("SyntaxError", "IndentationError", "TabError")
_STACK_MIB = 64
_OUTPUT_MIB = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramTestConfig:
    """How programs are run on tests, and what counts as right.

    Attributes:
        comparison: How standard outputs are compared: lines, in order; or apps, all
            that the published benchmark accepts, which is more than it should.
        wall_s: Seconds for each test; positive. The published benchmark has 4.
        total_wall_s: Seconds for all tests of a program that takes them up, such as
            one that never ends; positive. Tests that are left then have failed.
        memory_mib: Memory that a program may add to the interpreter's, in MiB;
            positive.
    """

    comparison: Comparison = "lines"
    wall_s: float = 4.0
    total_wall_s: float = 60.0
    memory_mib: int = 512

    def __post_init__(self) -> None:
        if not self.total_wall_s > 0:
            raise ValueError(
                f"total_wall_s must be positive, got {self.total_wall_s!r} (seconds)."
            )
        self.limits()

    def limits(self) -> Limits:
        """Returns the limits of one run.

        Raises:
            ValueError: If one is of nothing.
        """
        return Limits(
            wall_s=self.wall_s,
            memory_mib=self.memory_mib,
            stack_mib=_STACK_MIB,
            max_output_mib=_OUTPUT_MIB,
        )


def open_test_sandbox(*, require: Level = "kernel", num_workers: int = 2) -> Sandbox:
    """Returns a sandbox that can run the tests of programs; close it, or use `with`.

    Raises:
        SandboxUnavailable: If it cannot be had here.
    """
    return Sandbox(drivers=DRIVERS, num_workers=num_workers, require=require)


class Verdict(NamedTuple):
    """How a program did in one test.

    Attributes:
        is_right: Whether it passed.
        ending: `"completed"`; or how the run ended (`sandbox.outcome`).
        output: What it wrote or returned, as text to be shown; `None` if nothing.
        message: Why there is no output; else empty.
    """

    is_right: bool
    ending: str = "completed"
    output: str | None = None
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class VerdictsOrBug:
    """How a program did in some of its tests.

    Attributes:
        bug: How it ended if it cannot even be loaded; then it passed no test.
        verdicts: One for each test that was asked for; none for a bug.
    """

    bug: AnyOutcome | None = None
    verdicts: tuple[Verdict, ...] = ()

    @property
    def num_passed(self) -> int:
        """How many tests it passed."""
        return sum(verdict.is_right for verdict in self.verdicts)


Results: TypeAlias = tuple[CallResult, ...] | AnyOutcome
"""What came of the calls of one test, or how the process ended that made them."""


class ProgramTestRunner:
    """Runs programs on the tests of one problem; any number of threads may use it.

    Args:
        tests: The tests.
        sandbox: Made with `DRIVERS`.
        config: How programs are run, and what counts as right.
    """

    def __init__(
        self, tests: ProgramTests, *, sandbox: Sandbox, config: ProgramTestConfig
    ) -> None:
        self.tests = tests
        self._sandbox = sandbox
        self._config = config

    def run(self, source: str, positions: Sequence[int]) -> VerdictsOrBug:
        """Returns how a program does in the tests at some positions.

        Raises:
            SandboxUnavailable: If the sandbox does not work; never for a fault of
                the program's.
        """
        chosen = [self.tests.tests[position] for position in positions]
        if not chosen:
            return VerdictsOrBug()
        if not self.tests.function:
            return self._run_script(source, chosen)
        results = self._run_function(source, [_calls_of(test) for test in chosen])
        if not isinstance(results, list):
            return VerdictsOrBug(bug=results)
        if self.tests.check is None:
            judged = list(map(_is_right_call, chosen, results))
        else:
            judged = self._check(self.tests.check, positions, results)
        return VerdictsOrBug(verdicts=tuple(map(_verdict, judged, results)))

    def _run_script(self, source: str, chosen: Sequence[ProgramTest]) -> VerdictsOrBug:
        tests = [test for test in chosen if isinstance(test, StdinTest)]
        outcomes = run_stdin_tests(
            self._sandbox,
            source,
            [test.input for test in tests],
            limits=self._config.limits(),
            total_wall_s=self._config.total_wall_s,
        )
        if not _is_loadable(outcomes[0]):
            return VerdictsOrBug(bug=outcomes[0])
        return VerdictsOrBug(verdicts=tuple(map(self._compare, tests, outcomes)))

    def _compare(self, test: StdinTest, outcome: Outcome[ProgramOutput]) -> Verdict:
        if not isinstance(outcome, Completed):
            return Verdict(False, outcome.kind, message=outcome.feedback())
        # An exit code is not judged, as in the published benchmark.
        output = outcome.messages[0].stdout.decode("utf-8", "replace")
        is_right = is_right_output(output, test.output, self._config.comparison)
        return Verdict(is_right, output=shown(output))

    def _run_function(
        self, source: str, groups: Sequence[Sequence[Call]]
    ) -> list[Results] | AnyOutcome:
        """Returns what came of the calls of each test; an outcome for a bug."""
        outcome = self._call(source, [call for group in groups for call in group])
        if isinstance(outcome, Completed):
            left = iter(outcome.messages)
            return [tuple(next(left) for _ in group) for group in groups]
        loaded = self._call(source, [])
        if not isinstance(loaded, Completed):
            return loaded
        # Some call ends the process of all: each test gets a process of its own.
        results: list[Results] = []
        used_s = 0.0
        for group in groups:
            if used_s >= self._config.total_wall_s:
                results.append(TimedOut(limit_s=self._config.total_wall_s))
                continue
            outcome = self._call(source, group)
            used_s += outcome.usage.wall_s
            if isinstance(outcome, Completed):
                results.append(outcome.messages)
            else:
                results.append(outcome)
        return results

    def _call(self, source: str, calls: Sequence[Call]) -> Outcome[CallResult]:
        return run_calls(
            self._sandbox,
            source,
            self.tests.function,
            calls,
            limits=self._config.limits(),
        )

    def _check(
        self, check: Check, positions: Sequence[int], results: Sequence[Results]
    ) -> list[bool]:
        """Returns for each test whether its assertion holds."""
        given: list[list[str] | None] = [None] * len(self.tests.tests)
        for position, one in zip(positions, results, strict=True):
            given[position] = _texts(one)
        request = CheckRequest(
            setup=check.setup,
            source=check.source,
            function=self.tests.function,
            seed=CHECK_SEED,
            results=given,
        )
        outcome = run_check(self._sandbox, request)
        if not isinstance(outcome, Completed):
            # A result has ended it: without results it comes to its end.
            return [False] * len(positions)
        judged, tests = outcome.messages, self.tests.tests
        return [
            position < len(judged)
            and judged[position].is_right
            # Another flow than for other programs is another test.
            and tuple(judged[position].calls) == _check_calls(tests[position])
            for position in positions
        ]


def run_check(sandbox: Sandbox, request: CheckRequest) -> Outcome[Judgement]:
    """Runs the check of a problem; see `check_driver`.

    Raises:
        SandboxUnavailable: If the sandbox does not work.
    """
    return sandbox.run(
        "", request, driver=CHECK_DRIVER, reply=Judgement, limits=_CHECK_LIMITS
    )


def _is_loadable(outcome: AnyOutcome) -> bool:
    """Whether a script could be compiled and is not refused."""
    if outcome.kind == "rejected":
        return False
    return not (
        isinstance(outcome, Raised)
        and outcome.error_type in _SYNTAX_ERRORS
        # The compiler says where; what a program raises itself does not.
        and f"({CANDIDATE_FILE}, line " in outcome.message
    )


def _calls_of(test: ProgramTest) -> list[Call]:
    if isinstance(test, CallTest):
        return [Call(arguments=test.arguments)]
    calls = []
    for text in _check_calls(test):
        arguments, keywords = decode_plain(text)
        calls.append(Call(arguments=arguments, keywords=keywords))
    return calls


def _check_calls(test: ProgramTest) -> tuple[str, ...]:
    return test.calls if isinstance(test, CheckTest) else ()


def _is_right_call(test: ProgramTest, results: Results) -> bool:
    return (
        isinstance(test, CallTest)
        and isinstance(results, tuple)
        and all(
            isinstance(one, Returned) and is_right_value(one.value, test.accepted)
            for one in results
        )
    )


def _texts(results: Results) -> list[str] | None:
    """Returns what calls returned as text; nothing unless all of them did."""
    if not isinstance(results, tuple):
        return None
    values = [one.value for one in results if isinstance(one, Returned)]
    if len(values) < len(results):
        return None
    try:
        return [encode_plain(value) for value in values]
    except (TypeError, ValueError):
        # Forged: deeper than what a driver sends.
        return None


def _verdict(is_right: bool, results: Results) -> Verdict:
    if not isinstance(results, tuple):
        return Verdict(False, results.kind, message=results.feedback())
    for one in results:
        if isinstance(one, CallRaised):
            return Verdict(False, "raised", message=_raised_text(one))
    values = [repr(one.value) for one in results if isinstance(one, Returned)]
    return Verdict(is_right, output=shown(", ".join(values)))


def _raised_text(failure: CallRaised) -> str:
    text = failure.error_type
    if failure.message:
        text += f": {failure.message}"
    if failure.line is not None:
        text += f"\nLine {failure.line}: {failure.source_line}"
    return text
