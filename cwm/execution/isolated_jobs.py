"""Jobs in processes of their own: what one of them breaks ends nothing else.

A crew whose workers are fresh for each piece (`cwm.execution.crew`), with one
difference: a job that fails, however it does, is a value with its reason.

Covers: a job that raises, that is killed by a signal or by the machine's memory, or
that takes too long is one failed job, and is not begun again; Ctrl-C, an error and the
death of this process end all jobs, and with them what they started.
"""

import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeAlias, TypeVar

from cwm.core.errors import CwmError, InternalError
from cwm.execution.crew import Work, as_they_end
from cwm.execution.process_workers import process_crew

JobT = TypeVar("JobT")
ResultT = TypeVar("ResultT")

Note: TypeAlias = Callable[[str], None]
"""Tells where a job stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended(Generic[JobT, ResultT]):
    """A job that has ended.

    Attributes:
        job: Which one.
        result: What it returned; `None` if it failed.
        failure: Why it failed; empty if it did not.
    """

    job: JobT
    result: ResultT | None
    failure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Isolated(Generic[JobT, ResultT]):
    """How jobs are run.

    Attributes:
        function: Runs a job in a new process (spawn), so that it must be importable;
            is given who to tell where it stands.
        num_workers: Jobs at a time; at least 1.
        messages: Where what a job prints goes, by the job.
        max_seconds: After so many a job is ended; `None` for never.
        on_note: Is told where a job stands.
    """

    function: Callable[[JobT, Note], ResultT]
    num_workers: int
    messages: Callable[[JobT], Path]
    max_seconds: float | None = None
    on_note: Callable[[JobT, str], None] = lambda job, text: None

    def __post_init__(self) -> None:
        if self.num_workers < 1:
            raise ValueError(
                f"num_workers must be at least 1, got {self.num_workers} (processes)."
            )

    def run(self, jobs: Sequence[JobT]) -> Iterator[Ended[JobT, ResultT]]:
        """Yields the jobs as they end; those that run are ended with the iterator."""
        if not jobs:
            return
        work: Work[Any, _Piece[JobT], Ended[JobT, ResultT]] = Work(
            open=_open_jobs, settings=self.function, is_fresh=True, max_deaths=1
        )
        pieces = [_Piece(job, self.messages(job)) for job in jobs]
        with closing(process_crew(work, min(self.num_workers, len(jobs)))) as crew:
            for piece, future in as_they_end(
                crew,
                pieces,
                on_note=lambda piece, text: self.on_note(piece.job, text),
                max_seconds=self.max_seconds,
            ):
                yield _ended(piece.job, future)


@dataclass(frozen=True, slots=True)
class _Piece(Generic[JobT]):
    """A job, and where what it prints goes."""

    job: JobT
    messages: Path


def _ended(job: JobT, future: "Future[Ended[JobT, ResultT]]") -> Ended[JobT, ResultT]:
    try:
        return replace(future.result(), job=job)
    except CwmError as error:
        return Ended(job=job, result=None, failure=str(error))


@contextmanager
def _open_jobs(
    function: Callable[[JobT, Note], ResultT],
) -> Iterator[Callable[[_Piece[JobT], Note], Ended[JobT, ResultT]]]:
    """Yields who runs a job; what the process of a job does with `Work`."""

    def run(piece: _Piece[JobT], note: Note) -> Ended[JobT, ResultT]:
        _print_to(piece.messages)
        try:
            return Ended(job=piece.job, result=function(piece.job, note))
        except InternalError:
            failure = _bug()
        except CwmError as error:
            failure = str(error)
        except Exception:  # noqa: BLE001 - a bug in one job must not end the others
            failure = f"A bug of ours: {_bug()} ({piece.messages.name})"
        finally:
            sys.stdout.flush()
        return Ended(job=piece.job, result=None, failure=failure)

    yield run


def _print_to(messages: Path) -> None:
    """Sends all that this process prints from now on to a file."""
    messages.parent.mkdir(parents=True, exist_ok=True)
    with messages.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)


def _bug() -> str:
    """Prints the traceback of what was raised, and returns its last line."""
    traceback.print_exc()
    return traceback.format_exc(limit=0).strip().rpartition("\n")[2]
