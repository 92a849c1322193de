"""The kernel's locks, by ctypes: seccomp filter, namespaces, prctl, close_range.

Covers: Linux on x86-64 and aarch64. Does not cover: other systems, where every
function here reports that its lock is absent (`supports_seccomp()` is false).

The filter is an allow-list: what a numeric Python program needs once everything
is imported. It is the wall; the other locks are depth behind it.
"""

import ctypes
import ctypes.util
import errno
import os
import platform
import signal
import struct
import sys
from dataclasses import dataclass
from typing import Any

JOB_FD = 3
"""The one descriptor that a child has besides 0 to 2."""

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_SECCOMP = 22
_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_CHILD_SUBREAPER = 36
_SECCOMP_MODE_FILTER = 2

_CLONE_NEWUTS = 0x04000000
_CLONE_NEWIPC = 0x08000000
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000

_SYS_CLOSE_RANGE = 436  # The same number on every architecture.

# Classic BPF: linux/bpf_common.h and linux/seccomp.h.
_LD_W_ABS = 0x20
_JEQ = 0x15
_JGE = 0x35
_JSET = 0x45
_RET = 0x06
_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000
_KILL_PROCESS = 0x80000000
_OFFSET_NUMBER = 0
_OFFSET_ARCH = 4
_OFFSET_ARG2 = 32
_PROT_EXEC = 4
_X32_BIT = 0x40000000


@dataclass(frozen=True, slots=True)
class _Table:
    """System-call numbers of one architecture.

    Attributes:
        audit_arch: The kernel's name of it.
        allowed: Calls that are allowed whatever their arguments.
        mapping: Calls whose third argument must not ask for executable memory.
        clone3: Refused as "not implemented", so that the C library falls back to
            `clone`, which is refused with a clean error.
        has_x32: Whether a second call table hides behind a bit of the number.
    """

    audit_arch: int
    allowed: dict[str, int]
    mapping: dict[str, int]
    clone3: int
    has_x32: bool


# Ordered by how often a numeric program calls them: the filter is linear.
_X86_64 = _Table(
    audit_arch=0xC000003E,
    allowed={
        "write": 1,
        "read": 0,
        "brk": 12,
        "munmap": 11,
        "madvise": 28,
        "mremap": 25,
        "futex": 202,
        "clock_gettime": 228,
        "rt_sigaction": 13,
        "rt_sigprocmask": 14,
        "rt_sigreturn": 15,
        "close": 3,
        "fstat": 5,
        "lseek": 8,
        "poll": 7,
        "ppoll": 271,
        "select": 23,
        "pselect6": 270,
        "sched_yield": 24,
        "sigaltstack": 131,
        "nanosleep": 35,
        "clock_nanosleep": 230,
        "clock_getres": 229,
        "gettimeofday": 96,
        "time": 201,
        "times": 100,
        "getrusage": 98,
        "getpid": 39,
        "gettid": 186,
        "getrandom": 318,
        "restart_syscall": 219,
        "membarrier": 324,
        "rseq": 334,
        "exit": 60,
        "exit_group": 231,
    },
    mapping={"mmap": 9, "mprotect": 10},
    clone3=435,
    has_x32=True,
)

_AARCH64 = _Table(
    audit_arch=0xC00000B7,
    allowed={
        "write": 64,
        "read": 63,
        "brk": 214,
        "munmap": 215,
        "madvise": 233,
        "mremap": 216,
        "futex": 98,
        "clock_gettime": 113,
        "rt_sigaction": 134,
        "rt_sigprocmask": 135,
        "rt_sigreturn": 139,
        "close": 57,
        "fstat": 80,
        "lseek": 62,
        "ppoll": 73,
        "pselect6": 72,
        "sched_yield": 124,
        "sigaltstack": 132,
        "nanosleep": 101,
        "clock_nanosleep": 115,
        "clock_getres": 114,
        "gettimeofday": 169,
        "times": 153,
        "getrusage": 165,
        "getpid": 172,
        "gettid": 178,
        "getrandom": 278,
        "restart_syscall": 128,
        "membarrier": 283,
        "rseq": 293,
        "exit": 93,
        "exit_group": 94,
    },
    mapping={"mmap": 222, "mprotect": 226},
    clone3=435,
    has_x32=False,
)

_TABLES = {"x86_64": _X86_64, "aarch64": _AARCH64}


def supports_seccomp() -> bool:
    """Returns whether there is a filter for this system and processor."""
    return (
        sys.platform == "linux"
        and platform.machine() in _TABLES
        and sys.maxsize > 2**32
        and sys.byteorder == "little"
    )


