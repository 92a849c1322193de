"""Plans as points `[H, D]` of real numbers, in which populations are drawn.

A step of a plan in a box is the action itself, with each element's range mapped to
-1 .. 1. Where actions are listed it is a score for each of them, and the action is
the legal one with the highest score.
"""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from cwm.core.protocols import FloatArray
from cwm.core.spaces import SpaceSpec, Value
from planners.actions import BoxActions, ListedActions, action_set, index_of

NUM_UNLISTED_SCORES = 32
"""Scores `D` of a step where only the model knows the actions (texts)."""


class BoxPoints:
    """Points of a box: 0 is mid-range, -1 and 1 are the bounds.

    Args:
        actions: The box.
    """

    def __init__(self, actions: BoxActions) -> None:
        self.actions = actions
        self._middle = (actions.low + actions.high) / 2
        self._half = (actions.high - actions.low) / 2

    @property
    def size(self) -> int:
        """Numbers `D` of each step: elements of an action."""
        return self.actions.size

    def initial_std(self, share: float) -> FloatArray:
        """Returns that share of each element's half range, `[D]`."""
        return np.full(self.size, share)

    def std_of_largest_bound(self, share: float) -> FloatArray:
        """Returns that share of the largest bound of all elements, `[D]`."""
        largest = max(np.abs(self.actions.low).max(), np.abs(self.actions.high).max())
        half = np.where(self._half > 0.0, self._half, 1.0)
        return np.where(self._half > 0.0, share * largest / half, 0.0)

    def spread_evenly(
        self, rng: np.random.Generator, number: int, horizon: int
    ) -> FloatArray:
        """Returns uniform points `[N, H, D]`."""
        points = rng.uniform(-1.0, 1.0, (number, horizon, self.size))
        if self.actions.space.is_integer:
            # Rounding would give the outermost integers half of what others have.
            points *= 1.0 + 0.5 / np.maximum(self._half, 0.5)
        return points

    def within_bounds(self, points: FloatArray) -> FloatArray:
        """Returns points clipped to -1 .. 1; in place."""
        return np.clip(points, -1.0, 1.0, out=points)

    def to_actions(
        self, points: FloatArray, bias: FloatArray | None = None
    ) -> NDArray[np.generic]:
        """Returns the actions `[N, H, *shape]`; `bias` is always `None`."""
        vectors = self._half * points
        vectors += self._middle  # Another large array would be fetched from the system.
        return self.actions.to_values(vectors)


class ScorePoints:
    """Scores of listed actions.

    Args:
        actions: The actions. If only the model knows them, the scores of the first
            `NUM_UNLISTED_SCORES` of a state are its numbers, and those of further
            ones are fixed mixtures of them.
    """

    def __init__(self, actions: ListedActions) -> None:
        self.actions = actions
        self._table = np.array(actions.values)
        self._places = {
            value: place
            for place, value in enumerate(actions.values)
            if isinstance(value, int)
        }

    @property
    def size(self) -> int:
        """Numbers `D` of each step: scores."""
        return len(self.actions.values) or NUM_UNLISTED_SCORES

    def initial_std(self, share: float) -> FloatArray:
        """Returns ones, `[D]`: only how scores compare matters."""
        return np.ones(self.size)

    def spread_evenly(
        self, rng: np.random.Generator, number: int, horizon: int
    ) -> FloatArray:
        """Returns points `[N, H, D]` with Gumbel noise.

        With a prior's log-probabilities added, the best action is a sample of it.
        """
        return rng.gumbel(size=(number, horizon, self.size))

    def within_bounds(self, points: FloatArray) -> FloatArray:
        """Returns the points: scores have no bounds."""
        return points

    def to_actions(
        self, points: FloatArray, bias: FloatArray | None = None
    ) -> NDArray[np.generic]:
        """Returns the actions `[N, H, ...]` with the highest scores.

        Args:
            points: `[N, H, D]`.
            bias: Added to the scores of the first step, `[D]`; `None` for none.
        """
        choices = points.argmax(axis=-1)
        if bias is not None:
            choices[:, 0] = (points[:, 0] + bias).argmax(axis=-1)
        chosen: NDArray[np.generic] = self._table[choices]
        return chosen

    def choose(
        self, scores: FloatArray, legal: Sequence[Value], bias: FloatArray | None
    ) -> Value:
        """Returns the legal action with the highest score.

        Args:
            scores: A step of a plan, `[D]`.
            legal: The legal actions of the state, at least 1.
            bias: Added to the scores of the legal actions; `None` for none.
        """
        of_legal = self._scores_of(scores, legal)
        if bias is not None:
            of_legal = of_legal + bias
        return legal[int(of_legal.argmax())]

    def _scores_of(self, scores: FloatArray, legal: Sequence[Value]) -> FloatArray:
        if not self.actions.values:
            if len(legal) <= len(scores):
                return scores[: len(legal)]
            mixed = _mixtures(len(legal), len(scores)) @ scores
            every: FloatArray = np.concatenate([scores, mixed])
            return every
        chosen: FloatArray = scores[[self._place(action) for action in legal]]
        return chosen

    def _place(self, action: Value) -> int:
        place = self._places.get(action, -1) if self._places else -1
        if place < 0:
            place = index_of(action, self.actions.values)
        if place < 0:
            raise ValueError(
                f"A legal action must be one of the action space, got {action!r}."
            )
        return place


def _mixtures(num_actions: int, num_scores: int) -> FloatArray:
    """Returns unit vectors for the actions that have no score of their own."""
    shape = (num_actions - num_scores, num_scores)
    rows = np.random.default_rng(0).standard_normal(shape)
    unit: FloatArray = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


Points: TypeAlias = BoxPoints | ScorePoints
"""How the points of a population stand for plans."""


def points_of(space: SpaceSpec) -> Points:
    """Returns how the points of a population stand for plans in a space.

    Raises:
        ValueError: As in `action_set`.
    """
    actions = action_set(space)
    if isinstance(actions, BoxActions):
        return BoxPoints(actions)
    return ScorePoints(actions)
