"""Namespaces: a world of its own for the worker, without network, files, neighbours.

The worker that serves jobs is process 1 of its namespace, in an empty root that
nobody can write to. When it ends, the kernel kills whatever it ever forked. The
process that the caller started stays outside and lives exactly as long.

Covers: Linux. Does not cover: which of it is wanted (`locks`).
"""

import contextlib
import errno
import os
import platform
import select
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass

from sandbox.linux import Kernel, explain

_CLONE_NEWNS = 0x00020000
_CLONE_NEWUTS = 0x04000000
_CLONE_NEWIPC = 0x08000000
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWPID = 0x20000000
_CLONE_NEWNET = 0x40000000
_ALL_BUT_MOUNTS = (
    _CLONE_NEWUSER | _CLONE_NEWNET | _CLONE_NEWIPC | _CLONE_NEWUTS | _CLONE_NEWPID
)

_MS_RDONLY = 1
_MS_NOSUID = 2
_MS_NODEV = 4
_MS_NOEXEC = 8
_MS_REC = 0x4000
_MS_PRIVATE = 0x40000
_MNT_DETACH = 2
_SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}

# Some directory that exists and that any user may enter: the new root is built there.
_PLACES = ("/tmp", "/proc", "/dev", "/usr")


def enter(kernel: Kernel) -> None:
    """Moves to user, network, IPC and host-name namespaces of its own.

    The next process that is forked is the first of a new process namespace. When that
    one has ended, this one can fork no more.

    Raises:
        OSError: If it is not allowed here; nothing has changed then.
    """
    user, group = os.geteuid(), os.getegid()
    kernel.call("unshare", _ALL_BUT_MOUNTS)
    # Where this is refused (AppArmor on Ubuntu 24.04), the process has no rights in its
    # namespaces, but is in them: the network and the neighbours are gone all the same.
    with contextlib.suppress(OSError):
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{user} {user} 1")
        _write("/proc/self/gid_map", f"{group} {group} 1")


def _write(path: str, text: str) -> None:
    # Not by `open`, which may have to import a codec that only root could read.
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def make_root_empty(kernel: Kernel) -> None:
    """Leaves all files behind: moves to an empty root that is read-only.

    Raises:
        OSError: If it is not allowed, or something is left; some of it may have
            happened then, so try it in another process first (`Trial`).
    """
    # Another user namespace would have capabilities again.
    with contextlib.suppress(OSError):
        _write("/proc/sys/user/max_user_namespaces", "0")
    place = next((path for path in _PLACES if os.path.isdir(path)), "/")
    kernel.call("unshare", _CLONE_NEWNS)
    kernel.call("mount", None, b"/", None, _MS_REC | _MS_PRIVATE, None)
    kernel.call(
        "mount",
        b"none",
        place.encode(),
        b"tmpfs",
        _MS_RDONLY | _MS_NOSUID | _MS_NODEV | _MS_NOEXEC,
        b"size=4k,nr_inodes=1,mode=0555",
    )
    os.chdir(place)
    # The old root is put on top of the new one and taken off again, all beneath it.
    kernel.system_call("pivot_root", _pivot_root_number(), b".", b".")
    kernel.call("umount2", b".", _MNT_DETACH)
    os.chdir("/")
    if os.listdir("/"):
        raise OSError(0, "something is left", "pivot_root")


def _pivot_root_number() -> int:
    number = _SYS_PIVOT_ROOT.get(platform.machine())
    if number is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), "pivot_root")
    return number


@dataclass(frozen=True, slots=True)
class Obstacles:
    """Why something does not work here; empty texts for what does.

    Attributes:
        namespaces: What is in the way of `enter` and `fork_first`.
        empty_root: What is in the way of `make_root_empty` after that.
    """

    namespaces: str
    empty_root: str


class Trial:
    """Tries everything in a process that is thrown away.

    A system may let a process enter and then refuse what follows, or even kill it.
    So the worker only does what worked before. The trial goes on beside what the
    worker does in the meantime.

    Args:
        kernel: The calls.
        prepare: What the worker will have done before, such as dropping root.
    """

    def __init__(self, kernel: Kernel, prepare: Callable[[], object]) -> None:
        self._readable, writable = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            try:
                prepare()
                _try_out(kernel, writable)
            finally:
                os._exit(0)
        os.close(writable)

    def obstacles(self) -> Obstacles:
        """Waits for the end of the trial and returns what it found; call it once."""
        with open(self._readable, "rb") as file:
            lines = file.read().decode(errors="replace").split("\n")
        os.waitpid(self._pid, 0)
        # A stage that worked has an empty line; what comes last was not written.
        reasons = (lines[:-1] + ["ended while trying"] * 2)[:2]
        return Obstacles(reasons[0], reasons[0] or reasons[1])


def _try_out(kernel: Kernel, fd: int) -> None:
    """Writes a line for each stage: why it failed, or nothing if it worked."""

    def attempt(step: Callable[[], None]) -> bool:
        reason = ""
        try:
            step()
        except OSError as error:
            reason = explain(error)
        os.write(fd, f"{reason}\n".encode())
        return not reason

    def fork() -> None:
        enter(kernel)
        pid = os.fork()
        if pid != 0:
            os.waitpid(pid, 0)
            os._exit(0)
        if os.getpid() != 1:
            raise OSError(0, "not the first process", "fork")

    if attempt(fork):
        attempt(lambda: make_root_empty(kernel))


def fork_first(kernel: Kernel, control: socket.socket) -> None:
    """Goes on in a new process, the first of its namespace; call it after `enter`.

    This process does not return. It stays to tell its parent how the other one
    ended: by the same exit code, or 128 and the signal's number. Neither outlives
    the other.

    Args:
        kernel: The calls.
        control: The socket to the caller, which only the new process keeps.

    Raises:
        OSError: If it cannot fork.
    """
    readable, writable = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(writable)
        kernel.die_with_parent()
        # If the other one died before that, its end of the pipe is closed.
        poller = select.poll()
        poller.register(readable, select.POLLIN)
        if poller.poll(0):
            os._exit(0)
        os.close(readable)
        return
    os.close(readable)
    control.close()
    os.dup2(0, 2)
    kernel.set_dumpable(False)
    # To be killed would leave an orphan behind for others to bury.
    signal.signal(signal.SIGTERM, lambda *_: os.kill(pid, signal.SIGKILL))
    try:
        _, status = os.waitpid(pid, 0)
    except BaseException:  # noqa: BLE001 - nobody is there to be told
        os._exit(1)
    code = os.waitstatus_to_exitcode(status)
    os._exit(code if code >= 0 else 128 - code)


def kill_all_others() -> None:
    """Kills and buries all that runs in this process's namespace.

    Raises:
        RuntimeError: If this is not the first process of a namespace: it would kill
            what is none of ours.
    """
    if os.getpid() != 1:
        raise RuntimeError("only the first process of a namespace may kill the others.")
    with contextlib.suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)
