"""The public face: a pool of warm workers that runs candidates and says how it went.

Covers: choosing a worker, the static policy, replacing workers that died, retrying a
job once, and turning what came out into an `Outcome`. Does not cover: what a result
means. Any number of threads may use one `Sandbox`.
"""

import contextlib
import os
import threading
from collections.abc import Sequence
from dataclasses import asdict, replace
from types import TracebackType
from typing import Any, TypeVar

from sandbox.errors import SandboxUnavailable
from sandbox.intake import RawResult
from sandbox.interpretation import interpret
from sandbox.isolation import (
    LAYERS,
    LEVELS,
    IsolationReport,
    Layer,
    Level,
    downgrade,
    shortfall,
)
from sandbox.job import Job, checked
from sandbox.limits import Limits
from sandbox.outcome import Crashed, Outcome
from sandbox.policy import POLICY_VERSION, PolicyMode, review
from sandbox.policy_rules import PolicyProfile
from sandbox.session import Session, refuse_to_wait_forever
from sandbox.worker import Worker, WorkerLost, finish
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
        self._num_callers = 0
        # Sessions that hold a worker, and the thread that opened each.
        self._sessions: dict[Session[Any], int] = {}
        self._is_closed = False
        self._owner = os.getpid()
        self._report: IsolationReport | None = None
        first = self._start_worker()
        self._session_drivers = first.session_drivers
        self._report = replace(
            first.report,
            policy=f"{POLICY_VERSION}, {policy}",
            limits=asdict(self.limits),
        )
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
        """Ends sessions and idle workers, and the busy ones when their jobs end."""
        with self._condition:
            self._is_closed = True
            idle, self._idle = self._idle, []
            sessions = list(self._sessions)
            self._condition.notify_all()
        for session in sessions:
            session.end("its sandbox was closed")
        for worker in idle:
            if worker is not None:
                worker.close()

    @property
    def isolation(self) -> IsolationReport:
        """What keeps candidates in: verified in the first worker, true of all."""
        assert self._report is not None
        return self._report

    def run(
        self,
        source: str,
        request: Any,
        *,
        driver: str,
        reply: type[T],
        limits: Limits | None = None,
        profile: PolicyProfile = "module",
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
            profile: What kind of source the policy expects.

        Raises:
            SandboxUnavailable: If workers die and a harmless program fails, too.
            ValueError: If the sandbox was not made with this driver.
        """
        return self.run_all(
            source,
            [request],
            driver=driver,
            reply=reply,
            limits=[limits],
            profile=profile,
        )[0]

    def run_all(
        self,
        source: str,
        requests: Sequence[Any],
        *,
        driver: str,
        reply: type[T],
        limits: Sequence[Limits | None],
        profile: PolicyProfile = "module",
    ) -> list[Outcome[T]]:
        """Runs a source once for each request, each time in a process of its own.

        As many at the same time as workers are idle. Arguments are as in `run`, one
        of `limits` for each request.

        Returns:
            The outcomes in the order of the requests, up to the first that is not
            `Completed`.
        """
        self._check_driver(driver, has_sessions=False)
        chosen = [one or self.limits for one in limits]
        rejected, warnings = review(source, chosen[0], self.policy, profile)
        if rejected is not None:
            return [rejected]
        jobs = [
            Job.of(driver, source, request, one)
            for request, one in zip(requests, chosen, strict=True)
        ]
        outcomes: list[Outcome[T]] = []
        while len(outcomes) < len(jobs):
            waiting = jobs[len(outcomes) :]
            for job, raw in zip(waiting, self._run_some(waiting), strict=False):
                outcome: Outcome[T] = (
                    Crashed(exit_code=None)
                    if raw is None
                    else interpret(raw, source, reply, job.limits)
                )
                if warnings:
                    outcome = replace(outcome, warnings=warnings)
                outcomes.append(outcome)
                if outcome.kind != "completed":
                    return outcomes
        return outcomes

    def open_session(
        self,
        source: str,
        request: Any = None,
        *,
        driver: str,
        reply: type[T],
        limits: Limits | None = None,
        profile: PolicyProfile = "module",
    ) -> Session[T]:
        """Loads a source into a child that stays, to answer request after request.

        The session holds a worker until it is closed, or over; it is over with this
        sandbox at the latest. Look at `Session.opening` for how loading ended.

        Args:
            source: The candidate.
            request: What the driver's `open` is told.
            driver: One of the modules that the sandbox was made with, with `open`.
            reply: Type of the messages of every answer.
            limits: Limits of the session; the sandbox's own by default.
            profile: What kind of source the policy expects.

        Raises:
            SandboxUnavailable: If workers die and a harmless program fails, too.
            ValueError: If the sandbox was not made with this driver.
            RuntimeError: If sessions of this thread hold all workers: none of them
                could ever be given back.
        """
        self._check_driver(driver, has_sessions=True)
        limits = limits or self.limits
        session: Session[T] = Session(source, reply, limits)
        rejected, warnings = review(source, limits, self.policy, profile)
        if rejected is not None:
            session.refuse(rejected)
            return session
        job = Job.of(driver, source, request, limits, is_session=True)
        self._begin(session, job)
        if warnings:
            session.opening = replace(session.opening, warnings=warnings)
        return session

    def _begin(self, session: Session[Any], job: Job) -> None:
        def release(worker: Worker | None) -> None:
            with self._condition:
                self._sessions.pop(session, None)
            self._give_back(worker)

        reasons: list[str] = []
        while len(reasons) < 2:
            (worker,) = self._take_workers(1, session)
            try:
                session.begin(worker, job, release)
            except WorkerLost as lost:
                reasons.append(str(lost))
            else:
                return
        self._clear_ourselves(reasons, job.limits)
        session.refuse(Crashed(exit_code=None))

    def _check_driver(self, driver: str, *, has_sessions: bool) -> None:
        known = [
            name
            for name in self._settings.drivers[1:]
            if (name in self._session_drivers) == has_sessions
        ]
        if driver not in known:
            raise ValueError(f"driver must be one of {known}, got {driver!r}.")

    def _run_some(self, jobs: list[Job]) -> list[RawResult | None]:
        """Runs the first jobs, as many as workers are idle, at least one.

        A result is `None` if the candidate ends every worker it meets.
        """
        return [
            self._run_again(job, result) if isinstance(result, WorkerLost) else result
            for job, result in zip(jobs, self._attempt(jobs), strict=False)
        ]

    def _run_again(self, job: Job, first: WorkerLost) -> RawResult | None:
        (result,) = self._attempt([job])
        if not isinstance(result, WorkerLost):
            return result
        self._clear_ourselves([str(first), str(result)], job.limits)
        return None

    def _clear_ourselves(self, reasons: list[str], limits: Limits) -> None:
        """Runs a harmless program where workers were lost with a candidate.

        Raises:
            SandboxUnavailable: If that fails, too: the candidate is not to blame.
        """
        (result,) = self._attempt([Job.of(CANARY_DRIVER, "", None, limits)])
        if not isinstance(result, WorkerLost):
            if result.is_done:
                return
        else:
            reasons = [*reasons, str(result)]
        raise SandboxUnavailable(
            "Workers die, with a harmless program, too: "
            f"{'; '.join(reasons)}. No candidate was scored."
        )

    def _attempt(self, jobs: list[Job]) -> list[RawResult | WorkerLost]:
        with self._condition:
            self._num_callers += 1
        try:
            return self._attempt_now(jobs)
        finally:
            with self._condition:
                self._num_callers -= 1

    def _attempt_now(self, jobs: list[Job]) -> list[RawResult | WorkerLost]:
        workers = self._take_workers(len(jobs))
        survivors: list[Worker] = []
        results: list[RawResult | WorkerLost] = []
        try:
            runs = [
                job.start(worker) for job, worker in zip(jobs, workers, strict=False)
            ]
            finish(runs)
            for run, worker in zip(runs, workers, strict=True):
                result = checked(run)
                results.append(result)
                if not isinstance(result, WorkerLost):
                    survivors.append(worker)
        finally:
            for worker in workers:
                if worker not in survivors:
                    worker.close()
                self._give_back(worker if worker in survivors else None)
        return results

    def _take_workers(
        self, wanted: int, session: Session[Any] | None = None
    ) -> list[Worker]:
        """Waits for an idle worker; returns it, and more if nobody else wants one.

        Workers come back together: several callers with one each wait less. One that
        is for a session is counted as its.
        """
        with self._condition:
            while not self._idle and not self._is_closed:
                refuse_to_wait_forever(self._sessions.values(), self.num_workers)
                self._condition.wait()
            if self._is_closed:
                raise SandboxUnavailable("The sandbox is closed.")
            if os.getpid() != self._owner:
                raise SandboxUnavailable(
                    "A forked process must make a Sandbox of its own."
                )
            number = min(wanted, len(self._idle)) if self._num_callers == 1 else 1
            # Warm ones are at the end.
            taken = [self._idle.pop() for _ in range(number)]
            if session is not None:
                self._sessions[session] = threading.get_ident()
        workers: list[Worker] = []
        try:
            for worker in taken:
                workers.append(worker or self._start_worker())
        except BaseException:
            if session is not None:
                with self._condition:
                    self._sessions.pop(session)
            for index in range(len(taken)):
                self._give_back(workers[index] if index < len(workers) else None)
            raise
        return workers

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
        reason = ""
        if LEVELS.index(report.level) < LEVELS.index(self._require):
            reason = shortfall(report, self._require)
        elif self._report is not None:
            reason = downgrade(report, self._report)
        if reason:
            worker.close()
            raise SandboxUnavailable(reason)
        return worker

    def kill_workers(self) -> None:
        """Ends the idle workers without telling anyone; for fault tests."""
        with self._condition:
            for worker in self._idle:
                if worker is not None:
                    with contextlib.suppress(ProcessLookupError):
                        worker.kill()
