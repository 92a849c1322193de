"""Landlock: the process gives up every right to files, ports and outside processes.

Covers: a rule set that handles every right which the kernel's version knows, and
allows none. Does not cover: what Landlock itself leaves alone: descriptors that are
open, metadata (`stat`, `chmod`), UDP, what happens within the domain.
"""

import ctypes
import os

from sandbox.linux import Kernel

# linux/landlock.h; the calls have the same numbers on every architecture.
_SYS_CREATE_RULESET = 444
_SYS_RESTRICT_SELF = 446
_CREATE_RULESET_VERSION = 1
_RESTRICT_SELF_LOG_SAME_EXEC_OFF = 1
_LOG_FLAGS_VERSION = 7

# What each version of the interface added: bits of (files, network, scopes).
_RIGHTS = {
    1: ((1 << 13) - 1, 0, 0),  # From "execute" to "make a symbolic link".
    2: (1 << 13, 0, 0),  # Link or rename across directories.
    3: (1 << 14, 0, 0),  # Truncate.
    4: (0, 0b11, 0),  # Bind and connect by TCP.
    5: (1 << 15, 0, 0),  # Control devices.
    6: (0, 0, 0b11),  # Abstract Unix sockets, and signals, to outside the domain.
}


class _Attributes(ctypes.Structure):
    """`struct landlock_ruleset_attr`."""

    _fields_ = (
        ("files", ctypes.c_uint64),
        ("network", ctypes.c_uint64),
        ("scopes", ctypes.c_uint64),
    )


def rights(version: int) -> tuple[int, int, int]:
    """Returns the bits that a kernel knows: of files, of the network, of scopes."""
    files = network = scopes = 0
    for since, (more_files, more_network, more_scopes) in _RIGHTS.items():
        if since <= version:
            files |= more_files
            network |= more_network
            scopes |= more_scopes
    return files, network, scopes


def interface_version(kernel: Kernel) -> int:
    """Returns the version of the kernel's interface, at least 1.

    Raises:
        OSError: If there is none: `ENOSYS` before Linux 5.13 or where a container
            hides it, `EOPNOTSUPP` where it was not enabled at boot.
    """
    return kernel.system_call(
        "landlock_create_ruleset", _SYS_CREATE_RULESET, 0, 0, _CREATE_RULESET_VERSION
    )


def deny_everything(kernel: Kernel) -> int:
    """Gives up, for good, all that Landlock can take; returns the version.

    Raises:
        OSError: If the kernel has no Landlock or refuses; nothing is locked then.
    """
    version = interface_version(kernel)
    attributes = _Attributes(*rights(version))
    ruleset = kernel.system_call(
        "landlock_create_ruleset",
        _SYS_CREATE_RULESET,
        ctypes.addressof(attributes),
        ctypes.sizeof(attributes),
        0,
    )
    # Candidates are refused things all the time: keep that out of the system's log.
    is_quiet = version >= _LOG_FLAGS_VERSION
    flags = _RESTRICT_SELF_LOG_SAME_EXEC_OFF if is_quiet else 0
    try:
        kernel.system_call("landlock_restrict_self", _SYS_RESTRICT_SELF, ruleset, flags)
    finally:
        os.close(ruleset)
    return version
