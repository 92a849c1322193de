"""What a world model is worth on one split: the scores, and how far off it is.

Any model is measured by the same code, from its predictions. The formulas are in
docs/benchmark-metrics.md.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cwm.core.predictions import Predictions
from cwm.core.spaces import LeafSpec, leaves
from cwm.core.trajectories import TransitionBatch
from cwm.evaluation.error_size import in_usual_changes, root_mean_square
from cwm.evaluation.rollout_error import RolloutErrors
from cwm.evaluation.tolerance_curve import ToleranceCurve, tolerance_curve
from cwm.programs.accuracy import (
    SplitScore,
    observation_parts,
    score_draws,
    score_predictions,
)
from cwm.programs.tolerances import Tolerances

REWARD = "reward"


@dataclass(frozen=True, kw_only=True)
class NormalisedErrors:
    """Root-mean-square errors of the real parts, in units of their usual spread.

    The unit of an element is the standard deviation of its change in one step over
    the training transitions; of the reward, that of the reward itself. With it, a
    model in which nothing happens gets about 1.

    Attributes:
        rmse: By part, named as in `SplitScore.part_accuracy`. `None` where nothing
            can be compared. Parts compared exactly are absent, but for the reward.
        num_without_unit: Elements by part that never change in training, so that
            there is no unit, and are predicted wrongly: left out of `rmse`. Parts
            without any are absent.
        num_not_finite: Rows by part where the prediction or the truth is NaN or
            infinite and they differ: left out of `rmse`. Parts without any are absent.
        num_invalid: Rows whose prediction is not of the stated form: left out.
    """

    rmse: dict[str, float | None]
    num_without_unit: dict[str, int] = field(default_factory=dict)
    num_not_finite: dict[str, int] = field(default_factory=dict)
    num_invalid: int = 0

    @property
    def observation(self) -> float | None:
        """The observation's real parts in one number, each with the same weight."""
        found = [
            error
            for name, error in self.rmse.items()
            if name != REWARD and error is not None
        ]
        return float(root_mean_square(np.asarray(found))) if found else None

    def to_json(self) -> dict[str, Any]:
        """Returns the errors as plain data."""
        return asdict(self) | {"observation": self.observation}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "NormalisedErrors":
        """Returns the errors that `to_json` described."""
        names = ("rmse", "num_without_unit", "num_not_finite", "num_invalid")
        return cls(**{name: data[name] for name in names})


