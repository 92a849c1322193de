"""The process of one candidate, from fork to exit.

Covers: closing descriptors, limits, the filter, loading the source, calling the
driver, once or for each request of a session, telling how it ended. Does not cover:
watching the clock, judging anything; nothing that this process says about itself is
believed.
"""

import functools
import os
import resource
import socket
import sys
import types
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TypeAlias

import msgspec

from sandbox import wire
from sandbox.isolation import Layer
from sandbox.linux import JOB_FD, Kernel
from sandbox.rlimits import limits_of

CANDIDATE = "candidate"
"""Name of the module that a candidate's source becomes."""

MAIN = "__main__"
"""Its name if it is to run as a program, for `load(MAIN)`."""

CANDIDATE_FILE = "<candidate>"
"""Its file name in tracebacks."""

EXIT_LOCK_FAILED = 77

_MAX_NAME_CHARS = 200

_FLUSH_BYTES = 1 << 16
_READ_BYTES = 1 << 16

Step = tuple[Callable[..., object], tuple[Any, ...]]
"""A call with its arguments, made before the fork: looking up either costs pages."""


class At(Exception):  # noqa: N818 - a note on another exception, not an error itself
    """Says where a driver was when the candidate raised.

    Drivers write `raise At(index) from error`; the cause is what is reported.
    """

    def __init__(self, position: int) -> None:
        super().__init__(position)
        self.position = position


class Channel:
    """The way out of a child for a driver's results.

    Small messages leave together: each write wakes the caller.
    """

    def __init__(
        self, max_frame_bytes: int, fd: int = JOB_FD, nonce: bytes = b""
    ) -> None:
        self._max_frame_bytes = max_frame_bytes
        self._fd = fd
        self._nonce = nonce
        self._waiting = b""

    def emit(self, value: Any) -> None:
        """Sends one message of plain data, arrays or message structs.

        Raises:
            ValueError: If it is larger than a message may be.
            TypeError: If it holds anything else.
        """
        payload = wire.encode(value)
        if len(payload) >= self._max_frame_bytes:
            raise ValueError(
                f"a message must have at most {self._max_frame_bytes} bytes, "
                f"got {len(payload)}."
            )
        self._waiting += wire.frame(wire.VALUE, payload)
        if len(self._waiting) >= _FLUSH_BYTES:
            self.flush()

    def flush(self, last: bytes = b"") -> None:
        """Writes what is waiting, and `last`."""
        data, self._waiting = self._waiting + last, b""
        write_all(data, self._fd)

    def end(self, failure: wire.Failure | None, token: bytes) -> None:
        """Says how the request ended, to which `token` belongs."""
        if failure is None:
            self.flush(wire.frame(wire.DONE, token))
            return
        # Nobody reads the results of a candidate that raised: what waits is dropped.
        self._waiting = b""
        self.flush(wire.frame(wire.RAISED, wire.encode(failure)))

    def leave(self) -> NoReturn:
        """Ends the process as if the driver's `run` had returned; not for sessions."""
        self.end(None, self._nonce)
        os._exit(0)


Load: TypeAlias = Callable[..., dict[str, Any]]
"""`load()` executes the candidate and returns its namespace.

`load(MAIN)` executes it as a program, not as a module; `load(given={...})` with
further names that it may read. Each call executes it anew.
"""

Driver: TypeAlias = Callable[[Load, Any, Channel], None]
"""`run(load, request, channel)` of a driver module.

`request` is what the caller passed, as plain data or of the type `REQUEST` of the
driver module; `channel.emit` sends results. An exception that leaves the driver is
the candidate's.

A driver module may also have `rehearsal()`, which returns a source and a request of
its own that a worker runs a few times before it forks (`rehearse`).
"""

Handler: TypeAlias = Callable[[Any, Channel], None]
"""`handle(ask, channel)`: answers one request of a session, by `channel.emit`.

An exception that leaves it ends this answer, not the session.
"""

SessionDriver: TypeAlias = Callable[[Load, Any, Channel], Handler]
"""`open(load, request, channel)` of a driver module for sessions.

It is called once, may emit results, and returns what answers the requests that
follow; those are plain data, or of the type `ASK` of the driver module. An exception
that leaves it is the candidate's, and there is no session then.
"""


class Seal:
    """Takes the right to make machine code away, before the candidate's first line.

    Where there was no such right, it does nothing.

    Args:
        install: Installs the second filter; `None` if there is none to install.
    """

    def __init__(self, install: Callable[[], None] | None = None) -> None:
        self._install = install

    def close(self) -> None:
        """Installs the filter, once; ends the process if that fails."""
        install, self._install = self._install, None
        if install is None:
            return
        try:
            install()
        except OSError:
            os._exit(EXIT_LOCK_FAILED)


