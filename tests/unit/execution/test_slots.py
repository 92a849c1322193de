"""Slots whose workers die: what is done again, what fails, what ends everything."""

import threading
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from cwm.core.errors import (
    ClusterError,
    ConfigError,
    CwmError,
    InternalError,
    LLMError,
)
from cwm.execution import slots
from cwm.execution.crew import Failure, OnNote
from cwm.execution.slots import SlotCrew, WorkerDied
from cwm.llm.retrying import ServiceError
from sandbox.errors import SandboxUnavailable


class Dying:
    """A worker that raises what a list says, then adds one."""

    def __init__(self, errors: list[Exception]) -> None:
        self._errors = errors
        self.is_closed = False

    def do(self, piece: int, on_note: OnNote, max_seconds: float | None) -> int:
        if self._errors:
            raise self._errors.pop(0)
        on_note(piece)
        return piece + 1

    def close(self) -> None:
        self.is_closed = True


def crew_of(
    errors: list[Exception], **options: Any
) -> tuple[SlotCrew[int, int], list[Dying]]:
    workers: list[Dying] = []

    def open_worker(is_wanted: Callable[[], bool]) -> Dying:
        workers.append(Dying(errors))
        return workers[-1]

    return SlotCrew(open_worker, num_slots=1, **options), workers


def opening(errors: list[Exception]) -> Callable[[Callable[[], bool]], Dying]:
    """Returns who opens workers, and raises what a list says before."""

    def open_worker(is_wanted: Callable[[], bool]) -> Dying:
        if errors:
            raise errors.pop(0)
        return Dying([])

    return open_worker


def died(number: int, *, is_machine: bool = False) -> list[Exception]:
    return [WorkerDied(f"death {n}", is_machine=is_machine) for n in range(number)]


def test_a_piece_survives_two_workers() -> None:
    crew, workers = crew_of(died(2))
    with closing(crew):
        assert crew.submit(1).result() == 2
        assert len(workers) == 3
        assert [worker.is_closed for worker in workers] == [True, True, False]


def test_a_piece_that_three_workers_died_of_has_failed() -> None:
    crew, _ = crew_of(died(3))
    with closing(crew):
        with pytest.raises(
            ClusterError, match="3 workers died at it, the last one: death 2"
        ):
            crew.submit(1).result()
        assert crew.submit(1).result() == 2


def test_a_piece_that_may_cost_one_worker_says_how_it_ended() -> None:
    crew, _ = crew_of(died(1), max_deaths=1)
    with closing(crew):
        with pytest.raises(ClusterError, match=r"^Death 0$"):
            crew.submit(1).result()
        assert crew.submit(1).result() == 2


def test_a_fresh_worker_is_opened_for_a_piece_and_not_before() -> None:
    crew, workers = crew_of([], is_fresh=True)
    with closing(crew):
        assert not workers
        assert [crew.submit(number).result() for number in range(3)] == [1, 2, 3]
    assert len(workers) == 3
    assert all(worker.is_closed for worker in workers)


def test_a_worker_that_dies_while_it_is_opened_for_a_piece_died_of_it() -> None:
    errors = died(4)
    crew = SlotCrew(opening(errors), num_slots=1, is_fresh=True)
    with closing(crew):
        with pytest.raises(ClusterError, match=r"3 workers died at it, .*: death 2"):
            crew.submit(1).result()
        assert crew.submit(1).result() == 2
        assert not errors


def test_a_worker_that_dies_before_there_is_a_piece_ends_the_crew() -> None:
    crew = SlotCrew(opening(died(1)), num_slots=1)
    with closing(crew), pytest.raises(CwmError, match="did not start: death 0"):
        crew.submit(1).result()


def test_a_fresh_worker_that_cannot_be_opened_is_an_error_of_every_piece() -> None:
    crew = SlotCrew(opening([ConfigError("a rule")]), num_slots=1, is_fresh=True)
    with closing(crew):
        for _ in range(2):
            with pytest.raises(ConfigError, match="a rule"):
                crew.submit(1).result()


def test_workers_are_closed_at_once() -> None:
    both = threading.Barrier(2, timeout=30)

    class Waiting(Dying):
        """Ends only while another one ends."""

        def close(self) -> None:
            if not self.is_closed:
                self.is_closed = True
                both.wait()

    workers: list[Waiting] = []

    def open_worker(is_wanted: Callable[[], bool]) -> Waiting:
        workers.append(Waiting([]))
        return workers[-1]

    crew = SlotCrew(open_worker, num_slots=2)
    begun = threading.Barrier(3, timeout=30)
    for _ in range(2):
        crew.submit(1, on_note=lambda note: begun.wait())
    begun.wait()
    crew.close()

    assert not both.broken
    assert [worker.is_closed for worker in workers] == [True, True]


def test_a_worker_that_is_open_when_its_crew_is_closed_does_nothing() -> None:
    is_opened = threading.Event()
    done: list[int] = []

    def open_worker(is_wanted: Callable[[], bool]) -> Dying:
        is_opened.set()
        while is_wanted():
            threading.Event().wait(0.01)
        return Dying([])

    crew = SlotCrew(open_worker, num_slots=1, is_fresh=True)
    future = crew.submit(1, on_note=done.append)
    is_opened.wait()
    crew.close()

    with pytest.raises(ClusterError, match="closed"):
        future.result()
    assert not done


def test_lost_machines_say_nothing_of_the_piece() -> None:
    crew, _ = crew_of(died(slots.MAX_LOSSES - 1, is_machine=True) + died(2))
    with closing(crew):
        assert crew.submit(1).result() == 2


def test_a_piece_is_not_sent_to_machines_without_end() -> None:
    crew, _ = crew_of(died(slots.MAX_LOSSES, is_machine=True))
    with closing(crew), pytest.raises(ClusterError, match="20 workers died"):
        crew.submit(1).result()


def test_a_lost_cluster_ends_the_crew_with_its_reason() -> None:
    crew, workers = crew_of([ClusterError("The head is gone.")])
    with closing(crew):
        for _ in range(2):
            with pytest.raises(ClusterError, match="head is gone"):
                crew.submit(1).result()
        assert str(crew.error) == "The head is gone."
        assert len(workers) == 1


@pytest.mark.parametrize(
    "error",
    [ConfigError("a rule"), SandboxUnavailable("a lock"), ClusterError("a node")],
)
def test_errors_of_ours_travel_as_what_they_are(error: Exception) -> None:
    found = Failure.of(error).error()
    assert (type(found), str(found)) == (type(error), str(error))


def test_an_error_of_a_service_travels_without_a_promise() -> None:
    found = Failure.of(LLMError("HTTP 500", retryable=True)).error()
    assert isinstance(found, LLMError)
    assert not found.retryable


def test_an_error_of_a_kind_of_its_own_travels_as_the_kind_that_is_known() -> None:
    found = Failure.of(ServiceError("HTTP 500", retryable=True)).error()
    assert (type(found), str(found)) == (LLMError, "HTTP 500")


def test_any_other_error_is_a_bug_of_ours() -> None:
    found = Failure.of(KeyError("x")).error()
    assert isinstance(found, InternalError)
    assert "KeyError" in str(found)
