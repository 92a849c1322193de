"""Round numbers: the simplest value that the data cannot tell from the best one."""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

_DEGREE = math.pi / 180.0


def round_significant(value: float, digits: int) -> float:
    """Returns `value` with at most `digits` significant decimal digits."""
    if value == 0.0 or not math.isfinite(value):
        return value
    return float(f"{value:.{digits - 1}e}")


def simplest_near(value: float, margin: float, *, max_digits: int = 12) -> float:
    """Returns the number with the fewest digits within `margin` of `value`.

    Args:
        value: Best estimate.
        margin: Largest change that loses nothing; at least 0.
        max_digits: Significant digits at which the search ends.
    """
    if abs(value) <= margin:
        return 0.0
    for digits in range(1, max_digits + 1):
        rounded = round_significant(value, digits)
        if abs(rounded - value) <= margin:
            return rounded
    return value


def simplest_between(
    low: float, high: float, hints: tuple[float, ...] = (), *, angles: bool = True
) -> float:
    """Returns the simplest number in the closed interval from `low` to `high`.

    Simplicity: first a hint (a bound of the space, half of it), then numbers
    with one significant digit, multiples of 5 degrees in radians, two digits,
    whole degrees, three digits, and so on. Where nothing is simple: the middle.

    Args:
        low: Lower end.
        high: Upper end; at least `low`.
        hints: Values that deserve to be tried first.
        angles: Whether whole degrees in radians count as simple.

    Raises:
        ValueError: If `low` exceeds `high`.
    """
    if low > high:
        raise ValueError(f"low must not exceed high ({high!r}), got {low!r}.")
    for hint in hints:
        if low <= hint <= high:
            return hint
    for candidate in _candidates(low, high, angles=angles):
        if low <= candidate <= high:
            return candidate
    return 0.5 * (low + high)


def tidy(value: float) -> float:
    """Returns a number that lost digits to `float32`, with its digits restored.

    A whole number of degrees if it is one in radians, else the simplest decimal
    within a millionth.
    """
    degrees = _degrees(value, 1)
    if degrees != 0.0 and abs(degrees - value) <= 1e-6 * abs(value):
        return degrees
    return simplest_near(value, 1e-6 * abs(value))


def _candidates(low: float, high: float, *, angles: bool) -> Iterator[float]:
    """Yields simple numbers near the interval, the simplest first."""
    if low <= 0.0 <= high:
        yield 0.0
    middle = 0.5 * (low + high)
    yield from _grid(low, high, digits=1)
    if angles and abs(middle) < 1.0:
        yield _degrees(middle, 5)
    yield from _grid(low, high, digits=2)
    if angles:
        yield _degrees(middle, 1)
    for digits in range(3, 9):
        yield from _grid(low, high, digits=digits)


def _degrees(value: float, step: int) -> float:
    """Returns the multiple of `step` degrees, in radians, that is nearest."""
    return _DEGREE * step * round(value / (_DEGREE * step))


def _grid(low: float, high: float, *, digits: int) -> Iterator[float]:
    """Yields the numbers with `digits` significant digits in the interval."""
    largest = max(abs(low), abs(high))
    if largest == 0.0:
        return
    unit = 10.0 ** (math.floor(math.log10(largest)) - digits + 1)
    nearest = round(0.5 * (low + high) / unit)
    # Nearest to the middle first; wide intervals have simpler numbers anyway.
    for distance in range(6):
        for number in dict.fromkeys((nearest - distance, nearest + distance)):
            yield round_significant(number * unit, digits)


def spacing(values: NDArray[np.float64], dtype: str) -> NDArray[np.float64]:
    """Returns the distance to the next representable number of `dtype`, `[N]`."""
    kind = np.dtype(dtype)
    if kind.kind != "f":
        return np.zeros(len(values))
    gaps = np.spacing(np.abs(values).astype(kind))
    return np.asarray(gaps, dtype=np.float64)
