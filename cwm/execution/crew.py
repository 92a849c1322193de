"""Pieces of work for workers, wherever these are, and how a crew of them is asked.

What the workers are, processes of this machine or actors of a cluster, is said
elsewhere. Pieces are functions of themselves and of the settings, so that it does not
matter who does them, nor that one is done again because a worker was lost.

Does not cover: what a program under test hands out. It stays in the sandbox of the
worker; what travels is our own plain data.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import islice
from queue import SimpleQueue
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from cwm.core import errors
from cwm.core.errors import CwmError, InternalError, LLMError
from sandbox.errors import SandboxUnavailable

SettingsT = TypeVar("SettingsT")
PieceT = TypeVar("PieceT")
ResultT = TypeVar("ResultT")
TakenT_contra = TypeVar("TakenT_contra", contravariant=True)

OnNote: TypeAlias = Callable[[Any], None]
"""Is told where a piece stands."""

MAX_DEATHS = 3
"""Workers that may die of one piece, unless the work says otherwise."""

NUM_SPARE = 2
"""Pieces that wait beside those that are being done, so that no worker is idle."""


@dataclass(frozen=True, kw_only=True)
class Work(Generic[SettingsT, PieceT, ResultT]):
    """What workers do.

    Attributes:
        open: Importable; `with open(settings) as do:` is entered by each worker once,
            and `do(piece, tell)` returns the result of a piece. Both may raise
            `CwmError` and `SandboxUnavailable`.
        settings: What each worker is opened with; sent to each machine once.
        is_fresh: Whether each piece has a process of its own.
        max_deaths: Workers that may die of one piece; then it has failed. With 1 no
            piece is begun twice.
    """

    open: Callable[
        [SettingsT], AbstractContextManager[Callable[[PieceT, OnNote], ResultT]]
    ]
    settings: SettingsT
    is_fresh: bool = False
    max_deaths: int = MAX_DEATHS


def ignore(note: Any) -> None:
    """Takes a note and does nothing with it."""


class Crew(Protocol[TakenT_contra, ResultT]):
    """Workers with one kind of work; any number of threads may ask them."""

    @property
    def num_workers(self) -> int:
        """Pieces that may be done at a time."""
        ...

    def submit(
        self,
        piece: TakenT_contra,
        *,
        on_note: OnNote = ignore,
        max_seconds: float | None = None,
    ) -> "Future[ResultT]":
        """Hands a piece to whoever is idle next; returns at once.

        A piece whose worker is lost is done again by another one.

        Args:
            piece: What to do.
            on_note: Is told where it stands, from another thread.
            max_seconds: After so many it is ended; `None` for never.

        Returns:
            The result, or what was raised: `ClusterError` if its workers were lost
            too often, or its time was up.
        """
        ...

    def close(self) -> None:
        """Ends the workers, and what they are at."""
        ...


@dataclass(frozen=True, kw_only=True)
class Failure:
    """What a worker raised, as it travels.

    Attributes:
        kind: Name of the class.
        text: What it says.
    """

    kind: str
    text: str

    @classmethod
    def of(cls, error: BaseException) -> "Failure":
        """Returns an error as it travels: by its closest class that is known."""
        kinds = [kind for kind in type(error).__mro__ if _is_known(kind)]
        return cls(kind=(kinds or [type(error)])[0].__name__, text=str(error))

    def error(self) -> Exception:
        """Returns the error; one that is none of ours is a bug of ours."""
        if self.kind == SandboxUnavailable.__name__:
            return SandboxUnavailable(self.text)
        found = getattr(errors, self.kind, None)
        if found is LLMError:
            return LLMError(self.text, retryable=False)
        if isinstance(found, type) and issubclass(found, CwmError):
            return found(self.text)
        return InternalError(f"A worker raised {self.kind}: {self.text}")


def _is_known(kind: type) -> bool:
    return kind is SandboxUnavailable or (
        issubclass(kind, CwmError) and vars(errors).get(kind.__name__) is kind
    )


def in_order(
    crew: Crew[PieceT, ResultT], pieces: Iterable[PieceT]
) -> Iterator[ResultT]:
    """Yields results in the order of the pieces; few of these wait at a time.

    The first exception is raised when its turn comes.
    """
    waiting: deque[Future[ResultT]] = deque()
    for piece in pieces:
        if len(waiting) >= crew.num_workers + NUM_SPARE:
            yield waiting.popleft().result()
        waiting.append(crew.submit(piece))
    while waiting:
        yield waiting.popleft().result()


_Said: TypeAlias = SimpleQueue[tuple[PieceT, Future[ResultT] | None, Any]]
"""Pieces with how they have ended, or with a note on where they stand."""


def as_they_end(
    crew: Crew[PieceT, ResultT],
    pieces: Iterable[PieceT],
    *,
    on_note: Callable[[PieceT, Any], None] = lambda piece, note: None,
    max_seconds: float | None = None,
) -> Iterator[tuple[PieceT, "Future[ResultT]"]]:
    """Yields pieces with what came of them, as they end; few wait at a time.

    Notes are told in the caller's thread, while it waits for the next piece.
    """
    said: _Said[PieceT, ResultT] = SimpleQueue()
    coming = iter(pieces)
    num_running = 0
    while True:
        room = crew.num_workers + NUM_SPARE - num_running
        for piece in islice(coming, room):
            _submit(crew, piece, said, max_seconds)
            num_running += 1
        if not num_running:
            return
        piece, ended, note = said.get()
        if ended is None:
            on_note(piece, note)
        else:
            num_running -= 1
            yield piece, ended


def _submit(
    crew: Crew[PieceT, ResultT],
    piece: PieceT,
    said: _Said[PieceT, ResultT],
    max_seconds: float | None,
) -> None:
    future = crew.submit(
        piece,
        on_note=lambda note: said.put((piece, None, note)),
        max_seconds=max_seconds,
    )
    future.add_done_callback(lambda ended: said.put((piece, ended, None)))
