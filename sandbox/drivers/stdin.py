"""Runs a whole program inside the sandbox, its standard streams in memory.

Covers: `sys.stdin`, `sys.stdout` and `sys.stderr` with their buffers, `input`,
`print`, `open(0)`, reading and writing descriptors 0 to 2 by `os`, `atexit`, exit
codes, and threads, which run when they are started, one after the other. Does not
cover: files, signals, programs that need threads to run at the same time.
"""

import array
import ast
import atexit
import builtins
import contextlib
import hashlib
import io
import os
import queue
import struct
import sys
import threading
import unicodedata
from collections.abc import Callable
from typing import Any, NoReturn

import msgspec

from sandbox.child import MAIN, Channel, Load

# What programs may import besides: later, nothing can be opened any more.
_PRELOADED = (array, ast, hashlib, queue, struct, unicodedata)

MAX_STDERR_BYTES = 4096
"""How much of the standard error is kept; what follows is dropped."""

_PART_BYTES = 1 << 18
_PIPE = os.stat_result((0o010600, 0, 0, 1, 0, 0, 0, 0, 0, 0))
_DESCRIPTORS = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}


class ProgramInput(msgspec.Struct, array_like=True):
    """What a program is run with.

    Attributes:
        stdin: Its standard input.
        max_stdout_bytes: Bytes after which it is stopped.
    """

    stdin: bytes
    max_stdout_bytes: int


class ProgramPart(msgspec.Struct, array_like=True):
    """A piece of what came of a program; the last one says how it ended.

    Attributes:
        stdout: Piece of the standard output.
        stderr: The beginning of the standard error, in the last part.
        exit_code: Its exit code, 0 to 255; `None` if more parts follow.
        is_too_long: Whether it was stopped because it wrote too much.
    """

    stdout: bytes
    stderr: bytes = b""
    exit_code: int | None = None
    is_too_long: bool = False


REQUEST = ProgramInput


def run(load: Load, request: ProgramInput, channel: Channel) -> None:
    """Runs the program; emits its output and exit code as `ProgramPart`."""
    streams = _Streams(request, channel)
    streams.install()
    exit_code = 0
    try:
        try:
            load(MAIN)
        finally:
            # As the interpreter does it at its end.
            atexit._run_exitfuncs()
    except SystemExit as error:
        exit_code = streams.exit_code(error)
    finally:
        streams.give_back_exit()
    streams.finish(exit_code)


class _Reader(io.BytesIO):
    """The buffer of the standard input."""

    name = "<stdin>"
    mode = "rb"

    def fileno(self) -> int:
        return 0


class _Writer(io.BufferedIOBase):
    """The buffer of an output, which keeps what it may and tells of the rest."""

    mode = "wb"

    def __init__(
        self, number: int, max_bytes: int, overflow: Callable[[], object]
    ) -> None:
        self.name = ("<stdin>", "<stdout>", "<stderr>")[number]
        self.kept = bytearray()
        self._number = number
        self._max_bytes = max_bytes
        self._overflow = overflow

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._number

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        room = self._max_bytes - len(self.kept)
        self.kept += view[:room]
        if len(view) > room:
            self._overflow()
        return len(view)


class _Text(io.TextIOWrapper):
    """A standard stream as text."""

    def __init__(self, buffer: Any, mode: str, *, errors: str = "strict") -> None:
        super().__init__(buffer, encoding="utf-8", errors=errors)
        self.mode = mode  # type: ignore[misc]


