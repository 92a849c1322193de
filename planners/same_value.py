"""Whether two observations are one."""

import numpy as np

from cwm.core.spaces import Value


def same_value(left: Value, right: Value) -> bool:
    """Returns whether two values of one space are equal; NaN equals NaN."""
    if isinstance(left, np.ndarray) or isinstance(right, np.ndarray):
        is_number = np.asarray(left).dtype.kind in "fc"
        return bool(np.array_equal(left, right, equal_nan=is_number))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(
            same_value(value, right[key]) for key, value in left.items()
        )
    if isinstance(left, tuple | list) and isinstance(right, tuple | list):
        return len(left) == len(right) and all(map(same_value, left, right))
    return bool(left == right) or (left != left and right != right)  # noqa: PLR0124