def filter_program(machine: str) -> bytes:
    """Returns the filter's instructions, 8 bytes each, for a kind of processor.

    Anything not allowed fails with `EPERM`, which Python turns into a readable
    `PermissionError`; calls through a foreign call table kill the process.

    Raises:
        ValueError: If there is no table for `machine`.
    """
    table = _TABLES.get(machine)
    if table is None:
        raise ValueError(f"machine must be one of {sorted(_TABLES)}, got {machine!r}.")
    # (operation, operand, label if true, label if false); "" is the next line.
    lines: list[tuple[str, int, int, str, str]] = [
        ("", _LD_W_ABS, _OFFSET_ARCH, "", ""),
        ("", _JEQ, table.audit_arch, "", "kill"),
        ("", _LD_W_ABS, _OFFSET_NUMBER, "", ""),
    ]
    if table.has_x32:
        lines.append(("", _JGE, _X32_BIT, "kill", ""))
    lines += [("", _JEQ, number, "allow", "") for number in table.allowed.values()]
    lines += [("", _JEQ, number, "mapping", "") for number in table.mapping.values()]
    lines += [
        ("", _JEQ, table.clone3, "not_implemented", ""),
        ("", _RET, _ERRNO | errno.EPERM, "", ""),
        ("mapping", _LD_W_ABS, _OFFSET_ARG2, "", ""),
        ("", _JSET, _PROT_EXEC, "refuse", ""),
        ("allow", _RET, _ALLOW, "", ""),
        ("refuse", _RET, _ERRNO | errno.EPERM, "", ""),
        ("not_implemented", _RET, _ERRNO | errno.ENOSYS, "", ""),
        ("kill", _RET, _KILL_PROCESS, "", ""),
    ]
    return _assemble(lines)


def _assemble(lines: list[tuple[str, int, int, str, str]]) -> bytes:
    labels = {label: index for index, (label, *_) in enumerate(lines) if label}

    def distance(label: str, here: int) -> int:
        return labels[label] - here - 1 if label else 0

    return b"".join(
        struct.pack(
            "<HBBI", operation, distance(yes, here), distance(no, here), operand
        )
        for here, (_, operation, operand, yes, no) in enumerate(lines)
    )


class _Program(ctypes.Structure):
    """`struct sock_fprog`."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


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
        self._close_arguments = _close_range_arguments(JOB_FD + 1)
        self._die_arguments = _prctl_arguments(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if supports_seccomp():
            program = filter_program(platform.machine())
            self._buffer = ctypes.create_string_buffer(program, len(program))
            self._program = _Program(len(program) // 8, ctypes.addressof(self._buffer))
            self._filter_arguments = _prctl_arguments(
                _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(self._program)
            )

    def _prctl(self, arguments: tuple[Any, ...]) -> None:
        if self._call_prctl(*arguments) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    def install_filter(self) -> None:
        """Puts the calling process, for good, under the seccomp filter.

        Raises:
            OSError: If the kernel refuses; nothing is locked then.
        """
        self._prctl(self._filter_arguments)

    def set_no_new_privileges(self) -> None:
        """Makes set-user-id programs powerless; a filter needs it."""
        self._prctl(_prctl_arguments(_PR_SET_NO_NEW_PRIVS, 1))

    def set_dumpable(self) -> None:
        """Gives `/proc/self` back to the process after a change of user."""
        self._prctl(_prctl_arguments(_PR_SET_DUMPABLE, 1))

    def die_with_parent(self) -> None:
        """Asks to be killed when the parent thread ends."""
        self._prctl(self._die_arguments)

    def adopt_orphans(self) -> None:
        """Makes grandchildren whose parents died children of this process."""
        self._prctl(_prctl_arguments(_PR_SET_CHILD_SUBREAPER, 1))

    def enter_namespaces(self) -> None:
        """Moves to user, network, IPC and host-name namespaces of its own.

        Raises:
            OSError: If any of it is not allowed here. The namespaces may have been
                entered all the same, without a mapping of users; that takes
                rights away and gives none.
        """
        user, group = os.geteuid(), os.getegid()
        flags = _CLONE_NEWUSER | _CLONE_NEWNET | _CLONE_NEWIPC | _CLONE_NEWUTS
        if self._libc.unshare(ctypes.c_int(flags)) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"{user} {user} 1"),
            ("gid_map", f"{group} {group} 1"),
        ):
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
                file.write(text)

    def close_the_rest(self) -> None:
        """Closes every descriptor but 0 to 2 and the job's."""
        if sys.platform != "linux" or self._system_call(*self._close_arguments) != 0:
            os.closerange(JOB_FD + 1, os.sysconf("SC_OPEN_MAX"))


def address_space_bytes() -> int:
    """Returns how much address space this process has mapped; 0 if unknown."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0
