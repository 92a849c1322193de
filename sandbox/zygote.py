"""The warm worker: imports once, locks itself once, forks a child per candidate.

It is executed, not forked from the caller, so that nothing of the caller's memory
(true outcomes, keys) can be found in a child. It serves one job at a time.

Covers: imports, dropping root, namespaces, probing, fork, the wall clock, SIGKILL,
exit status and resource use. Does not cover: reading results, judging them.
"""

import gc
import importlib
import os
import platform
import random  # noqa: TID251 - the candidates' generator
import select
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable
from typing import NoReturn

import msgspec
import numpy as np

from sandbox import child, wire
from sandbox.isolation import Layer
from sandbox.linux import Kernel, address_space_bytes, supports_seccomp
from sandbox.probes import Probes

LENGTH = struct.Struct("<I")
ORDER = b"O"
STOP = b"K"
NOBODY = 65534
NO_REPORT = "probe"

PRELOAD = (
    "_strptime",
    "abc",
    "bisect",
    "calendar",
    "cmath",
    "collections.abc",
    "contextlib",
    "copy",
    "dataclasses",
    "datetime",
    "decimal",
    "encodings.ascii",
    "encodings.cp1252",
    "encodings.idna",
    "encodings.latin_1",
    "enum",
    "fractions",
    "functools",
    "heapq",
    "itertools",
    "json",
    "linecache",
    "math",
    "numbers",
    "numpy",
    "numpy.char",
    "numpy.fft",
    "numpy.linalg",
    "numpy.ma",
    "numpy.polynomial",
    "numpy.random",
    "numpy.rec",
    "numpy.typing",
    "operator",
    "queue",
    "random",
    "re",
    "statistics",
    "string",
    "struct",
    "textwrap",
    "time",
    "traceback",
    "types",
    "typing",
    "typing_extensions",
    "warnings",
)
"""What candidates may import: later, nothing can be opened any more."""

_OPTIONAL = frozenset({"typing_extensions"})


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
    _import_everything(settings.drivers)
    kernel = Kernel()
    states = _lock_worker(frozenset(settings.layers), kernel)
    layers = frozenset(
        layer for layer in settings.layers if not states[layer].startswith("absent")
    )
    worker = _Worker(control, kernel, layers, use_pidfd=settings.use_pidfd)
    gc.collect()
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


def _import_everything(drivers: list[str]) -> None:
    for name in PRELOAD:
        try:
            importlib.import_module(name)
        except ImportError:
            if name not in _OPTIONAL:
                raise
    for name in drivers:
        module = importlib.import_module(name)
        if not callable(getattr(module, "run", None)):
            raise TypeError(f"Driver {name!r} must have a function 'run'.")
        getattr(module, "warm_up", lambda: None)()
    sys.modules.pop(child.CANDIDATE, None)
    os.environ.clear()
    os.chdir("/")
    os.umask(0o077)
    # What is random without a seed is at least alike in all children.
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002, TID251 - the candidates' generator
    # A candidate may print anything; nobody reads it.
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _lock_worker(layers: frozenset[Layer], kernel: Kernel) -> dict[str, str]:
    """Closes the locks that children inherit; returns each layer's state."""
    steps: dict[Layer, Callable[[], str]] = {
        "drop_root": lambda: _drop_root(kernel),
        "namespaces": lambda: _attempt(kernel.enter_namespaces),
        "no_new_privs": lambda: _attempt(kernel.set_no_new_privileges),
        "rlimits": lambda: "active",
        "seccomp": lambda: (
            "active" if supports_seccomp() else "absent: no filter for this system"
        ),
    }
    states: dict[str, str] = {}
    for layer, step in steps.items():
        states[layer] = step() if layer in layers else "absent: switched off"
    if states["seccomp"] == "active" and states["no_new_privs"] != "active":
        states["seccomp"] = "absent: needs no_new_privs"
    if sys.platform == "linux":
        kernel.adopt_orphans()
    return states


def _drop_root(kernel: Kernel) -> str:
    if os.geteuid() != 0:
        return "active"
    try:
        os.setgroups([])
        # As root, these set the real, effective and saved ids alike.
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    except OSError as error:
        return f"absent: {error.strerror}"
    if sys.platform == "linux":
        kernel.set_dumpable()
    return "active"


def _attempt(step: Callable[[], None]) -> str:
    if sys.platform != "linux":
        return "absent: needs Linux"
    try:
        step()
    except OSError as error:
        return f"absent: {error.strerror}"
    return "active"


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
            order, job_fd = received
            pid = self._fork(order, job_fd)
            os.close(job_fd)
            report = self._wait(pid, order)
            send_message(self._control, wire.encode(report))

    def _fork(self, order: wire.Order, job_fd: int) -> int:
        pid = os.fork()
        if pid == 0:
            try:
                child.become_child(job_fd, self._kernel, self._pid)
                child.lock(order, self._kernel, self._layers, self._mapped_bytes)
                child.run_candidate(order)
            finally:
                # An unlocked child must end before it sees a candidate; one that
                # cannot report must end, too.
                os._exit(child.EXIT_LOCK_FAILED)
        return pid

    def _wait(self, pid: int, order: wire.Order) -> wire.Report:
        start = time.monotonic()
        watched = self._watch.open(pid)
        killed = ""
        poller = select.poll()
        poller.register(watched, select.POLLIN)
        poller.register(self._control, select.POLLIN | select.POLLHUP)
        while True:
            status = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if status is not None:
                break
            left = order.wall_s - (time.monotonic() - start)
            if left <= 0:
                killed = killed or "wall"
                self._kill(pid)
            ready = poller.poll(max(left, 0.0) * 1000 + 1 if not killed else 1000)
            if any(fd == self._control.fileno() for fd, _ in ready):
                # A byte asks for the end of this job; so does the caller's own end.
                if not self._control.recv(1):
                    self._kill(pid)
                    os._exit(0)
                killed = killed or "asked"
                self._kill(pid)
            self._watch.drain()
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
        pid = os.fork()
        if pid == 0:
            try:
                child.become_child(theirs.fileno(), self._kernel, self._pid)
                probes = Probes()
                child.lock(order, self._kernel, self._layers, self._mapped_bytes)
                child.write_all(wire.encode(probes.run()))
            finally:
                os._exit(0)
        theirs.close()
        self._wait(pid, order)
        ours.setblocking(False)
        try:
            payload = ours.recv(1 << 16)
        except BlockingIOError:
            payload = b""
        ours.close()
        if not payload:
            return {NO_REPORT: "ended without a report"}
        return wire.decode_trusted(payload, dict[str, str])


def _receive_order(control: socket.socket) -> tuple[wire.Order, int] | None:
    """Returns the next order with its job's socket; `None` when nobody is left."""
    while True:
        mark, fds, _, _ = socket.recv_fds(control, 1, 1)
        if not mark:
            return None
        if mark == ORDER:
            break
        # A request to stop that crossed with the report of its job.
    head = control.recv(LENGTH.size, socket.MSG_WAITALL)
    if len(head) < LENGTH.size or not fds:
        return None
    (size,) = LENGTH.unpack(head)
    payload = control.recv(size, socket.MSG_WAITALL)
    return wire.decode_trusted(payload, wire.Order), fds[0]
