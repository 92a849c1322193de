"""The parent's side of one warm worker: starting it, running a job, ending it."""

import contextlib
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from sandbox import wire
from sandbox.errors import ProtocolError, SandboxUnavailable
from sandbox.isolation import IsolationReport, summarise
from sandbox.zygote import LENGTH, ORDER, STOP, Hello, Settings

START_TIMEOUT_S = 60.0

# Handlers that modules leave for forked children re-seed `random` and renew locks:
# half the cost of a fork, and children that should be alike would differ.
_BOOTSTRAP = (
    "import os, sys; os.register_at_fork = lambda **_: None; "
    "sys.path[:] = sys.argv[3].split(chr(31)); "
    "from sandbox.zygote import main; main(int(sys.argv[1]), sys.argv[2])"
)
_RECEIVE_BYTES = 1 << 18
_STDERR_CHARS = 500


class WorkerLost(Exception):  # noqa: N818 - an event, handled inside the package
    """A worker died or stopped answering; the job may be tried on another one."""


@dataclass(kw_only=True)
class RawResult:
    """What came out of a child and its worker, before it is interpreted.

    Attributes:
        report: What the worker says about the child's end.
        is_ready: Whether the child was locked and waiting for its job.
        is_done: Whether it said, with the right nonce, that it is done.
        failure: The exception it reported, if any.
        values: Payloads of its messages.
        breach: What was wrong with its frames; empty if nothing was.
        exceeded: Which output limit it passed; empty if none.
    """

    report: wire.Report | None = None
    is_ready: bool = False
    is_done: bool = False
    failure: wire.Failure | None = None
    values: list[bytes] = field(default_factory=list)
    breach: str = ""
    exceeded: str = ""


class Worker:
    """A warm process that runs one job at a time.

    Raises:
        SandboxUnavailable: If it does not start.
    """

    def __init__(self, settings: Settings) -> None:
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-s",
                    "-P",
                    "-B",
                    "-c",
                    _BOOTSTRAP,
                    str(theirs.fileno()),
                    msgspec.json.encode(settings).decode(),
                    chr(31).join(path for path in sys.path if os.path.isabs(path)),
                ],
                env=_environment(),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        hello = self._receive_hello()
        self.report: IsolationReport = summarise(
            hello.layers, hello.probes, hello.platform
        )

    def _receive_hello(self) -> Hello:
        try:
            return wire.decode_trusted(self._receive(START_TIMEOUT_S), Hello)
        except (WorkerLost, ProtocolError) as error:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=1.0)
            self._process.kill()
            _, text = self._process.communicate()
            last = text.decode(errors="replace").strip().rsplit("\n", 1)[-1]
            self.close()
            raise SandboxUnavailable(
                f"The worker ended before the first job (exit code "
                f"{self._process.returncode}): {last[-_STDERR_CHARS:]} "
                "No candidate was scored."
            ) from error
        finally:
            if self._process.stderr is not None:
                self._process.stderr.close()

    @property
    def pid(self) -> int:
        """Process id, for tests that end it."""
        return self._process.pid

    def kill(self) -> None:
        """Ends the process, and leaves it to the next job to find out."""
        self._process.kill()

    def close(self) -> None:
        """Ends the worker and whatever it runs."""
        self._control.close()
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()

    def start(
        self,
        job: bytes,
        *,
        nonce: bytes,
        order: wire.Order,
        grace_s: float,
        max_output_bytes: int,
        max_messages: int,
    ) -> "Run":
        """Starts one job; `finish` sees it to its end.

        Args:
            job: Encoded `wire.Job`.
            nonce: The job's own.
            order: Limits for the worker.
            grace_s: How long past the wall limit the worker may take to report.
            max_output_bytes: Bytes after which the child is stopped.
            max_messages: Messages after which it is stopped.
        """
        ours, theirs = socket.socketpair()
        intake = _Intake(
            RawResult(),
            nonce,
            max_frame_bytes=order.max_frame_bytes,
            max_output_bytes=max_output_bytes,
            max_messages=max_messages,
        )
        deadline = time.monotonic() + order.wall_s + grace_s
        run = Run(self._control, ours, intake, deadline)
        with theirs:
            run.send(wire.encode(order), theirs.fileno(), job)
        return run

    def _receive(self, timeout_s: float) -> bytes:
        return _receive(self._control, timeout_s)


def _receive(control: socket.socket, timeout_s: float) -> bytes:
    control.settimeout(timeout_s)
    try:
        head = control.recv(LENGTH.size, socket.MSG_WAITALL)
        if len(head) < LENGTH.size:
            raise WorkerLost("the worker ended")
        (size,) = LENGTH.unpack(head)
        payload = control.recv(size, socket.MSG_WAITALL)
    except OSError as error:
        raise WorkerLost(type(error).__name__) from error
    if len(payload) < size:
        raise WorkerLost("the worker ended")
    return payload


