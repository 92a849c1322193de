"""Forbidden actions, tried from inside a locked child: what is refused is proved.

They are tried in three stages: with what a child inherits, with its limits, and with
its filter. Each layer is thereby seen without those that would refuse in its place.
"""

import _thread
import ctypes
import errno
import os
import resource
import socket
import sys
from collections.abc import Callable
from typing import Any

from sandbox import capabilities
from sandbox.isolation import WATCHED
from sandbox.linux import Kernel

_Actions = dict[str, Callable[[], Any]]


class Probes:
    """Forbidden actions; make it before the lock, as it looks things up."""

    def __init__(self, kernel: Kernel, *, is_memory_watched: bool) -> None:
        self._kernel = kernel
        self._is_memory_watched = is_memory_watched
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._parent = os.getppid()
        self._too_much = 128 << 20
        # Any of them that exists shows that the root is not empty.
        self._files = (sys.executable, os.__file__, "/etc", "/proc", "/dev", "/usr")
        self.stages: tuple[Callable[[], dict[str, str]], ...] = (
            self._with_what_is_inherited,
            self._with_limits,
            self._with_filter,
        )

    def _with_what_is_inherited(self) -> dict[str, str]:
        return _try(
            {
                "become_root": self._become_root,
                "see_processes": self._see_processes,
                "reach_loopback": self._reach_loopback,
                "find_files": self._find_files,
                "use_capabilities": self._use_capabilities,
                "read_directory": lambda: os.close(os.open("/", os.O_RDONLY)),
            }
        )

    def _with_limits(self) -> dict[str, str]:
        found = _try({"open_beyond_limit": lambda: os.close(os.dup(0))})
        if self._is_memory_watched:
            # To try it would be the end of the probes.
            return found | {"allocate_too_much": WATCHED}
        return found | _try({"allocate_too_much": lambda: bytearray(self._too_much)})

    def _with_filter(self) -> dict[str, str]:
        return _try(
            {
                "open": lambda: os.open("/", os.O_RDONLY),
                "socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
                "fork": self._fork,
                "thread": lambda: _thread.start_new_thread(os.getpid, ()),
                "kill_parent": lambda: os.kill(self._parent, 0),
                "executable_memory": self._map_executable,
                "write_file": self._write_file,
            }
        )

    def _become_root(self) -> None:
        os.seteuid(0)

    def _see_processes(self) -> None:
        # The first process of a namespace has no neighbours but its own children.
        if self._parent == 1:
            raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))

    def _reach_loopback(self) -> None:
        # In a network of one's own, not even this device is up.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect(("127.0.0.1", 9))

    def _find_files(self) -> None:
        if not any(os.path.exists(path) for path in self._files):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))

    def _use_capabilities(self) -> None:
        if sys.platform != "linux" or not capabilities.has_any(self._kernel):
            os.chroot("/")

    def _fork(self) -> None:
        if os.fork() == 0:
            os._exit(0)

    def _write_file(self) -> None:
        path = f"/tmp/.probe-{os.getpid()}"
        os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        os.unlink(path)

    def _map_executable(self) -> None:
        self._libc.mmap.restype = ctypes.c_void_p
        read_write_execute, private_anonymous = 7, 0x22
        address = self._libc.mmap(
            None,
            ctypes.c_size_t(resource.getpagesize()),
            read_write_execute,
            private_anonymous,
            -1,
            ctypes.c_long(0),
        )
        if address == ctypes.c_void_p(-1).value:
            raise OSError(ctypes.get_errno(), "mmap")


def _try(actions: _Actions) -> dict[str, str]:
    """Returns what each action met: an error's name, or `"allowed"`."""
    found: dict[str, str] = {}
    for name, action in actions.items():
        try:
            action()
        except (OSError, MemoryError, RuntimeError) as error:
            number = getattr(error, "errno", None)
            found[name] = type(error).__name__ + (f" {number}" if number else "")
        else:
            found[name] = "allowed"
    return found
