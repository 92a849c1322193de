"""What numba must have done once, while a worker can still open files.

Its registries are filled at the first compilation, and LLVM asks the processor what
it can do; a child that is locked could do neither.
"""

import os
from typing import Any

import numpy as np


def warm_up() -> None:
    """Compiles a function with a bit of everything that kernels have."""
    # numba names source files relative to here in errors that it raises and catches; a
    # locked child, whose folder is the root, may not ask where it is.
    os.getcwd = _root
    import numba  # noqa: PLC0415 - only where the capability is on

    table = np.arange(3.0)
    signature = numba.void(
        numba.float64[:, ::1], numba.int64[::1], numba.boolean[::1], numba.float32[::1]
    )
    numba.njit(signature)(_sample(table))


def _root() -> str:
    return "/"


def _sample(table: Any) -> Any:
    def sample(rows: Any, indices: Any, flags: Any, short: Any) -> None:
        for row in range(rows.shape[0]):
            value = rows[row, 0]
            index = indices[row]
            while value > 1.0 and index < 10:
                value = np.sin(value) * np.cos(value) - np.sqrt(abs(value)) % 3.0
                index += 1
            if index < 0 or index > 2:
                raise IndexError("an index is out of range")
            value = value + table[index] + np.float64(np.float32(value)) ** 2
            flags[row] = np.isnan(value) or value > np.arctan2(value, 2.0)
            short[row] = np.floor(np.exp(value)) if flags[row] else np.pi

    return sample
