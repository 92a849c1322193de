"""Turns what came out of a child and its worker into an `Outcome`."""

import signal
from typing import TypeVar

from sandbox import wire
from sandbox.errors import ProtocolError
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
from sandbox.worker import RawResult

T = TypeVar("T")

_SIGXCPU = int(signal.SIGXCPU)


def interpret(
    raw: RawResult, source: str, reply: type[T], limits: Limits
) -> Outcome[T]:
    """Returns how a run ended; the report must be there."""
    report = raw.report
    assert report is not None, "a result without a report was let through"
    usage = Usage(
        wall_s=report.wall_s, cpu_s=report.cpu_s, max_rss_mib=report.max_rss_mib
    )
    if raw.exceeded:
        return OutputExceeded(limit=raw.exceeded, usage=usage)
    if raw.breach:
        return ProtocolBroken(reason=raw.breach, usage=usage)
    if report.killed == "wall" or report.exit_code == -_SIGXCPU:
        return TimedOut(limit_s=limits.wall_s, usage=usage)
    if raw.failure is not None and report.exit_code == 0:
        return _failed(raw.failure, source, limits, usage)
    if report.exit_code != 0 or not raw.is_done:
        return Crashed(exit_code=report.exit_code, usage=usage)
    return _decoded(raw.values, reply, limits, usage)


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
