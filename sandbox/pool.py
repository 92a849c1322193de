"""The public face: a pool of warm workers that runs candidates and says how it went.

Covers: choosing a worker, the static policy, replacing workers that died, retrying a
job once, and turning what came out into an `Outcome`. Does not cover: what a result
means. Any number of threads may use one `Sandbox`.
"""

import contextlib
import math
import secrets
import signal
import threading
from collections.abc import Sequence
from dataclasses import asdict, replace
from types import TracebackType
from typing import Any, TypeVar

from sandbox import wire
from sandbox.child import EXIT_LOCK_FAILED
from sandbox.errors import ProtocolError, SandboxUnavailable
from sandbox.isolation import LAYERS, LEVELS, IsolationReport, Layer, Level
from sandbox.limits import Limits
from sandbox.outcome import (
    Completed,
    Crashed,
    MemoryExceeded,
    Outcome,
    OutputExceeded,
    ProtocolBroken,
    Raised,
    Rejected,
    TimedOut,
    Usage,
    printable,
    source_line,
)
from sandbox.policy import PolicyMode, check_size, check_source
from sandbox.worker import RawResult, Worker, WorkerLost
from sandbox.zygote import Settings

CANARY_DRIVER = "sandbox.canary"

T = TypeVar("T")


class Sandbox:
    """Runs untrusted source text with limits, each run in a process of its own.

    Use it as a context manager, or call `close`. The first worker is started at
    once, so that a machine on which the wanted isolation cannot be had is known
    before anything is run; the others when they are needed.

    Args:
        drivers: Modules that exercise candidates: trusted code, imported by the
            workers before they lock themselves. See `sandbox.child.Driver`.
        limits: Limits of each run.
        num_workers: Runs at the same time, at most; at least 1.
        policy: Whether sources that break the static policy are refused
            (`"enforce"`), run with `Outcome.warnings` (`"warn"`), or run without
            being looked at (`"off"`).
        require: The weakest isolation that is acceptable.
        layers: Locks to close; for tests that take single ones away.
        use_pidfd: Whether to wait for children by pidfd where there is one.

    Raises:
        SandboxUnavailable: If a worker does not start, or its isolation is weaker
            than required.
    """

    def __init__(
        self,
        *,
        drivers: Sequence[str],
        limits: Limits | None = None,
        num_workers: int = 1,
        policy: PolicyMode = "enforce",
        require: Level = "kernel",
        layers: Sequence[Layer] = LAYERS,
        use_pidfd: bool = True,
    ) -> None:
        if num_workers < 1:
            raise ValueError(f"num_workers must be at least 1, got {num_workers}.")
        self.limits = limits or Limits()
        self.num_workers = num_workers
        self.policy: PolicyMode = policy
        self._require: Level = require
        self._settings = Settings(
            drivers=[CANARY_DRIVER, *drivers],
            layers=list(layers),
            use_pidfd=use_pidfd,
        )
        self._condition = threading.Condition()
        self._idle: list[Worker | None] = [None] * (num_workers - 1)
        self._is_closed = False
        first = self._start_worker()
        self._report = replace(first.report, limits=asdict(self.limits))
        self._idle.append(first)

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the idle workers, and the busy ones when their jobs end."""
        with self._condition:
            self._is_closed = True
            idle, self._idle = self._idle, []
            self._condition.notify_all()
        for worker in idle:
            if worker is not None:
                worker.close()

    @property
    def isolation(self) -> IsolationReport:
        """What keeps candidates in, as verified when the first worker started."""
        return self._report

    def run(
        self,
        source: str,
        request: Any,
        *,
        driver: str,
        reply: type[T],
        limits: Limits | None = None,
    ) -> Outcome[T]:
        """Runs a source through a driver and returns how it ended.

        Args:
            source: The candidate.
            request: What the driver is told: None, bool, int, float, str, bytes,
                lists, dicts, numeric arrays and message structs.
            driver: One of the modules that the sandbox was made with.
            reply: Type of the messages that the driver emits; anything else that
                comes out is `ProtocolBroken`.
            limits: Limits of this run; the sandbox's own by default.

        Raises:
            SandboxUnavailable: If workers die and a harmless program fails, too.
            ValueError: If the sandbox was not made with this driver.
        """
        if driver not in self._settings.drivers:
            raise ValueError(
                f"driver must be one of {self._settings.drivers[1:]}, got {driver!r}."
            )
        limits = limits or self.limits
        rejected, warnings = self._check(source, limits)
        if rejected is not None:
            return rejected
        nonce = secrets.token_bytes(16)
        job = wire.encode(
            wire.Job(nonce=nonce, driver=driver, source=source, request=request)
        )
        raw = self._run_with_retry(job, nonce, limits)
        if raw is None:
            return Crashed(exit_code=None, warnings=warnings)
        outcome = _interpret(raw, source, reply, limits)
        return replace(outcome, warnings=warnings) if warnings else outcome

    def _check(
        self, source: str, limits: Limits
    ) -> tuple[Rejected | None, tuple[str, ...]]:
        """Returns the refusal, if any, and what only deserves a warning."""
        problems = check_size(source, limits.max_source_kib)
        is_refused = bool(problems) or self.policy == "enforce"
        if not problems and self.policy != "off":
            problems = check_source(source)
        reasons = tuple(str(problem) for problem in problems)
        if problems and is_refused:
            return Rejected(reasons=reasons, line=problems[0].line), ()
        return None, reasons

    def _run_with_retry(
        self, job: bytes, nonce: bytes, limits: Limits
    ) -> RawResult | None:
        """Returns the result; `None` if the candidate ends every worker it meets."""
        reasons: list[str] = []
        for _ in range(2):
            try:
                return self._run_once(job, nonce, limits)
            except WorkerLost as error:
                reasons.append(str(error))
        canary_nonce = secrets.token_bytes(16)
        canary = wire.encode(
            wire.Job(nonce=canary_nonce, driver=CANARY_DRIVER, source="", request=None)
        )
        try:
            raw = self._run_once(canary, canary_nonce, limits)
        except WorkerLost as error:
            reasons.append(str(error))
            raw = RawResult()
        if raw.is_done:
            return None
        raise SandboxUnavailable(
            "Workers die, with a harmless program, too: "
            f"{'; '.join(reasons)}. No candidate was scored."
        )

    def _run_once(self, job: bytes, nonce: bytes, limits: Limits) -> RawResult:
        order = wire.Order(
            wall_s=limits.wall_s,
            cpu_s=limits.cpu_s or math.ceil(limits.wall_s),
            memory_mib=limits.memory_mib,
            stack_mib=limits.stack_mib,
            max_frame_bytes=limits.max_frame_mib << 20,
        )
        worker = self._take_worker()
        survivor: Worker | None = None
        try:
            raw = worker.run(
                job,
                nonce=nonce,
                order=order,
                grace_s=limits.grace_s,
                max_output_bytes=limits.max_output_mib << 20,
                max_messages=limits.max_messages,
            )
            if raw.report is None:
                raise WorkerLost("no report")
            if not raw.is_ready and raw.report.exit_code == EXIT_LOCK_FAILED:
                # Before "ready" no candidate's code has run: this is our failure.
                raise WorkerLost("a child could not be locked")
            survivor = worker
        finally:
            if survivor is None:
                worker.close()
            self._give_back(survivor)
        return raw

    def _take_worker(self) -> Worker:
        with self._condition:
            while not self._idle and not self._is_closed:
                self._condition.wait()
            if self._is_closed:
                raise SandboxUnavailable("The sandbox is closed.")
            # Warm ones are at the end.
            worker = self._idle.pop()
        if worker is not None:
            return worker
        try:
            return self._start_worker()
        except BaseException:
            self._give_back(None)
            raise

    def _give_back(self, worker: Worker | None) -> None:
        with self._condition:
            if not self._is_closed:
                if worker is None:
                    self._idle.insert(0, None)
                else:
                    self._idle.append(worker)
                self._condition.notify()
                return
        if worker is not None:
            worker.close()

    def _start_worker(self) -> Worker:
        worker = Worker(self._settings)
        report = worker.report
        if LEVELS.index(report.level) < LEVELS.index(self._require):
            worker.close()
            missing = ", ".join(f"{n} ({report.layers[n]})" for n in report.missing)
            raise SandboxUnavailable(
                f"Isolation must be at least {self._require!r}, got "
                f"{report.level!r}; missing: {missing or 'nothing'}. Run on Linux "
                f"with seccomp, or accept it with require={report.level!r}."
            )
        return worker

    def kill_workers(self) -> None:
        """Ends the idle workers without telling anyone; for fault tests."""
        with self._condition:
            for worker in self._idle:
                if worker is not None:
                    with contextlib.suppress(ProcessLookupError):
                        worker.kill()


def _interpret(
    raw: RawResult, source: str, reply: type[T], limits: Limits
) -> Outcome[T]:
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


_SIGXCPU = int(signal.SIGXCPU)


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
