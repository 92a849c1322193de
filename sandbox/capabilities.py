"""Capabilities: the parts of root's power, and how to give up all of them."""

import contextlib
import ctypes

from sandbox.linux import Kernel

_PR_CAPBSET_DROP = 24
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_MAX_CAPABILITIES = 64
_VERSION_3 = 0x20080522


class _Header(ctypes.Structure):
    """`struct __user_cap_header_struct`."""

    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    """`struct __user_cap_data_struct`, twice: for 64 capabilities."""

    _fields_ = (("words", ctypes.c_uint32 * 6),)


def empty_bounding_set(kernel: Kernel) -> None:
    """Takes away what programs that are executed later could gain.

    It needs a capability itself. Where that is missing, nothing is changed, and
    `no_new_privs` has to do.
    """
    with contextlib.suppress(OSError):
        for number in range(_MAX_CAPABILITIES):
            kernel.prctl(_PR_CAPBSET_DROP, number)


def drop_all(kernel: Kernel) -> None:
    """Gives up all capabilities, for good.

    Raises:
        OSError: If the kernel refuses.
    """
    empty_bounding_set(kernel)
    with contextlib.suppress(OSError):  # Older kernels have no ambient set.
        kernel.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    header, none = _Header(_VERSION_3, 0), _Sets()
    kernel.call("capset", ctypes.addressof(header), ctypes.addressof(none))


def has_any(kernel: Kernel) -> bool:
    """Returns whether the process has, or could give itself, a capability.

    Raises:
        OSError: If the kernel does not say.
    """
    header, sets = _Header(_VERSION_3, 0), _Sets()
    kernel.call("capget", ctypes.addressof(header), ctypes.addressof(sets))
    return any(sets.words)
