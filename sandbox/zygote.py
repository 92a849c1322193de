"""The warm worker: imports once, locks itself once, forks a child per candidate.

It is executed, not forked from the caller, so that nothing of the caller's memory
(true outcomes, keys) can be found in a child. It serves one job at a time.

Covers: probing, fork, the wall clock, SIGKILL, exit status and resource use. Does not
cover: imports and the worker's own locks (`preparation`), reading results, judging
them.
"""

import gc
import os
import platform
import select
import signal
import socket
import struct
import sys
import time
from typing import NoReturn

import msgspec

from sandbox import child, wire
from sandbox.isolation import Layer
from sandbox.linux import JOB_FD, Kernel, address_space_bytes
from sandbox.memory import close_gaps
from sandbox.preparation import import_everything, lock_worker
from sandbox.probes import Probes

LENGTH = struct.Struct("<I")
_ORDER_HEAD = struct.Struct("<cI")
_ORDER_BYTES = 4096
_FD = struct.Struct("@i")
_FD_SPACE = socket.CMSG_SPACE(_FD.size)
ORDER = b"O"
STOP = b"K"
NO_REPORT = "probe"


class Settings(msgspec.Struct):
    """What a worker is started with.

    Attributes:
        drivers: Modules to import for drivers.
        layers: Locks to close.
        use_pidfd: Whether to wait by pidfd where there is one; else by SIGCHLD.
    """

    drivers: list[str]
    layers: list[Layer]
    use_pidfd: bool = True


class Hello(msgspec.Struct):
    """A worker's first message.

    Attributes:
        pid: Its process id.
        layers: State of each layer.
        probes: What a probing child could not do.
        platform: Kernel and processor.
    """

    pid: int
    layers: dict[str, str]
    probes: dict[str, str]
    platform: str


def main(control_fd: int, settings_text: str) -> NoReturn:
    """Serves jobs until the control socket is closed."""
    control = socket.socket(fileno=control_fd)
    settings = msgspec.json.decode(settings_text, type=Settings)
    import_everything(settings.drivers)
    kernel = Kernel()
    states = lock_worker(frozenset(settings.layers), kernel)
    layers = frozenset(
        layer for layer in settings.layers if not states[layer].startswith("absent")
    )
    worker = _Worker(control, kernel, layers, use_pidfd=settings.use_pidfd)
    gc.collect()
    close_gaps()
    gc.freeze()
    worker.measure()
    probes = worker.probe()
    if NO_REPORT in probes and "seccomp" in layers:
        # A child that cannot lock itself ends without a word.
        states["seccomp"] = "absent: refused by the kernel"
        worker.leave_out("seccomp")
        probes = worker.probe()
    hello = Hello(
        pid=os.getpid(),
        layers=states,
        probes=probes,
        platform=f"{platform.system()} {platform.release()} {platform.machine()}",
    )
    # Until now, standard error told the caller why a worker does not start.
    os.dup2(0, 2)
    send_message(control, wire.encode(hello))
    worker.serve()
    os._exit(0)


def send_message(sock: socket.socket, payload: bytes) -> None:
    """Sends one message of the control socket."""
    sock.sendall(LENGTH.pack(len(payload)) + payload)


class _ChildWatch:
    """Something to poll that becomes readable when a child ends.

    By pidfd; where the kernel has none (gVisor), by the byte that the interpreter
    writes when SIGCHLD arrives.
    """

    def __init__(self, *, use_pidfd: bool) -> None:
        self._use_pidfd = use_pidfd and self._has_pidfd()
        if not self._use_pidfd:
            self._readable, writable = os.pipe()
            os.set_blocking(self._readable, False)
            os.set_blocking(writable, False)
            signal.signal(signal.SIGCHLD, lambda *_: None)
            signal.set_wakeup_fd(writable, warn_on_full_buffer=False)

    @staticmethod
    def _has_pidfd() -> bool:
        try:
            os.close(os.pidfd_open(os.getpid()))
        except (OSError, AttributeError):
            return False
        return True

    def open(self, pid: int) -> int:
        return os.pidfd_open(pid) if self._use_pidfd else self._readable

    def close(self, fd: int) -> None:
        if self._use_pidfd:
            os.close(fd)

    def drain(self) -> None:
        if self._use_pidfd:
            return
        try:
            while os.read(self._readable, 512):
                pass
        except BlockingIOError:
            pass

    def leave_to_parent(self) -> None:
        """Takes the handler from a child, which watches nobody."""
        if not self._use_pidfd:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)


