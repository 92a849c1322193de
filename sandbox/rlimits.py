"""The kernel's limits of one process: memory, processor, descriptors, files."""

import resource
import sys

from sandbox import wire
from sandbox.linux import JOB_FD

Limit = tuple[int, tuple[int, int]]
"""Which limit, and its soft and hard value: arguments of `resource.setrlimit`."""


def limits_of(order: wire.Order, mapped_bytes: int) -> list[Limit]:
    """Returns the limits of a child, none above what its user may have anyway.

    Args:
        order: What the caller allows.
        mapped_bytes: Address space that the worker had before it forked; 0 if it
            is not known, and then memory is not limited.
    """
    stack = order.stack_mib << 20
    wanted = {
        resource.RLIMIT_CPU: (order.cpu_s, order.cpu_s + 1),
        resource.RLIMIT_FSIZE: (0, 0),
        resource.RLIMIT_CORE: (0, 0),
        resource.RLIMIT_NOFILE: (JOB_FD + 1, JOB_FD + 1),
        resource.RLIMIT_NPROC: (0, 0),
        resource.RLIMIT_MEMLOCK: (0, 0),
        resource.RLIMIT_STACK: (stack, stack),
    }
    if sys.platform == "linux":
        wanted[resource.RLIMIT_MSGQUEUE] = (0, 0)
    if mapped_bytes:
        memory = mapped_bytes + (order.memory_mib << 20)
        wanted[resource.RLIMIT_AS] = (memory, memory)
    return [(name, _allowed(name, pair)) for name, pair in wanted.items()]


def _allowed(name: int, wanted: tuple[int, int]) -> tuple[int, int]:
    _, hard = resource.getrlimit(name)
    if hard == resource.RLIM_INFINITY:
        return wanted
    return min(wanted[0], hard), min(wanted[1], hard)
