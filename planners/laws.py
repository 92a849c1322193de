"""Linear laws: actions that depend on what is seen, `u = W [z, 1]`.

`z` is the observation less its usual value, in units of its usual spread, and `u` a
step of a plan as in `planners.latent`: elements of an action in half ranges, or
scores of listed actions.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from cwm.core.protocols import FloatArray, RolloutBatch
from cwm.core.spaces import Value
from planners.latent import Points
from planners.simulator import plain

LARGEST = 1e12
"""What shows a number of this size or beyond tells nothing of what is usual.

Programs that are nearly right may run away.
"""

MOST_WIDER = 10.0
"""Times that a unit becomes wider from one decision to the next, at most."""

FARTHEST = 1e3
"""Spreads from its usual value that a number can be at most; beyond it counts so."""


QUARTILES_OF_NORMAL = 1.349
"""Distance between the quartiles of a normal distribution, in standard deviations."""

ROUNDING = 1e-9
"""Spread, as a share of a number's size, that is rounding."""


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """What a law takes for usual.

    Attributes:
        centre: Usual observation, `[F]`.
        spread: Usual deviation from it, `[F]`; above 0.
    """

    centre: FloatArray
    spread: FloatArray

    @classmethod
    def of_one(cls, observation: Value) -> Self:
        """Returns the scaling where no more than one observation is known."""
        numbers = as_numbers(observation)
        return cls(
            centre=np.nan_to_num(numbers, posinf=0.0, neginf=0.0),
            spread=np.ones(len(numbers)),
        )

    @classmethod
    def of_rollouts(cls, observation: Value, rollouts: RolloutBatch) -> Self:
        """Returns the scaling of what rollouts from an observation have shown."""
        rows = [as_numbers(observation)]
        for seen in rollouts.observations:
            rows += [as_numbers(shown) for shown in seen]
        numbers = np.array(rows)
        numbers = numbers[(np.abs(numbers) < LARGEST).all(axis=1)]
        if len(numbers) < 2:
            return cls.of_one(observation)
        return cls(centre=np.median(numbers, axis=0), spread=_spread(numbers, 1.0))

    def seen_from(self, observation: Value, also: FloatArray) -> Self:
        """Returns the scaling around another observation.

        Args:
            observation: The new centre.
            also: Observations `[n, F]` that must not be far away in it; may be none.
        """
        spread = self.spread
        also = also[(np.abs(also) < LARGEST).all(axis=1)]
        if len(also):
            widest = MOST_WIDER * spread
            spread = np.maximum(spread, np.minimum(_spread(also, 0.0), widest))
        return type(self)(centre=self.of_one(observation).centre, spread=spread)

    def converted(self, weights: FloatArray, other: Self) -> FloatArray:
        """Returns weights `[F + 1, D]` of this scaling for another one.

        The law gives the same, but for observations so far away that they are cut.
        """
        shift = (other.centre - self.centre) / self.spread
        slopes = weights[:-1] * (other.spread / self.spread)[:, np.newaxis]
        return np.concatenate([slopes, weights[-1:] + shift @ weights[:-1]])

    @property
    def size(self) -> int:
        """Numbers `F` of an observation."""
        return len(self.centre)

    def features(self, numbers: FloatArray) -> FloatArray:
        """Returns `[z, 1]` of observations, `[n, F + 1]`."""
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = (numbers - self.centre) / self.spread
        scaled = np.nan_to_num(np.clip(scaled, -FARTHEST, FARTHEST))
        return np.concatenate([scaled, np.ones((len(scaled), 1))], axis=1)


def _spread(numbers: FloatArray, default: float) -> FloatArray:
    """Returns the usual deviation of each column of `[n, F]`; if none, the default.

    Between the quartiles, so that a rollout that runs away does not decide it.
    """
    low, high = np.quantile(numbers, (0.25, 0.75), axis=0)
    quartiles = (high - low) / QUARTILES_OF_NORMAL
    # Where it stands still most of the time, all that it does counts.
    rounding = ROUNDING * np.maximum(1.0, np.abs(numbers).max(axis=0))
    spread = np.where(quartiles > rounding, quartiles, numbers.std(axis=0))
    return np.where(spread > rounding, spread, default)


class LinearLaws:
    """Laws as `Policies`.

    Args:
        points: What `u` stands for.
        scaling: Of what is seen.
        weights: `[N, F + 1, D]`.
        bias: Added to the scores of the first step, `[D]`; `None` for none.
    """

    def __init__(
        self,
        points: Points,
        scaling: Scaling,
        weights: FloatArray,
        *,
        bias: FloatArray | None = None,
    ) -> None:
        self._points = points
        self._scaling = scaling
        self._weights = np.ascontiguousarray(weights.swapaxes(1, 2))
        self._bias = bias
        self._has_begun = np.zeros(len(weights), dtype=np.bool_)

    def __len__(self) -> int:
        """Returns the number of laws."""
        return len(self._weights)

    def scores(self, index: int, observation: Value) -> FloatArray:
        """Returns `u` of a law at an observation, `[D]`, without the bias."""
        numbers = as_numbers(observation)[np.newaxis]
        only: FloatArray = self._u(np.array([index]), numbers)[0]
        return only

    def act(self, index: int, observation: Value) -> Value:
        """Returns the action of a law; see `Policies`."""
        return plain(self._act(np.array([index]), as_numbers(observation)[None])[0])

    def act_each(
        self, indices: NDArray[np.int64], observations: NDArray[Any]
    ) -> NDArray[Any]:
        """Returns the action of each of `n` laws; see `Policies`."""
        numbers = observations.reshape(len(observations), -1).astype(np.float64)
        return self._act(indices, numbers)

    def _u(self, indices: NDArray[np.int64], numbers: FloatArray) -> FloatArray:
        # One by one and together, sums are made in the same order.
        features = self._scaling.features(numbers)
        products: FloatArray = self._weights[indices] * features[:, np.newaxis]
        total: FloatArray = products.sum(axis=-1)
        return total

    def _act(self, indices: NDArray[np.int64], numbers: FloatArray) -> NDArray[Any]:
        u = self._u(indices, numbers)
        if self._bias is not None:
            u[~self._has_begun[indices]] += self._bias
            self._has_begun[indices] = True
        actions: NDArray[Any] = self._points.to_actions(u[:, np.newaxis])[:, 0]
        return actions


def as_numbers(observation: Value) -> FloatArray:
    """Returns an observation as numbers, `[F]`: those of its members in order.

    Raises:
        ValueError: If there is a text in it.
    """
    if isinstance(observation, np.ndarray | int | float | np.number):
        return np.asarray(observation, dtype=np.float64).reshape(-1)
    if isinstance(observation, Mapping):
        members = [observation[name] for name in sorted(observation)]
    elif isinstance(observation, tuple | list):
        members = list(observation)
    else:
        raise ValueError(
            "The planner feedback needs observations that are numbers, got one of "
            f"type {type(observation).__name__}. Choose another planner."
        )
    return np.concatenate([np.zeros(0), *map(as_numbers, members)])
