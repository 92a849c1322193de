"""The simplest constants that do as well: those of the program, then round ones.

One constant after the other is set to its guess, or to a rounder number, and the others
make up for it; it stays if nothing is lost. What the data cannot tell is so left as the
program has it.
"""

import contextlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cwm.programs.constants.identifiability import Knowledge, exact_slopes
from cwm.programs.constants.objective import BudgetSpent, Objective, Point
from cwm.programs.constants.smooth import Slopes, usual
from cwm.programs.round_numbers import simplest_near

FloatArray = NDArray[np.float64]

_MAX_CORRECTIONS = 5
_FAR = 0.1
"""Move of a coordinate after which derivatives are worked out anew."""

_WEAKEST = 1e-5
"""Directions that matter less than this share of the strongest are left alone."""

_NOTHING = 1e-6
"""Norm of derivatives below which a constant does nothing here."""

_CLEARLY_MOVED = 50.0
"""Standard errors from the guess beyond which it is not tried."""

_ENOUGH = 5e-7
"""Root mean square of residuals below which nothing is lost: the strict tolerance is
two hundred times as large."""

_MARGINS = (1.0, 0.1, 1e-3)
"""Shares of what predictions do not show within which a rounder number is tried."""

_SIGMAS = 3.0


@dataclass(slots=True)
class _Limits:
    """What a simpler point must keep to.

    Attributes:
        rows: Residuals that count, `[M]`.
        squares: Their sum of squares at the best point.
        variance: Per residual.
        flicker: How much the sum may differ because predictions are rounded.
        right: Rows of predictions that are right, and must stay so.
        num_set: Constants that have been set.
    """

    rows: NDArray[np.bool_]
    squares: float
    variance: float
    flicker: float
    right: NDArray[np.bool_]
    num_set: int = 0

    @classmethod
    def of(cls, point: Point, rounding: FloatArray) -> "_Limits":
        rows = usual(point)
        number = max(1, int(rows.sum()))
        squares = float(np.sum(point.values[rows] ** 2))
        rounded = float(np.sum(rounding[rows] ** 2))
        return cls(
            rows=rows,
            squares=squares,
            variance=squares / number,
            flicker=_SIGMAS * (rounded + np.sqrt(rounded * squares)) / np.sqrt(number),
            right=point.residuals.is_right,
        )

    def allow(self, point: Point) -> bool:
        if (self.right & ~point.residuals.is_right).any():
            return False
        squares = float(np.sum(point.values[self.rows] ** 2))
        enough = _ENOUGH**2 * max(1, int(self.rows.sum()))
        # A chi-square of one degree of freedom for each, at 95 %.
        allowed = self.squares + 4.0 * self.variance * (self.num_set + 1)
        return squares <= max(enough, allowed + self.flicker)


def simplify(objective: Objective, point: Point, knowledge: Knowledge) -> Point:
    """Returns a point as good as the given one with as few, and as round, changes."""
    if not len(knowledge.free):
        return point
    simplifier = _Simplifier(objective, point, knowledge.slopes)
    distance = np.abs(point.at[knowledge.free]) / np.maximum(knowledge.errors, 1e-12)
    kinds = [objective.holes[i].kind != "literal" for i in knowledge.free]
    order = sorted(range(len(knowledge.free)), key=lambda k: (kinds[k], distance[k]))
    with contextlib.suppress(BudgetSpent):
        for k in order:
            if distance[k] <= _CLEARLY_MOVED:
                simplifier.try_at(int(knowledge.free[k]), 0.0)
        simplifier.round_all()
    return simplifier.point


class _Simplifier:
    def __init__(self, objective: Objective, point: Point, known: Slopes) -> None:
        self.point = point
        self._objective = objective
        self._free: list[int] = known.free.tolist()
        self._limits = _Limits.of(point, objective.truth.rounding.reshape(-1))
        self._slopes = known
        self._slopes_at = point.at

    def try_at(self, index: int, coordinate: float) -> bool:
        """Sets one constant if the others can make up for it; returns whether."""
        if self.point.at[index] == coordinate:
            self._set(index, self.point)
            return True
        rest = np.array([i for i in self._free if i != index], dtype=np.intp)
        jacobian = self._derivatives()
        at = self.point.at.copy()
        # The first correction is known without a prediction.
        push = jacobian.of(np.array([index]))[:, 0] * (coordinate - at[index])
        left = self.point.values + push
        at[index] = coordinate
        smallest = np.inf
        for _ in range(_MAX_CORRECTIONS):
            at = self._corrected(at, rest, jacobian.of(rest), left)
            found = self._objective.at(at)
            if self._limits.allow(found):
                self._set(index, found)
                return True
            left = found.values
            size = float(np.sum(left[self._limits.rows] ** 2))
            if size > 0.5 * smallest:
                break
            smallest = size
        return False

    def round_all(self) -> None:
        """Rounds what is still free, what is known best first."""
        for index in self._by_error():
            hole = self._objective.holes[index]
            value = hole.from_search(float(self.point.at[index]))
            for share in _MARGINS:
                margin = share * self._margin(index)
                rounded = simplest_near(value, margin)
                inside = hole.low <= rounded <= hole.high
                if inside and self.try_at(index, hole.to_search(rounded)):
                    break

    def _by_error(self) -> list[int]:
        errors = self._errors()
        return sorted(self._free, key=lambda index: errors[index])

    def _margin(self, index: int) -> float:
        """Returns the change of a value that predictions do not show."""
        hole = self._objective.holes[index]
        column = self._derivatives().of(np.array([index]))[self._limits.rows, 0]
        size = float(np.sqrt(np.mean(column**2))) if len(column) else 0.0
        change = _SIGMAS * self._errors().get(index, 0.0)
        change = max(change, _ENOUGH / max(size, 1e-12))
        return min(change, 0.5) * hole.slope(float(self.point.at[index]))

    def _errors(self) -> dict[int, float]:
        """Returns standard errors of the free coordinates."""
        jacobian = self._derivatives()
        free = np.array(self._free, dtype=np.intp)
        matrix = jacobian.of(free)[self._limits.rows]
        inverse = np.linalg.pinv(matrix.T @ matrix, rcond=_WEAKEST**2, hermitian=True)
        errors = np.sqrt(self._limits.variance * np.abs(np.diag(inverse)))
        order = jacobian.free[np.isin(jacobian.free, free)]
        return dict(zip(order.tolist(), errors.tolist(), strict=True))

    def _set(self, index: int, point: Point) -> None:
        self.point = point
        self._free.remove(index)
        self._limits.num_set += 1

    def _derivatives(self) -> Slopes:
        moved = float(np.max(np.abs(self.point.at - self._slopes_at), initial=0.0))
        if moved > _FAR and self._free:
            self._slopes = exact_slopes(self._objective, self.point, self._free)
            self._slopes_at = self.point.at
        return self._slopes

    def _corrected(
        self,
        at: FloatArray,
        rest: NDArray[np.intp],
        jacobian: FloatArray,
        left: FloatArray,
    ) -> FloatArray:
        """Returns a point at which the other constants make up for what is left."""
        found = at.copy()
        rows = self._limits.rows
        acts = np.linalg.norm(jacobian[rows], axis=0) > _NOTHING
        if acts.any():
            matrix = jacobian[rows][:, acts]
            change = np.linalg.lstsq(matrix, left[rows], rcond=_WEAKEST)[0]
            found[rest[acts]] -= np.clip(change, -1.0, 1.0)
        return np.clip(found, self._objective.low, self._objective.high)
