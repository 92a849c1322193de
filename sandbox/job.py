"""One job as a worker needs it: encoded once, started as often as needed."""

import secrets
import socket
import time
from dataclasses import dataclass
from typing import Any

from sandbox import wire
from sandbox.child import EXIT_LOCK_FAILED
from sandbox.intake import Intake, RawResult
from sandbox.interpretation import cpu_seconds
from sandbox.limits import Limits
from sandbox.worker import Run, Worker, WorkerLost


@dataclass(frozen=True, slots=True)
class Job:
    """One run, or one session.

    Attributes:
        nonce: Its own, to be echoed.
        payload: Encoded `wire.Job`.
        limits: Its limits.
    """

    nonce: bytes
    payload: bytes
    limits: Limits

    @classmethod
    def of(
        cls,
        driver: str,
        source: str,
        request: Any,
        limits: Limits,
        *,
        is_session: bool = False,
    ) -> "Job":
        """Returns the job of running a source through a driver."""
        nonce = secrets.token_bytes(16)
        job = wire.make_job(nonce, driver, source, request, is_session=is_session)
        return cls(nonce, wire.encode(job), limits)

    def start(self, worker: Worker) -> Run:
        """Starts it as one run."""
        limits = self.limits
        return worker.start(
            self.payload,
            nonce=self.nonce,
            order=self._order(limits.wall_s, is_session=False),
            grace_s=limits.grace_s,
            max_output_bytes=limits.max_output_mib << 20,
            max_messages=limits.max_messages,
        )

    def start_session(self, worker: Worker) -> socket.socket:
        """Starts it as a session; returns the caller's end of its socket.

        Raises:
            WorkerLost: If it could not be sent.
        """
        return worker.start_session(
            self.payload,
            order=self._order(self.limits.session_s, is_session=True),
            deadline=time.monotonic() + min(self.limits.wall_s, self.limits.session_s),
        )

    def intake(self, number: int) -> Intake:
        """Returns what sorts the answer to a session's request, counted from 0."""
        limits = self.limits
        return Intake(
            RawResult(is_ready=number > 0),
            wire.answer_token(self.nonce, number),
            max_frame_bytes=limits.max_frame_mib << 20,
            max_output_bytes=limits.max_output_mib << 20,
            max_messages=limits.max_messages,
        )

    def _order(self, wall_s: float, *, is_session: bool) -> wire.Order:
        limits = self.limits
        return wire.Order(
            wall_s=wall_s,
            cpu_s=cpu_seconds(limits, is_session=is_session),
            memory_mib=limits.memory_mib,
            stack_mib=limits.stack_mib,
            max_frame_bytes=limits.max_frame_mib << 20,
        )


def checked(run: Run) -> RawResult | WorkerLost:
    """Returns what came out of a run that is over, or why nothing did."""
    if run.lost is not None:
        return run.lost
    report = run.result.report
    if report is None:
        return WorkerLost("no report")
    if could_not_lock(run.result, report):
        return WorkerLost("a child could not be locked")
    return run.result


def could_not_lock(result: RawResult, report: wire.Report) -> bool:
    """Whether a child ended before any of the candidate's code: our failure."""
    return not result.is_ready and report.exit_code == EXIT_LOCK_FAILED
