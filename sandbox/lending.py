"""The workers of a sandbox: starting them, lending them out, replacing the lost.

Covers: how many there are, who has one, what isolation they must have, ending them.
Does not cover: what they run.
"""

import contextlib
import os
import threading
from typing import Any

from sandbox.errors import SandboxUnavailable
from sandbox.isolation import LEVELS, IsolationReport, Level, downgrade, shortfall
from sandbox.session import Session, refuse_to_wait_forever
from sandbox.worker import Worker
from sandbox.zygote import Settings


class Workers:
    """A number of workers; any number of threads may borrow them.

    The first one is started at once, the others when they are needed.

    Attributes:
        number: How many there may be.
        report: What the first one could lock; a later one with less is not used.
        session_drivers: Those of the drivers that open sessions.
    """

    def __init__(self, settings: Settings, number: int, *, require: Level) -> None:
        """Starts the first worker.

        Args:
            settings: What each is started with.
            number: How many there may be; at least 1.
            require: The weakest isolation that is acceptable.

        Raises:
            SandboxUnavailable: If it does not start, or its isolation is weaker.
        """
        self.number = number
        self._settings = settings
        self._require: Level = require
        self._condition = threading.Condition()
        self._num_callers = 0
        # Sessions that hold a worker, and the thread that opened each.
        self._sessions: dict[Session[Any], int] = {}
        self._is_closed = False
        self._owner = os.getpid()
        first = self._start(promised=None)
        self.report = first.report
        self.session_drivers = first.session_drivers
        # `None` stands for one that is not started; warm ones are at the end.
        self.idle: list[Worker | None] = [None] * (number - 1) + [first]

    def close(self) -> None:
        """Ends sessions and idle workers, and the busy ones when they come back."""
        with self._condition:
            self._is_closed = True
            idle, self.idle = self.idle, []
            sessions = list(self._sessions)
            self._condition.notify_all()
        for session in sessions:
            session.end("its sandbox was closed")
        for worker in idle:
            if worker is not None:
                worker.close()

    def count_caller(self, change: int) -> None:
        """Notes that a caller with jobs has come (1) or gone (-1)."""
        with self._condition:
            self._num_callers += change

    def take(self, wanted: int, session: Session[Any] | None = None) -> list[Worker]:
        """Waits for an idle worker; returns it, and more if nobody else wants one.

        Workers come back together: several callers with one each wait less. One that
        is for a session is counted as its.

        Raises:
            SandboxUnavailable: If it is closed, or a worker does not start.
            RuntimeError: If sessions of this thread hold all workers.
        """
        with self._condition:
            while not self.idle and not self._is_closed:
                refuse_to_wait_forever(self._sessions.values(), self.number)
                self._condition.wait()
            if self._is_closed:
                raise SandboxUnavailable("The sandbox is closed.")
            if os.getpid() != self._owner:
                raise SandboxUnavailable(
                    "A forked process must make a Sandbox of its own."
                )
            number = min(wanted, len(self.idle)) if self._num_callers == 1 else 1
            taken = [self.idle.pop() for _ in range(number)]
            if session is not None:
                self._sessions[session] = threading.get_ident()
        workers: list[Worker] = []
        try:
            for worker in taken:
                workers.append(worker or self._start(promised=self.report))
        except BaseException:
            if session is not None:
                self.forget(session)
            for index in range(len(taken)):
                self.give_back(workers[index] if index < len(workers) else None)
            raise
        return workers

    def give_back(self, worker: Worker | None) -> None:
        """Takes a worker back; `None` for one that was lost."""
        with self._condition:
            if not self._is_closed:
                if worker is None:
                    self.idle.insert(0, None)
                else:
                    self.idle.append(worker)
                self._condition.notify()
                return
        if worker is not None:
            worker.close()

    def forget(self, session: Session[Any]) -> None:
        """Notes that a session holds no worker any more."""
        with self._condition:
            self._sessions.pop(session, None)

    def _start(self, *, promised: IsolationReport | None) -> Worker:
        worker = Worker(self._settings)
        report = worker.report
        reason = ""
        if LEVELS.index(report.level) < LEVELS.index(self._require):
            reason = shortfall(report, self._require)
        elif promised is not None:
            reason = downgrade(report, promised)
        if reason:
            worker.close()
            raise SandboxUnavailable(reason)
        return worker

    def kill_idle(self) -> None:
        """Ends the idle workers without telling anyone; for fault tests."""
        with self._condition:
            for worker in self.idle:
                if worker is not None:
                    with contextlib.suppress(ProcessLookupError):
                        worker.kill()