class Run:
    """A job that a worker is at.

    Attributes:
        lost: Why there is no result, if the worker died or did not report in time.
        is_over: Whether the worker reported, or is lost.
    """

    def __init__(
        self,
        control: socket.socket,
        ours: socket.socket,
        intake: "_Intake",
        deadline: float,
    ) -> None:
        self._control = control
        self._ours = ours
        self._intake = intake
        self._is_open = True
        self._is_stopped = False
        self.deadline = deadline
        self.lost: WorkerLost | None = None
        self.is_over = False

    @property
    def result(self) -> RawResult:
        """What came out so far."""
        return self._intake.result

    def send(self, order: bytes, job_fd: int, job: bytes) -> None:
        """Sends the job on its way."""
        try:
            message = ORDER + LENGTH.pack(len(order)) + order
            socket.send_fds(self._control, [message], [job_fd])
            self._ours.settimeout(max(self.deadline - time.monotonic(), 0.001))
            # A child that died early is told by its exit status, not by this.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self._ours.sendall(wire.frame(wire.VALUE, job))
            self._ours.setblocking(False)
        except OSError as error:
            self.lose(f"{type(error).__name__} while sending")

    def lose(self, reason: str) -> None:
        """Gives up: the worker is not to be used again."""
        self.lost = WorkerLost(reason)
        self._end()

    def _end(self) -> None:
        self.is_over = True
        self._ours.close()

    def watch(self, poller: select.poll) -> dict[int, "Run"]:
        """Registers what to wait for; returns it as keys."""
        files = {self._control.fileno(): self, self._ours.fileno(): self}
        for fd in files:
            poller.register(fd, select.POLLIN)
        return files

    def go_on(self, ready: set[int], poller: select.poll) -> None:
        """Reads what is there; what the child sent before the report is all there."""
        control, intake = self._control.fileno(), self._intake
        if self._is_open and self._ours.fileno() in ready:
            self._is_open = intake.take(self._ours)
            if not self._is_open:
                poller.unregister(self._ours)
        if not intake.is_wanted and not self._is_stopped:
            self._is_stopped = True
            with contextlib.suppress(OSError):
                self._control.sendall(STOP)
        if control in ready:
            poller.unregister(control)
            if self._is_open:
                poller.unregister(self._ours)
            self._take_report()

    def _take_report(self) -> None:
        try:
            left = max(self.deadline - time.monotonic(), 0.001)
            self.result.report = wire.decode_report(_receive(self._control, left))
        except (WorkerLost, ProtocolError) as error:
            self.lose(str(error))
            return
        intake = self._intake
        while self._is_open and intake.is_wanted and intake.take(self._ours):
            pass
        intake.finish()
        self._end()


def finish(runs: Sequence[Run]) -> None:
    """Reads from several runs until all of them are over."""
    poller = select.poll()
    files: dict[int, Run] = {}
    for run in runs:
        if not run.is_over:
            files |= run.watch(poller)
    while waiting := [run for run in runs if not run.is_over]:
        left = min(run.deadline for run in waiting) - time.monotonic()
        ready = {fd for fd, _ in poller.poll(max(left, 0.0) * 1000)}
        for run in waiting:
            run.go_on({fd for fd in ready if files[fd] is run}, poller)
            if not run.is_over and run.deadline <= time.monotonic():
                for fd in [fd for fd in files if files[fd] is run]:
                    # The child's end may have been left alone before.
                    with contextlib.suppress(KeyError):
                        poller.unregister(fd)
                run.lose("no report in time")


class _Intake:
    """Sorts a child's frames and counts its bytes."""

    def __init__(
        self,
        result: RawResult,
        nonce: bytes,
        *,
        max_frame_bytes: int,
        max_output_bytes: int,
        max_messages: int,
    ) -> None:
        self.result = result
        self._nonce = nonce
        self._reader = wire.FrameReader(max_frame_bytes)
        self._left = max_output_bytes
        self._max_output_bytes = max_output_bytes
        self._max_messages = max_messages

    @property
    def is_wanted(self) -> bool:
        """Whether more from this child could matter."""
        return not self.result.breach and not self.result.exceeded

    def take(self, sock: socket.socket) -> bool:
        """Reads once; returns whether there may be more."""
        try:
            data = sock.recv(_RECEIVE_BYTES)
        except (BlockingIOError, ConnectionResetError):
            return False
        if not data:
            return False
        self._left -= len(data)
        if self._left < 0:
            self.result.exceeded = f"{self._max_output_bytes >> 20} MiB"
            return False
        try:
            for kind, payload in self._reader.feed(data):
                self._sort(kind, payload)
        except ProtocolError as error:
            self.result.breach = str(error)
        return self.is_wanted

    def _sort(self, kind: int, payload: bytes) -> None:
        result = self.result
        if result.is_done or result.failure is not None:
            raise ProtocolError("something came after the end.")
        if (kind == wire.READY) == result.is_ready:
            raise ProtocolError("the first frame, and no other, must say ready.")
        if kind == wire.READY:
            result.is_ready = True
        elif kind == wire.VALUE:
            result.values.append(payload)
            if len(result.values) > self._max_messages:
                result.exceeded = f"{self._max_messages} messages"
        elif kind == wire.RAISED:
            result.failure = wire.decode(payload, wire.Failure, max_array_bytes=0)
        elif kind == wire.DONE and payload == self._nonce:
            result.is_done = True
        else:
            raise ProtocolError("a frame is of no known kind.")

    def finish(self) -> None:
        """Looks at what is left when the child has ended."""
        if self.is_wanted and self._reader.has_rest and self.result.is_done:
            self.result.breach = "something came after the end."


def _environment() -> dict[str, str]:
    """Environment of a worker, from scratch: it inherits no secret."""
    fixed = {
        "PYTHONHASHSEED": "0",
        "PYTHONUTF8": "1",
        # Symbols that were looked up before the fork need no page of each child's.
        "LD_BIND_NOW": "1",
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "VECLIB_MAXIMUM_THREADS": "1",
    }
    # Where the dynamic linker finds NumPy's libraries on some systems.
    kept = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
    return fixed | {name: os.environ[name] for name in kept if name in os.environ}
