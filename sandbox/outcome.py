"""How one run of a candidate ended: a value, never a number or an exception."""

import re
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar

MAX_MESSAGE_CHARS = 300
"""Longest text of a candidate's own that is kept."""

DEFAULT_FEEDBACK_CHARS = 2_000

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a run used, as the kernel counted it.

    Attributes:
        wall_s: Seconds from fork to exit.
        cpu_s: Seconds of processor time, user and system.
        max_rss_mib: Largest resident memory, shared pages included.
    """

    wall_s: float = 0.0
    cpu_s: float = 0.0
    max_rss_mib: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ended:
    """What every outcome has.

    Attributes:
        usage: What the run used; zeros if nothing was run.
        warnings: What the policy would have refused, with `policy="warn"`.
    """

    kind: ClassVar[str]
    usage: Usage = field(default=Usage(), compare=False)
    warnings: tuple[str, ...] = ()

    def feedback(self, max_chars: int = DEFAULT_FEEDBACK_CHARS) -> str:
        """Returns what to tell the candidate's author; at most `max_chars` long.

        Printable, without paths of this machine; empty if the run completed.
        """
        return shorten(self._text(), max_chars)

    def _text(self) -> str:
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed(_Ended, Generic[T]):
    """The driver came to its end.

    Attributes:
        messages: What the driver emitted, decoded; still only the claims of a
            process that the candidate shared.
    """

    kind: ClassVar[str] = "completed"
    messages: tuple[T, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Raised(_Ended):
    """The candidate raised an exception.

    Attributes:
        error_type: Name of the exception's class.
        message: Its text, printable and cut.
        line: Line of the source that raised, from 1; `None` if unknown.
        source_line: That line, from the parent's copy of the source.
        position: Where the driver was, in its own count; `None` if it did not say.
    """

    kind: ClassVar[str] = "raised"
    error_type: str
    message: str
    line: int | None = None
    source_line: str = ""
    position: int | None = None

    def _text(self) -> str:
        head = f"{self.error_type}: {self.message}" if self.message else self.error_type
        return head + _quote(self.line, self.source_line)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedOut(_Ended):
    """The run was stopped at its time limit.

    Attributes:
        limit_s: The limit, in seconds of wall clock (or processor time).
    """

    kind: ClassVar[str] = "timed_out"
    limit_s: float

    def _text(self) -> str:
        return (
            f"TimeLimit: the program did not finish within {self.limit_s:g} s and was "
            "stopped. Look for a loop that never ends, or work that repeats in every "
            "step."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryExceeded(_Ended):
    """The candidate asked for more memory than it may have.

    Attributes:
        limit_mib: The limit, in MiB.
        line: Line of the source that asked, from 1; `None` if unknown.
        source_line: That line, from the parent's copy of the source.
    """

    kind: ClassVar[str] = "memory_exceeded"
    limit_mib: int
    line: int | None = None
    source_line: str = ""

    def _text(self) -> str:
        head = f"MemoryLimit: the program used more than {self.limit_mib} MiB."
        return head + _quote(self.line, self.source_line)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputExceeded(_Ended):
    """The results were larger than allowed.

    Attributes:
        limit: The limit that was passed, with its unit.
    """

    kind: ClassVar[str] = "output_exceeded"
    limit: str

    def _text(self) -> str:
        return f"OutputLimit: the results were larger than {self.limit}."


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolBroken(_Ended):
    """The child sent something that no honest driver sends.

    Attributes:
        reason: What was wrong with it.
    """

    kind: ClassVar[str] = "protocol_broken"
    reason: str

    def _text(self) -> str:
        return f"The results could not be read: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Crashed(_Ended):
    """The child ended without saying how.

    Attributes:
        exit_code: Its exit code; negative for a signal's number; `None` if it took
            its worker along, twice.
    """

    kind: ClassVar[str] = "crashed"
    exit_code: int | None

    def _text(self) -> str:
        how = "" if self.exit_code is None else f" (exit code {self.exit_code})"
        return (
            f"The program ended its own process{how}. It must neither exit nor "
            "recurse without a bound."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected(_Ended):
    """The source was refused before it was run.

    Attributes:
        reasons: Why, each with its line, in the order of the source.
    """

    kind: ClassVar[str] = "rejected"
    reasons: tuple[str, ...]
    line: int | None = None

    def _text(self) -> str:
        return "The program was not run:\n" + "\n".join(self.reasons)


Outcome: TypeAlias = (
    Completed[T]
    | Raised
    | TimedOut
    | MemoryExceeded
    | OutputExceeded
    | ProtocolBroken
    | Crashed
    | Rejected
)
"""How a run ended; match on the class, or look at `.kind`."""

AnyOutcome: TypeAlias = Outcome[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnded(_Ended):
    """There is no answer: the session was over before it was asked.

    Attributes:
        reason: What ended it.
        cause: The outcome that ended it; `None` if nothing that the candidate did
            is known to have: the session or its sandbox was closed, or the worker
            that held it was lost. Whoever opens another one learns more.
    """

    kind: ClassVar[str] = "session_ended"
    reason: str
    cause: AnyOutcome | None = None

    def _text(self) -> str:
        if self.cause is None:
            return f"The session is over: {self.reason}."
        return (
            f"The session is over: {self.reason}. It ended so:\n{self.cause.feedback()}"
        )


Answer: TypeAlias = Outcome[T] | SessionEnded
"""How one request of a session ended."""


def shorten(text: str, max_chars: int) -> str:
    """Returns `text` cut in the middle, saying how many characters are missing.

    Raises:
        ValueError: If `max_chars` is below 40, too little for the note.
    """
    if max_chars < 40:
        raise ValueError(f"max_chars must be at least 40, got {max_chars}.")
    if len(text) <= max_chars:
        return text
    note = f" ...[{len(text) - max_chars + 30} characters removed]... "
    room = max(max_chars - len(note), 0)
    tail = room // 3
    return text[: room - tail] + note + text[len(text) - tail :]


_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef]"
)
"""What `str.isprintable` takes for printable, and nobody sees: hidden messages."""


def printable(text: str, max_chars: int = MAX_MESSAGE_CHARS) -> str:
    """Returns text of a candidate with everything unprintable made visible."""
    kept = text[: 4 * max_chars]
    safe = "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in kept)
    safe = _INVISIBLE.sub(lambda m: ascii(m[0])[1:-1], safe)
    return shorten(safe, max_chars)


def source_line(source: str, line: int | None) -> str:
    """Returns one line of a source, stripped; empty if there is no such line."""
    if line is None:
        return ""
    lines = source.split("\n")
    if not 1 <= line <= len(lines):
        return ""
    return printable(lines[line - 1].strip(), 200)


def _quote(line: int | None, text: str) -> str:
    if line is None:
        return ""
    return f"\nLine {line}: {text}" if text else f"\nLine {line}"
