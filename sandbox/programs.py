"""Two everyday kinds of runs: whole programs by their input, functions by their name.

    run_stdin_tests   a program reads standard input and writes standard output; each
                      input in a process of its own
    run_calls         a function is called with plain arguments; all calls in one

A sandbox for them is made with `DRIVERS`. What comes out are claims of the process
that the candidate shared; whether they are right is for the caller to say.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from sandbox.drivers.calls import CallReply, CallsRequest
from sandbox.drivers.stdin import ProgramInput, ProgramPart
from sandbox.errors import ProtocolError
from sandbox.limits import Limits
from sandbox.outcome import (
    Completed,
    Outcome,
    OutputExceeded,
    ProtocolBroken,
    Rejected,
    TimedOut,
    printable,
    source_line,
)
from sandbox.plain_values import decode_plain, encode_plain
from sandbox.pool import Sandbox

STDIN_DRIVER = "sandbox.drivers.stdin"
CALLS_DRIVER = "sandbox.drivers.calls"

DRIVERS = (STDIN_DRIVER, CALLS_DRIVER)
"""What a sandbox must be made with for the functions of this module."""

STDIN_LIMITS = Limits(wall_s=4.0, stack_mib=64, max_output_mib=16)
"""Limits of a program, for each input: it may recurse deeply and write much."""

CALLS_LIMITS = Limits(max_output_mib=8, max_frame_mib=8)
"""Limits of all calls together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramOutput:
    """What a program that came to its end wrote.

    Attributes:
        stdout: Its standard output.
        stderr: The beginning of its standard error.
        exit_code: Its exit code, from 0 to 255.
    """

    stdout: bytes
    stderr: bytes
    exit_code: int


def run_stdin_tests(
    sandbox: Sandbox,
    source: str,
    inputs: Sequence[bytes | str],
    *,
    limits: Limits = STDIN_LIMITS,
    max_stdout_kib: int = 8192,
    total_wall_s: float = 30.0,
) -> list[Outcome[ProgramOutput]]:
    """Runs a program on each input, each time in a process of its own.

    Args:
        sandbox: Made with `DRIVERS`.
        source: The program; the policy's profile is `"program"`.
        inputs: Standard inputs; text is encoded as UTF-8.
        limits: Limits of each run.
        max_stdout_kib: Standard output after which a run is stopped, in KiB; at
            most what `limits.max_output_mib` allows.
        total_wall_s: Seconds that all runs together may take. Inputs that are left
            then are `TimedOut` without being run.

    Returns:
        An outcome for each input, in their order. `Completed` has one message; an
        exception that the program does not catch is `Raised`, an exit code that is
        not 0 is in the message.

    Raises:
        SandboxUnavailable: As in `Sandbox.run`.
    """
    if not 1 <= max_stdout_kib <= limits.max_output_mib << 10:
        raise ValueError(
            f"max_stdout_kib must be 1 to {limits.max_output_mib << 10}, "
            f"got {max_stdout_kib} (KiB)."
        )
    # Room for what surrounds the output, so that its own limit is met first.
    limits = replace(limits, max_output_mib=limits.max_output_mib + 1)
    outcomes: list[Outcome[ProgramOutput]] = []
    used_s = 0.0
    while len(outcomes) < len(inputs):
        if used_s >= total_wall_s:
            outcomes.append(TimedOut(limit_s=total_wall_s))
            continue
        start = len(outcomes)
        requests = [
            ProgramInput(
                stdin=one.encode() if isinstance(one, str) else one,
                max_stdout_bytes=max_stdout_kib << 10,
            )
            for one in inputs[start : start + sandbox.num_workers]
        ]
        ended = sandbox.run_all(
            source,
            requests,
            driver=STDIN_DRIVER,
            reply=ProgramPart,
            limits=[limits] * len(requests),
            profile="program",
        )
        used_s += sum(outcome.usage.wall_s for outcome in ended)
        if isinstance(ended[0], Rejected):
            return [ended[0]] * len(inputs)
        outcomes += [_joined(outcome, max_stdout_kib) for outcome in ended]
    return outcomes


