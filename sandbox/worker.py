"""The parent's side of one warm worker: starting it, running a job, ending it."""

import contextlib
import os
import select
import socket
import subprocess
import sys
import time
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

    def run(
        self,
        job: bytes,
        *,
        nonce: bytes,
        order: wire.Order,
        grace_s: float,
        max_output_bytes: int,
        max_messages: int,
    ) -> RawResult:
        """Runs one job to its end.

        Args:
            job: Encoded `wire.Job`.
            nonce: The job's own.
            order: Limits for the worker.
            grace_s: How long past the wall limit the worker may take to report.
            max_output_bytes: Bytes after which the child is stopped.
            max_messages: Messages after which it is stopped.

        Raises:
            WorkerLost: If the worker died or did not report in time.
        """
        ours, theirs = socket.socketpair()
        deadline = time.monotonic() + order.wall_s + grace_s
        result = RawResult()
        with ours:
            try:
                with theirs:
                    payload = wire.encode(order)
                    message = ORDER + LENGTH.pack(len(payload)) + payload
                    socket.send_fds(self._control, [message], [theirs.fileno()])
                ours.settimeout(max(deadline - time.monotonic(), 0.001))
                # A child that died early is told by its exit status, not by this.
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    ours.sendall(wire.frame(wire.VALUE, job))
            except OSError as error:
                raise WorkerLost(f"{type(error).__name__} while sending") from error
            ours.setblocking(False)
            intake = _Intake(
                result,
                nonce,
                max_frame_bytes=order.max_frame_bytes,
                max_output_bytes=max_output_bytes,
                max_messages=max_messages,
            )
            self._pump(ours, intake, deadline)
        intake.finish()
        return result

    def _pump(self, ours: socket.socket, intake: "_Intake", deadline: float) -> None:
        """Reads until the worker reports; what the child sent before is all there."""
        poller = select.poll()
        poller.register(self._control, select.POLLIN)
        poller.register(ours, select.POLLIN)
        is_open, stopped = True, False
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise WorkerLost("no report in time")
            ready = {fd for fd, _ in poller.poll(left * 1000)}
            if is_open and ours.fileno() in ready:
                is_open = intake.take(ours)
                if not is_open:
                    poller.unregister(ours)
            if not intake.is_wanted and not stopped:
                stopped = True
                with contextlib.suppress(OSError):
                    self._control.sendall(STOP)
            if self._control.fileno() in ready:
                payload = self._receive(max(deadline - time.monotonic(), 0.001))
                intake.result.report = wire.decode_trusted(payload, wire.Report)
                while is_open and intake.is_wanted and intake.take(ours):
                    pass
                return

    def _receive(self, timeout_s: float) -> bytes:
        self._control.settimeout(timeout_s)
        try:
            head = self._control.recv(LENGTH.size, socket.MSG_WAITALL)
            if len(head) < LENGTH.size:
                raise WorkerLost("the worker ended")
            (size,) = LENGTH.unpack(head)
            payload = self._control.recv(size, socket.MSG_WAITALL)
        except OSError as error:
            raise WorkerLost(type(error).__name__) from error
        if len(payload) < size:
            raise WorkerLost("the worker ended")
        return payload


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
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "VECLIB_MAXIMUM_THREADS": "1",
    }
    # Where the dynamic linker finds NumPy's libraries on some systems.
    kept = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
    return fixed | {name: os.environ[name] for name in kept if name in os.environ}