_request_decoders: dict[str, msgspec.msgpack.Decoder[Any]] = {}
_ask_decoders: dict[str, msgspec.msgpack.Decoder[Any]] = {}


def add_driver(name: str) -> None:
    """Prepares for jobs of a driver that has been imported.

    Raises:
        TypeError: If it does not have either `run` or `open`.
    """
    module = sys.modules[name]
    if callable(getattr(module, "run", None)) == has_sessions(name):
        raise TypeError(
            f"Driver {name!r} must have either a function 'run' or a function 'open'."
        )
    _request_decoders[name] = wire.trusted_decoder(getattr(module, "REQUEST", Any))
    _ask_decoders[name] = wire.trusted_decoder(getattr(module, "ASK", Any))


def has_sessions(name: str) -> bool:
    """Returns whether a driver that has been imported opens sessions."""
    return callable(getattr(sys.modules[name], "open", None))


def rehearse(name: str, times: int = 12) -> None:
    """Runs a driver's rehearsal in this process, locks and exit left out.

    The interpreter rewrites code that it has seen a few times, and remembers where
    it found attributes; done before the fork, children share the pages with the
    result instead of each copying them.
    """
    example = getattr(sys.modules[name], "rehearsal", None)
    if example is None:
        return
    source, request = example()
    job = wire.encode(
        wire.make_job(b"", name, source, request, is_session=has_sessions(name))
    )
    for _ in range(times):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.sendall(wire.frame(wire.VALUE, job))
            ours.shutdown(socket.SHUT_WR)
            do_job(1 << 20, theirs.fileno())
            take_steps(((os.getpid, ()), (check_parent, (os.getppid(),))))


def steps_after_fork(
    order: wire.Order,
    kernel: Kernel,
    layers: frozenset[Layer],
    *,
    worker_pid: int,
    mapped_bytes: int,
    may_compile: bool = False,
) -> tuple[Step, ...]:
    """Returns what takes from a child, for good, what a candidate must not have.

    Its own process group, no descriptors but 0 to 2 and the job's, death with the
    worker; then the locks. If any step raises, the process must end.

    Args:
        order: The limits.
        kernel: The calls, looked up before.
        layers: Which locks to close.
        worker_pid: Who must be the child's parent.
        mapped_bytes: Address space that the worker had before it forked; 0 if it
            is not known, and then memory is not limited.
        may_compile: Whether a child may make machine code until its `Seal` is closed.
    """
    steps: list[Step] = [(os.setpgid, (0, 0)), (kernel.close_the_rest, ())]
    if sys.platform == "linux":
        steps.append((kernel.die_with_parent, ()))
        steps.append((check_parent, (worker_pid,)))
    if "rlimits" in layers:
        steps += [
            (resource.setrlimit, (name, pair))
            for name, pair in limits_of(order, mapped_bytes)
        ]
    if "seccomp" in layers:
        install = kernel.install_open_filter if may_compile else kernel.install_filter
        steps.append((install, ()))
    return tuple(steps)


def take_steps(steps: tuple[Step, ...]) -> None:
    """Makes the calls in turn."""
    for call, arguments in steps:
        call(*arguments)


def check_parent(pid: int) -> None:
    """Ends the process if its parent is another one: it would never be told."""
    if os.getppid() != pid:
        os._exit(EXIT_LOCK_FAILED)


def write_all(data: bytes, fd: int = JOB_FD) -> None:
    """Writes to the job's socket; by `write`, as the filter allows no `send`."""
    written = os.write(fd, data)
    while written < len(data):
        written += os.write(fd, memoryview(data)[written:])


def run_candidate(max_frame_bytes: int, seal: Seal | None = None) -> NoReturn:
    """Reads a job, runs it and ends the process; call it after the locks."""
    do_job(max_frame_bytes, JOB_FD, seal)
    # No atexit, no __del__, no joining of threads: the candidate had its turn.
    os._exit(0)


def do_job(max_frame_bytes: int, fd: int, seal: Seal | None = None) -> None:
    """Reads a job from a socket, runs it and writes what comes of it."""
    seal = seal or Seal()
    write_all(_READY, fd)
    length, _ = wire.HEADER.unpack(_read(fd, wire.HEADER.size))
    job = wire.decode_job(_read(fd, length - 1))
    channel = Channel(max_frame_bytes, fd, job.nonce)
    if job.is_session:
        _serve(job, channel, fd, seal)
    else:
        channel.end(_run(job, channel, seal), job.nonce)


