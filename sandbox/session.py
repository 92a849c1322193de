"""A candidate that is held, to answer many requests without a fork for each.

Covers: asking, deadlines, what ends a session, giving the worker back. Does not
cover: opening one (`Sandbox.open_session`), what requests mean (the driver).

A session keeps what its candidate remembers from one request to the next. Where that
must not matter, as in scoring, use `Sandbox.run`.
"""

import os
import select
import socket
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import replace
from types import TracebackType
from typing import Any, Generic, TypeVar

from sandbox import wire
from sandbox.intake import Intake, RawResult
from sandbox.interpretation import interpret_answer, interpret_death, usage_of
from sandbox.job import Job, could_not_lock
from sandbox.limits import Limits
from sandbox.outcome import (
    Answer,
    Completed,
    Outcome,
    OutputExceeded,
    ProtocolBroken,
    SessionEnded,
    TimedOut,
    Usage,
)
from sandbox.worker import Worker, WorkerLost

_READ_BYTES = 1 << 16
_NOT_OPENED = "it could not be opened"

T = TypeVar("T")


class Session(Generic[T]):
    """A child that holds a candidate; use it as a context manager, or `close` it.

    Attributes:
        opening: How loading the candidate and opening the driver ended, with what
            the driver emitted. Unless it is `Completed`, there is no session.

    Args:
        source: The candidate.
        reply: Type of the messages of every answer.
        limits: Its limits.
    """

    def __init__(self, source: str, reply: type[T], limits: Limits) -> None:
        self._source = source
        self._reply = reply
        self._limits = limits
        self._lock = threading.RLock()
        self._ended: SessionEnded | None = None
        self._closing = ""
        self._num_asked = 0
        self._worker: Worker | None = None
        self.opening: Outcome[T]

    def __enter__(self) -> "Session[T]":
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def is_open(self) -> bool:
        """Whether it is not known to be over."""
        return self._ended is None

    def refuse(self, outcome: Outcome[T]) -> None:
        """Makes it a session that never was, for the pool."""
        self.opening = outcome
        self._ended = SessionEnded(reason=_NOT_OPENED, cause=outcome)

    def begin(
        self, worker: Worker, job: Job, release: Callable[[Worker | None], None]
    ) -> None:
        """Opens it on a worker, for the pool; may be called again after `WorkerLost`.

        Args:
            worker: An idle worker, held until the session is over.
            job: The job.
            release: Called once, when the session is over, with the worker, or with
                `None` if that is not to be used again.

        Raises:
            WorkerLost: If the worker died or its child could not be locked.
        """
        with self._lock:
            self._worker, self._job, self._release = worker, job, release
            self._poller = select.poll()
            if self._ended is not None:
                # Its sandbox was closed before it began.
                self._let_go(is_lost=False)
                raise WorkerLost(self._ended.reason)
            try:
                self._socket = job.start_session(worker)
            except BaseException:
                self._let_go(is_lost=True)
                raise
            self._fd = self._socket.fileno()
            self._poller.register(self._fd, select.POLLIN)
            opening = self._guarded(None, self._limit_s(None))
            if isinstance(opening, SessionEnded):
                self._ended, self._num_asked = None, 0
                raise WorkerLost(opening.reason)
            self.opening = opening
            if not isinstance(opening, Completed) and self._ended is None:
                # The child has told why there is no session, and has gone.
                self._ended = SessionEnded(reason=_NOT_OPENED, cause=opening)
                self._finish()

    def ask(self, request: Any, *, deadline_s: float | None = None) -> Answer[T]:
        """Sends a request and returns how it ended.

        An exception of the candidate's (`Raised`, `MemoryExceeded`) ends this answer
        and leaves the session open. After any other outcome but `Completed` the
        session is over, the child is dead, and `Outcome.usage` is of all of it; else
        it has only the time from request to answer.

        Args:
            request: As in `Sandbox.run`, of the driver's type `ASK` if it has one.
            deadline_s: Seconds from now to the answer; the child is killed then.
                `limits.wall_s` by default, and never more than `limits.session_s`.

        Returns:
            The outcome; `SessionEnded` if the session was over before.

        Raises:
            TypeError: If the request is not plain data; the session stays open.
        """
        limit_s = self._limit_s(deadline_s)
        if not limit_s > 0:
            raise ValueError(f"deadline_s must be positive, got {limit_s!r} (seconds).")
        frame = wire.frame(wire.VALUE, wire.encode(request))
        with self._lock:
            if self._ended is not None:
                return self._ended
            return self._guarded(frame, limit_s)

    def close(self) -> None:
        """Ends the child and gives its worker back; a second call does nothing."""
        self.end("it was closed")

    def end(self, reason: str) -> None:
        """Ends it, whichever thread is using it."""
        if not self._lock.acquire(blocking=False):
            # Another thread waits for an answer; without a worker, not for long.
            self._closing = reason
            worker = self._worker
            if worker is not None:
                worker.kill()
            self._lock.acquire()
        try:
            if self._ended is None:
                self._ended = SessionEnded(reason=reason)
                self._finish()
        finally:
            self._lock.release()

    def _limit_s(self, deadline_s: float | None) -> float:
        limit_s = self._limits.wall_s if deadline_s is None else deadline_s
        return min(limit_s, self._limits.session_s)

    def _guarded(self, frame: bytes | None, limit_s: float) -> Answer[T]:
        """Asks; leaves no child behind if the wait is interrupted."""
        try:
            return self._ask(frame, limit_s)
        except BaseException:
            if self._ended is None:
                self._ended = SessionEnded(reason="a request was interrupted")
                self._finish()
            raise

    def _ask(self, frame: bytes | None, limit_s: float) -> Answer[T]:
        start = time.monotonic()
        intake = self._job.intake(self._num_asked)
        self._num_asked += 1
        if frame is not None:
            if self._poller.poll(0) and not self._is_silent():
                intake.result.breach = "something came that nobody had asked for."
                return self._stop(intake, start, limit_s)
            if not self._send(frame, start + limit_s):
                return self._stop(intake, start, limit_s)
        if not self._receive(intake, start + limit_s):
            return self._stop(intake, start, limit_s)
        outcome = interpret_answer(
            intake.result,
            self._source,
            self._reply,
            self._limits,
            time.monotonic() - start,
        )
        if isinstance(outcome, ProtocolBroken):
            return self._over(replace(outcome, usage=_usage(self._finish())))
        return outcome

    def _is_silent(self) -> bool:
        """Whether there is nothing to read but, perhaps, the end."""
        try:
            return not self._socket.recv(1, socket.MSG_PEEK)
        except OSError:
            return True

    def _send(self, data: bytes, deadline: float) -> bool:
        """Sends a request; returns whether all of it went in time."""
        view = memoryview(data)
        while True:
            try:
                view = view[os.write(self._fd, view) :]
            except BlockingIOError:
                left = deadline - time.monotonic()
                self._poller.modify(self._fd, select.POLLOUT)
                is_ready = left > 0 and self._poller.poll(left * 1000)
                self._poller.modify(self._fd, select.POLLIN)
                if not is_ready:
                    return False
            except OSError:
                # The child is dead; its report says why.
                return False
            if not view:
                return True

    def _receive(self, intake: Intake, deadline: float) -> bool:
        """Reads an answer; returns whether it is all there and well-formed."""
        while True:
            left = deadline - time.monotonic()
            if left <= 0 or not self._poller.poll(left * 1000):
                return False
            try:
                data = os.read(self._fd, _READ_BYTES)
            except BlockingIOError:
                continue
            except OSError:
                return False
            if not data or not intake.feed(data):
                return False
            if intake.has_ended:
                intake.finish()
                return intake.is_wanted

    def _stop(self, intake: Intake, start: float, limit_s: float) -> Answer[T]:
        """Ends a session that did not answer as it should; returns why."""
        is_late = time.monotonic() >= start + limit_s
        result = intake.result
        report = self._finish(result)
        usage = _usage(report)
        if self._closing:
            self._ended = SessionEnded(reason=self._closing)
            return self._ended
        if result.exceeded:
            return self._over(OutputExceeded(limit=result.exceeded, usage=usage))
        if result.breach:
            return self._over(ProtocolBroken(reason=result.breach, usage=usage))
        if is_late and (report is None or report.killed != "wall"):
            return self._over(TimedOut(limit_s=limit_s, usage=usage))
        if report is None:
            self._ended = SessionEnded(reason="the worker that held it was lost")
            return self._ended
        return self._over(interpret_death(report, self._limits))

    def _over(self, outcome: Outcome[T]) -> Outcome[T]:
        self._ended = SessionEnded(reason="an earlier request ended it", cause=outcome)
        return outcome

    def _finish(self, result: RawResult | None = None) -> wire.Report | None:
        """Ends the child and gives the worker back; returns the child's report.

        `None` if the worker did not say in time, or could not lock the child, and
        was ended, too.
        """
        worker, report = self._worker, None
        if worker is None:
            return None
        try:
            worker.stop()
            report = worker.receive_report(self._limits.grace_s)
            if result is not None and could_not_lock(result, report):
                report = None
        except WorkerLost:
            pass
        finally:
            self._socket.close()
            self._let_go(is_lost=report is None)
        return report

    def _let_go(self, *, is_lost: bool) -> None:
        worker, self._worker = self._worker, None
        if worker is not None and is_lost:
            worker.close()
        self._release(None if is_lost else worker)


def refuse_to_wait_forever(threads: Collection[int], num_workers: int) -> None:
    """Raises if sessions of the calling thread hold every worker.

    Args:
        threads: The thread that opened each session which holds a worker.
        num_workers: How many workers there are.

    Raises:
        RuntimeError: Then: while it waits, nobody can close any of them.
    """
    if len(threads) == num_workers and set(threads) == {threading.get_ident()}:
        raise RuntimeError(
            f"Open sessions of this thread hold all {num_workers} workers. "
            "Close one, or make the sandbox with a larger num_workers."
        )


def _usage(report: wire.Report | None) -> Usage:
    return Usage() if report is None else usage_of(report)
