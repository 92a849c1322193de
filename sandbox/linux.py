"""The kernel's locks by ctypes: prctl, the filter's installation, close_range.

Covers: what a child calls, and raw calls for `namespaces`, `capabilities` and
`landlock`. Does not cover: which calls the filter allows (`seccomp`); other systems
than Linux on x86-64 and aarch64.
"""

import ctypes
import os
import platform
import signal
import sys
from typing import Any

from sandbox.seccomp import filter_program, supports_seccomp

JOB_FD = 3
"""The one descriptor that a child has besides 0 to 2."""

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_SECCOMP = 22
_PR_SET_NO_NEW_PRIVS = 38
_PR_GET_NO_NEW_PRIVS = 39
_PR_SET_CHILD_SUBREAPER = 36
_SECCOMP_MODE_FILTER = 2

_SYS_CLOSE_RANGE = 436  # The same number on every architecture.


class _Program(ctypes.Structure):
    """`struct sock_fprog`."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


class _Filter:
    """A filter's program, at an address that stays, with the call that installs it."""

    def __init__(self, program: bytes) -> None:
        self._buffer = ctypes.create_string_buffer(program, len(program))
        self._program = _Program(len(program) // 8, ctypes.addressof(self._buffer))
        self.arguments = _prctl_arguments(
            _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(self._program)
        )


def _prctl_arguments(option: int, argument: int, third: int = 0) -> tuple[Any, ...]:
    numbers = (argument, third, 0, 0)
    return (ctypes.c_int(option), *(ctypes.c_ulong(number) for number in numbers))


def _close_range_arguments(first: int) -> tuple[Any, ...]:
    numbers = (first, 0xFFFFFFFF, 0)
    return (
        ctypes.c_long(_SYS_CLOSE_RANGE),
        *(ctypes.c_uint(number) for number in numbers),
    )


class Kernel:
    """The C library's calls, looked up once, before anything is locked.

    What a child calls has its arguments made here: between fork and candidate, every
    object that is made or looked up costs a copied page.
    """

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        if sys.platform == "linux":
            self._call_prctl = self._libc.prctl
            self._system_call = self._libc.syscall
            self._system_call.restype = ctypes.c_long
        self._close_arguments = _close_range_arguments(JOB_FD + 1)
        self._die_arguments = _prctl_arguments(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if supports_seccomp():
            self._filter = _Filter(filter_program(platform.machine()))
            self._open_filter = _Filter(
                filter_program(platform.machine(), may_compile=True)
            )

    def call(self, name: str, *arguments: int | bytes | None) -> int:
        """Calls a function of the C library that returns -1 when it fails.

        Raises:
            OSError: If it fails; `filename` is then the function's name.
        """
        return self._checked(name, getattr(self._libc, name), arguments)

    def system_call(self, name: str, number: int, *arguments: int | bytes) -> int:
        """Makes a system call for which the C library has no function.

        Raises:
            OSError: If it fails; `filename` is then `name`.
        """
        return self._checked(name, self._system_call, (number, *arguments))

    @staticmethod
    def _checked(name: str, function: Any, arguments: tuple[Any, ...]) -> int:
        result: int = function(
            *(ctypes.c_long(a) if isinstance(a, int) else a for a in arguments)
        )
        if result == -1:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), name)
        return result

    def prctl(self, option: int, argument: int, third: int = 0) -> int:
        """Calls prctl.

        Raises:
            OSError: If the kernel refuses.
        """
        return self._prctl(_prctl_arguments(option, argument, third))

    def _prctl(self, arguments: tuple[Any, ...]) -> int:
        result: int = self._call_prctl(*arguments)
        if result == -1:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), "prctl")
        return result

    def install_filter(self) -> None:
        """Puts the calling process, for good, under the seccomp filter.

        Raises:
            OSError: If the kernel refuses; nothing is locked then.
        """
        self._prctl(self._filter.arguments)

    def install_open_filter(self) -> None:
        """Likewise, with executable memory allowed until `install_filter`.

        Raises:
            OSError: If the kernel refuses; nothing is locked then.
        """
        self._prctl(self._open_filter.arguments)

    def set_no_new_privileges(self) -> None:
        """Makes set-user-id programs powerless; filter and Landlock need it."""
        self.prctl(_PR_SET_NO_NEW_PRIVS, 1)

    def has_no_new_privileges(self) -> bool:
        """Returns whether set-user-id programs are powerless."""
        return self.prctl(_PR_GET_NO_NEW_PRIVS, 0) == 1

    def set_dumpable(self, dumpable: bool) -> None:
        """Lets others of the same user look into the process, or nobody but root.

        It also decides to whom `/proc/self` belongs: a process that changed its user
        and wants to enter namespaces must be dumpable again first.
        """
        self.prctl(_PR_SET_DUMPABLE, int(dumpable))

    def die_with_parent(self) -> None:
        """Asks to be killed when the parent thread ends."""
        self._prctl(self._die_arguments)

    def adopt_orphans(self) -> None:
        """Makes grandchildren whose parents died children of this process."""
        self.prctl(_PR_SET_CHILD_SUBREAPER, 1)

    def close_the_rest(self) -> None:
        """Closes every descriptor but 0 to 2 and the job's."""
        if sys.platform != "linux" or self._system_call(*self._close_arguments) != 0:
            os.closerange(JOB_FD + 1, os.sysconf("SC_OPEN_MAX"))


def explain(error: OSError) -> str:
    """Returns the refused call, if it is known, and the reason, in one line."""
    reason = error.strerror or type(error).__name__
    return f"{error.filename}: {reason}" if error.filename else reason


def address_space_bytes() -> int:
    """Returns how much address space this process has mapped; 0 if unknown."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0
