"""Planning in environments whose observations repeat exactly, such as grids.

A table of what each action did in each observation is filled by exploring a
scratch copy of the environment; value iteration in that table then says how to
reach what the data still lack, terminal states, or a high return. Nothing assumes
determinism: the table counts outcomes.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

DISCOUNT = 0.95
"""Of the values below: what is 60 steps away counts 5 %."""

REPEAT_GAIN = 0.02
"""Gain of the second try of a pair that has one outcome; the first gains 1."""

_OUTCOME = np.dtype(
    [
        ("pair", np.int64),
        ("next_state", np.int64),
        ("reward", np.float64),
        ("terminated", np.bool_),
        ("count", np.float64),
    ]
)


@dataclass(kw_only=True)
class TransitionTable:
    """Counts of what actions did; states are numbered as they appear.

    Below, `S` is the number of states and `A` the number of actions.

    Attributes:
        num_actions: `A`.
        index: Key of an observation -> its number.
    """

    num_actions: int
    index: dict[Any, int] = field(default_factory=dict)
    _rows: dict[tuple[int, int, int, float, bool], int] = field(default_factory=dict)
    _buffer: NDArray[np.void] = field(default_factory=lambda: np.zeros(64, _OUTCOME))

    def state(self, key: Any) -> int:
        """Returns the number of an observation, a new one if need be."""
        return self.index.setdefault(key, len(self.index))

    def add(
        self, state: int, action: int, next_state: int, reward: float, terminated: bool
    ) -> None:
        """Counts one transition."""
        outcome = (state, action, next_state, reward, terminated)
        row = self._rows.get(outcome)
        if row is None:
            row = len(self._rows)
            self._rows[outcome] = row
            if row == len(self._buffer):
                self._buffer = np.concatenate([self._buffer, self._buffer])
            pair = state * self.num_actions + action
            self._buffer[row] = (pair, next_state, reward, terminated, 0.0)
        self._buffer[row]["count"] += 1

    @property
    def outcomes(self) -> NDArray[np.void]:
        """One row per distinct outcome; fields as in `_OUTCOME`."""
        return self._buffer[: len(self._rows)]

    def expected(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns the mean over outcomes of `values` per outcome, `[S, A]`.

        Pairs that were never tried get 0.
        """
        size = len(self.index) * self.num_actions
        pair, count = self.outcomes["pair"], self.outcomes["count"]
        total = np.bincount(pair, count, minlength=size)
        summed = np.bincount(pair, count * values, minlength=size)
        mean: NDArray[np.float64] = summed / np.maximum(total, 1)
        return mean.reshape(len(self.index), self.num_actions)

    def was_tried(self) -> NDArray[np.bool_]:
        """Returns whether each pair has any outcome, `[S, A]`."""
        return self.expected(np.ones(len(self._rows))) > 0

    def solve(
        self,
        gain: NDArray[np.float64],
        *,
        start: NDArray[np.float64] | None = None,
        discount: float = DISCOUNT,
        num_sweeps: int = 200,
        tolerance: float = 1e-6,
    ) -> NDArray[np.float64]:
        """Returns action values `[S, A]` by value iteration.

        Args:
            gain: Expected gain of each pair, `[S, A]`.
            start: State values to start from, of the first states; 0 else.
            discount: Weight of the next state.
            num_sweeps: Sweeps at most.
            tolerance: Largest change at which to stop.
        """
        values = np.zeros(len(self.index))
        if start is not None:
            values[: len(start)] = start
        action_values = gain
        pair, next_state = self.outcomes["pair"].copy(), self.outcomes["next_state"]
        total = np.bincount(pair, self.outcomes["count"], minlength=gain.size)
        share = self.outcomes["count"] / total[pair]
        weights = discount * np.where(self.outcomes["terminated"], 0.0, share)
        for _ in range(num_sweeps):
            after = np.bincount(pair, weights * values[next_state], minlength=gain.size)
            action_values = gain + after.reshape(gain.shape)
            new = action_values.max(axis=1)
            change = float(np.abs(new - values).max())
            values = new
            if change < tolerance:
                break
        return action_values


class NoveltyValues:
    """Values of trying what has been tried least, kept up to date step by step.

    The gain of a pair falls with the number of times it was tried: slowly where
    outcomes vary and repeats are informative, else at once to almost nothing.

    Attributes:
        counts: How often each pair was tried, `[S, A]`; grows with the table.
    """

    def __init__(self, table: TransitionTable, *, is_stochastic: bool) -> None:
        self.table = table
        self.is_stochastic = is_stochastic
        self.counts = np.zeros((0, table.num_actions))
        self._values = np.zeros(0)

    def action_values(self, num_sweeps: int) -> NDArray[np.float64]:
        """Returns action values `[S, A]` after some more sweeps."""
        self._grow()
        if self.is_stochastic:
            gain = 1 / np.sqrt(1 + self.counts)
        else:
            gain = np.where(self.counts == 0, 1.0, REPEAT_GAIN / (1 + self.counts))
        solved = self.table.solve(gain, start=self._values, num_sweeps=num_sweeps)
        self._values = solved.max(axis=1)
        return solved

    def tried(self, state: int, action: int) -> None:
        """Counts one try."""
        self._grow()
        self.counts[state, action] += 1

    def _grow(self) -> None:
        missing = len(self.table.index) - len(self.counts)
        if missing:
            rows = np.zeros((missing, self.table.num_actions))
            self.counts = np.concatenate([self.counts, rows])
            self._values = np.concatenate([self._values, np.zeros(missing)])
