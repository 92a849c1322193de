"""Calls that are on their way: one at a time, or several in threads."""

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from cwm.core.proposals import Completion
from cwm.synthesis.search import Call


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """What came of one call.

    Attributes:
        call: The call.
        completion: The answer; `None` if there is none.
        error: What was raised instead.
    """

    call: Call
    completion: Completion | None = None
    error: BaseException | None = None


class Flight(Protocol):
    """Who makes the calls."""

    @property
    def num_calls(self) -> int:
        """Calls that were started and have not been landed."""
        ...

    def start(self, call: Call) -> None:
        """Begins a call."""
        ...

    def land(self) -> Arrival:
        """Waits for a call to end; call it while there is one."""
        ...


class OneAtATime:
    """Makes each call when it is waited for, in the caller's thread.

    Args:
        answer: Makes a call; what it raises is raised by `land`.
    """

    def __init__(self, answer: Callable[[Call], Completion]) -> None:
        self._answer = answer
        self._waiting: list[Call] = []

    @property
    def num_calls(self) -> int:
        """0 or 1."""
        return len(self._waiting)

    def start(self, call: Call) -> None:
        """Keeps the call for `land`."""
        self._waiting.append(call)

    def land(self) -> Arrival:
        """Makes the call."""
        call = self._waiting.pop(0)
        return Arrival(call=call, completion=self._answer(call))


class Threads:
    """Makes each call in a thread of its own; answers land as they arrive.

    The threads are daemons: a program that is told to end does not wait for answers.

    Args:
        answer: Makes a call; any number of threads may be in it.
    """

    def __init__(self, answer: Callable[[Call], Completion]) -> None:
        self._answer = answer
        self._arrivals: queue.SimpleQueue[Arrival] = queue.SimpleQueue()
        self._num_calls = 0

    @property
    def num_calls(self) -> int:
        """Calls that were started and have not been landed."""
        return self._num_calls

    def start(self, call: Call) -> None:
        """Begins the call at once."""
        self._num_calls += 1
        name = f"call-{call.index}"
        threading.Thread(target=self._run, args=(call,), name=name, daemon=True).start()

    def _run(self, call: Call) -> None:
        try:
            arrival = Arrival(call=call, completion=self._answer(call))
        except BaseException as error:  # noqa: BLE001 - raised by who lands it
            arrival = Arrival(call=call, error=error)
        self._arrivals.put(arrival)

    def land(self) -> Arrival:
        """Waits for the next answer."""
        arrival = self._arrivals.get()
        self._num_calls -= 1
        return arrival
