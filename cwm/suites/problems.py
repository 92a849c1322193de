"""A problem whose solution is a program that passes tests."""

from dataclasses import dataclass
from typing import Any

from cwm.core.errors import DataError
from cwm.core.proposals import ProgramInterface, Task
from cwm.programs.tested_programs import ProgramTests


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is asked of a program, and the tests that say whether it does it.

    Attributes:
        problem_id: Name, unique in its suite.
        suite: Where it comes from: `"own"`, `"apps"`, `"humaneval"`.
        statement: What the program must do, for who writes it.
        tests: What it is judged by.
        starter: First lines that the problem gives; may be empty.
        difficulty: As the suite says; may be empty.
    """

    problem_id: str
    suite: str
    statement: str
    tests: ProgramTests
    starter: str = ""
    difficulty: str = ""

    def task(self) -> Task:
        """Returns what a proposer may know: of the tests, the visible half."""
        tests = self.tests
        return Task.of_program(
            self.problem_id,
            self.statement,
            ProgramInterface(
                function=tests.function,
                examples=tuple(tests.tests[i].example for i in tests.visible),
                starter=self.starter,
            ),
        )

    def to_json(self) -> dict[str, Any]:
        """Returns plain data; `from_json` is the inverse."""
        return {
            "problem_id": self.problem_id,
            "suite": self.suite,
            "difficulty": self.difficulty,
            "statement": self.statement,
            "starter": self.starter,
            **self.tests.to_json(),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Problem":
        """Returns the problem that `to_json` described.

        Raises:
            DataError: If it did not.
        """
        texts = ("problem_id", "suite", "statement", "starter", "difficulty")
        missing = [name for name in texts if not isinstance(data.get(name), str)]
        if missing:
            raise DataError(f"A problem must have the text {', '.join(missing)}.")
        return cls(
            **{name: data[name] for name in texts}, tests=ProgramTests.from_json(data)
        )
