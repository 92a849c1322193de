"""Unit tests of a world model: a Python file that the user (or a model) writes.

The file has functions `test_<something>(Environment)`, as for pytest but with the
program's class as the only argument; `assert` says what must hold. docs/scoring.md
has an example, and what such tests can and cannot show.
"""

import ast
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from cwm.core.errors import DataError
from cwm.core.proposals import Counterexample
from cwm.programs.wire_types import TestResult, TestsRequest
from sandbox.outcome import AnyOutcome, Completed, Outcome, printable, source_line
from sandbox.pool import Sandbox

DRIVER = "cwm.programs.unit_test_driver"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitTest:
    """One test function.

    Attributes:
        name: The function, `test_...`.
        source: Text of the whole file that it is in.
    """

    name: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitTestScore:
    """How a program did in its unit tests.

    Attributes:
        num_tests: How many were run.
        num_passed: How many returned without raising.
        failed: Names of the others.
    """

    num_tests: int
    num_passed: int
    failed: tuple[str, ...] = ()

    @property
    def passed_fraction(self) -> float:
        """Share that passed, in `[0, 1]`."""
        return self.num_passed / self.num_tests

    def to_json(self) -> dict[str, Any]:
        """Returns the score as plain data."""
        return asdict(self) | {"failed": list(self.failed)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "UnitTestScore":
        """Returns the score that `to_json` described."""
        return cls(
            num_tests=data["num_tests"],
            num_passed=data["num_passed"],
            failed=tuple(data["failed"]),
        )


def parse_unit_tests(source: str, origin: str = "the tests") -> tuple[UnitTest, ...]:
    """Returns the tests in the text of a file, without running any of it.

    Args:
        source: The text.
        origin: What to call it in messages.

    Raises:
        DataError: If it is not Python, has no test, or one that cannot be called
            with the class alone.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise DataError(f"{origin} must be a Python file, got: {error}.") from error
    tests: list[UnitTest] = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            num_arguments = len(node.args.posonlyargs) + len(node.args.args)
            if num_arguments != 1:
                raise DataError(
                    f"{node.name} in {origin} must take one argument, the class "
                    f"Environment, got {num_arguments}."
                )
            tests.append(UnitTest(name=node.name, source=source))
    if not tests:
        raise DataError(
            f"{origin} must have at least one function test_...(Environment), got none."
        )
    return tuple(tests)


def load_unit_tests(path: Path) -> tuple[UnitTest, ...]:
    """Returns the tests in a file.

    Raises:
        DataError: If it cannot be read, or is not a file of tests.
    """
    try:
        source = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"Cannot read the tests {str(path)!r}: {error}.") from error
    return parse_unit_tests(source, origin=str(path))


def run_unit_tests(
    source: str, tests: Sequence[UnitTest], *, sandbox: Sandbox, seed: int
) -> tuple[AnyOutcome, UnitTestScore, tuple[Counterexample, ...]]:
    """Runs tests against a program, each file of them in a child of its own.

    Returns:
        The first outcome that is not `Completed` (else the last), the score, and a
        counterexample for each failure. Tests that were not reached have failed.
    """
    by_file: dict[str, list[str]] = {}
    for test in tests:
        by_file.setdefault(test.source, []).append(test.name)
    failures: list[Counterexample] = []
    outcome: AnyOutcome = Completed(messages=())
    for file_source, names in by_file.items():
        request = TestsRequest(source=file_source, names=names, seed=seed)
        ended: Outcome[TestResult] = sandbox.run(
            source,
            request,
            driver=DRIVER,
            reply=TestResult,
            limits=replace(sandbox.limits, max_messages=len(names)),
        )
        if outcome.kind == "completed":
            outcome = ended
        failures += _failures(ended, names, source=source, test_source=file_source)
    failed = tuple(f.wrong_parts[0] for f in failures)
    score = UnitTestScore(
        num_tests=len(tests), num_passed=len(tests) - len(failed), failed=failed
    )
    return outcome, score, tuple(failures)


def _failures(
    ended: Outcome[TestResult], names: list[str], *, source: str, test_source: str
) -> list[Counterexample]:
    results: dict[str, TestResult] = {}
    if isinstance(ended, Completed):
        results = {result.name: result for result in ended.messages}
    failures: list[Counterexample] = []
    for name in names:
        result = results.get(name)
        if result is None:
            message = f"{name} was not run: {ended.feedback() or 'no result'}"
        elif result.passed:
            continue
        else:
            message = _explain(result, source=source, test_source=test_source)
        failures.append(Counterexample(index=-1, wrong_parts=(name,), message=message))
    return failures


def _explain(result: TestResult, *, source: str, test_source: str) -> str:
    text = f"{result.name} failed: {printable(result.error_type, 80)}"
    if result.message:
        text += f": {printable(result.message)}"
    for where, line, lines in (
        ("of the tests", result.test_line, test_source),
        ("of the program", result.program_line, source),
    ):
        if line > 0:
            text += f"\nLine {line} {where}: {source_line(lines, line)}"
    return text
