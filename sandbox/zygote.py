"""The warm worker: imports once, locks itself once, forks a child per candidate.

It is executed, not forked from the caller, so that nothing of the caller's memory
(true outcomes, keys) can be found in a child. It serves one job at a time.

Covers: probing, fork, the wall clock, SIGKILL, exit status and resource use. Does not
cover: imports and the worker's own locks (`preparation`), reading results, judging
them.
"""

import gc
import os
import select
import socket
import struct
import sys
import time
from typing import NoReturn

import msgspec

from sandbox import child, inventory, wire
from sandbox.isolation import ABSENT, Layer, Surroundings
from sandbox.linux import JOB_FD, Kernel, address_space_bytes
from sandbox.locks import Start, lock_worker
from sandbox.memory import close_gaps
from sandbox.namespaces import kill_all_others
from sandbox.opt_in import chosen
from sandbox.preparation import PRELOAD, import_everything
from sandbox.probes import Probes
from sandbox.waiting import (
    RSS_UNITS_PER_MIB,
    WATCH_INTERVAL_S,
    ChildWatch,
    ended,
    kill_group,
    resident_bytes,
)

LENGTH = struct.Struct("<I")
_ORDER_HEAD = struct.Struct("<cI")
_ORDER_BYTES = 4096
_FD = struct.Struct("@i")
_FD_SPACE = socket.CMSG_SPACE(_FD.size)
ORDER = b"O"
STOP = b"K"


class Settings(msgspec.Struct):
    """What a worker is started with.

    Attributes:
        drivers: Modules to import for drivers.
        layers: Locks to close.
        use_pidfd: Whether to wait by pidfd where there is one; else by SIGCHLD.
        capabilities: Names of the opt-in capabilities that are on.
    """

    drivers: list[str]
    layers: list[Layer]
    use_pidfd: bool = True
    capabilities: list[str] = []


class Hello(msgspec.Struct):
    """A worker's first message.

    Attributes:
        layers: State of each layer.
        probes: What a probing child could not do.
        surroundings: Where and with what it runs.
        session_drivers: Those of the drivers that open sessions.
    """

    layers: dict[str, str]
    probes: dict[str, str]
    surroundings: Surroundings
    session_drivers: list[str] = []


def main(control_fd: int, settings_text: str, start: Start) -> NoReturn:
    """Serves jobs until the control socket is closed.

    Args:
        control_fd: Its descriptor.
        settings_text: `Settings` as JSON.
        start: What `locks.start_worker` returned.
    """
    control = socket.socket(fileno=control_fd)
    settings = msgspec.json.decode(settings_text, type=Settings)
    kernel = Kernel()
    capabilities = chosen(settings.capabilities)
    import_everything(settings.drivers, capabilities)
    preloaded = [*PRELOAD, *(m for one in capabilities for m in one.preload)]
    digest = inventory.preload_hash(preloaded, settings.drivers)
    cgroup = inventory.cgroup_state()
    gc.collect()
    close_gaps()
    gc.freeze()
    mapped_bytes = address_space_bytes()
    locked = lock_worker(frozenset(settings.layers), kernel, start)
    worker = _Worker(
        control,
        kernel,
        locked.layers,
        mapped_bytes=mapped_bytes,
        use_pidfd=settings.use_pidfd,
        may_compile=any(one.makes_code for one in capabilities),
    )
    probes = worker.prove(locked.states)
    hello = Hello(
        layers=locked.states,
        probes=probes,
        surroundings=Surroundings(
            platform=inventory.platform_name(),
            uid=locked.user_id,
            preload_hash=digest,
            cgroup=cgroup,
            landlock_version=locked.landlock_version,
        ),
        session_drivers=[name for name in settings.drivers if child.has_sessions(name)],
    )
    # Until now, standard error told the caller why a worker does not start.
    os.dup2(0, 2)
    send_message(control, wire.encode(hello))
    worker.serve()
    os._exit(0)


def send_message(sock: socket.socket, payload: bytes) -> None:
    """Sends one message of the control socket."""
    sock.sendall(LENGTH.pack(len(payload)) + payload)


