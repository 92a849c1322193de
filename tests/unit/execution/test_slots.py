"""Slots whose workers die: what is done again, what fails, what ends everything."""

from collections.abc import Callable
from contextlib import closing

import pytest

from cwm.core.errors import ClusterError, ConfigError, InternalError, LLMError
from cwm.execution import slots
from cwm.execution.crew import Failure, OnNote
from cwm.execution.slots import SlotCrew, WorkerDied
from sandbox.errors import SandboxUnavailable


class Dying:
    """A worker that raises what a list says, then adds one."""

    def __init__(self, errors: list[Exception]) -> None:
        self._errors = errors
        self.is_closed = False

    def do(self, piece: int, on_note: OnNote, max_seconds: float | None) -> int:
        if self._errors:
            raise self._errors.pop(0)
        return piece + 1

    def close(self) -> None:
        self.is_closed = True


def crew_of(errors: list[Exception]) -> tuple[SlotCrew[int, int], list[Dying]]:
    workers: list[Dying] = []

    def open_worker(is_wanted: Callable[[], bool]) -> Dying:
        workers.append(Dying(errors))
        return workers[-1]

    return SlotCrew(open_worker, num_slots=1), workers


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


def test_any_other_error_is_a_bug_of_ours() -> None:
    found = Failure.of(KeyError("x")).error()
    assert isinstance(found, InternalError)
    assert "KeyError" in str(found)
