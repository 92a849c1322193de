"""The filter, run by an interpreter of classic BPF written for this test."""

import errno
import struct

import pytest

from sandbox import seccomp

ALLOW = 0x7FFF0000
EPERM = 0x00050000 | errno.EPERM
ENOSYS = 0x00050000 | errno.ENOSYS
KILL = 0x80000000

X86_64 = 0xC000003E
AARCH64 = 0xC00000B7
ARCH = {"x86_64": X86_64, "aarch64": AARCH64}


def verdict(
    program: bytes,
    *,
    arch: int,
    number: int,
    arg0: int = 0,
    arg1: int = 0,
    arg2: int = 0,
) -> int:
    data = struct.pack("<IIQQQQ", number, arch, 0, arg0, arg1, arg2)
    lines = list(struct.iter_unpack("<HBBI", program))
    accumulator, counter = 0, 0
    while True:
        operation, yes, no, operand = lines[counter]
        counter += 1
        if operation == 0x20:
            (accumulator,) = struct.unpack_from("<I", data, operand)
        elif operation == 0x06:
            return int(operand)
        else:
            taken = {
                0x15: accumulator == operand,
                0x35: accumulator >= operand,
                0x45: bool(accumulator & operand),
            }[operation]
            counter += yes if taken else no


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_every_call_gets_the_verdict_of_its_table(machine: str) -> None:
    program = seccomp.filter_program(machine)
    table = seccomp.TABLES[machine]
    for number in range(600):
        expected = EPERM
        harmless = (table.allowed, table.mapping, table.clocks)
        if any(number in calls.values() for calls in harmless):
            expected = ALLOW
        elif number in table.deadly.values():
            expected = KILL
        elif number == 435:
            expected = ENOSYS
        assert verdict(program, arch=ARCH[machine], number=number) == expected


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_executable_memory_is_refused(machine: str) -> None:
    program = seccomp.filter_program(machine)
    for number in seccomp.TABLES[machine].mapping.values():
        for protection in range(8):
            expected = EPERM if protection & 4 else ALLOW
            got = verdict(program, arch=ARCH[machine], number=number, arg2=protection)
            assert got == expected


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_a_futex_reaches_only_the_own_process(machine: str) -> None:
    program = seccomp.filter_program(machine)
    number = {"x86_64": 202, "aarch64": 98}[machine]
    wait, wake, private = 0, 1, 128
    for operation in (wait, wake, 256 | wait):
        for flags, expected in ((0, EPERM), (private, ALLOW)):
            arg1 = operation | flags
            got = verdict(program, arch=ARCH[machine], number=number, arg1=arg1)
            assert got == expected


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_clocks_of_other_processes_are_refused(machine: str) -> None:
    program = seccomp.filter_program(machine)
    first = {"x86_64": 228, "aarch64": 113}[machine]
    for number in (first, first + 1, first + 2):
        for clock in range(12):
            got = verdict(program, arch=ARCH[machine], number=number, arg0=clock)
            assert got == ALLOW
        for pid in (1, 77, 65535):
            clock = (~pid << 3 | 2) & 0xFFFFFFFF
            got = verdict(program, arch=ARCH[machine], number=number, arg0=clock)
            assert got == EPERM


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_advice_is_about_the_own_memory(machine: str) -> None:
    program = seccomp.filter_program(machine)
    number = {"x86_64": 28, "aarch64": 233}[machine]
    allowed = {
        advice
        for advice in range(128)
        if verdict(program, arch=ARCH[machine], number=number, arg2=advice) == ALLOW
    }
    assert allowed == {4, 8, 14, 15}


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_foreign_call_tables_kill(machine: str) -> None:
    program = seccomp.filter_program(machine)
    assert verdict(program, arch=0x40000003, number=1) == KILL


def test_x32_calls_kill() -> None:
    program = seccomp.filter_program("x86_64")
    assert verdict(program, arch=X86_64, number=0x40000001) == KILL


@pytest.mark.parametrize(
    ("machine", "numbers"),
    [
        # open, openat, socket, connect, clone, fork, vfork, execve, kill, prctl,
        # shmget, memfd_create, pidfd_open, execveat on x86-64; then their like.
        ("x86_64", [2, 257, 41, 42, 56, 57, 58, 59, 62, 157, 29, 319, 434, 322]),
        ("aarch64", [56, 198, 203, 220, 221, 129, 167, 194, 279, 434, 281]),
    ],
)
def test_forbidden_calls_fail_by_their_known_numbers(
    machine: str, numbers: list[int]
) -> None:
    program = seccomp.filter_program(machine)
    for number in numbers:
        assert verdict(program, arch=ARCH[machine], number=number) == EPERM


@pytest.mark.parametrize(
    ("machine", "numbers"),
    [
        # ptrace, pivot_root, mount, unshare, setns, process_vm_readv and -writev,
        # bpf, userfaultfd, perf_event_open, keyctl, init_module, open_by_handle_at,
        # io_uring_setup on x86-64; the same on the other one.
        (
            "x86_64",
            [101, 155, 165, 272, 308, 310, 311, 321, 323, 298, 250, 175, 304, 425],
        ),
        (
            "aarch64",
            [117, 41, 40, 97, 268, 270, 271, 280, 282, 241, 219, 105, 265, 425],
        ),
    ],
)
def test_deadly_calls_kill_by_their_known_numbers(
    machine: str, numbers: list[int]
) -> None:
    program = seccomp.filter_program(machine)
    for number in numbers:
        assert verdict(program, arch=ARCH[machine], number=number) == KILL


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_no_number_is_in_two_lists(machine: str) -> None:
    table = seccomp.TABLES[machine]
    single = {n: getattr(table, n) for n in ("clone3", "futex", "madvise")}
    lists = (table.allowed, table.mapping, table.clocks, table.deadly, single)
    numbers = [number for names in lists for number in names.values()]
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_jumps_are_short_enough_for_a_byte(machine: str) -> None:
    # Each jump counts in one byte; the kernel takes 4,096 instructions.
    assert len(seccomp.filter_program(machine)) // 8 < 256


def test_unknown_processor_is_refused() -> None:
    with pytest.raises(ValueError, match=r"machine must be one of .*, got 'vax'"):
        seccomp.filter_program("vax")
