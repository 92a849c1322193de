"""What a program's predictions leave, as a function of its constants.

Constants are coordinates here (`Hole.from_search`): 0 is the program's own value, a
change by 1 a factor of e, or as much as the value itself.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cwm.programs.constants.holes import Hole, to_values
from cwm.programs.constants.residuals import Residuals, Truth, lost
from cwm.programs.constants.running import ConstantRunner

FloatArray = NDArray[np.float64]


class BudgetSpent(Exception):  # noqa: N818 - an event: the fit ends with what it has
    """All steps, or the time, that a fit may take are used."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """Values of all constants, with what they leave.

    Attributes:
        at: `[P]`, coordinates.
        residuals: What predictions leave.
    """

    at: FloatArray
    residuals: Residuals

    @property
    def cost(self) -> float:
        """What points are compared by; lower is better."""
        return self.residuals.cost

    @property
    def values(self) -> FloatArray:
        """All residuals in one row, `[M]`."""
        return self.residuals.values.reshape(-1)


class Objective:
    """Predicts with values and compares; counts what that takes.

    Attributes:
        holes: The constants.
        truth: What was recorded.
        best: The point of the lowest cost so far; the program's own values at first.
        num_steps: Steps of the program so far.

    Args:
        runner: An open one.
        truth: Of the runner's rows.
        holes: The constants.
        max_steps: Steps after which `BudgetSpent` is raised; `keep_back` lowers it.
        max_seconds: Seconds, likewise.
    """

    def __init__(
        self,
        runner: ConstantRunner,
        truth: Truth,
        holes: Sequence[Hole],
        *,
        max_steps: int,
        max_seconds: float,
    ) -> None:
        self.holes = tuple(holes)
        self.truth = truth
        self.num_steps = 0
        self._runner = runner
        self._max_steps = max_steps
        self._kept_back = 0
        self._deadline = time.perf_counter() + max_seconds
        self.low = np.array([h.to_search(h.low) for h in holes])
        self.high = np.array([h.to_search(h.high) for h in holes])
        # A negative constant grows towards its lower bound.
        self.low, self.high = (
            np.minimum(self.low, self.high),
            np.maximum(self.low, self.high),
        )
        self.best = self._evaluate(np.zeros((1, len(self.holes))))[0]

    def keep_back(self, fraction: float) -> None:
        """Leaves a share of all steps for later; 0 for none."""
        self._kept_back = round(fraction * self._max_steps)

    @property
    def size(self) -> int:
        """Number of constants."""
        return len(self.holes)

    def evaluate(self, coordinates: FloatArray) -> list[Point]:
        """Returns what each row of coordinates `[K, P]` leaves.

        Raises:
            BudgetSpent: If no more may be tried; nothing is lost.
        """
        allowed = self._num_allowed()
        if allowed < len(coordinates):
            if allowed > 0:
                self._keep(self._evaluate(coordinates[:allowed]))
            raise BudgetSpent
        points = self._evaluate(coordinates)
        self._keep(points)
        return points

    def at(self, coordinates: FloatArray) -> Point:
        """Returns what one row of coordinates `[P]` leaves."""
        return self.evaluate(coordinates[None])[0]

    def _num_allowed(self) -> int:
        if time.perf_counter() > self._deadline:
            return 0
        left = self._max_steps - self._kept_back - self.num_steps
        return left // len(self._runner.rows)

    def _keep(self, points: Sequence[Point]) -> None:
        for point in points:
            if point.cost < self.best.cost:
                self.best = point

    def _evaluate(self, coordinates: FloatArray) -> list[Point]:
        vectors = np.array([to_values(self.holes, row) for row in coordinates])
        predictions = self._runner.predict(vectors.reshape(len(coordinates), -1))
        self.num_steps += len(coordinates) * len(self._runner.rows)
        return [
            Point(
                at=np.array(row, dtype=np.float64),
                residuals=(
                    lost(self.truth) if found is None else self.truth.compare(found)
                ),
            )
            for row, found in zip(coordinates, predictions, strict=True)
        ]
