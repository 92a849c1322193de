"""The rights of each version, by the constants of linux/landlock.h."""

import os
import sys

import pytest

from sandbox import landlock
from sandbox.linux import Kernel

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, MAKE_SYM = (
    1 << 0,
    1 << 1,
    1 << 2,
    1 << 3,
    1 << 12,
)
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15


@pytest.mark.parametrize(
    ("version", "files", "network", "scopes"),
    [
        (1, 0x1FFF, 0, 0),
        (2, 0x3FFF, 0, 0),
        (3, 0x7FFF, 0, 0),
        (4, 0x7FFF, 3, 0),
        (5, 0xFFFF, 3, 0),
        (6, 0xFFFF, 3, 3),
        (7, 0xFFFF, 3, 3),
        (99, 0xFFFF, 3, 3),
    ],
)
def test_rights_are_those_that_the_version_knows(
    version: int, files: int, network: int, scopes: int
) -> None:
    assert landlock.rights(version) == (files, network, scopes)


def test_rights_hold_what_matters() -> None:
    files, _, _ = landlock.rights(5)
    for bit in (EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, MAKE_SYM):
        assert files & bit
    for bit in (REFER, TRUNCATE, IOCTL_DEV):
        assert files & bit


@pytest.mark.skipif(sys.platform != "linux", reason="Landlock is Linux's")
def test_kernel_takes_the_rights_of_its_version() -> None:
    kernel = Kernel()
    try:
        version = landlock.interface_version(kernel)
    except OSError as error:
        pytest.skip(f"this kernel has no Landlock: {error}")
    pid = os.fork()
    if pid == 0:
        code = 9
        try:
            kernel.set_no_new_privileges()
            code = 0 if landlock.deny_everything(kernel) == version else 1
            os.open("/", os.O_RDONLY)
            code = 2
        except PermissionError:
            pass
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
