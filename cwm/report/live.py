"""Showing progress: a live display on a terminal, plain lines elsewhere."""

from time import perf_counter
from typing import TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from cwm.execution.progress import Progress, SilentProgress, Status


class LiveProgress:
    """A display that is redrawn in place; events scroll above it.

    For terminals only: elsewhere use `PlainProgress`.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._title = ""
        self._status: Status | None = None
        self._start = perf_counter()
        self._live = Live(
            get_renderable=self._render,
            console=console,
            refresh_per_second=4,
            transient=True,
        )
        self._is_open = False

    def phase(self, title: str) -> None:
        """Shows the title beside the time that has passed."""
        self._title, self._status = title, None
        if not self._is_open:
            self._live.start()
            self._is_open = True

    def update(self, status: Status) -> None:
        """Redraws the display."""
        self._status = status

    def event(self, line: str) -> None:
        """Prints a line above the display."""
        self._console.print(escape(line), highlight=False)

    def close(self) -> None:
        """Removes the display; the events stay."""
        if self._is_open:
            self._live.stop()
            self._is_open = False

    def _render(self) -> RenderableType:
        head = Text(f"{self._title}  {_clock(perf_counter() - self._start)}")
        if self._status is None:
            return head
        status = self._status
        bar = Table.grid(padding=(0, 1))
        bar.add_row(
            ProgressBar(total=status.total, completed=status.completed, width=30),
            f"{status.completed}/{status.total} {status.unit}",
            escape(status.activity),
        )
        measures = "   ".join(f"{k} {v}" for k, v in status.measures.items())
        return Group(head, bar, Text(measures))


class PlainProgress:
    """Lines with the time since the start; for pipes, files and CI."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._start = perf_counter()

    def phase(self, title: str) -> None:
        """Writes the title."""
        self._write(title)

    def update(self, status: Status) -> None:
        """Writes nothing: a status per call would say each event twice."""

    def event(self, line: str) -> None:
        """Writes the line."""
        self._write(line)

    def close(self) -> None:
        """Does nothing; every line is written at once."""

    def _write(self, line: str) -> None:
        elapsed = _clock(perf_counter() - self._start)
        self._stream.write(f"[{elapsed}] {line}\n")
        self._stream.flush()


def make_progress(stream: TextIO, *, quiet: bool) -> Progress:
    """Returns the display that suits the stream."""
    if quiet:
        return SilentProgress()
    console = Console(file=stream)
    if console.is_terminal and not console.is_dumb_terminal:
        return LiveProgress(console)
    return PlainProgress(stream)


def _clock(seconds: float) -> str:
    """Returns minutes and seconds: `"1:05"`."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"
