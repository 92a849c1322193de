"""A crew of slots: each holds one worker at a time, and gets another for a lost one."""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from cwm.core.errors import ClusterError, CwmError
from cwm.execution.crew import (
    MAX_DEATHS,
    OnNote,
    PieceT,
    ResultT,
    TakenT_contra,
    ignore,
)

GivenT_co = TypeVar("GivenT_co", covariant=True)

MAX_LOSSES = 20
"""Machines that may be lost under one piece, which says nothing of the piece."""

END_S = 30.0
"""How long slots that were told to end are waited for."""


class WorkerDied(Exception):  # noqa: N818 - an event, which is mended
    """A worker is gone, and with it what it was at.

    Attributes:
        is_machine: Whether its machine is gone, too.
    """

    def __init__(self, reason: str, *, is_machine: bool = False) -> None:
        super().__init__(reason)
        self.is_machine = is_machine


class TimeUp(Exception):  # noqa: N818 - an event
    """A piece took longer than it may; its worker was ended."""


class Worker(Protocol[TakenT_contra, GivenT_co]):
    """Someone with a process of its own."""

    def do(
        self, piece: TakenT_contra, on_note: OnNote, max_seconds: float | None
    ) -> GivenT_co:
        """Returns the result of a piece.

        Raises:
            WorkerDied: If the worker is gone; it is of no use any more.
            TimeUp: If it took too long; likewise.
            CwmError: What the piece raised.
        """
        ...

    def close(self) -> None:
        """Ends it; a second call does nothing."""
        ...


@dataclass(slots=True)
class _Task(Generic[PieceT, ResultT]):
    piece: PieceT
    on_note: OnNote
    max_seconds: float | None
    future: "Future[ResultT]"
    num_deaths: int = 0
    num_losses: int = 0


class SlotCrew(Generic[PieceT, ResultT]):
    """Does pieces in a number of slots, a thread of this process for each.

    Args:
        open_worker: Returns a worker for a slot, as soon as there can be one; is
            given who says whether one is still wanted. What it raises ends the crew,
            and is what all pieces raise from then on; but a worker that dies while it
            is opened for one piece has died of that piece.
        num_slots: How many.
        is_fresh: Whether each piece has a worker of its own, opened for it.
        max_deaths: Workers that may die of one piece; then it has failed.
        on_event: Is told what was lost, from any thread.
    """

    def __init__(
        self,
        open_worker: Callable[[Callable[[], bool]], Worker[PieceT, ResultT]],
        *,
        num_slots: int,
        is_fresh: bool = False,
        max_deaths: int = MAX_DEATHS,
        on_event: Callable[[str], None] = ignore,
    ) -> None:
        self._open_worker = open_worker
        self._is_fresh = is_fresh
        self._max_deaths = max_deaths
        self._on_event = on_event
        self._num_slots = num_slots
        self._changed = threading.Condition()
        self._waiting: deque[_Task[PieceT, ResultT]] = deque()
        self._workers: dict[int, Worker[PieceT, ResultT]] = {}
        self._error: BaseException | None = None
        self._threads = [
            threading.Thread(
                target=self._serve, args=(slot,), name=f"slot-{slot}", daemon=True
            )
            for slot in range(num_slots)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def error(self) -> BaseException | None:
        """Why nothing is done any more; `None` as long as something is."""
        return self._error

    @property
    def num_workers(self) -> int:
        """How many slots there are."""
        return self._num_slots

    def submit(
        self,
        piece: PieceT,
        *,
        on_note: OnNote = ignore,
        max_seconds: float | None = None,
    ) -> "Future[ResultT]":
        """Hands a piece to the next slot that is idle."""
        future: Future[ResultT] = Future()
        task = _Task(piece, on_note, max_seconds, future)
        with self._changed:
            if self._error is not None:
                future.set_exception(self._error)
            else:
                self._waiting.append(task)
                self._changed.notify()
        return future

    def close(self) -> None:
        """Ends all workers; what waits fails, and so does what is being done."""
        self._give_up(ClusterError("The crew was closed."))
        with self._changed:
            workers = list(self._workers.values())
        # All at once: one that is deaf to its end must not make the others wait.
        with ThreadPoolExecutor(max_workers=max(1, len(workers))) as closing:
            list(closing.map(lambda worker: worker.close(), workers))
        for thread in self._threads:
            thread.join(END_S)

    def _give_up(self, error: BaseException) -> None:
        with self._changed:
            self._error = self._error or error
            waiting, self._waiting = list(self._waiting), deque()
            self._changed.notify_all()
        for task in waiting:
            task.future.set_exception(self._error)

    def _serve(self, slot: int) -> None:
        """Does pieces until the crew is closed; the main function of a thread."""
        while self._error is None:
            first = self._taken() if self._is_fresh else None
            if self._is_fresh and first is None:
                return
            try:
                worker = self._open_worker(lambda: self._error is None)
            except WorkerDied as error:
                if first is None:
                    self._give_up(CwmError(f"A worker did not start: {error}"))
                else:
                    self._again(first, error)
                continue
            except Exception as error:  # noqa: BLE001 - raised by who asked
                if first is not None:
                    with self._changed:
                        self._waiting.appendleft(first)
                self._give_up(error)
                return
            self._use(slot, worker, first)

    def _use(
        self,
        slot: int,
        worker: Worker[PieceT, ResultT],
        first: _Task[PieceT, ResultT] | None,
    ) -> None:
        """Does pieces as long as a worker is of use."""
        with self._changed:
            self._workers[slot] = worker
            if first is not None and self._error is not None:
                # Closed meanwhile, by somebody who did not know of this worker.
                first.future.set_exception(self._error)
                first = None
        try:
            task = first or self._taken()
            while task is not None and self._do(worker, task) and not self._is_fresh:
                task = self._taken()
        finally:
            with self._changed:
                del self._workers[slot]
            worker.close()

    def _taken(self) -> _Task[PieceT, ResultT] | None:
        """Waits for a piece and takes it; `None` if the crew is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._error is not None)
            return None if self._error is not None else self._waiting.popleft()

    def _do(
        self, worker: Worker[PieceT, ResultT], task: _Task[PieceT, ResultT]
    ) -> bool:
        """Does a piece; returns whether the worker is still of use."""
        try:
            result = worker.do(task.piece, task.on_note, task.max_seconds)
        except WorkerDied as error:
            self._again(task, error)
            return False
        except TimeUp:
            text = f"It was ended after {task.max_seconds:g} s, as long as it may take."
            task.future.set_exception(ClusterError(text))
            return False
        except ClusterError as error:
            task.future.set_exception(error)
            self._give_up(error)
            return False
        except Exception as error:  # noqa: BLE001 - raised by who asked
            task.future.set_exception(error)
            return True
        task.future.set_result(result)
        return True

    def _again(self, task: _Task[PieceT, ResultT], error: WorkerDied) -> None:
        """Puts a piece back in front, unless it has cost too many workers."""
        task.num_losses += error.is_machine
        task.num_deaths += not error.is_machine
        if task.num_deaths >= self._max_deaths or task.num_losses >= MAX_LOSSES:
            number, text = task.num_deaths + task.num_losses, str(error)
            if number > 1:
                text = f"{number} workers died at it, the last one: {text}"
            task.future.set_exception(ClusterError(text[:1].upper() + text[1:]))
            return
        with self._changed:
            if self._error is None:
                self._waiting.appendleft(task)
                self._changed.notify()
                self._on_event(f"a worker was lost, its piece is done again: {error}")
                return
        task.future.set_exception(self._error)
