"""Workers that are processes of this machine.

They are started afresh (spawn): a forked copy of this process would share its sandbox
and its locks. One that dies is one lost worker; the death of this process ends all.
"""

import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import connection, get_context, parent_process
from multiprocessing.connection import Connection
from time import perf_counter
from typing import Any, Generic

from cwm.core.errors import CwmError
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

END_S = 5.0
"""How long a worker that was told to end may take before it is killed."""


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
        lambda is_wanted: ProcessWorker(work),
        num_slots=num_workers,
        is_fresh=work.is_fresh,
        on_event=on_event,
    )


class ProcessWorker(Generic[PieceT, ResultT]):
    """A process with one kind of work.

    Raises:
        CwmError: What the work raised when it was opened.
        SandboxUnavailable: Likewise.
    """

    def __init__(self, work: Work[Any, PieceT, ResultT]) -> None:
        context = get_context("spawn")
        self._closing = threading.Lock()
        self._pipe, theirs = context.Pipe()
        self._process: Any = context.Process(
            target=_serve, args=(work.open, work.settings, theirs), daemon=False
        )
        self._process.start()
        theirs.close()
        try:
            kind, content = self._received()
        except WorkerDied as error:
            self.close()
            raise CwmError(f"A worker did not start: {error}") from error
        if kind == "failed":
            self.close()
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
                    self._process.kill()
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

    def _death_as_event(self) -> "_DeathAsEvent":
        return _DeathAsEvent(self._process)


class _DeathAsEvent:
    """Turns what a broken pipe raises into how its process ended."""

    def __init__(self, process: Any) -> None:
        self._process = process

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if not isinstance(error, EOFError | OSError):
            return
        self._process.join(END_S)
        code = self._process.exitcode
        how = f"exit code {code}"
        if code is not None and code < 0:
            how = signal.Signals(-code).name
        raise WorkerDied(f"its process ended by {how}.") from error


def _serve(open_work: Any, settings: Any, pipe: Connection) -> None:
    """Does pieces until the pipe is closed; the main function of a worker."""
    # Ctrl-C reaches every process of a terminal; the first one tells the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    threading.Thread(target=_follow_parent, daemon=True).start()
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
        result = do(piece, lambda note: pipe.send(("note", note)))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        raise
    except Exception as error:  # noqa: BLE001 - raised by who asked
        pipe.send(("failed", Failure.of(error)))
    else:
        pipe.send(("done", result))


def _leave(number: int, frame: object) -> None:
    """Ends this process so that what it opened is closed."""
    raise SystemExit(128 + number)


def _follow_parent() -> None:
    """Ends this process when the one that started it has died."""
    parent = parent_process()
    assert parent is not None, "a worker has a parent"
    connection.wait([parent.sentinel])
    os.kill(os.getpid(), signal.SIGTERM)
