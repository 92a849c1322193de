"""Runs inside the sandbox: compiles a function of ours, then lets a candidate run.

Before that it tries what the candidate will try: both can be compared.
"""

import ctypes
import errno

import numpy as np
from numpy.typing import NDArray

from sandbox.child import Channel, Load


def run(load: Load, request: None, channel: Channel) -> None:
    import numba  # noqa: PLC0415 - the worker has it, the test may not

    values = np.arange(4.0)
    numba.njit(numba.void(numba.float64[::1]))(_square)(values)
    channel.emit(values.tolist())
    channel.emit([map_executable(), install_another_filter()])
    channel.emit(load()["attack"]())


def _square(values: NDArray[np.float64]) -> None:
    for index in range(len(values)):
        values[index] = values[index] ** 2


def map_executable() -> str:
    """Returns an error's name, or `"allowed"`."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    size, offset = ctypes.c_size_t(4096), ctypes.c_long(0)
    address = libc.mmap(None, size, 7, 0x22, -1, offset)
    if address == ctypes.c_void_p(-1).value:
        return errno.errorcode[ctypes.get_errno()]
    return "allowed"


def install_another_filter() -> str:
    """Likewise; the filter has no address, which the kernel sees second."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(22, 2, 0, 0, 0)
    return errno.errorcode[ctypes.get_errno()]
