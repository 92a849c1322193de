"""The public face: a pool of warm workers that runs candidates and says how it went.

Covers: choosing a worker, the static policy, replacing workers that died, retrying a
job once, and turning what came out into an `Outcome`. Does not cover: what a result
means. Any number of threads may use one `Sandbox`.
"""

import contextlib
import math
import secrets
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from types import TracebackType
from typing import Any, TypeVar

from sandbox import wire
from sandbox.child import EXIT_LOCK_FAILED
from sandbox.errors import SandboxUnavailable
from sandbox.interpretation import interpret
from sandbox.isolation import LAYERS, LEVELS, IsolationReport, Layer, Level
from sandbox.limits import Limits
from sandbox.outcome import Crashed, Outcome, Rejected
from sandbox.policy import PolicyMode, check_size, check_source
from sandbox.worker import RawResult, Run, Worker, WorkerLost, finish
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
        return self.run_all(
            source, [request], driver=driver, reply=reply, limits=[limits]
        )[0]

    def run_all(
        self,
        source: str,
        requests: Sequence[Any],
        *,
        driver: str,
        reply: type[T],
        limits: Sequence[Limits | None],
    ) -> list[Outcome[T]]:
        """Runs a source once for each request, each time in a process of its own.

        As many at the same time as workers are idle. Arguments are as in `run`, one
        of `limits` for each request.

        Returns:
            The outcomes in the order of the requests, up to the first that is not
            `Completed`.
        """
        if driver not in self._settings.drivers:
            raise ValueError(
                f"driver must be one of {self._settings.drivers[1:]}, got {driver!r}."
            )
        chosen = [one or self.limits for one in limits]
        rejected, warnings = self._check(source, chosen[0])
        if rejected is not None:
            return [rejected]
        jobs = [
            _Job.of(driver, source, request, one)
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

    def _run_some(self, jobs: list["_Job"]) -> list[RawResult | None]:
        """Runs the first jobs, as many as workers are idle, at least one.

        A result is `None` if the candidate ends every worker it meets.
        """
        return [
            self._run_again(job, result) if isinstance(result, WorkerLost) else result
            for job, result in zip(jobs, self._attempt(jobs), strict=False)
        ]

    def _run_again(self, job: "_Job", first: WorkerLost) -> RawResult | None:
        reasons = [str(first)]
        canary = _Job.of(CANARY_DRIVER, "", None, job.limits)
        for attempt in (job, canary):
            (result,) = self._attempt([attempt])
            if not isinstance(result, WorkerLost):
                if attempt is job:
                    return result
                if result.is_done:
                    return None
                break
            reasons.append(str(result))
        raise SandboxUnavailable(
            "Workers die, with a harmless program, too: "
            f"{'; '.join(reasons)}. No candidate was scored."
        )

    def _attempt(self, jobs: list["_Job"]) -> list[RawResult | WorkerLost]:
        with self._condition:
            self._num_callers += 1
        try:
            return self._attempt_now(jobs)
        finally:
            with self._condition:
                self._num_callers -= 1

    def _attempt_now(self, jobs: list["_Job"]) -> list[RawResult | WorkerLost]:
        workers = self._take_workers(len(jobs))
        survivors: list[Worker] = []
        results: list[RawResult | WorkerLost] = []
        try:
            runs = [
                job.start(worker) for job, worker in zip(jobs, workers, strict=False)
            ]
            finish(runs)
            for run, worker in zip(runs, workers, strict=True):
                result = _checked(run)
                results.append(result)
                if not isinstance(result, WorkerLost):
                    survivors.append(worker)
        finally:
            for worker in workers:
                if worker not in survivors:
                    worker.close()
                self._give_back(worker if worker in survivors else None)
        return results

    def _take_workers(self, wanted: int) -> list[Worker]:
        """Waits for an idle worker; returns it, and more if nobody else wants one.

        Workers come back together: several callers with one each wait less.
        """
        with self._condition:
            while not self._idle and not self._is_closed:
                self._condition.wait()
            if self._is_closed:
                raise SandboxUnavailable("The sandbox is closed.")
            number = min(wanted, len(self._idle)) if self._num_callers == 1 else 1
            # Warm ones are at the end.
            taken = [self._idle.pop() for _ in range(number)]
        workers: list[Worker] = []
        try:
            for worker in taken:
                workers.append(worker or self._start_worker())
        except BaseException:
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


@dataclass(frozen=True, slots=True)
class _Job:
    """One run, as a worker needs it.

    Attributes:
        nonce: Its own, to be echoed.
        payload: Encoded `wire.Job`.
        limits: Its limits.
    """

    nonce: bytes
    payload: bytes
    limits: Limits

    @classmethod
    def of(cls, driver: str, source: str, request: Any, limits: Limits) -> "_Job":
        nonce = secrets.token_bytes(16)
        payload = wire.encode(wire.make_job(nonce, driver, source, request))
        return cls(nonce, payload, limits)

    def start(self, worker: Worker) -> Run:
        limits = self.limits
        return worker.start(
            self.payload,
            nonce=self.nonce,
            order=wire.Order(
                wall_s=limits.wall_s,
                cpu_s=limits.cpu_s or math.ceil(limits.wall_s),
                memory_mib=limits.memory_mib,
                stack_mib=limits.stack_mib,
                max_frame_bytes=limits.max_frame_mib << 20,
            ),
            grace_s=limits.grace_s,
            max_output_bytes=limits.max_output_mib << 20,
            max_messages=limits.max_messages,
        )


def _checked(run: Run) -> RawResult | WorkerLost:
    if run.lost is not None:
        return run.lost
    report = run.result.report
    if report is None:
        return WorkerLost("no report")
    if not run.result.is_ready and report.exit_code == EXIT_LOCK_FAILED:
        # Before "ready" no candidate's code has run: this is our failure.
        return WorkerLost("a child could not be locked")
    return run.result
