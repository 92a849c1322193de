"""Calls that end: by themselves, at a deadline, or when somebody gives them up.

A socket's own time-out starts anew with every byte, so that an answer that dribbles
in never meets it. Here the whole call is a coroutine with one deadline; at it the
call is cancelled and its connection closed.

Covers: connecting, sending, an answer's headers and body, pauses between attempts.
Does not cover: looking up a host's name, which the system does in a thread of its
    own and gives up after its own time (`resolv.conf`, usually 10 to 30 s).
"""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

Result = TypeVar("Result")


class CallClosed(Exception):  # noqa: N818 - an event, not a fault
    """The call was given up from outside."""


@dataclass(slots=True)
class Deadline:
    """A point in time that a call must not pass.

    Attributes:
        total_s: How long the call may take, in seconds.
        clock: Gives the time, in seconds.
    """

    total_s: float
    clock: Callable[[], float] = time.monotonic
    _start: float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._start = self.clock()

    @property
    def remaining_s(self) -> float:
        """Seconds left; at least 0."""
        return max(0.0, self.total_s - (self.clock() - self._start))


class BoundedCalls:
    """Runs coroutines from ordinary code, each with a deadline; any number at once.

    May be used from several threads, and from code that an event loop runs.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = set()
        self._closed = threading.Event()

    def run(
        self, make: Callable[[], Coroutine[Any, Any, Result]], *, timeout_s: float
    ) -> Result:
        """Returns the result of the coroutine that `make` makes.

        Args:
            make: Called in the thread that runs the coroutine.
            timeout_s: Longest time, in seconds.

        Raises:
            TimeoutError: If it takes longer; the coroutine has been cancelled.
            CallClosed: If the calls were closed.
        """
        try:
            return _run_anywhere(lambda: self._bounded(make, timeout_s))
        except asyncio.CancelledError as error:
            if self._closed.is_set():
                raise CallClosed from error
            raise

    async def _bounded(
        self, make: Callable[[], Coroutine[Any, Any, Result]], timeout_s: float
    ) -> Result:
        task = asyncio.ensure_future(make())
        entry = (asyncio.get_running_loop(), task)
        with self._lock:
            self._running.add(entry)
            if self._closed.is_set():
                task.cancel()
        try:
            return await asyncio.wait_for(task, timeout_s)
        finally:
            with self._lock:
                self._running.discard(entry)

    def sleep(self, seconds: float) -> None:
        """Waits.

        Raises:
            CallClosed: If the calls are closed before the end.
        """
        if self._closed.wait(seconds):
            raise CallClosed

    def close(self) -> None:
        """Ends what runs, and refuses what comes later."""
        with self._lock:
            self._closed.set()
            for loop, task in self._running:
                # The loop cannot have been closed: an entry leaves before its loop.
                loop.call_soon_threadsafe(task.cancel)


def _run_anywhere(make: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(make())
    # A thread has one event loop at most; a notebook's own is running here.
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(lambda: asyncio.run(make())).result()
