"""The system-call filter: an allow-list as a program of classic BPF.

Covers: x86-64 and aarch64. Does not cover: installing it (`linux.Kernel`).

The list holds what a numeric Python program needs once everything is imported. It is
the wall; the other locks are depth behind it.
"""

import errno
import platform
import struct
import sys
from dataclasses import dataclass

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
_OFFSET_ARG0 = 16
_OFFSET_ARG1 = 24
_OFFSET_ARG2 = 32
_PROT_EXEC = 4
_PR_SET_SECCOMP = 22
_NEGATIVE = 0x80000000
_FUTEX_PRIVATE = 128
_OWN_MEMORY_ADVICE = {
    "MADV_DONTNEED": 4,
    "MADV_FREE": 8,
    "MADV_HUGEPAGE": 14,
    "MADV_NOHUGEPAGE": 15,
}
_X32_BIT = 0x40000000

# Calls that came after the two tables were united: one number for all processors.
_DEADLY_EVERYWHERE = {
    "io_uring_setup": 425,
    "io_uring_enter": 426,
    "io_uring_register": 427,
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fsconfig": 431,
    "fsmount": 432,
    "fspick": 433,
    "pidfd_getfd": 438,
    "process_madvise": 440,
    "mount_setattr": 442,
    "process_mrelease": 448,
    "open_tree_attr": 467,
}


@dataclass(frozen=True, slots=True)
class Table:
    """System-call numbers of one architecture.

    Attributes:
        audit_arch: The kernel's name of it.
        allowed: Calls that are allowed whatever their arguments.
        mapping: Calls whose third argument must not ask for executable memory.
        clocks: Allowed for the clocks of the machine and of the own process. Negative
            numbers are those of other processes: what one uses of the processor
            would be a message to the other.
        futex: Allowed between threads of one process. On the pages of a shared library
            it would reach other processes, whatever their namespaces: two candidates
            could tell each other what they were given.
        madvise: Allowed with advice that concerns the caller's own memory. Advice to
            evict the pages of a shared library would be seen by later candidates.
        deadly: Calls that no program of this kind makes by accident, and that reach
            into other processes or into parts of the kernel where errors were
            found: they end the process. Everything else that is not allowed fails.
        prctl: Allowed only to a child that may compile, to install its second filter.
        clone3: Refused as "not implemented", so that the C library falls back to
            `clone`, which is refused with a clean error.
        has_x32: Whether a second call table hides behind a bit of the number.
    """

    audit_arch: int
    allowed: dict[str, int]
    mapping: dict[str, int]
    clocks: dict[str, int]
    futex: int
    madvise: int
    deadly: dict[str, int]
    prctl: int
    clone3: int
    has_x32: bool


