"""The process of one candidate, from fork to exit.

Covers: closing descriptors, limits, the filter, loading the source, calling the
driver, telling how it ended. Does not cover: watching the clock, judging anything;
nothing that this process says about itself is believed.
"""

import os
import resource
import signal
import sys
import types
from collections.abc import Callable
from typing import Any, NoReturn

from sandbox import wire
from sandbox.isolation import Layer
from sandbox.linux import Kernel

CANDIDATE = "candidate"
"""Name of the module that a candidate's source becomes."""

CANDIDATE_FILE = "<candidate>"
"""Its file name in tracebacks."""

JOB_FD = 3
EXIT_LOCK_FAILED = 77


class At(Exception):  # noqa: N818 - a note on another exception, not an error itself
    """Says where a driver was when the candidate raised.

    Drivers write `raise At(index) from error`; the cause is what is reported.
    """

    def __init__(self, position: int) -> None:
        super().__init__(position)
        self.position = position


class Channel:
    """The way out of a child for a driver's results."""

    def __init__(self, max_frame_bytes: int) -> None:
        self._max_frame_bytes = max_frame_bytes

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
        write_all(wire.frame(wire.VALUE, payload))


Driver = Callable[[Callable[[], dict[str, Any]], Any, Channel], None]
"""`run(load, request, channel)` of a driver module.

A driver module may also have `warm_up()`: trusted work on a program of its own that
a worker does once, before it forks, so that every child starts with warm code.

`load()` executes the candidate and returns its namespace; `request` is what the
caller passed, as plain data; `channel.emit` sends results. An exception that leaves
the driver is the candidate's.
"""


def lock(
    order: wire.Order, kernel: Kernel, layers: frozenset[Layer], mapped_bytes: int
) -> None:
    """Takes from the calling process, for good, what a candidate must not have.

    Args:
        order: The limits.
        kernel: The calls, looked up before.
        layers: Which locks to close.
        mapped_bytes: Address space that the worker had before it forked; 0 if it
            is not known, and then memory is not limited.

    Raises:
        OSError: If a lock cannot be closed; the process must then end.
    """
    if "rlimits" in layers:
        _set_limits(order, mapped_bytes)
    if "seccomp" in layers:
        kernel.install_filter()


def _set_limits(order: wire.Order, mapped_bytes: int) -> None:
    memory = mapped_bytes + (order.memory_mib << 20)
    limits = [
        (resource.RLIMIT_CPU, order.cpu_s, order.cpu_s + 1),
        (resource.RLIMIT_FSIZE, 0, 0),
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_NOFILE, JOB_FD + 1, JOB_FD + 1),
        (resource.RLIMIT_NPROC, 0, 0),
        (resource.RLIMIT_MEMLOCK, 0, 0),
    ]
    if mapped_bytes:
        limits.append((resource.RLIMIT_AS, memory, memory))
    for name, soft, hard in limits:
        resource.setrlimit(name, (soft, hard))
    _, hard_stack = resource.getrlimit(resource.RLIMIT_STACK)
    stack = order.stack_mib << 20
    if hard_stack != resource.RLIM_INFINITY:
        stack = min(stack, hard_stack)
    resource.setrlimit(resource.RLIMIT_STACK, (stack, stack))


def become_child(job_fd: int, kernel: Kernel, worker_pid: int) -> None:
    """Leaves the worker's signals, group and descriptors behind.

    The job's socket becomes descriptor 3, the only one besides 0 to 2.
    """
    if signal.getsignal(signal.SIGCHLD) is not signal.SIG_DFL:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setpgid(0, 0)
    if job_fd != JOB_FD:
        os.dup2(job_fd, JOB_FD, inheritable=False)
    kernel.close_from(JOB_FD + 1)
    if sys.platform == "linux":
        kernel.die_with_parent(signal.SIGKILL)
        if os.getppid() != worker_pid:
            os._exit(EXIT_LOCK_FAILED)


def write_all(data: bytes) -> None:
    """Writes to the job's socket; by `write`, as the filter allows no `send`."""
    view = memoryview(data)
    while view:
        view = view[os.write(JOB_FD, view) :]


def run_candidate(order: wire.Order) -> NoReturn:
    """Reads a job, runs it and ends the process; call it after `lock`."""
    write_all(wire.frame(wire.READY))
    job = _read_job()
    failure = _run(job, Channel(order.max_frame_bytes))
    if failure is None:
        write_all(wire.frame(wire.DONE, job.nonce))
    else:
        write_all(wire.frame(wire.RAISED, wire.encode(failure)))
    # No atexit, no __del__, no joining of threads: the candidate had its turn.
    os._exit(0)


def _read_job() -> wire.Job:
    length, _ = wire.HEADER.unpack(_read(wire.HEADER.size))
    return wire.decode_job(_read(length - 1))


def _read(size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        chunk = os.read(JOB_FD, min(size - len(data), 1 << 20))
        if not chunk:
            os._exit(EXIT_LOCK_FAILED)
        data += chunk
    return bytes(data)


def _run(job: wire.Job, channel: Channel) -> wire.Failure | None:
    try:
        driver: Driver = sys.modules[job.driver].run
        driver(make_loader(job.source), job.request, channel)
    except BaseException as error:  # noqa: BLE001 - the top frame of a candidate
        failure = describe_error(error)
        if failure.error_type != "MemoryError":
            return failure
        # The frames hold what the candidate allocated; give it back first.
        error.__traceback__ = None
        if error.__cause__ is not None:
            error.__cause__.__traceback__ = None
        return failure
    return None


def make_loader(source: str) -> Callable[[], dict[str, Any]]:
    """Returns the function that executes a source and returns its namespace."""

    def load() -> dict[str, Any]:
        module = types.ModuleType(CANDIDATE)
        # Where dataclasses and typing look up the names of a class's module.
        sys.modules[CANDIDATE] = module
        code = compile(source, CANDIDATE_FILE, "exec", dont_inherit=True)
        exec(code, module.__dict__)  # noqa: S102 - what all the locks are for
        return module.__dict__

    return load


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
        error_type=_encodable(name) or "Exception",
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
