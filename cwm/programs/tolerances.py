"""How far a prediction may be off and still count as right."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cwm.core.codec import Columns
from cwm.core.spaces import BoxSpec, SpaceSpec, leaves
from cwm.core.trajectories import TransitionBatch

CHANGE_FRACTION = 1e-4
"""Tolerance as a share of the spread of an element's change in one step."""

NUM_UNITS_IN_LAST_PLACE = 8
"""Smallest tolerance: rounding that no program can be blamed for."""


@dataclass(frozen=True, kw_only=True)
class Tolerances:
    """Absolute tolerances of real elements under the strict rule.

    A real element may differ by `CHANGE_FRACTION` of the standard deviation of its
    per-step change in the data, but by at least `NUM_UNITS_IN_LAST_PLACE` units in
    the last place of the recorded dtype at the true value. Rewards have the
    standard deviation of the rewards themselves. An absolute tolerance would be
    blind where the scale is small: velocities of MountainCar change by 1e-3.

    Attributes:
        observation: Tolerance of each element by leaf path, in the leaf's shape.
            Leaves that are compared exactly are absent.
        reward: Tolerance of the reward.
        reward_dtype: `"float32"` if every recorded reward is a float32 number,
            `"float64"` otherwise: the precision that rewards were recorded with.
    """

    observation: dict[str, NDArray[np.float64]]
    reward: float
    reward_dtype: str

    @classmethod
    def from_batch(cls, batch: TransitionBatch) -> "Tolerances":
        """Returns the tolerances that the spread in a batch sets.

        Args:
            batch: The training transitions; the same tolerances then judge every
                split, so that the splits can be compared.
        """
        observation = {
            path: CHANGE_FRACTION
            * _spread(
                np.asarray(batch.next_observations[path], dtype=np.float64)
                - np.asarray(batch.observations[path], dtype=np.float64)
            )
            for path, _ in real_leaves(batch.observation_space)
        }
        rewards = batch.rewards
        is_single = bool(np.all(rewards == _as_float32(rewards)))
        return cls(
            observation=observation,
            reward=float(CHANGE_FRACTION * _spread(rewards)),
            reward_dtype="float32" if is_single else "float64",
        )

    def bounds(self, path: str, expected: NDArray[np.floating]) -> NDArray[np.float64]:
        """Returns the largest allowed error of each recorded element.

        Args:
            path: Leaf that the values are of.
            expected: True values `[N, ...]`, in the recorded dtype.
        """
        return np.maximum(self.observation[path], _rounding(expected))

    def reward_bounds(self, expected: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns the largest allowed error of each recorded reward, `[N]`."""
        rounding = _rounding(expected.astype(self.reward_dtype))
        return np.maximum(self.reward, rounding)


def real_leaves(space: SpaceSpec) -> list[tuple[str, BoxSpec]]:
    """Returns the leaves whose elements are real numbers, with their paths."""
    return [
        (path, leaf)
        for path, leaf in leaves(space)
        if isinstance(leaf, BoxSpec) and not leaf.is_integer
    ]


def observed_columns(columns: Columns) -> dict[str, NDArray[np.float64]]:
    """Returns the numeric columns as `float64`, each `[N, elements]`."""
    return {
        path: np.asarray(column, dtype=np.float64).reshape(len(column), -1)
        for path, column in columns.items()
        if isinstance(column, np.ndarray)
    }


def _spread(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Standard deviation over the first axis, of finite values only; 0 for none."""
    finite = np.isfinite(values)
    count = np.maximum(finite.sum(axis=0), 1)
    kept = np.where(finite, values, 0.0)
    mean = kept.sum(axis=0) / count
    squares = np.where(finite, (kept - mean) ** 2, 0.0)
    return np.asarray(np.sqrt(squares.sum(axis=0) / count), dtype=np.float64)


def _rounding(values: NDArray[np.floating]) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore", over="ignore"):
        units = np.spacing(np.abs(values)).astype(np.float64)
    return np.where(np.isfinite(units), NUM_UNITS_IN_LAST_PLACE * units, 0.0)


def _as_float32(values: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(over="ignore"):
        return values.astype(np.float32).astype(np.float64)