class _Worker:
    """Forks, watches and reports; one job at a time."""

    def __init__(
        self,
        control: socket.socket,
        kernel: Kernel,
        layers: frozenset[Layer],
        *,
        mapped_bytes: int,
        use_pidfd: bool,
        may_compile: bool = False,
    ) -> None:
        self._control = control
        self._kernel = kernel
        self._layers = layers
        self._watch = ChildWatch(use_pidfd=use_pidfd)
        self._pid = os.getpid()
        self._mapped_bytes = mapped_bytes
        self._may_compile = may_compile
        # Where the kernel limits no address space (macOS), what is occupied is watched.
        self._resident_bytes = 0 if mapped_bytes else resident_bytes(self._pid)
        self._watches_memory = bool(self._resident_bytes) and "rlimits" in layers
        self._poller = select.poll()
        self._poller.register(control, select.POLLIN | select.POLLHUP)
        self._last: tuple[bytes, wire.Order, tuple[child.Step, ...]] | None = None

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
                    child.run_candidate(order.max_frame_bytes, self._seal())
                finally:
                    # An unlocked child must end before it sees a candidate; one that
                    # cannot report must end, too.
                    os._exit(child.EXIT_LOCK_FAILED)
            os.close(job_fd)
            report = self._wait(pid, order)
            send_message(self._control, wire.encode(report))

    def _prepared(self, payload: bytes) -> tuple[wire.Order, tuple[child.Step, ...]]:
        """Returns the order and its children's first steps; most orders are alike."""
        if self._last is None or self._last[0] != payload:
            order = wire.decode_order(payload)
            self._last = (payload, order, self._steps(order, self._layers))
        return self._last[1:]

    def _steps(
        self, order: wire.Order, layers: frozenset[Layer]
    ) -> tuple[child.Step, ...]:
        return child.steps_after_fork(
            order,
            self._kernel,
            layers,
            worker_pid=self._pid,
            mapped_bytes=self._mapped_bytes,
            may_compile=self._may_compile,
        )

    def _seal(self) -> child.Seal:
        """Returns what makes a child's locks as strict as everybody's."""
        is_open = self._may_compile and "seccomp" in self._layers
        return child.Seal(self._kernel.install_filter if is_open else None)

    def _become_child(self, job_fd: int, steps: tuple[child.Step, ...]) -> None:
        self._watch.leave_to_parent()
        if job_fd != JOB_FD:
            os.dup2(job_fd, JOB_FD, False)
        child.take_steps(steps)

    def _wait(self, pid: int, order: wire.Order) -> wire.Report:
        start = time.monotonic()
        watched = self._watch.open(pid)
        killed = ""
        self._poller.register(watched, select.POLLIN)
        while True:
            left = order.wall_s - (time.monotonic() - start)
            if left <= 0:
                killed = killed or "wall"
            elif self._watches_memory and self._has_too_much(pid, order):
                killed = killed or "memory"
            if killed:
                kill_group(pid)
            ready = self._poller.poll(1000 * self._pause_s(left, killed) + 1)
            if any(fd == self._control.fileno() for fd, _ in ready):
                # A byte asks for the end of this job; so does the caller's own end.
                if not self._control.recv(1):
                    kill_group(pid)
                    os._exit(0)
                killed = killed or "asked"
                kill_group(pid)
            self._watch.drain()
            if (end := ended(pid)) is not None:
                break
        self._poller.unregister(watched)
        self._watch.close(watched)
        self._reap_orphans()
        status, usage = end
        return wire.Report(
            exit_code=os.waitstatus_to_exitcode(status),
            killed=killed,
            wall_s=time.monotonic() - start,
            cpu_s=usage.ru_utime + usage.ru_stime,
            max_rss_mib=usage.ru_maxrss / RSS_UNITS_PER_MIB,
        )

    def _pause_s(self, left_s: float, killed: str) -> float:
        if killed:
            return 1.0
        return min(left_s, WATCH_INTERVAL_S) if self._watches_memory else left_s

    def _has_too_much(self, pid: int, order: wire.Order) -> bool:
        return resident_bytes(pid) > self._resident_bytes + (order.memory_mib << 20)

    def _reap_orphans(self) -> None:
        """Kills what a candidate left behind where no filter kept it from forking."""
        if "seccomp" in self._layers or sys.platform != "linux":
            return
        if self._pid == 1:
            kill_all_others()
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
                kill_group(pid)
                os.waitpid(pid, 0)

    def prove(self, states: dict[str, str]) -> dict[str, str]:
        """Returns what a locked child reports of trying what is forbidden.

        A lock that children cannot close here is left out from then on.

        Args:
            states: State of each layer, changed for a lock that was left out.
        """
        while True:
            stages = self._probe()
            probes = {name: met for stage in stages for name, met in stage.items()}
            # A child that cannot lock itself ends without another word.
            culprit = {1: "rlimits", 2: "seccomp"}.get(len(stages))
            found = next((name for name in self._layers if name == culprit), None)
            if found is None:
                return probes
            states[found] = f"{ABSENT}refused by the kernel"
            self._layers -= {found}

    def _probe(self) -> list[dict[str, str]]:
        """Returns the reports of the stages that a child came through."""
        order = wire.Order(
            wall_s=5.0, cpu_s=5, memory_mib=64, stack_mib=16, max_frame_bytes=1 << 16
        )
        inherited = self._layers - {"rlimits", "seccomp"}
        steps = [
            self._steps(order, layers)
            for layers in (inherited, self._layers - {"seccomp"}, self._layers)
        ]
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            try:
                probes = Probes(self._kernel, is_memory_watched=self._watches_memory)
                self._become_child(theirs.fileno(), ())
                for some, stage in zip(steps, probes.stages, strict=True):
                    child.take_steps(some)
                    if some is steps[-1]:
                        self._seal().close()
                    child.write_all(wire.frame(wire.VALUE, wire.encode(stage())))
            finally:
                os._exit(0)
        theirs.close()
        self._wait(pid, order)
        ours.setblocking(False)
        try:
            data = ours.recv(1 << 16)
        except BlockingIOError:
            data = b""
        ours.close()
        return [
            wire.decode_trusted(payload, dict[str, str])
            for _, payload in wire.FrameReader(1 << 16).feed(data)
        ]


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
