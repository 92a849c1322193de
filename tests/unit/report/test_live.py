import io
import re

from rich.console import Console

from cwm.execution.progress import SilentProgress, Status
from cwm.report.live import LiveProgress, PlainProgress, make_progress

STATUS = Status(
    completed=3,
    total=50,
    unit="calls",
    activity="improve, node 4",
    measures={"best score": "0.9000", "depth": "2"},
)


def live() -> tuple[LiveProgress, io.StringIO]:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=100)
    return LiveProgress(console), stream


def test_lines_are_written_where_there_is_no_terminal() -> None:
    stream = io.StringIO()
    progress = make_progress(stream, quiet=False)
    assert isinstance(progress, PlainProgress)
    progress.phase("Searching")
    progress.update(STATUS)
    progress.event("call 1 [bold] is not markup")
    progress.close()
    lines = stream.getvalue().splitlines()
    assert [re.sub(r"^\[\d+:\d\d\] ", "", line) for line in lines] == [
        "Searching",
        "call 1 [bold] is not markup",
    ]


def test_quiet_shows_nothing() -> None:
    stream = io.StringIO()
    progress = make_progress(stream, quiet=True)
    assert isinstance(progress, SilentProgress)
    progress.phase("Searching")
    progress.update(STATUS)
    progress.event("call 1")
    progress.close()
    assert stream.getvalue() == ""


def test_a_terminal_shows_calls_time_and_measures() -> None:
    progress, stream = live()
    progress.phase("Searching")
    progress.update(STATUS)
    progress.event("call 1 [bold] is not markup")
    progress._live.refresh()
    progress.close()
    shown = stream.getvalue()
    for text in (
        "Searching  0:00",
        "3/50 calls",
        "improve, node 4",
        "best score 0.9000",
        "depth 2",
        "call 1 [bold] is not markup",
    ):
        assert text in shown


def test_a_display_can_be_closed_twice_and_before_it_is_opened() -> None:
    progress, _ = live()
    progress.close()
    progress.phase("Searching")
    progress.close()
    progress.close()
