"""How far predictions are from what was recorded, as numbers a solver can use.

Real elements and the reward have residuals: errors in units of the standard deviation
of the element's change in one step. Everything else is right or wrong.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cwm.core.predictions import Predictions
from cwm.core.spaces import leaves
from cwm.core.trajectories import TransitionBatch
from cwm.programs.accuracy import strict_matches
from cwm.programs.tolerances import CHANGE_FRACTION, Tolerances, real_leaves

FloatArray = NDArray[np.float64]

CAP = 1e3
"""Largest residual; also of a row that has none."""

WRONG = 1e4
"""What a part that is right or wrong counts if it is wrong, in tolerances."""

_SMALLEST_SCALE = 1e-3
"""Smallest unit of residuals, as a share of an element's root mean square."""


@dataclass(frozen=True, kw_only=True)
class Residuals:
    """What predictions with one set of constants leave; `N` rows, `E` elements.

    Attributes:
        values: `[N, E]`, in standard deviations of a step's change; the reward last.
        errors: `[N, E]`, absolute, in strict tolerances.
        num_wrong: `[N]`, parts that are not numbers and are wrong; `terminated` is
            one.
        is_right: `[N]`, whether everything is right, strictly.
        cost: Mean over rows of `log1p` of errors; what fits are compared by.
    """

    values: FloatArray
    errors: FloatArray
    num_wrong: NDArray[np.int64]
    is_right: NDArray[np.bool_]
    cost: float

    @property
    def num_lost(self) -> int:
        """Rows without any prediction that is of its form."""
        return int((np.abs(self.values) >= CAP).all(axis=1).sum())

    @property
    def strict(self) -> float:
        """Share of rows with everything right."""
        return float(self.is_right.mean())


class Truth:
    """What was recorded for the rows that are predicted, with its tolerances.

    Attributes:
        batch: The rows, each as often as it is predicted.
        names: Of the elements.
        rounding: `[N, E]`, standard deviation of the rounding of predictions, in the
            unit of residuals.

    Args:
        batch: Likewise.
        tolerances: Of the training transitions.
    """

    def __init__(self, batch: TransitionBatch, tolerances: Tolerances) -> None:
        self.batch = batch
        self._tolerances = tolerances
        self._paths = [path for path, _ in real_leaves(batch.observation_space)]
        self._expected = self._flat(batch.next_observations, batch.rewards)
        self._bounds = self._flat(
            {
                path: tolerances.bounds(path, np.asarray(batch.next_observations[path]))
                for path in self._paths
            },
            tolerances.reward_bounds(batch.rewards),
        )
        self._scales = self._units()
        self.names = self._element_names()
        self.rounding = self._rounding()

    def _flat(self, columns: object, rewards: FloatArray) -> FloatArray:
        assert isinstance(columns, dict), "columns by path"
        parts = [
            np.asarray(columns[path], dtype=np.float64).reshape(len(rewards), -1)
            for path in self._paths
        ]
        return np.concatenate([*parts, rewards[:, None]], axis=1)

    def _units(self) -> FloatArray:
        parts = [self._tolerances.observation[path].reshape(-1) for path in self._paths]
        spread = np.concatenate([*parts, [self._tolerances.reward]]) / CHANGE_FRACTION
        with np.errstate(invalid="ignore", over="ignore"):
            size = np.sqrt(np.nanmean(self._expected**2, axis=0))
        size = np.where(np.isfinite(size), size, 1.0)
        units = np.maximum(spread, _SMALLEST_SCALE * size)
        return np.where(units > 0, units, 1.0)

    def _rounding(self) -> FloatArray:
        gaps = {
            path: np.spacing(np.abs(np.asarray(self.batch.next_observations[path])))
            for path in self._paths
        }
        found = self._flat(gaps, np.spacing(np.abs(self.batch.rewards)))
        uniform = np.sqrt(12.0)
        return np.where(np.isfinite(found), found / (uniform * self._scales), 0.0)

    def _element_names(self) -> list[str]:
        names: list[str] = []
        for path, leaf in real_leaves(self.batch.observation_space):
            prefix = f"observation/{path}" if path else "observation"
            if not leaf.shape:
                names.append(prefix)
            names += [
                f"{prefix}[{','.join(map(str, index))}]"
                for index in np.ndindex(*leaf.shape)
                if leaf.shape
            ]
        return [*names, "reward"]

    def compare(self, predictions: Predictions) -> Residuals:
        """Returns what predictions of the rows leave."""
        predicted = self._flat(predictions.next_observations, predictions.rewards)
        expected = self._expected
        with np.errstate(invalid="ignore", over="ignore"):
            difference = predicted - expected
            same = (predicted == expected) | (np.isnan(predicted) & np.isnan(expected))
            difference = np.where(same, 0.0, difference)
            values = difference / self._scales
            errors = np.abs(difference) / self._bounds
        is_lost = ~np.isfinite(difference) | ~predictions.valid[:, None]
        values = np.where(is_lost, CAP, np.clip(values, -CAP, CAP))
        # A tolerance is never 0 but where the truth is: there, any error is wrong.
        errors = np.where(is_lost | ~np.isfinite(errors), CAP / CHANGE_FRACTION, errors)
        errors = np.where(same & ~is_lost, 0.0, errors)
        matches = strict_matches(predictions, self.batch, self._tolerances)
        num_parts = matches.elements.shape[1] - (len(self.names) - 1)
        exact = np.delete(matches.elements, self._real_columns(), axis=1)
        assert exact.shape[1] == num_parts, "every element is real or exact"
        num_wrong = (~exact).sum(axis=1) + ~matches.terminated
        right = matches.observation & matches.reward & matches.terminated
        cost = np.log1p(errors).sum(axis=1) + np.log1p(WRONG) * num_wrong
        return Residuals(
            values=values,
            errors=errors,
            num_wrong=num_wrong.astype(np.int64),
            is_right=right,
            cost=float(cost.mean()),
        )

    def _real_columns(self) -> list[int]:
        """Returns which elements of the whole observation are real numbers."""
        from_leaf: list[int] = []
        start = 0
        real = set(self._paths)
        for path, size in _leaf_sizes(self.batch):
            if path in real:
                from_leaf += range(start, start + size)
            start += size
        return from_leaf


def _leaf_sizes(batch: TransitionBatch) -> list[tuple[str, int]]:
    """Returns the number of elements of each leaf of an observation."""
    sizes: list[tuple[str, int]] = []
    for path, _ in leaves(batch.observation_space):
        column = batch.next_observations[path]
        shape = column.shape[1:] if isinstance(column, np.ndarray) else ()
        sizes.append((path, int(np.prod(shape, dtype=np.int64))))
    return sizes


def lost(truth: Truth) -> Residuals:
    """Returns what a program leaves that does not come to its end."""
    shape = (len(truth.batch), len(truth.names))
    return Residuals(
        values=np.full(shape, CAP),
        errors=np.full(shape, CAP / CHANGE_FRACTION),
        num_wrong=np.ones(len(truth.batch), dtype=np.int64),
        is_right=np.zeros(len(truth.batch), dtype=np.bool_),
        cost=float("inf"),
    )
