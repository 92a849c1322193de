"""When a tree search of a stochastic model may end: one action is clearly the best."""

import math
from dataclasses import dataclass, field
from typing import Any

from mcts.uct_nodes import UctNode

MIN_VISITS = 25
"""Visits of an action without which nothing is said about it."""


@dataclass(slots=True)
class RootRace:
    """Returns of the actions at the root, as they come in.

    Attributes:
        root: The root.
        deviations: Standard errors by which the mean of the most visited action must
            be above that of each other one.
    """

    root: UctNode[Any]
    deviations: float
    _counts: list[int] = field(init=False)
    _sums: list[float] = field(init=False)
    _before: tuple[list[int], list[float]] = field(init=False)
    _squares: list[float] = field(init=False)

    def __post_init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        size = len(self.root.actions)
        self._before = list(self.root.child_visit_counts), self._copy_of_sums()
        self._counts, self._sums = [0] * size, [0.0] * size
        self._squares = [0.0] * size

    def _copy_of_sums(self) -> list[float]:
        return list(self.root.child_value_sums)

    def record(self) -> None:
        """Takes notice of the simulation that has just ended."""
        counts, sums = self.root.child_visit_counts, self.root.child_value_sums
        if len(counts) != len(self._counts):
            self._begin()  # An action came or went.
            return
        before, total = self._before
        for index, count in enumerate(counts):
            if count != before[index]:
                value = sums[index] - total[index]
                self._counts[index] += 1
                self._sums[index] += value
                self._squares[index] += value * value
                before[index], total[index] = count, sums[index]

    def is_decided(self, num_left: int) -> bool:
        """Returns whether more simulations would hardly change what is done.

        Args:
            num_left: Simulations that are left at most.
        """
        counts = self.root.child_visit_counts
        best = self.root.best()
        others = [index for index in range(len(counts)) if index != best]
        if all(counts[best] - counts[other] > num_left for other in others):
            return True
        return all(self._is_below(other, best) for other in others)

    def _is_below(self, index: int, best: int) -> bool:
        if min(self._counts[index], self._counts[best]) < MIN_VISITS:
            return False
        mean, error = self._mean(index)
        highest, its_error = self._mean(best)
        doubt = self.deviations * math.hypot(error, its_error)
        return highest - mean > doubt

    def _mean(self, index: int) -> tuple[float, float]:
        """Returns the mean return of an action, and its standard error."""
        count = self._counts[index]
        mean = self._sums[index] / count
        variance = max(0.0, self._squares[index] / count - mean * mean)
        return mean, math.sqrt(variance / count)
