"""Whether a fast form equals its original, judged outside of the sandbox."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

TOLERANCE = 1e-12
"""Largest difference of a real number, relative to its size or to one."""

LARGEST_SLACK = 1e-9
"""Most that is granted to a row on which the original itself is not more exact."""

SLACK_FACTOR = 10.0
"""How many times what the last bit of the state changes a row is granted."""

SHORT_UNITS = 1
"""Last places by which numbers of 32 bits may differ: their rounding hides the rest."""

Rows = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]
"""Next observations, rewards and terminated flags."""


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How two forms of a program compare.

    Attributes:
        num_rows: Rows that were compared.
        num_identical: Rows that are equal to the last bit.
        largest: The largest difference of a real number, relative to its size or to
            one; infinite where a number is missing or a flag differs.
        num_inexact: Rows that differ by more than the tolerance, but by no more than
            the original itself differs when the last bit of the state changes.
        problem: What differs beyond the tolerance; empty if nothing does.
    """

    num_rows: int
    num_identical: int
    largest: float
    num_inexact: int = 0
    problem: str = ""

    @property
    def is_bitwise(self) -> bool:
        """Whether every row is equal to the last bit."""
        return self.num_identical == self.num_rows and not self.problem


def compare(
    wanted: Rows,
    found: Rows,
    *,
    tolerance: float = TOLERANCE,
    slack: NDArray[np.float64] | None = None,
) -> Agreement:
    """Returns how rows compare with those of the original.

    Args:
        wanted: Those of the original.
        found: Those of a form of it.
        tolerance: Largest difference of a real number, relative to its size or to one.
        slack: What is granted to each row beyond that, `[N]`.
    """
    number = len(wanted[1])
    identical = np.ones(number, np.bool_)
    largest, problem = 0.0, ""
    inexact = np.zeros(number, np.bool_)
    allowance = np.full(number, tolerance) + (0.0 if slack is None else slack)
    names = ("next observation", "reward", "terminated")
    for name, want, got in zip(names, wanted, found, strict=True):
        want, got = want.reshape(number, -1), got.reshape(number, -1)  # noqa: PLW2901
        if want.shape != got.shape or want.dtype != got.dtype:
            return Agreement(
                num_rows=number,
                num_identical=0,
                largest=np.inf,
                problem=f"{name} of another form",
            )
        same = (want == got) | (_is_missing(want) & _is_missing(got))
        identical &= same.all(axis=1)
        sizes, is_near = _differences(want, got, same, allowance)
        inexact |= is_near.all(axis=1) & (sizes.max(axis=1, initial=0.0) > tolerance)
        largest = max(largest, float(sizes.max(initial=0.0)))
        if not problem and not is_near.all():
            row = int(np.flatnonzero(~is_near.all(axis=1))[0])
            count = int((~is_near.all(axis=1)).sum())
            problem = f"{name} of {count} of {number} rows, first of row {row}"
    return Agreement(
        num_rows=number,
        num_identical=int(identical.sum()),
        largest=largest,
        num_inexact=int(inexact.sum()) if slack is not None else 0,
        problem=problem,
    )


def has_finite_row(rows: Rows) -> bool:
    """Returns whether the numbers of some row are all finite.

    A number that is missing equals any that is: without such a row, all forms agree.
    """
    finite = [np.isfinite(part.reshape(len(part), -1)).all(axis=1) for part in rows]
    return bool(np.logical_and.reduce(finite).any())


def differing(wanted: Rows, found: Rows, tolerance: float) -> NDArray[np.bool_]:
    """Returns which rows differ by more than the tolerance."""
    number = len(wanted[1])
    allowance = np.full(number, tolerance)
    result = np.zeros(number, np.bool_)
    for want, got in zip(wanted, found, strict=True):
        want, got = want.reshape(number, -1), got.reshape(number, -1)  # noqa: PLW2901
        same = (want == got) | (_is_missing(want) & _is_missing(got))
        result |= ~_differences(want, got, same, allowance)[1].all(axis=1)
    return result


def slack_of(wanted: Rows, moved: list[Rows]) -> NDArray[np.float64]:
    """Returns what each row is granted, as the original is no more exact itself.

    Args:
        wanted: Rows of the original.
        moved: The same of states whose last bits were changed.
    """
    number = len(wanted[1])
    slack = np.zeros(number)
    for rows in moved:
        for want, got in zip(wanted[:2], rows[:2], strict=True):
            want, got = want.reshape(number, -1), got.reshape(number, -1)  # noqa: PLW2901
            sizes = _differences(want, got, want == got, np.zeros(number))[0]
            slack = np.maximum(slack, sizes.max(axis=1, initial=0.0))
    return np.minimum(SLACK_FACTOR * slack, LARGEST_SLACK)


def _is_missing(values: NDArray[Any]) -> NDArray[np.bool_]:
    if values.dtype.kind != "f":
        return np.zeros(values.shape, np.bool_)
    missing: NDArray[np.bool_] = np.isnan(values)
    return missing


def _differences(
    want: Any, got: Any, same: Any, allowance: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Returns relative differences, and which are within what is allowed."""
    if want.dtype.kind != "f":
        return np.where(same, 0.0, np.inf), same
    with np.errstate(all="ignore"):
        size = np.maximum(1.0, np.abs(want.astype(np.float64)))
        error = np.abs(got.astype(np.float64) - want.astype(np.float64))
        error = np.where(same, 0.0, error / size)
        error = np.where(np.isfinite(error), error, np.inf)
        allowed = np.broadcast_to(allowance[:, None], want.shape).copy()
        if want.dtype != np.float64:
            unit = np.spacing(np.abs(want)).astype(np.float64)
            allowed += SHORT_UNITS * 1.01 * np.nan_to_num(unit) / size
    return error, same | (error <= allowed)