@dataclass(frozen=True, kw_only=True)
class ModelMetrics:
    """Everything that is measured of a world model on one split.

    Attributes:
        score: The accuracies.
        curve: The share of right transitions by tolerance.
        errors: How far off single steps are.
        rollouts: How far off several steps are; `None` where that was not measured,
            as for stochastic tasks.
    """

    score: SplitScore
    curve: ToleranceCurve
    errors: NormalisedErrors
    rollouts: RolloutErrors | None = None

    def to_json(self) -> dict[str, Any]:
        """Returns the metrics as plain data."""
        return {
            "score": self.score.to_json(),
            "curve": self.curve.to_json(),
            "errors": self.errors.to_json(),
            "rollouts": None if self.rollouts is None else self.rollouts.to_json(),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "ModelMetrics":
        """Returns the metrics that `to_json` described."""
        rollouts = data["rollouts"]
        return cls(
            score=SplitScore.from_json(data["score"]),
            curve=ToleranceCurve.from_json(data["curve"]),
            errors=NormalisedErrors.from_json(data["errors"]),
            rollouts=None if rollouts is None else RolloutErrors.from_json(rollouts),
        )


def model_metrics(
    draws: Sequence[Predictions],
    batch: TransitionBatch,
    tolerances: Tolerances,
    *,
    rollouts: RolloutErrors | None = None,
) -> ModelMetrics:
    """Returns what predictions are worth.

    Args:
        draws: One prediction of each transition, or several (stochastic tasks).
        batch: The recorded transitions, in the same order.
        tolerances: Of the training transitions; they set the units, too.
        rollouts: What `rollout_errors` found, if it was asked.

    Raises:
        ValueError: If there is no draw, no transition, or the rows do not fit.
    """
    if not draws:
        raise ValueError("draws must have at least 1 member, got 0.")
    if len(draws) == 1:
        score = score_predictions(draws[0], batch, tolerances)
    else:
        score = score_draws(draws, batch, tolerances)
    return ModelMetrics(
        score=score,
        curve=tolerance_curve(draws, batch, tolerances),
        errors=normalised_errors(draws, batch, tolerances),
        rollouts=rollouts,
    )


def normalised_errors(
    draws: Sequence[Predictions], batch: TransitionBatch, tolerances: Tolerances
) -> NormalisedErrors:
    """Returns the errors of real parts; of several draws, over all of them."""
    valid = [d.valid for d in draws]
    elements = [
        element_errors(d, batch, tolerances)[rows]
        for d, rows in zip(draws, valid, strict=True)
    ]
    rewards = [
        reward_errors(d, batch, tolerances)[rows]
        for d, rows in zip(draws, valid, strict=True)
    ]
    parts = {
        name: np.concatenate([e[:, columns] for e in elements])
        for name, columns, leaf in _named_parts(batch)
        if leaf in tolerances.observation
    }
    parts[REWARD] = np.concatenate(rewards)[:, None]
    # One element without a unit must not hide the others of a large leaf.
    lacks_unit = {name: np.isinf(found).any(axis=0) for name, found in parts.items()}
    return NormalisedErrors(
        rmse={
            name: _rmse(found[:, ~lacks_unit[name]]) for name, found in parts.items()
        },
        num_without_unit=_counts(lacks_unit),
        num_not_finite=_counts({n: np.isnan(found) for n, found in parts.items()}),
        num_invalid=sum(int((~rows).sum()) for rows in valid),
    )


def _counts(masks: dict[str, NDArray[np.bool_]]) -> dict[str, int]:
    return {name: int(mask.sum()) for name, mask in masks.items() if mask.any()}


def element_errors(
    predictions: Predictions, batch: TransitionBatch, tolerances: Tolerances
) -> NDArray[np.float64]:
    """Returns `in_usual_changes` of an observation, `[N, E]`.

    The elements are ordered as in `Matches`; those that are compared exactly are 0.
    """
    columns = []
    for path, leaf in leaves(batch.observation_space):
        expected = batch.next_observations[path]
        if path in tolerances.observation:
            true = np.asarray(expected)
            found = in_usual_changes(
                np.asarray(predictions.next_observations[path]),
                true,
                tolerance=tolerances.observation[path],
                bounds=tolerances.bounds(path, true),
            )
            columns.append(found.reshape(len(batch), -1))
        else:
            columns.append(np.zeros((len(batch), _num_elements(leaf, expected))))
    return np.concatenate(columns, axis=1)


def reward_errors(
    predictions: Predictions, batch: TransitionBatch, tolerances: Tolerances
) -> NDArray[np.float64]:
    """Returns errors `[N]` in standard deviations of the training rewards."""
    return in_usual_changes(
        predictions.rewards,
        batch.rewards,
        tolerance=np.asarray(tolerances.reward),
        bounds=tolerances.reward_bounds(batch.rewards),
    )


def _num_elements(leaf: LeafSpec, column: Any) -> int:
    if isinstance(column, np.ndarray):
        return math.prod(column.shape[1:])
    return 1


def _named_parts(batch: TransitionBatch) -> list[tuple[str, slice, str]]:
    """Returns the parts with their columns of elements and the path of their leaf."""
    paths: list[str] = []
    for path, leaf in leaves(batch.observation_space):
        paths += [path] * _num_elements(leaf, batch.next_observations[path])
    return [
        (name, columns, paths[columns.start])
        for name, columns in observation_parts(batch.observation_space)
        if columns.stop > columns.start
    ]


def _rmse(errors: NDArray[np.float64]) -> float | None:
    known = errors[~np.isnan(errors)]
    if not len(known):
        return None
    return float(root_mean_square(known))
