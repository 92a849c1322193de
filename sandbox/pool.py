"""The public face: a pool of warm workers that runs candidates and says how it went.

Covers: the static policy, retrying a job once, telling a candidate's fault from ours,
and turning what came out into an `Outcome`. Does not cover: what a result
means. Any number of threads may use one `Sandbox`.
"""

from collections.abc import Sequence
from dataclasses import asdict, replace
from types import TracebackType
from typing import Any, TypeVar

from sandbox.errors import SandboxUnavailable
from sandbox.intake import RawResult
from sandbox.interpretation import interpret
from sandbox.isolation import LAYERS, IsolationReport, Layer, Level
from sandbox.job import Job, checked
from sandbox.lending import Workers
from sandbox.limits import Limits
from sandbox.opt_in import chosen, refuse_missing
from sandbox.outcome import Crashed, Outcome, Rejected
from sandbox.policy import POLICY_VERSION, PolicyMode, review
from sandbox.policy_rules import PolicyProfile
from sandbox.session import Session
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
        capabilities: Names of opt-in capabilities to switch on; see `opt_in`.

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
        capabilities: Sequence[str] = (),
    ) -> None:
        if num_workers < 1:
            raise ValueError(f"num_workers must be at least 1, got {num_workers}.")
        self.limits = limits or Limits()
        self.num_workers = num_workers
        self.policy: PolicyMode = policy
        self._drivers = tuple(drivers)
        refuse_missing(capabilities)
        self._capabilities = chosen(capabilities)
        settings = Settings(
            drivers=[CANARY_DRIVER, *drivers],
            layers=list(layers),
            use_pidfd=use_pidfd,
            capabilities=list(capabilities),
        )
        self._workers = Workers(settings, num_workers, require=require)
        self._report = replace(
            self._workers.report,
            policy=f"{POLICY_VERSION}, {policy}",
            limits=asdict(self.limits),
            capabilities=tuple(capabilities),
        )

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
        self._workers.close()

    @property
    def isolation(self) -> IsolationReport:
        """What keeps candidates in: verified in the first worker, true of all."""
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
        wanted = [one or self.limits for one in limits]
        rejected, warnings = self._review(source, wanted[0], profile)
        if rejected is not None:
            return [rejected]
        jobs = [
            Job.of(driver, source, request, one)
            for request, one in zip(requests, wanted, strict=True)
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
        rejected, warnings = self._review(source, limits, profile)
        if rejected is not None:
            session.refuse(rejected)
            return session
        job = Job.of(driver, source, request, limits, is_session=True)
        self._begin(session, job)
        if warnings:
            session.opening = replace(session.opening, warnings=warnings)
        return session

    def _review(
        self, source: str, limits: Limits, profile: PolicyProfile
    ) -> tuple[Rejected | None, tuple[str, ...]]:
        return review(source, limits, self.policy, profile, self._capabilities)

    def _begin(self, session: Session[Any], job: Job) -> None:
        def release(worker: Worker | None) -> None:
            self._workers.forget(session)
            self._workers.give_back(worker)

        reasons: list[str] = []
        while len(reasons) < 2:
            (worker,) = self._workers.take(1, session)
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
            for name in self._drivers
            if (name in self._workers.session_drivers) == has_sessions
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
        self._workers.count_caller(1)
        try:
            return self._attempt_now(jobs)
        finally:
            self._workers.count_caller(-1)

    def _attempt_now(self, jobs: list[Job]) -> list[RawResult | WorkerLost]:
        workers = self._workers.take(len(jobs))
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
                self._workers.give_back(worker if worker in survivors else None)
        return results

    def kill_workers(self) -> None:
        """Ends the idle workers without telling anyone; for fault tests."""
        self._workers.kill_idle()
