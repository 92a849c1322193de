"""Makes forks cheaper: closes the gaps between what is allocated.

A child shares the worker's pages until it writes to them; then the kernel copies
them, one by one. Small blocks that are free here and there would be handed out to
children first, each from another page. Kept away from them, children allocate from
a few fresh pages instead.

Covers: the interpreter's own allocator and glibc's. Does not cover: others, where
nothing is done.
"""

import ctypes
from typing import Any

_POOL_BYTES = 1 << 14
_POOL_HEADER_BYTES = 48
_BYTES_OVERHEAD = 33
_ENOUGH_IN_ORDER = 4
_MAX_OBJECTS_PER_SIZE = 2_000
_MAX_BLOCKS_PER_SIZE = 2_000

# Descending: a large gap is not to be cut up for small blocks.
_BLOCK_SIZES = (
    *range(1 << 16, 1 << 12, -4096),
    *range(1 << 12, 512, -128),
    *range(512, 8, -16),
)

_kept: list[object] = []


class _Info(ctypes.Structure):
    """`struct mallinfo2`."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            "arena",
            "ordblks",
            "smblks",
            "hblks",
            "hblkhd",
            "usmblks",
            "fsmblks",
            "uordblks",
            "fordblks",
            "keepcost",
        )
    )


def close_gaps() -> None:
    """Takes what is free between blocks in use, for good; call it before forking."""
    _close_heap_gaps()
    _close_pool_gaps()


def _close_heap_gaps() -> None:
    libc: Any = ctypes.CDLL(None)
    if not hasattr(libc, "mallinfo2"):
        return
    libc.mallinfo2.restype = _Info
    libc.malloc.restype = ctypes.c_void_p
    for size in _BLOCK_SIZES:
        for _ in range(_MAX_BLOCKS_PER_SIZE):
            top = libc.mallinfo2().keepcost
            libc.malloc(ctypes.c_size_t(size))
            # No gap is left for this size once a block comes from the top.
            if libc.mallinfo2().keepcost != top:
                break


def _close_pool_gaps() -> None:
    """Fills the pools of each size until the interpreter has to begin a new one."""
    for size in range(16, 513, 16):
        # How many of the latest objects lie side by side from a pool's beginning on:
        # gaps in an old pool may begin there, too, but rarely go on in order.
        num_in_order, last = 0, 0
        for number in range(_MAX_OBJECTS_PER_SIZE):
            found = _object_of(size, number)
            _kept.append(found)
            if id(found) % _POOL_BYTES == _POOL_HEADER_BYTES:
                num_in_order = 1
            elif num_in_order and id(found) == last + size:
                num_in_order += 1
            else:
                num_in_order = 0
            if num_in_order == _ENOUGH_IN_ORDER:
                break
            last = id(found)


def _object_of(size: int, number: int) -> object:
    if size == 16:
        return object()
    if size == 32:
        return float(number)
    return bytes(size - _BYTES_OVERHEAD)
