"""What only processes of this machine do: how they end, and what they leave to read."""

import multiprocessing
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from cwm.core.errors import ClusterError, InternalError
from cwm.execution.crew import Work
from cwm.execution.process_workers import process_crew
from cwm.execution.slots import SlotCrew
from tests.support.counted_work import Counting, open_counting


@contextmanager
def crew_of_one(**settings: Any) -> Iterator[SlotCrew[str, Any]]:
    work: Work[Counting, str, Any] = Work(
        open=open_counting, settings=Counting(**settings)
    )
    with closing(process_crew(work, 1)) as crew:
        yield crew


def test_a_bug_leaves_its_traceback_and_an_error_of_ours_does_not(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with crew_of_one() as crew:
        for piece in ("break it", "fail now"):
            crew.submit(piece).exception()

    shown = capfd.readouterr().err
    assert "in _break" in shown
    assert shown.count("Traceback") == 1


def test_a_result_that_cannot_be_sent_is_a_bug_that_costs_no_worker() -> None:
    with crew_of_one() as crew:
        with pytest.raises(InternalError, match=r"A worker raised .*pickle"):
            crew.submit("function").result()
        assert crew.submit("which").result()[0] == 2


def test_a_crash_says_where_it_was(capfd: pytest.CaptureFixture[str]) -> None:
    with (
        crew_of_one() as crew,
        pytest.raises(
            ClusterError,
            match=r"3 workers died at it, .*: its process was ended by SIGSEGV",
        ),
    ):
        crew.submit("crash").result()

    assert "in _crash" in capfd.readouterr().err


def test_a_process_that_leaves_says_with_what() -> None:
    with (
        crew_of_one() as crew,
        pytest.raises(ClusterError, match="ended with exit code 7 and without a word"),
    ):
        crew.submit("leave").result()


def test_a_crew_is_closed_while_its_worker_is_opened(tmp_path: Path) -> None:
    with crew_of_one(folder=str(tmp_path), is_slow=True) as crew:
        waiting = crew.submit("add 1")
        while not list(tmp_path.glob("begun-opening-*")):
            threading.Event().wait(0.02)

    with pytest.raises(ClusterError, match="closed"):
        waiting.result()
    assert not multiprocessing.active_children()
