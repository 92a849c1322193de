"""The parent's side of one warm worker: starting it, running a job, ending it."""

import contextlib
import os
import select
import socket
import subprocess
import sys
import time
import weakref
from collections.abc import Sequence

import msgspec

from sandbox import wire
from sandbox.errors import ProtocolError, SandboxUnavailable
from sandbox.intake import Intake, RawResult
from sandbox.isolation import IsolationReport, summarise
from sandbox.zygote import LENGTH, ORDER, STOP, Hello, Settings

START_TIMEOUT_S = 60.0

# Handlers that modules leave for forked children re-seed `random` and renew locks:
# half the cost of a fork, and children that should be alike would differ.
_BOOTSTRAP = (
    "import os, sys; os.register_at_fork = lambda **_: None; "
    "sys.path[:] = sys.argv[3].split(chr(31)); "
    "from sandbox.locks import start_worker; control = int(sys.argv[1]); "
    "start = start_worker(sys.argv[4], control); "
    "from sandbox.zygote import main; main(control, sys.argv[2], start)"
)
_STDERR_CHARS = 500
_CLOSE_TIMEOUT_S = 1.0


_controls: weakref.WeakSet[socket.socket] = weakref.WeakSet()


def _leave_workers_to_the_caller() -> None:
    """Closes what a fork of the caller inherited: a worker ends with its last user."""
    for control in list(_controls):
        control.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_workers_to_the_caller)


class WorkerLost(Exception):  # noqa: N818 - an event, handled inside the package
    """A worker died or stopped answering; the job may be tried on another one."""


class Worker:
    """A warm process that runs one job at a time.

    Raises:
        SandboxUnavailable: If it does not start.
    """

    def __init__(self, settings: Settings) -> None:
        self._control, theirs = socket.socketpair()
        _controls.add(self._control)
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
                    " ".join(settings.layers),
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
            hello.layers, hello.probes, hello.surroundings
        )
        self.session_drivers = frozenset(hello.session_drivers)

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
        """Ends the worker, and leaves it to the next job to find out."""
        self._process.kill()
        # Until nobody is left who has the other end: the one inside dies a bit later.
        poller = select.poll()
        poller.register(self._control, select.POLLHUP)
        poller.poll(_CLOSE_TIMEOUT_S * 1000)

    def close(self) -> None:
        """Ends the worker and whatever it runs."""
        self._control.close()
        # Asked to end, the process that stays outside of the namespaces buries the
        # one inside; killed, it would leave that to whoever adopts orphans here.
        self._process.terminate()
        try:
            self._process.wait(timeout=_CLOSE_TIMEOUT_S)
        except subprocess.TimeoutExpired:
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
        intake = Intake(
            RawResult(),
            nonce,
            max_frame_bytes=order.max_frame_bytes,
            max_output_bytes=max_output_bytes,
            max_messages=max_messages,
        )
        deadline = time.monotonic() + order.wall_s + grace_s
        run = Run(self._control, ours, intake, deadline)
        with theirs:
            try:
                self._hand_over(order, job, ours, theirs, deadline)
            except WorkerLost as error:
                run.lose(str(error))
        return run

    def start_session(
        self, job: bytes, *, order: wire.Order, deadline: float
    ) -> socket.socket:
        """Starts a job whose caller reads and writes for itself.

        Whoever calls this has to `stop` the child and to `receive_report`, once.

        Args:
            job: Encoded `wire.Job`.
            order: Limits for the worker.
            deadline: When the job must have been sent, by `time.monotonic`.

        Returns:
            The caller's end of the job's socket; it does not block.

        Raises:
            WorkerLost: If the job could not be sent.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                self._hand_over(order, job, ours, theirs, deadline)
            except BaseException:
                ours.close()
                raise
        return ours

    def _hand_over(
        self,
        order: wire.Order,
        job: bytes,
        ours: socket.socket,
        theirs: socket.socket,
        deadline: float,
    ) -> None:
        """Sends a job on its way."""
        payload = wire.encode(order)
        try:
            message = ORDER + LENGTH.pack(len(payload)) + payload
            socket.send_fds(self._control, [message], [theirs.fileno()])
            ours.settimeout(max(deadline - time.monotonic(), 0.001))
            # A child that died early is told by its exit status, not by this.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                ours.sendall(wire.frame(wire.VALUE, job))
            ours.setblocking(False)
        except OSError as error:
            raise WorkerLost(f"{type(error).__name__} while sending") from error

    def stop(self) -> None:
        """Asks for the end of the child; the report follows."""
        with contextlib.suppress(OSError):
            self._control.sendall(STOP)

    def receive_report(self, timeout_s: float) -> wire.Report:
        """Returns what the worker says about a child that has ended.

        Raises:
            WorkerLost: If it does not say it in time; it is not to be used again.
        """
        try:
            return wire.decode_report(self._receive(timeout_s))
        except ProtocolError as error:
            raise WorkerLost(str(error)) from error

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
        intake: "Intake",
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
        now = time.monotonic()
        left = min(run.deadline for run in waiting) - now
        ready = {fd for fd, _ in poller.poll(max(left, 0.0) * 1000)}
        for run in waiting:
            run.go_on({fd for fd in ready if files[fd] is run}, poller)
            # Late is what was late before the look: this process may have slept, too.
            if not run.is_over and run.deadline <= now:
                for fd in [fd for fd in files if files[fd] is run]:
                    # The child's end may have been left alone before.
                    with contextlib.suppress(KeyError):
                        poller.unregister(fd)
                run.lose("no report in time")


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
