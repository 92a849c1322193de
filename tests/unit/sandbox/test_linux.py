"""The filter, run by an interpreter of classic BPF written for this test."""

import errno
import struct

import pytest

from sandbox import linux

ALLOW = 0x7FFF0000
EPERM = 0x00050000 | errno.EPERM
ENOSYS = 0x00050000 | errno.ENOSYS
KILL = 0x80000000

X86_64 = 0xC000003E
AARCH64 = 0xC00000B7
ARCH = {"x86_64": X86_64, "aarch64": AARCH64}


def verdict(program: bytes, *, arch: int, number: int, arg2: int = 0) -> int:
    data = struct.pack("<IIQQQQ", number, arch, 0, 0, 0, arg2)
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
    program = linux.filter_program(machine)
    table = linux._TABLES[machine]
    for number in range(600):
        expected = EPERM
        if number in table.allowed.values() or number in table.mapping.values():
            expected = ALLOW
        elif number == 435:
            expected = ENOSYS
        assert verdict(program, arch=ARCH[machine], number=number) == expected


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_executable_memory_is_refused(machine: str) -> None:
    program = linux.filter_program(machine)
    for number in linux._TABLES[machine].mapping.values():
        for protection in range(8):
            expected = EPERM if protection & 4 else ALLOW
            got = verdict(program, arch=ARCH[machine], number=number, arg2=protection)
            assert got == expected


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_foreign_call_tables_kill(machine: str) -> None:
    program = linux.filter_program(machine)
    assert verdict(program, arch=0x40000003, number=1) == KILL


def test_x32_calls_kill() -> None:
    program = linux.filter_program("x86_64")
    assert verdict(program, arch=X86_64, number=0x40000001) == KILL


@pytest.mark.parametrize(
    "number", [2, 257, 41, 42, 56, 57, 58, 59, 62, 101, 155, 165, 272, 308, 310, 321]
)
def test_dangerous_calls_are_refused_by_their_known_numbers(number: int) -> None:
    # open, openat, socket, connect, clone, fork, vfork, execve, kill, ptrace,
    # pivot_root, mount, unshare, setns, process_vm_readv, bpf on x86-64.
    program = linux.filter_program("x86_64")
    assert verdict(program, arch=X86_64, number=number) == EPERM


def test_unknown_processor_is_refused() -> None:
    with pytest.raises(ValueError, match=r"machine must be one of .*, got 'vax'"):
        linux.filter_program("vax")


def test_address_space_is_that_of_a_python_process() -> None:
    assert 5 << 20 < linux.address_space_bytes() < 1 << 42
