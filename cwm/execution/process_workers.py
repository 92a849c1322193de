"""Workers that are processes of this machine.

They are started afresh (spawn): a forked copy of this process would share its sandbox
and its locks. One that dies is one lost worker; the death of this process ends all.

Does not cover: workers that go on after both SIGTERM and SIGKILL.
"""

import faulthandler
import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import connection, get_context, parent_process
from multiprocessing.connection import Connection
from time import perf_counter, sleep
from typing import Any, Generic

from cwm.core.errors import ClusterError, CwmError, InternalError
from cwm.execution.crew import (
    Failure,
    OnNote,
    PieceT,
    ResultT,
    SettingsT,
    Work,
    ignore,
)
from cwm.execution.slots import SlotCrew, TimeUp, WorkerDied
from sandbox.errors import SandboxUnavailable

END_S = 10.0
"""How long a worker that was told to end may take before it is killed."""

LOOK_S = 0.2
"""How often who waits for a worker to be open asks whether it is still wanted."""


def process_crew(
    work: Work[SettingsT, PieceT, ResultT],
    num_workers: int,
    *,
    on_event: Callable[[str], None] = ignore,
) -> SlotCrew[PieceT, ResultT]:
    """Returns a crew of processes; close it.

    Args:
        work: What they do.
        num_workers: How many; at least 1.
        on_event: Is told of workers that died.
    """
    return SlotCrew(
        lambda is_wanted: ProcessWorker(work, is_wanted),
        num_slots=num_workers,
        is_fresh=work.is_fresh,
        max_deaths=work.max_deaths,
        on_event=on_event,
    )


class ProcessWorker(Generic[PieceT, ResultT]):
    """A process with one kind of work.

    Args:
        work: What it does.
        is_wanted: Whether it still is, while it is opened.

    Raises:
        ClusterError: If it is not wanted any more.
        CwmError: What the work raised when it was opened.
        SandboxUnavailable: Likewise.
        WorkerDied: If the process has ended before it is open.
    """

    def __init__(
        self, work: Work[Any, PieceT, ResultT], is_wanted: Callable[[], bool]
    ) -> None:
        context = get_context("spawn")
        self._closing = threading.Lock()
        self._pipe, theirs = context.Pipe()
        self._process: Any = context.Process(
            target=_serve, args=(work.open, work.settings, theirs), daemon=False
        )
        self._process.start()
        theirs.close()
        try:
            self._open(is_wanted)
        except BaseException:
            self.close()
            raise

    def _open(self, is_wanted: Callable[[], bool]) -> None:
        while not self._pipe.poll(LOOK_S):
            if not is_wanted():
                raise ClusterError("The crew was closed.")
        kind, content = self._received()
        if kind == "failed":
            raise content.error()

    def do(self, piece: PieceT, on_note: OnNote, max_seconds: float | None) -> ResultT:
        """Returns the result of a piece; see `Worker`."""
        start = perf_counter()
        with self._death_as_event():
            self._pipe.send(piece)
        while True:
            if max_seconds is not None:
                left = max(0.0, max_seconds - (perf_counter() - start))
                if not connection.wait([self._pipe], left):
                    raise TimeUp
            kind, content = self._received()
            if kind == "note":
                on_note(content)
            elif kind == "failed":
                raise content.error()
            else:
                result: ResultT = content
                return result

    def close(self) -> None:
        """Ends the process, whatever it does; a second call does nothing."""
        with self._closing:
            if not self._pipe.closed:
                self._end()

    def _end(self) -> None:
        self._process.terminate()
        self._process.join(END_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._pipe.close()

    def _received(self) -> tuple[str, Any]:
        with self._death_as_event():
            kind, content = self._pipe.recv()
        return kind, content

    @contextmanager
    def _death_as_event(self) -> Iterator[None]:
        """Turns what a broken pipe raises into how the process has ended."""
        try:
            yield
        except (EOFError, OSError) as error:
            self._process.join(END_S)
            raise WorkerDied(_how_it_ended(self._process.exitcode)) from error


def _how_it_ended(code: int | None) -> str:
    """Returns how a process ended that said nothing more."""
    if code is None:
        return "its process closed its pipe and went on."
    if code < 0:
        hint = " (short of memory?)" if -code == signal.SIGKILL else ""
        return f"its process was ended by {signal.Signals(-code).name}{hint}."
    return f"its process ended with exit code {code} and without a word."


def _serve(open_work: Any, settings: Any, pipe: Connection) -> None:
    """Does pieces until the pipe is closed; the main function of a worker."""
    # Ctrl-C reaches every process of a terminal; the first one tells the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    threading.Thread(target=_follow_parent, daemon=True).start()
    faulthandler.enable(2)  # A crash says where it was.
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            with open_work(settings) as do:
                pipe.send(("ready", None))
                while True:
                    _do_one(do, pipe)
        except (CwmError, SandboxUnavailable) as error:
            pipe.send(("failed", Failure.of(error)))


def _do_one(do: Any, pipe: Connection) -> None:
    piece = pipe.recv()
    try:
        pipe.send(("done", do(piece, lambda note: pipe.send(("note", note)))))
    except Exception as error:  # noqa: BLE001 - raised by who asked
        if isinstance(error, InternalError) or not isinstance(
            error, CwmError | SandboxUnavailable
        ):
            traceback.print_exc()
        pipe.send(("failed", Failure.of(error)))


def _leave(number: int, frame: object) -> None:
    """Ends this process so that what it opened is closed."""
    raise SystemExit(128 + number)


def _follow_parent() -> None:
    """Ends this process when the one that started it has died."""
    parent = parent_process()
    assert parent is not None, "a worker has a parent"
    connection.wait([parent.sentinel])
    os.kill(os.getpid(), signal.SIGTERM)
    # A signal is heard between two steps of Python; compiled code may take long.
    sleep(END_S)
    os.kill(os.getpid(), signal.SIGKILL)