_READY = wire.frame(wire.READY)


def _read(fd: int, size: int) -> bytes:
    data = os.read(fd, min(size, 1 << 20))
    if len(data) == size:
        return data
    parts = bytearray(data)
    while len(parts) < size:
        part = os.read(fd, min(size - len(parts), 1 << 20))
        if not part:
            os._exit(EXIT_LOCK_FAILED)
        parts += part
    return bytes(parts)


def _run(job: wire.Job, channel: Channel, seal: Seal) -> wire.Failure | None:
    try:
        driver: Driver = sys.modules[job.driver].run
        request = _request_decoders[job.driver].decode(job.request)
        driver(make_loader(job.source, seal), request, channel)
    except BaseException as error:  # noqa: BLE001 - the top frame of a candidate
        return _failure(error)
    return None


def _failure(error: BaseException) -> wire.Failure:
    failure = describe_error(error)
    if failure.error_type == "MemoryError":
        # The frames hold what the candidate allocated; give it back first.
        error.__traceback__ = None
        if error.__cause__ is not None:
            error.__cause__.__traceback__ = None
    return failure


def _serve(job: wire.Job, channel: Channel, fd: int, seal: Seal) -> None:
    """Opens a session and answers its requests until the caller closes it."""
    try:
        driver: SessionDriver = sys.modules[job.driver].open
        request = _request_decoders[job.driver].decode(job.request)
        handle = driver(make_loader(job.source, seal), request, channel)
        seal.close()
    except BaseException as error:  # noqa: BLE001 - as in `_run`
        channel.end(_failure(error), b"")
        return
    number = 0
    channel.end(None, wire.answer_token(job.nonce, number))
    decode = _ask_decoders[job.driver].decode
    while (payload := _read_ask(fd)) is not None:
        number += 1
        failure: wire.Failure | None = None
        try:
            handle(decode(payload), channel)
        except BaseException as error:  # noqa: BLE001 - likewise
            failure = _failure(error)
        channel.end(failure, wire.answer_token(job.nonce, number))


def _read_ask(fd: int) -> bytes | None:
    """Returns the next request; `None` when there will be none."""
    data = os.read(fd, _READ_BYTES)
    if not data:
        return None
    # The caller waits for the answer: there is never more than one request.
    if len(data) < wire.HEADER.size:
        data += _read(fd, wire.HEADER.size - len(data))
    length, _ = wire.HEADER.unpack_from(data)
    missing = wire.HEADER.size + length - 1 - len(data)
    if missing:
        data += _read(fd, missing)
    return data[wire.HEADER.size :]


def make_loader(source: str, seal: Seal | None = None) -> Load:
    """Returns the function that executes a source and returns its namespace."""
    return functools.partial(_load, source, seal or Seal())


def _load(
    source: str,
    seal: Seal,
    name: str = CANDIDATE,
    given: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    seal.close()
    module = types.ModuleType(name)
    if given:
        module.__dict__.update(given)
    # Where dataclasses and typing look up the names of a class's module.
    sys.modules[name] = module
    exec(_compiled(source), module.__dict__)  # noqa: S102 - what all the locks are for
    return module.__dict__


@functools.lru_cache(maxsize=1)
def _compiled(source: str) -> types.CodeType:
    """Returns the code; a session may execute it hundreds of times."""
    return compile(source, CANDIDATE_FILE, "exec", dont_inherit=True)


def describe_error(error: BaseException) -> wire.Failure:
    """Returns what to report of an exception; runs none of its code unguarded."""
    position = -1
    if isinstance(error, At) and error.__cause__ is not None:
        position = error.position
        error = error.__cause__
    line = _line(error)
    try:
        message = str(error)[:2_000]
        name = type(error).__name__
    except BaseException:  # noqa: BLE001 - `__str__` is the candidate's code, too
        message, name = "", "Exception"
    return wire.Failure(
        error_type=_encodable(name)[:_MAX_NAME_CHARS] or "Exception",
        message=_encodable(message),
        line=line,
        position=position,
    )


def _encodable(text: object) -> str:
    if type(text) is not str:
        return ""
    return text.encode("utf-8", "backslashreplace").decode()


def _line(error: BaseException) -> int:
    line = -1
    if isinstance(error, SyntaxError) and error.filename == CANDIDATE_FILE:
        line = error.lineno if type(error.lineno) is int else -1
    traceback = error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == CANDIDATE_FILE:
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return line
