"""A small work for crews, and one that loses its worker."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cwm.core.errors import ConfigError
from cwm.execution.crew import OnNote


@dataclass(frozen=True)
class Counting:
    """What the work is opened with."""

    offset: int = 100
    folder: str = ""
    refuses: bool = False
    is_slow: bool = False


@contextmanager
def open_counting(settings: Counting) -> Iterator[Callable[[str, OnNote], object]]:
    """Yields who does pieces that say in a word what they are."""
    if settings.refuses:
        raise ConfigError("offset must be liked, got 100.")
    if settings.is_slow:
        _wait(settings, "open opening", 0, lambda note: None)
    number = 0

    def do(piece: str, tell: OnNote) -> object:
        nonlocal number
        number += 1
        return _PIECES[piece.partition(" ")[0]](settings, piece, number, tell)

    yield do


def _add(settings: Counting, piece: str, number: int, tell: OnNote) -> object:
    return settings.offset + int(piece.partition(" ")[2])


def _which(settings: Counting, piece: str, number: int, tell: OnNote) -> object:
    """Returns which piece of this worker's it is, and its process."""
    return number, os.getpid()


def _tell(settings: Counting, piece: str, number: int, tell: OnNote) -> object:
    for index in range(3):
        tell(f"{piece}: {index}")
    return "told"


def _fail(settings: Counting, piece: str, number: int, tell: OnNote) -> object:
    raise ConfigError("piece must be another, got this one.")


def _break(settings: Counting, piece: str, number: int, tell: OnNote) -> object:
    raise ZeroDivisionError("one over zero")


def _pipe(settings: Counting, piece: str, number: int, tell: OnNote) -> object:
    raise BrokenPipeError("a pipe of its own")


def _function(settings: Counting, piece: str, number: int, tell: OnNote) -> object:
    """Returns what cannot be pickled."""
    return lambda: number


def _crash(settings: Counting, piece: str, number: int, tell: OnNote) -> object:
    os.kill(os.getpid(), signal.SIGSEGV)
    time.sleep(60)
    return None


def _leave(settings: Counting, piece: str, number: int, tell: OnNote) -> object:
    os._exit(7)


def _die(settings: Counting, piece: str, number: int, tell: OnNote) -> object:
    """Kills its worker, as often as the piece says; then returns how often it did."""
    marks = Path(settings.folder)
    num_deaths = len(list(marks.glob("death-*")))
    if num_deaths < int(piece.partition(" ")[2]):
        (marks / f"death-{num_deaths}").touch()
        os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(60)
    return num_deaths


def _wait(settings: Counting, piece: str, number: int, tell: OnNote) -> object:
    """Waits until a file is there; says before that it is there itself."""
    name = piece.partition(" ")[2]
    folder = Path(settings.folder)
    (folder / f"begun-{name}-{os.getpid()}").touch()
    while not (folder / "go").exists():
        time.sleep(0.02)
    return name


_PIECES = {
    "add": _add,
    "which": _which,
    "tell": _tell,
    "fail": _fail,
    "break": _break,
    "pipe": _pipe,
    "function": _function,
    "crash": _crash,
    "leave": _leave,
    "die": _die,
    "wait": _wait,
}
