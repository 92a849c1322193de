"""Tests of a program that is no world model: what it is given, what is due.

    StdinTest   a script reads standard input and writes standard output
    CallTest    a function is called and returns plain data
    CheckTest   a function is called, and code that came with the problem says whether
                the results are right

Half of a problem's tests are visible to the search and to who writes the programs.
The others are held out: the best program meets them once, after the search.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

from cwm.core.errors import DataError
from cwm.core.proposals import ProgramExample
from sandbox.errors import ProtocolError
from sandbox.plain_values import decode_plain, encode_plain

MAX_SHOWN_CHARS = 4_000
"""Longest text of an input or an output that is shown and recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StdinTest:
    """A standard input, and the standard output that is due.

    Attributes:
        input: What the program reads.
        output: What it must write; `output_comparison` says how exactly.
    """

    input: str
    output: str

    @property
    def example(self) -> ProgramExample:
        """The test as it is shown."""
        return ProgramExample(input=shown(self.input), output=shown(self.output))


@dataclass(frozen=True, slots=True, kw_only=True)
class CallTest:
    """Arguments, and what a function must return for them.

    Attributes:
        arguments: By position; plain data.
        accepted: Values of which any is right, the one to be shown first.
    """

    arguments: tuple[Any, ...]
    accepted: tuple[Any, ...]

    @property
    def example(self) -> ProgramExample:
        """The test as it is shown."""
        return ProgramExample(
            input=arguments_text(self.arguments), output=shown(repr(self.accepted[0]))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckTest:
    """One assertion of the code that checks a function, and the calls it makes.

    Attributes:
        calls: Text of `[arguments, keyword arguments]` of each (`plain_values`).
        output: What must be returned, or hold, as text.
    """

    calls: tuple[str, ...]
    output: str

    @property
    def example(self) -> ProgramExample:
        """The test as it is shown: its first call."""
        arguments, keywords = decode_plain(self.calls[0])
        return ProgramExample(
            input=arguments_text(arguments, keywords), output=shown(self.output)
        )


ProgramTest: TypeAlias = StdinTest | CallTest | CheckTest


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Code that checks a function, as it came with the problem.

    It is run in the sandbox, in processes that never hold the program that it checks.

    Attributes:
        setup: What it needs to be defined.
        source: Defines `check(candidate)`, which makes assertions.
    """

    setup: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramTests:
    """All tests of one problem.

    Attributes:
        tests: At least one, all of the same kind; the first half, the middle one
            included, is visible.
        function: `name` or `Class.method` of what is called; `""` for a script.
        check: Says whether results are right, of a `CheckTest`.
    """

    tests: tuple[ProgramTest, ...]
    function: str = ""
    check: Check | None = None

    def __post_init__(self) -> None:
        if not self.tests:
            raise ValueError("tests must have at least one member, got none.")
        kinds = {type(test) for test in self.tests}
        if len(kinds) > 1:
            names = ", ".join(sorted(kind.__name__ for kind in kinds))
            raise ValueError(f"tests must be of one kind, got {names}.")
        if (CheckTest in kinds) != (self.check is not None):
            raise ValueError("check must be given with tests of the kind CheckTest.")
        if (StdinTest in kinds) != (self.function == ""):
            raise ValueError("function must be given unless standard input is read.")

    @property
    def num_visible(self) -> int:
        """How many tests the search may look at; at least 1."""
        return (len(self.tests) + 1) // 2

    @property
    def visible(self) -> tuple[int, ...]:
        """Positions of the tests that the search may look at."""
        return tuple(range(self.num_visible))

    @property
    def hidden(self) -> tuple[int, ...]:
        """Positions of the tests that are held out; none if there is only one test."""
        return tuple(range(self.num_visible, len(self.tests)))

    def to_json(self) -> dict[str, Any]:
        """Returns plain data; `from_json` is the inverse."""
        check = self.check
        return {
            "function": self.function,
            "check": None
            if check is None
            else {"setup": check.setup, "source": check.source},
            "tests": [_test_to_json(test) for test in self.tests],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "ProgramTests":
        """Returns the tests that `to_json` described.

        Raises:
            DataError: If it did not.
        """
        try:
            check = data["check"]
            return cls(
                tests=tuple(_test_from_json(test) for test in data["tests"]),
                function=data["function"],
                check=None if check is None else Check(**check),
            )
        except (KeyError, TypeError, ValueError, ProtocolError) as error:
            raise DataError(f"The tests of a problem cannot be read: {error}.") from (
                error
            )


def _test_to_json(test: ProgramTest) -> dict[str, Any]:
    if isinstance(test, StdinTest):
        return {"input": test.input, "output": test.output}
    if isinstance(test, CallTest):
        return {
            "arguments": encode_plain(test.arguments),
            "accepted": encode_plain(test.accepted),
        }
    return {"calls": list(test.calls), "output": test.output}


def _test_from_json(data: dict[str, Any]) -> ProgramTest:
    if "calls" in data:
        return CheckTest(calls=tuple(data["calls"]), output=data["output"])
    if "arguments" in data:
        return CallTest(
            arguments=decode_plain(data["arguments"]),
            accepted=decode_plain(data["accepted"]),
        )
    return StdinTest(input=data["input"], output=data["output"])


def arguments_text(
    arguments: tuple[Any, ...] | list[Any], keywords: dict[str, Any] | None = None
) -> str:
    """Returns arguments as they are written in a call."""
    named = (f"{name}={value!r}" for name, value in (keywords or {}).items())
    return shown(", ".join([*map(repr, arguments), *named]))


def shown(text: str) -> str:
    """Returns a text short enough to be shown; it says what is missing."""
    num_left = len(text) - MAX_SHOWN_CHARS
    if num_left <= 0:
        return text
    return f"{text[:MAX_SHOWN_CHARS]}... ({num_left} more characters)"