_X86_64 = Table(
    audit_arch=0xC000003E,
    allowed={
        "write": 1,
        "read": 0,
        "brk": 12,
        "munmap": 11,
        "mremap": 25,
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
    clocks={"clock_gettime": 228, "clock_getres": 229, "clock_nanosleep": 230},
    futex=202,
    madvise=28,
    deadly={
        "ptrace": 101,
        "process_vm_readv": 310,
        "process_vm_writev": 311,
        "kcmp": 312,
        "bpf": 321,
        "userfaultfd": 323,
        "perf_event_open": 298,
        "add_key": 248,
        "request_key": 249,
        "keyctl": 250,
        "mount": 165,
        "umount2": 166,
        "pivot_root": 155,
        "chroot": 161,
        "unshare": 272,
        "setns": 308,
        "init_module": 175,
        "finit_module": 313,
        "delete_module": 176,
        "kexec_load": 246,
        "kexec_file_load": 320,
        "name_to_handle_at": 303,
        "open_by_handle_at": 304,
        "iopl": 172,
        "ioperm": 173,
        "modify_ldt": 154,
        **_DEADLY_EVERYWHERE,
    },
    prctl=157,
    clone3=435,
    has_x32=True,
)

_AARCH64 = Table(
    audit_arch=0xC00000B7,
    allowed={
        "write": 64,
        "read": 63,
        "brk": 214,
        "munmap": 215,
        "mremap": 216,
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
    clocks={"clock_gettime": 113, "clock_getres": 114, "clock_nanosleep": 115},
    futex=98,
    madvise=233,
    deadly={
        "ptrace": 117,
        "process_vm_readv": 270,
        "process_vm_writev": 271,
        "kcmp": 272,
        "bpf": 280,
        "userfaultfd": 282,
        "perf_event_open": 241,
        "add_key": 217,
        "request_key": 218,
        "keyctl": 219,
        "mount": 40,
        "umount2": 39,
        "pivot_root": 41,
        "chroot": 51,
        "unshare": 97,
        "setns": 268,
        "init_module": 105,
        "finit_module": 273,
        "delete_module": 106,
        "kexec_load": 104,
        "kexec_file_load": 294,
        "name_to_handle_at": 264,
        "open_by_handle_at": 265,
        **_DEADLY_EVERYWHERE,
    },
    prctl=167,
    clone3=435,
    has_x32=False,
)

TABLES = {"x86_64": _X86_64, "aarch64": _AARCH64}


def supports_seccomp() -> bool:
    """Returns whether there is a filter for this system and processor."""
    return (
        sys.platform == "linux"
        and platform.machine() in TABLES
        and sys.maxsize > 2**32
        and sys.byteorder == "little"
    )


def filter_program(machine: str, *, may_compile: bool = False) -> bytes:
    """Returns the filter's instructions, 8 bytes each, for a kind of processor.

    What is neither allowed nor deadly fails with `EPERM`, which Python turns into a
    readable `PermissionError`; calls through a foreign call table kill the process.

    Only calls with a look at their arguments run the program: for the others the
    kernel remembers the verdict when the filter is installed. So those come first,
    and the order of the rest costs nothing.

    Args:
        machine: The processor, as `platform.machine` names it.
        may_compile: Whether executable memory is allowed, and a second filter, which
            takes it away again: the kernel asks all filters, and the strictest wins.

    Raises:
        ValueError: If there is no table for `machine`.
    """
    table = TABLES.get(machine)
    if table is None:
        raise ValueError(f"machine must be one of {sorted(TABLES)}, got {machine!r}.")
    # (label, operation, operand, label if true, label if false); "" is the next line.
    lines: list[tuple[str, int, int, str, str]] = [
        ("", _LD_W_ABS, _OFFSET_ARCH, "", ""),
        ("", _JEQ, table.audit_arch, "", "kill"),
        ("", _LD_W_ABS, _OFFSET_NUMBER, "", ""),
    ]
    if table.has_x32:
        lines.append(("", _JGE, _X32_BIT, "kill", ""))
    mapping = "allow" if may_compile else "mapping"
    lines += [("", _JEQ, number, mapping, "") for number in table.mapping.values()]
    if may_compile:
        lines.append(("", _JEQ, table.prctl, "second", ""))
    lines += [("", _JEQ, number, "clock", "") for number in table.clocks.values()]
    lines.append(("", _JEQ, table.futex, "futex", ""))
    lines.append(("", _JEQ, table.madvise, "advice", ""))
    lines += [("", _JEQ, number, "allow", "") for number in table.allowed.values()]
    lines += [("", _JEQ, number, "kill", "") for number in table.deadly.values()]
    second = [
        ("second", _LD_W_ABS, _OFFSET_ARG0, "", ""),
        ("", _JEQ, _PR_SET_SECCOMP, "allow", "refuse"),
    ]
    lines += [
        ("", _JEQ, table.clone3, "not_implemented", ""),
        ("", _RET, _ERRNO | errno.EPERM, "", ""),
        *(second if may_compile else ()),
        ("clock", _LD_W_ABS, _OFFSET_ARG0, "", ""),
        ("", _JGE, _NEGATIVE, "refuse", "allow"),
        ("futex", _LD_W_ABS, _OFFSET_ARG1, "", ""),
        ("", _JSET, _FUTEX_PRIVATE, "allow", "refuse"),
        ("advice", _LD_W_ABS, _OFFSET_ARG2, "", ""),
        *[("", _JEQ, n, "allow", "") for n in _OWN_MEMORY_ADVICE.values()],
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
