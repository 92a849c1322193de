"""Turns what came out of a child and its worker into an `Outcome`."""

import math
import signal
from typing import TypeVar

from sandbox import wire
from sandbox.errors import ProtocolError
from sandbox.intake import RawResult
from sandbox.limits import Limits
from sandbox.outcome import (
    Completed,
    Crashed,
    MemoryExceeded,
    Outcome,
    OutputExceeded,
    ProtocolBroken,
    Raised,
    TimedOut,
    Usage,
    printable,
    source_line,
)

T = TypeVar("T")

_SIGXCPU = int(signal.SIGXCPU)
_SIGKILL = int(signal.SIGKILL)
_OUT_OF_MEMORY = wire.Failure(
    error_type="MemoryError", message="", line=-1, position=-1
)


def interpret(
    raw: RawResult, source: str, reply: type[T], limits: Limits
) -> Outcome[T]:
    """Returns how a run ended; the report must be there."""
    report = raw.report
    assert report is not None, "a result without a report was let through"
    usage = usage_of(report)
    if raw.exceeded:
        return OutputExceeded(limit=raw.exceeded, usage=usage)
    if raw.breach:
        return ProtocolBroken(reason=raw.breach, usage=usage)
    if report.killed == "wall" or report.exit_code == -_SIGXCPU:
        return TimedOut(limit_s=limits.wall_s, usage=usage)
    failure = raw.failure if report.exit_code == 0 else None
    if report.killed == "memory":
        failure = _OUT_OF_MEMORY
    if failure is not None:
        return _failed(failure, source, limits, usage)
    if report.exit_code != 0 or not raw.is_done:
        return Crashed(exit_code=report.exit_code, usage=usage)
    return _decoded(raw.values, reply, limits, usage)


def interpret_answer(
    raw: RawResult, source: str, reply: type[T], limits: Limits, wall_s: float
) -> Outcome[T]:
    """Returns how a request ended that a living child answered in `wall_s`."""
    usage = Usage(wall_s=wall_s)
    if raw.exceeded:
        return OutputExceeded(limit=raw.exceeded, usage=usage)
    if raw.breach:
        return ProtocolBroken(reason=raw.breach, usage=usage)
    if raw.failure is not None:
        return _failed(raw.failure, source, limits, usage)
    return _decoded(raw.values, reply, limits, usage)


def interpret_death(
    report: wire.Report, limits: Limits
) -> TimedOut | MemoryExceeded | Crashed:
    """Returns how a session's child ended that did not answer."""
    usage = usage_of(report)
    if report.killed == "wall":
        return TimedOut(limit_s=limits.session_s, usage=usage)
    if report.killed == "memory":
        return MemoryExceeded(limit_mib=limits.memory_mib, usage=usage)
    cpu_s = cpu_seconds(limits, is_session=True)
    # The first signal can be ignored, the second one, SIGKILL, cannot.
    if report.exit_code == -_SIGXCPU or (
        report.exit_code == -_SIGKILL and report.cpu_s >= cpu_s
    ):
        return TimedOut(limit_s=cpu_s, usage=usage)
    return Crashed(exit_code=report.exit_code, usage=usage)


def cpu_seconds(limits: Limits, *, is_session: bool) -> int:
    """Returns the processor time that a run or a session may use."""
    wall_s = limits.session_s if is_session else limits.wall_s
    return limits.cpu_s or math.ceil(wall_s)


def usage_of(report: wire.Report) -> Usage:
    """Returns what a child used, by its worker's report."""
    return Usage(
        wall_s=report.wall_s, cpu_s=report.cpu_s, max_rss_mib=report.max_rss_mib
    )


def _decoded(
    values: list[bytes], reply: type[T], limits: Limits, usage: Usage
) -> Completed[T] | ProtocolBroken:
    max_array_bytes = limits.max_array_mib << 20
    try:
        messages = tuple(
            wire.decode(payload, reply, max_array_bytes=max_array_bytes)
            for payload in values
        )
    except ProtocolError as error:
        return ProtocolBroken(reason=str(error), usage=usage)
    return Completed(messages=messages, usage=usage)


def _failed(
    failure: wire.Failure, source: str, limits: Limits, usage: Usage
) -> Raised | MemoryExceeded:
    line = failure.line if failure.line > 0 else None
    if failure.error_type == "MemoryError":
        return MemoryExceeded(
            limit_mib=limits.memory_mib,
            line=line,
            source_line=source_line(source, line),
            usage=usage,
        )
    return Raised(
        error_type=printable(failure.error_type, 80),
        message=printable(failure.message),
        line=line,
        source_line=source_line(source, line),
        position=failure.position if failure.position >= 0 else None,
        usage=usage,
    )
