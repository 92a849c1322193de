"""Pieces of work for workers, wherever these are, and how a crew of them is asked.

What the workers are, processes of this machine or actors of a cluster, is said
elsewhere. Pieces are functions of themselves and of the settings, so that it does not
matter who does them, nor that one is done again because a worker was lost.

Does not cover: what a program under test hands out. It stays in the sandbox of the
worker; what travels is our own plain data.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import AbstractContextManager
from dataclasses import dataclass
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
    """

    open: Callable[
        [SettingsT], AbstractContextManager[Callable[[PieceT, OnNote], ResultT]]
    ]
    settings: SettingsT
    is_fresh: bool = False


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
        """Returns an error as it travels."""
        return cls(kind=type(error).__name__, text=str(error))

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


def as_they_end(
    crew: Crew[PieceT, ResultT],
    pieces: Iterable[PieceT],
    *,
    on_note: Callable[[PieceT, Any], None] = lambda piece, note: None,
    max_seconds: float | None = None,
) -> Iterator[tuple[PieceT, "Future[ResultT]"]]:
    """Yields pieces with what came of them, as they end; few wait at a time."""
    running: dict[Future[ResultT], PieceT] = {}
    coming = iter(pieces)
    is_out = False
    while running or not is_out:
        while not is_out and len(running) < crew.num_workers + NUM_SPARE:
            for piece in coming:
                future = crew.submit(
                    piece, on_note=_about(piece, on_note), max_seconds=max_seconds
                )
                running[future] = piece
                break
            else:
                is_out = True
        if running:
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), future


def _about(piece: PieceT, on_note: Callable[[PieceT, Any], None]) -> OnNote:
    return lambda note: on_note(piece, note)
