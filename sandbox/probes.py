"""Forbidden actions, tried from inside a locked child: what is refused is proved."""

import ctypes
import os
import resource
import socket
from collections.abc import Callable
from typing import Any


class Probes:
    """Forbidden actions; make it before the lock, as it looks things up."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._parent = os.getppid()
        self._too_much = 128 << 20

    def run(self) -> dict[str, str]:
        """Returns what each action met: an error's name, or `"allowed"`."""
        actions: dict[str, Callable[[], Any]] = {
            "open": lambda: os.open("/", os.O_RDONLY),
            "socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
            "fork": self._fork,
            "kill_parent": lambda: os.kill(self._parent, 0),
            "executable_memory": self._map_executable,
            "allocate_too_much": lambda: bytearray(self._too_much),
            "write_file": self._write_file,
        }
        found: dict[str, str] = {}
        for name, action in actions.items():
            try:
                action()
            except (OSError, MemoryError) as error:
                number = getattr(error, "errno", None)
                found[name] = type(error).__name__ + (f" {number}" if number else "")
            else:
                found[name] = "allowed"
        return found

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
