"""Waiting for a child, and watching its memory where the kernel does not limit it.

Covers: Linux, with pidfd or without; macOS, by emulation only.
"""

import ctypes
import os
import signal
import struct
import sys
from typing import Any

WATCH_INTERVAL_S = 0.05

RSS_UNITS_PER_MIB = 1 << 20 if sys.platform == "darwin" else 1 << 10
"""The systems differ in the unit of `ru_maxrss`: bytes or KiB."""

_PROC_PIDTASKINFO = 4  # sys/proc_info.h
_TASK_INFO_BYTES = 96


class ChildWatch:
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
        """Returns what to poll for a child."""
        return os.pidfd_open(pid) if self._use_pidfd else self._readable

    def close(self, fd: int) -> None:
        """Takes back what `open` returned."""
        if self._use_pidfd:
            os.close(fd)

    def drain(self) -> None:
        """Reads what made it readable: it may have been another child."""
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


def kill_group(pid: int) -> None:
    """Kills a child and the group that it leads."""
    for send in (os.killpg, os.kill):
        try:
            send(pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue


def ended(pid: int) -> tuple[int, Any] | None:
    """Returns status and resource use of a child that ended, and kills its group.

    `None` if it runs. Where it can be, the child is left in the table of processes
    until the group is gone: its number belongs to nobody else so long.
    """
    if hasattr(os, "waitid"):
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return None
        kill_group(pid)
        _, status, usage = os.wait4(pid, 0)
        return status, usage
    found, status, usage = os.wait4(pid, os.WNOHANG)
    if not found:
        return None
    kill_group(pid)
    return status, usage


def resident_bytes(pid: int) -> int:
    """Returns how much memory a process occupies; 0 if nobody says."""
    try:
        if sys.platform == "darwin":
            return _resident_bytes_on_macos(pid)
        with open(f"/proc/{pid}/statm", encoding="utf-8") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError, AttributeError):
        return 0


def _resident_bytes_on_macos(pid: int) -> int:
    """Asks libproc: of `struct proc_taskinfo`, the second number of 64 bits."""
    buffer = ctypes.create_string_buffer(_TASK_INFO_BYTES)
    size = ctypes.CDLL(None).proc_pidinfo(
        pid, _PROC_PIDTASKINFO, ctypes.c_uint64(0), buffer, _TASK_INFO_BYTES
    )
    if size < 16:
        return 0
    (found,) = struct.unpack_from("<Q", buffer.raw, 8)
    return int(found)
