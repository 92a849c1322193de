"""Jobs in processes of their own: what one of them breaks ends nothing else.

Covers: a job that raises, that is killed by a signal or by the machine's memory, or
that takes too long is one failed job with its reason; Ctrl-C, an error and the death
of this process end all jobs, and with them what they started.
Does not cover: jobs that go on after both SIGTERM and SIGKILL.
"""

import faulthandler
import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import connection, get_context, parent_process
from multiprocessing.connection import Connection
from pathlib import Path
from time import perf_counter, sleep
from typing import Any, Generic, TypeAlias, TypeVar

from cwm.core.errors import CwmError, InternalError

JobT = TypeVar("JobT")
ResultT = TypeVar("ResultT")

Note: TypeAlias = Callable[[str], None]
"""Tells where a job stands."""

END_S = 10.0
"""How long a job that was told to end may take before it is killed."""


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
        waiting = list(reversed(jobs))
        running: dict[Connection, _Running[JobT, ResultT]] = {}
        try:
            while waiting or running:
                while waiting and len(running) < self.num_workers:
                    one = self._start(waiting.pop())
                    running[one.pipe] = one
                for pipe in self._ready(running):
                    ended = self._received(running[pipe])
                    if ended is not None:
                        running.pop(pipe).end()
                        yield ended
        finally:
            for one in running.values():
                one.process.terminate()
            for one in running.values():
                one.end()

    def _start(self, job: JobT) -> "_Running[JobT, ResultT]":
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        path = self.messages(job)
        path.parent.mkdir(parents=True, exist_ok=True)
        process = context.Process(
            target=_work, args=(self.function, job, theirs, path), daemon=False
        )
        process.start()
        theirs.close()
        return _Running(job=job, process=process, pipe=ours, start=perf_counter())

    def _ready(
        self, running: "dict[Connection, _Running[JobT, ResultT]]"
    ) -> list[Connection]:
        """Returns the pipes that say something, or whose time is up."""
        timeout = None
        if self.max_seconds is not None:
            first = min(one.start for one in running.values())
            timeout = max(0.0, first + self.max_seconds - perf_counter())
        ready = [
            pipe
            for pipe in connection.wait(list(running), timeout)
            if isinstance(pipe, Connection)
        ]
        late = [p for p, one in running.items() if p not in ready and self._late(one)]
        return ready + late

    def _late(self, one: "_Running[JobT, ResultT]") -> bool:
        seconds = perf_counter() - one.start
        return self.max_seconds is not None and seconds >= self.max_seconds

    def _received(self, one: "_Running[JobT, ResultT]") -> Ended[JobT, ResultT] | None:
        """Returns how a job has ended; `None` if it only said where it stands."""
        if not one.pipe.poll():
            one.process.terminate()
            text = f"It was ended after {self.max_seconds:g} s, as long as it may take."
            return Ended(job=one.job, result=None, failure=text)
        try:
            kind, content = one.pipe.recv()
        except EOFError:
            return Ended(job=one.job, result=None, failure=one.death())
        if kind == "note":
            self.on_note(one.job, content)
            return None
        if kind == "failed":
            return Ended(job=one.job, result=None, failure=content)
        return Ended(job=one.job, result=content)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Running(Generic[JobT, ResultT]):
    """A job and its process."""

    job: JobT
    process: Any
    pipe: Connection
    start: float

    def death(self) -> str:
        """Returns how the process ended that said nothing more."""
        self.process.join(END_S)
        code = self.process.exitcode
        if code is None:
            return "Its process closed its pipe and went on."
        if code < 0:
            name = signal.Signals(-code).name
            hint = " (short of memory?)" if -code == signal.SIGKILL else ""
            return f"Its process was ended by {name}{hint}."
        return f"Its process ended with exit code {code} and without a word."

    def end(self) -> None:
        """Waits for the process, and kills it if it takes too long."""
        self.pipe.close()
        self.process.join(END_S)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def _work(
    function: Callable[[Any, Note], Any], job: Any, pipe: Connection, messages: Path
) -> None:
    """Runs a job; the main function of its process."""
    # Ctrl-C reaches every process of a terminal; the first one tells the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    threading.Thread(target=_follow_parent, daemon=True).start()
    with messages.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    faulthandler.enable()  # A crash says where it was.

    def note(text: str) -> None:
        pipe.send(("note", text))

    try:
        pipe.send(("done", function(job, note)))
    except (BrokenPipeError, ConnectionResetError):
        return
    except InternalError:
        traceback.print_exc()
        pipe.send(("failed", _last_line()))
    except CwmError as error:
        pipe.send(("failed", str(error)))
    except Exception:  # noqa: BLE001 - a bug in one job must not end the others
        traceback.print_exc()
        pipe.send(("failed", f"A bug of ours: {_last_line()} ({messages.name})"))


def _last_line() -> str:
    return traceback.format_exc(limit=0).strip().rpartition("\n")[2]


def _leave(number: int, frame: object) -> None:
    """Ends this process so that what it opened is closed."""
    raise SystemExit(128 + number)


def _follow_parent() -> None:
    """Ends this process when the one that started it has died."""
    parent = parent_process()
    assert parent is not None, "a job has a parent"
    connection.wait([parent.sentinel])
    os.kill(os.getpid(), signal.SIGTERM)
    # A signal is heard between two steps of Python; compiled code may take long.
    sleep(END_S)
    os.kill(os.getpid(), signal.SIGKILL)
