"""Systems of linear equations, solved step by step for elements that are symbols.

Rows are not exchanged: mass matrices, which is what programs solve with, do not need
it. Where another matrix would, the result differs from the original's and the fast
form is not accepted.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from cwm.programs.acceleration.arrays import Row
from cwm.programs.acceleration.functions import as_array
from cwm.programs.acceleration.symbols import NoFastForm


def solve(matrix: Any, right: Any) -> Row:
    """Returns `np.linalg.solve`."""
    left, known = as_array(matrix).astype("f"), as_array(right).astype("f")
    if left.ndim != 2 or known.ndim > 2 or left.shape[0] != left.shape[1]:
        raise NoFastForm("np.linalg.solve of several systems at once")
    size = len(left)
    rows = left.data.copy()
    values = known.data.reshape(size, -1).copy()
    for pivot in range(size):
        for row in range(pivot + 1, size):
            if _is_zero(rows[row, pivot]):
                continue
            factor = rows[row, pivot] / rows[pivot, pivot]
            for column in range(pivot + 1, size):
                rows[row, column] = rows[row, column] - factor * rows[pivot, column]
            for column in range(values.shape[1]):
                values[row, column] = (
                    values[row, column] - factor * values[pivot, column]
                )
    for pivot in range(size - 1, -1, -1):
        for column in range(values.shape[1]):
            total = values[pivot, column]
            for other in range(pivot + 1, size):
                total = total - rows[pivot, other] * values[other, column]
            values[pivot, column] = total / rows[pivot, pivot]
    return Row(values.reshape(known.shape), "f")._conformed()


def inverse(matrix: Any) -> Row:
    """Returns `np.linalg.inv`."""
    return solve(matrix, Row.of(np.eye(len(as_array(matrix)))))


def _is_zero(value: Any) -> bool:
    return isinstance(value, int | float) and value == 0


LINEAR_ALGEBRA: dict[Any, Callable[..., Row]] = {
    np.linalg.solve: solve,
    np.linalg.inv: inverse,
}
"""NumPy's functions, by ours for symbols."""
