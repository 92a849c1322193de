"""Kernels and containers that refuse some calls, played by a filter of the tests'.

The filter is put before the worker only: `interpreter` writes a program that refuses
the calls to itself and becomes Python, to stand in for `sys.executable`.
"""

import errno
import os
import platform
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox.seccomp import TABLES

_MACHINE = platform.machine()
_TABLE = TABLES.get(_MACHINE, TABLES["x86_64"])
_IS_X86 = _MACHINE == "x86_64"

_LD, _JEQ, _RET = 0x20, 0x15, 0x06
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_PR_SET_SECCOMP = 22
_NUMBERS = _TABLE.deadly | {
    "prctl": 157 if _IS_X86 else 167,
    "seccomp": 317 if _IS_X86 else 277,
    "openat": 257 if _IS_X86 else 56,
    "pidfd_open": 434,
    "landlock_create_ruleset": 444,
}


@dataclass(frozen=True)
class Refusal:
    """A call that fails with an error, or for "KILL" ends the process.

    Attributes:
        call: Its name.
        error: Name of the error.
        argument: Which argument counts, from 0, if one does.
        value: Its value that is refused; `None` for any.
    """

    call: str
    error: str
    argument: int = 0
    value: int | None = None


DOCKER = tuple(
    Refusal(call, "EPERM")
    for call in ("unshare", "mount", "umount2", "setns", "pivot_root", "chroot")
)
"""What the default profile refuses to a container without capabilities."""

NO_LANDLOCK = (Refusal("landlock_create_ruleset", "ENOSYS"),)
LANDLOCK_NOT_BOOTED = (Refusal("landlock_create_ruleset", "EOPNOTSUPP"),)
APPARMOR = (Refusal("mount", "EACCES"),)
"""User namespaces without rights in them, as since Ubuntu 24.04."""

NO_MAPPING = (
    *APPARMOR,
    Refusal("openat", "EACCES", argument=2, value=os.O_WRONLY | os.O_CLOEXEC),
)
"""The same, and users cannot be mapped: nothing can be opened for writing only."""

NO_PIDFD = (Refusal("pidfd_open", "ENOSYS"),)
NO_SECCOMP = (
    Refusal("prctl", "EINVAL", argument=0, value=_PR_SET_SECCOMP),
    Refusal("seccomp", "ENOSYS"),
)


def filter_program(refusals: Sequence[Refusal]) -> bytes:
    """Returns instructions of classic BPF that refuse these calls, and no others."""
    lines: list[tuple[int, int, int, int]] = []
    for refusal in refusals:
        verdict = (
            _KILL
            if refusal.error == "KILL"
            else _ERRNO | int(getattr(errno, refusal.error))
        )
        number = _NUMBERS[refusal.call]
        if refusal.value is None:
            lines += [(_LD, 0, 0, 0), (_JEQ, 0, 1, number)]
        else:
            lines += [(_LD, 0, 0, 0), (_JEQ, 0, 3, number)]
            lines.append((_LD, 0, 0, 16 + 8 * refusal.argument))
            lines.append((_JEQ, 0, 1, refusal.value))
        lines.append((_RET, 0, 0, verdict))
    lines.append((_RET, 0, 0, _ALLOW))
    return b"".join(struct.pack("<HBBI", *line) for line in lines)


_PROGRAM = """\
#!{executable}
import ctypes, os, sys
program = bytes.fromhex("{program}")
class Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))
buffer = ctypes.create_string_buffer(program, len(program))
prctl = ctypes.CDLL(None).prctl
prctl(38, 1, 0, 0, 0)
head = Program(len(program) // 8, ctypes.addressof(buffer))
if prctl(22, 2, ctypes.byref(head), 0, 0) != 0:
    sys.exit("The filter of the test was refused.")
{before}
os.execv({executable!r}, [{executable!r}, *sys.argv[1:]])
"""


def interpreter(folder: Path, refusals: Sequence[Refusal], before: str = "") -> str:
    """Writes a program that is Python on such a kernel; returns its path.

    Args:
        folder: Where to.
        refusals: What the kernel refuses.
        before: A statement to run first, such as one that lowers a limit.
    """
    path = folder / "python"
    text = _PROGRAM.format(
        executable=sys.executable,
        program=filter_program(refusals).hex(),
        before=before,
    )
    path.write_text(text)
    path.chmod(0o755)
    return str(path)
