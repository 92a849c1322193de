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
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from sandbox.linux import Kernel, explain

_CLONE_NEWNS = 0x00020000
_CLONE_NEWUTS = 0x04000000
_CLONE_NEWIPC = 0x08000000
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWPID = 0x20000000
_CLONE_NEWNET = 0x40000000
_WORLD = _CLONE_NEWUSER | _CLONE_NEWNET | _CLONE_NEWIPC | _CLONE_NEWUTS

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


class Entry:
    """The way into namespaces of its own, in two steps.

    The first, `fork_first`, comes before the imports: children of a process that
    shares its pages with nobody cost less. The second, `finish`, comes after the
    last change of the user, which would undo it.

    Args:
        kernel: The calls.
        changes_user: Whether the process is root and will be somebody else before
            `finish`. Root's own files may be closed to anybody else, so that it has
            to stay root as long as it imports.
    """

    def __init__(self, kernel: Kernel, *, changes_user: bool) -> None:
        self._kernel = kernel
        self._changes_user = changes_user
        self._parent_fd = -1

    def fork_first(self, control_fd: int = -1) -> None:
        """Goes on in a new process, the first of a process namespace of its own.

        This process does not return. It stays to tell its parent how the other one
        ended: by the same exit code, or 128 and the signal's number. Neither outlives
        the other.

        Args:
            control_fd: A descriptor that only the new process keeps.

        Raises:
            OSError: If it is not allowed here; nothing has changed then.
        """
        if self._changes_user:
            self._kernel.call("unshare", _CLONE_NEWPID)
        else:
            _enter(self._kernel, _WORLD | _CLONE_NEWPID)
        self._parent_fd, writable = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(writable)
            self._stay_with_parent()
            return
        os.close(self._parent_fd)
        _watch(self._kernel, pid, control_fd)

    def finish(self) -> None:
        """Enters what `fork_first` has left for later.

        Raises:
            OSError: If it is not allowed here.
        """
        if self._changes_user:
            _enter(self._kernel, _WORLD)
        # Other rights, other user: the kernel forgets that this was asked for.
        self._stay_with_parent()
        os.close(self._parent_fd)

    def _stay_with_parent(self) -> None:
        self._kernel.die_with_parent()
        # If the other one died before that, its end of the pipe is closed.
        poller = select.poll()
        poller.register(self._parent_fd, select.POLLIN)
        if poller.poll(0):
            os._exit(0)


def _enter(kernel: Kernel, which: int) -> None:
    user, group = os.geteuid(), os.getegid()
    kernel.call("unshare", which)
    # Where this is refused (AppArmor on Ubuntu 24.04), the process has no rights in its
    # namespaces, but is in them: the network and the neighbours are gone all the same.
    with contextlib.suppress(OSError):
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{user} {user} 1")
        _write("/proc/self/gid_map", f"{group} {group} 1")


def _watch(kernel: Kernel, pid: int, control_fd: int) -> NoReturn:
    """Waits for a process and ends as it did."""
    if control_fd >= 0:
        os.close(control_fd)
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
            happened then, so try it in another process first (`find_obstacles`).
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
        namespaces: What is in the way of an `Entry`.
        empty_root: What is in the way of `make_root_empty` after that.
    """

    namespaces: str
    empty_root: str


def find_obstacles(
    kernel: Kernel, *, changes_user: bool, change_user: Callable[[], object]
) -> Obstacles:
    """Tries everything in a process that is thrown away.

    A system may let a process enter and then refuse what follows, or even kill it.
    So the worker only does what worked before.

    Args:
        kernel: The calls.
        changes_user: As in `Entry`.
        change_user: What the worker will do between the steps of its entry.
    """
    readable, writable = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(readable)
            entry = Entry(kernel, changes_user=changes_user)
            _try_out(kernel, entry, change_user, writable)
        finally:
            os._exit(0)
    os.close(writable)
    with open(readable, "rb") as file:
        lines = file.read().decode(errors="replace").split("\n")
    os.waitpid(pid, 0)
    # A stage that worked has an empty line; what comes last was not written.
    reasons = (lines[:-1] + ["ended while trying"] * 2)[:2]
    return Obstacles(reasons[0], reasons[0] or reasons[1])


def _try_out(
    kernel: Kernel, entry: Entry, change_user: Callable[[], object], fd: int
) -> None:
    """Writes a line for each stage: why it failed, or nothing if it worked."""

    def attempt(step: Callable[[], None]) -> bool:
        reason = ""
        try:
            step()
        except OSError as error:
            reason = explain(error)
        os.write(fd, f"{reason}\n".encode())
        return not reason

    def enter() -> None:
        entry.fork_first(fd)
        if os.getpid() != 1:
            raise OSError(0, "not the first process", "fork")
        change_user()
        entry.finish()

    if attempt(enter):
        attempt(lambda: make_root_empty(kernel))


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