class _Worker:
    """Forks, watches and reports; one job at a time."""

    def __init__(
        self,
        control: socket.socket,
        kernel: Kernel,
        layers: frozenset[Layer],
        *,
        use_pidfd: bool,
    ) -> None:
        self._control = control
        self._kernel = kernel
        self._layers = layers
        self._watch = _ChildWatch(use_pidfd=use_pidfd)
        self._pid = os.getpid()
        self._mapped_bytes = 0
        self._poller = select.poll()
        self._poller.register(control, select.POLLIN | select.POLLHUP)
        self._last: tuple[bytes, wire.Order, tuple[child.Step, ...]] | None = None

    def measure(self) -> None:
        """Notes how much address space children start with; call it when warm."""
        self._mapped_bytes = address_space_bytes()

    def leave_out(self, layer: Layer) -> None:
        """Does without a lock that children cannot close here."""
        self._layers -= {layer}

    def serve(self) -> None:
        """Runs jobs until the caller closes the control socket."""
        while True:
            received = _receive_order(self._control)
            if received is None:
                return
            payload, job_fd = received
            order, steps = self._prepared(payload)
            pid = os.fork()
            if pid == 0:
                try:
                    self._become_child(job_fd, steps)
                    child.run_candidate(order.max_frame_bytes)
                finally:
                    # An unlocked child must end before it sees a candidate; one that
                    # cannot report must end, too.
                    os._exit(child.EXIT_LOCK_FAILED)
            os.close(job_fd)
            report = self._wait(pid, order.wall_s)
            send_message(self._control, wire.encode(report))

    def _prepared(self, payload: bytes) -> tuple[wire.Order, tuple[child.Step, ...]]:
        """Returns the order and its children's first steps; most orders are alike."""
        if self._last is None or self._last[0] != payload:
            order = wire.decode_order(payload)
            self._last = (payload, order, self._steps(order))
        return self._last[1:]

    def _steps(self, order: wire.Order) -> tuple[child.Step, ...]:
        return child.steps_after_fork(
            order,
            self._kernel,
            self._layers,
            worker_pid=self._pid,
            mapped_bytes=self._mapped_bytes,
        )

    def _become_child(self, job_fd: int, steps: tuple[child.Step, ...]) -> None:
        self._watch.leave_to_parent()
        if job_fd != JOB_FD:
            os.dup2(job_fd, JOB_FD, False)
        child.take_steps(steps)

    def _wait(self, pid: int, wall_s: float) -> wire.Report:
        start = time.monotonic()
        watched = self._watch.open(pid)
        killed = ""
        self._poller.register(watched, select.POLLIN)
        while True:
            left = wall_s - (time.monotonic() - start)
            if left <= 0:
                killed = killed or "wall"
                self._kill(pid)
            ready = self._poller.poll(1000.0 if killed else left * 1000 + 1)
            if any(fd == self._control.fileno() for fd, _ in ready):
                # A byte asks for the end of this job; so does the caller's own end.
                if not self._control.recv(1):
                    self._kill(pid)
                    os._exit(0)
                killed = killed or "asked"
                self._kill(pid)
            self._watch.drain()
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                break
        self._poller.unregister(watched)
        self._watch.close(watched)
        self._kill(pid)
        _, code, usage = os.wait4(pid, 0)
        self._reap_orphans()
        return wire.Report(
            exit_code=os.waitstatus_to_exitcode(code),
            killed=killed,
            wall_s=time.monotonic() - start,
            cpu_s=usage.ru_utime + usage.ru_stime,
            max_rss_mib=usage.ru_maxrss / 1024,
        )

    def _kill(self, pid: int) -> None:
        for send in (os.killpg, os.kill):
            try:
                send(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue

    def _reap_orphans(self) -> None:
        """Kills what a candidate left behind where no filter kept it from forking."""
        if "seccomp" in self._layers or sys.platform != "linux":
            return
        path = f"/proc/self/task/{self._pid}/children"
        while True:
            try:
                with open(path, encoding="ascii") as file:
                    pids = [int(word) for word in file.read().split()]
            except OSError:
                return
            if not pids:
                return
            for pid in pids:
                self._kill(pid)
                os.waitpid(pid, 0)

    def probe(self) -> dict[str, str]:
        """Returns what a locked child reports of trying what is forbidden."""
        order = wire.Order(
            wall_s=5.0, cpu_s=5, memory_mib=64, stack_mib=16, max_frame_bytes=1 << 16
        )
        ours, theirs = socket.socketpair()
        steps = self._steps(order)
        pid = os.fork()
        if pid == 0:
            try:
                probes = Probes()
                self._become_child(theirs.fileno(), steps)
                child.write_all(wire.encode(probes.run()))
            finally:
                os._exit(0)
        theirs.close()
        self._wait(pid, order.wall_s)
        ours.setblocking(False)
        try:
            payload = ours.recv(1 << 16)
        except BlockingIOError:
            payload = b""
        ours.close()
        if not payload:
            return {NO_REPORT: "ended without a report"}
        return wire.decode_trusted(payload, dict[str, str])


def _receive_order(control: socket.socket) -> tuple[bytes, int] | None:
    """Returns the next order with its job's socket; `None` when nobody is left."""
    while True:
        data, ancillary, _, _ = control.recvmsg(_ORDER_BYTES, _FD_SPACE)
        if not data:
            return None
        # Requests to stop that crossed with the report of their job.
        data = data.lstrip(STOP)
        if data:
            break
    if len(data) < _ORDER_HEAD.size or not ancillary:
        return None
    _, size = _ORDER_HEAD.unpack_from(data)
    payload = data[_ORDER_HEAD.size :]
    if len(payload) < size:
        payload += control.recv(size - len(payload), socket.MSG_WAITALL)
    (job_fd,) = _FD.unpack(ancillary[0][2])
    return payload, job_fd