class _Streams:
    """The standard streams of one program."""

    def __init__(self, request: ProgramInput, channel: Channel) -> None:
        self._channel = channel
        self._reader = _Reader(request.stdin)
        self._output = _Writer(1, request.max_stdout_bytes, self._stop)
        self._errors = _Writer(2, MAX_STDERR_BYTES, lambda: None)
        self._texts: tuple[Any, ...] = (
            _Text(self._reader, "r", errors="surrogateescape"),
            _Text(self._output, "w", errors="surrogateescape"),
            _Text(self._errors, "w", errors="backslashreplace"),
        )

    def install(self) -> None:
        """Puts the streams, and what programs do to descriptors, in their places."""
        sys.stdin, sys.stdout, sys.stderr = self._texts
        for name, text in zip(("stdin", "stdout", "stderr"), self._texts, strict=True):
            setattr(sys, f"__{name}__", text)
        sys.argv = ["program.py"]
        # What the worker's own modules would do at its end.
        atexit._clear()
        read, write, fstat, open_file = os.read, os.write, os.fstat, io.open
        self._leave_process = os._exit
        buffers = {1: self._output, 2: self._errors}

        def read_here(fd: int, size: int) -> bytes:
            return self._reader.read(size) if fd == 0 else read(fd, size)

        def write_here(fd: int, data: Any) -> int:
            return buffers[fd].write(data) if fd in buffers else write(fd, data)

        def open_here(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
            number = _DESCRIPTORS.get(file, file) if isinstance(file, str) else file
            if type(number) is int and number in (0, 1, 2):
                text = self._texts[number]
                return text.buffer if "b" in mode else text
            return open_file(file, mode, *args, **kwargs)

        def fstat_here(fd: int) -> os.stat_result:
            # The call itself is refused by the filter.
            return _PIPE if fd in (0, 1, 2) else fstat(fd)

        os.read, os.write, os.fstat = read_here, write_here, fstat_here
        builtins.open = io.open = os.fdopen = open_here  # type: ignore[assignment]
        os._exit = self._exit
        threading.Thread.start = _start  # type: ignore[method-assign]
        threading.Thread.join = _join  # type: ignore[method-assign]
        threading.Thread.is_alive = _is_alive  # type: ignore[method-assign]

    def give_back_exit(self) -> None:
        """Lets `os._exit` end the process again."""
        os._exit = self._leave_process

    def exit_code(self, error: SystemExit) -> int:
        """Returns what the interpreter makes of an exit, as it does."""
        if error.code is None:
            return 0
        if isinstance(error.code, int):
            return int(error.code) & 0xFF
        self._texts[2].write(f"{error.code}\n")
        return 1

    def finish(self, exit_code: int) -> None:
        """Sends what there is."""
        # A program may have put streams of its own in place of ours.
        for stream in (sys.stdout, sys.stderr, *self._texts):
            if stream is not None and not stream.closed:
                stream.flush()
        self._send(exit_code, is_too_long=False)

    def _send(self, exit_code: int, *, is_too_long: bool) -> None:
        kept = bytes(self._output.kept)
        start = 0
        while len(kept) - start > _PART_BYTES:
            part = kept[start : start + _PART_BYTES]
            self._channel.emit(ProgramPart(stdout=part))
            start += _PART_BYTES
        last = ProgramPart(
            stdout=kept[start:],
            stderr=bytes(self._errors.kept),
            exit_code=exit_code,
            is_too_long=is_too_long,
        )
        self._channel.emit(last)

    def _stop(self) -> NoReturn:
        """Ends the program at once: an exception it could swallow."""
        self._send(1, is_too_long=True)
        self._leave()

    def _exit(self, status: int) -> NoReturn:
        """Ends the program as `os._exit` does: what is not flushed is lost."""
        self._send(status & 0xFF, is_too_long=False)
        self._leave()

    def _leave(self) -> NoReturn:
        self.give_back_exit()
        self._channel.leave()


def _start(self: threading.Thread) -> None:
    """Runs a thread to its end: there can be no other one."""
    if self._started.is_set():  # type: ignore[attr-defined]
        raise RuntimeError("threads can only be started once")
    self._started.set()  # type: ignore[attr-defined]
    # It ends the thread, not the program.
    with contextlib.suppress(SystemExit):
        self.run()


def _join(self: threading.Thread, timeout: float | None = None) -> None:
    if not self._started.is_set():  # type: ignore[attr-defined]
        raise RuntimeError("cannot join thread before it is started")


def _is_alive(self: threading.Thread) -> bool:
    return False