def _joined(
    outcome: Outcome[ProgramPart], max_stdout_kib: int
) -> Outcome[ProgramOutput]:
    if not isinstance(outcome, Completed):
        return outcome
    *parts, last = outcome.messages or (ProgramPart(b""),)
    stdout = b"".join(part.stdout for part in (*parts, last))
    is_over = last.is_too_long or len(stdout) > max_stdout_kib << 10
    if is_over:
        limit = f"{max_stdout_kib} KiB of standard output"
        return OutputExceeded(
            limit=limit, usage=outcome.usage, warnings=outcome.warnings
        )
    if last.exit_code is None or any(part.exit_code is not None for part in parts):
        return ProtocolBroken(
            reason="the last part, and no other, must have an exit code.",
            usage=outcome.usage,
        )
    message = ProgramOutput(
        stdout=stdout, stderr=last.stderr, exit_code=last.exit_code & 0xFF
    )
    return Completed(
        messages=(message,), usage=outcome.usage, warnings=outcome.warnings
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of a function.

    Attributes:
        arguments: By position; plain data (`plain_values`).
        keywords: By name.
    """

    arguments: Sequence[Any] = ()
    keywords: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """A call that returned plain data.

    Attributes:
        value: The data.
    """

    value: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRaised:
    """A call that raised, or returned something that is not plain data.

    Attributes:
        error_type: Name of the exception's class.
        message: Its text, printable and cut.
        line: Line of the source that raised, from 1; `None` if unknown.
        source_line: That line.
    """

    error_type: str
    message: str
    line: int | None = None
    source_line: str = ""


CallResult: TypeAlias = Returned | CallRaised


def run_calls(
    sandbox: Sandbox,
    source: str,
    function: str,
    calls: Sequence[Call],
    *,
    limits: Limits = CALLS_LIMITS,
) -> Outcome[CallResult]:
    """Calls a function of a source, several times in one process.

    Args:
        sandbox: Made with `DRIVERS`.
        source: The candidate; the policy's profile is `"program"`.
        function: Name of a function, or `Class.method` of a class that is made
            without arguments, anew for each call.
        calls: The calls, in their order.
        limits: Limits of all of them together.

    Returns:
        The outcome; if it is `Completed`, with a message for each call. An exception
        of one call is its result. One that ends the process, such as a loop without
        an end, is the outcome of all.

    Raises:
        SandboxUnavailable: As in `Sandbox.run`.
        ValueError: If `function` is no name, or arguments are too large.
        TypeError: If arguments are not plain data.
    """
    if not all(part.isidentifier() for part in function.split(".")):
        raise ValueError(f"function must be a name or Class.method, got {function!r}.")
    request = CallsRequest(
        function=function,
        calls=[encode_plain([list(c.arguments), dict(c.keywords)]) for c in calls],
    )
    outcome = sandbox.run(
        source,
        request,
        driver=CALLS_DRIVER,
        reply=CallReply,
        limits=replace(limits, max_messages=max(len(calls), 1)),
        profile="program",
    )
    if not isinstance(outcome, Completed):
        return outcome
    try:
        if len(outcome.messages) != len(calls):
            raise ProtocolError(f"{len(calls)} results are due.")
        results = tuple(_result(reply, source) for reply in outcome.messages)
    except ProtocolError as error:
        return ProtocolBroken(reason=str(error), usage=outcome.usage)
    return Completed(messages=results, usage=outcome.usage, warnings=outcome.warnings)


def _result(reply: CallReply, source: str) -> CallResult:
    failure = reply.failure
    if failure is None:
        return Returned(value=decode_plain(reply.text))
    line = failure.line if failure.line > 0 else None
    return CallRaised(
        error_type=printable(failure.error_type, 80),
        message=printable(failure.message),
        line=line,
        source_line=source_line(source, line),
    )
