"""Every crew does pieces alike: processes of this machine, actors of a Ray cluster."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cwm.core.errors import ClusterError, ConfigError, InternalError
from cwm.execution.crew import MAX_DEATHS, Work, as_they_end, in_order
from cwm.execution.process_workers import process_crew
from cwm.execution.slots import SlotCrew
from tests.support.counted_work import Counting, open_counting

MakeCrew = Callable[..., SlotCrew[str, Any]]


@pytest.fixture(autouse=True)
def _no_network() -> None:
    """Lets this process connect: a node has the address of its machine."""


@pytest.fixture(scope="module")
def ray_cluster_of_two() -> Iterator[Any]:
    from cwm.execution.ray.cluster import connected  # noqa: PLC0415
    from cwm.execution.ray.nodes import NodeRules  # noqa: PLC0415
    from tests.support.ray_cluster import ray_cluster  # noqa: PLC0415

    with ray_cluster() as started:
        started.start_head()
        started.add_node(num_cpus=2)
        with connected(started.address, NodeRules()) as cluster:
            yield cluster


@pytest.fixture(
    params=[
        "processes",
        pytest.param("ray", marks=(pytest.mark.ray, pytest.mark.slow)),
    ]
)
def make_crew(request: pytest.FixtureRequest) -> Iterator[MakeCrew]:
    crews: list[SlotCrew[str, Any]] = []

    def make(settings: Counting | None = None, **options: Any) -> SlotCrew[str, Any]:
        work: Work[Counting, str, Any] = Work(
            open=open_counting,
            settings=settings or Counting(),
            is_fresh=options.get("is_fresh", False),
            max_deaths=options.get("max_deaths", MAX_DEATHS),
        )
        number = options.get("num_workers", 2)
        if request.param == "processes":
            crew = process_crew(work, number)
        else:
            from cwm.execution.ray.workers import ray_crew  # noqa: PLC0415

            cluster = request.getfixturevalue("ray_cluster_of_two")
            crew = ray_crew(cluster, work, max_workers=number)
        crews.append(crew)
        return crew

    yield make
    for crew in crews:
        crew.close()


def test_results_come_in_the_order_of_the_pieces(make_crew: MakeCrew) -> None:
    pieces = [f"add {number}" for number in range(20)]

    found = list(in_order(make_crew(), pieces))

    assert found == list(range(100, 120))


def test_every_piece_ends_once(make_crew: MakeCrew) -> None:
    pieces = [f"add {number}" for number in range(20)]

    ended = {piece: one.result() for piece, one in as_they_end(make_crew(), pieces)}

    assert ended == {f"add {number}": 100 + number for number in range(20)}


def test_a_worker_is_opened_once_for_many_pieces(make_crew: MakeCrew) -> None:
    found = list(in_order(make_crew(num_workers=1), ["which"] * 4))

    assert [number for number, _ in found] == [1, 2, 3, 4]
    assert len({pid for _, pid in found}) == 1


def test_each_piece_has_a_fresh_process_if_that_is_asked(make_crew: MakeCrew) -> None:
    found = list(in_order(make_crew(is_fresh=True), ["which"] * 4))

    assert [number for number, _ in found] == [1, 1, 1, 1]
    assert len({pid for _, pid in found}) == 4


def test_notes_are_passed_on_in_order_before_the_result(make_crew: MakeCrew) -> None:
    notes: list[str] = []

    result = make_crew().submit("tell me", on_note=notes.append).result()

    assert result == "told"
    assert notes == ["tell me: 0", "tell me: 1", "tell me: 2"]


def test_notes_are_told_in_the_thread_that_waits_for_pieces(
    make_crew: MakeCrew,
) -> None:
    notes: list[tuple[str, str]] = []
    threads: set[int] = set()

    def on_note(piece: str, note: str) -> None:
        notes.append((piece, note))
        threads.add(threading.get_ident())

    pieces = ["tell a", "tell b"]
    results = [
        one.result() for _, one in as_they_end(make_crew(), pieces, on_note=on_note)
    ]

    assert results == ["told", "told"]
    assert threads == {threading.get_ident()}
    for piece in pieces:
        mine = [note for about, note in notes if about == piece]
        assert mine == [f"{piece}: {number}" for number in range(3)]


def test_what_a_piece_raises_is_raised_and_the_worker_goes_on(
    make_crew: MakeCrew,
) -> None:
    crew = make_crew(num_workers=1)

    with pytest.raises(ConfigError, match="piece must be another, got this one"):
        crew.submit("fail now").result()
    assert crew.submit("add 1").result() == 101


def test_a_bug_of_ours_is_named_as_one(make_crew: MakeCrew) -> None:
    with pytest.raises(InternalError, match="ZeroDivisionError: one over zero"):
        make_crew().submit("break it").result()


def test_a_piece_whose_own_pipe_breaks_costs_no_worker(make_crew: MakeCrew) -> None:
    crew = make_crew(num_workers=1)

    with pytest.raises(InternalError, match="BrokenPipeError: a pipe of its own"):
        crew.submit("pipe").result()
    assert crew.submit("which").result()[0] == 2


def test_work_that_cannot_be_opened_is_an_error_of_every_piece(
    make_crew: MakeCrew,
) -> None:
    crew = make_crew(Counting(refuses=True))

    for _ in range(2):
        with pytest.raises(ConfigError, match="offset must be liked"):
            crew.submit("add 1").result()
    assert isinstance(crew.error, ConfigError)


def test_a_piece_that_loses_its_worker_is_done_again(
    make_crew: MakeCrew, tmp_path: Path
) -> None:
    crew = make_crew(Counting(folder=str(tmp_path)))

    assert crew.submit("die 2").result() == 2


def test_a_crew_that_mends_nothing_would_be_found_out(
    make_crew: MakeCrew, tmp_path: Path
) -> None:
    crew = make_crew(Counting(folder=str(tmp_path)), max_deaths=1)

    with pytest.raises(ClusterError):
        crew.submit("die 2").result()
    assert len(list(tmp_path.glob("death-*"))) == 1


def test_a_piece_that_kills_every_worker_fails_and_others_do_not(
    make_crew: MakeCrew, tmp_path: Path
) -> None:
    crew = make_crew(Counting(folder=str(tmp_path)), num_workers=1)

    with pytest.raises(ClusterError, match="3 workers died at it, the last one: "):
        crew.submit("die 9").result()
    assert crew.submit("add 1").result() == 101
    assert len(list(tmp_path.glob("death-*"))) == 3


def test_a_piece_that_takes_too_long_is_ended_and_others_are_not(
    make_crew: MakeCrew, tmp_path: Path
) -> None:
    crew = make_crew(Counting(folder=str(tmp_path)), num_workers=1)

    with pytest.raises(ClusterError, match="as long as it may take"):
        crew.submit("wait forever", max_seconds=0.5).result()
    assert crew.submit("add 1").result() == 101


def test_few_pieces_wait_at_a_time(make_crew: MakeCrew) -> None:
    taken: list[int] = []

    def pieces() -> Iterator[str]:
        for number in range(40):
            taken.append(number)
            yield f"add {number}"

    found = in_order(make_crew(), pieces())
    next(found)

    # Two workers, two spare ones, and the one whose result was handed out.
    assert len(taken) <= 5
    assert len(list(found)) == 39


def test_a_closed_crew_does_nothing_more(make_crew: MakeCrew, tmp_path: Path) -> None:
    crew = make_crew(Counting(folder=str(tmp_path)), num_workers=1)
    running = crew.submit("wait forever")
    while not list(tmp_path.glob("begun-*")):
        time.sleep(0.02)
    waiting = crew.submit("add 1")

    crew.close()

    assert running.exception() is not None
    with pytest.raises(ClusterError, match="closed"):
        waiting.result()
    with pytest.raises(ClusterError, match="closed"):
        crew.submit("add 1").result()
