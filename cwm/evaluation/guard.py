"""How far a predicted step is from what really happened."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cwm.core.codec import conform, encode_columns
from cwm.core.predictions import Predictions
from cwm.core.protocols import StepResult
from cwm.core.spaces import SpaceSpec, Value
from cwm.core.trajectories import (
    Transition,
    TransitionBatch,
    batch_trajectories,
    make_trajectory,
)
from cwm.programs.accuracy import strict_matches, wrong_parts
from cwm.programs.tolerances import CHANGE_FRACTION, Tolerances

LARGEST_ERROR = 1e9
"""Stands for every larger error, and for one that is no number."""

WHOLE_ERROR = 1.0
"""Error of a part that is right or wrong: an integer, text, `terminated`."""


NO_ANSWER = "no answer"
"""Stands for the parts of a step that a model did not predict when it was asked to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionError:
    """How wrong one predicted step was.

    Attributes:
        wrong: Names of the parts that are beyond their tolerance, as in
            `SplitScore.part_accuracy`; empty for a prediction that came true.
        size: The largest error of any part; of a real element and of the reward in
            standard deviations of its change in one step (of the reward itself), of
            other parts `WHOLE_ERROR`. 0 to `LARGEST_ERROR`.
    """

    wrong: tuple[str, ...]
    size: float


class PredictionJudge:
    """Compares predicted steps with real ones, by the strict rule of scoring.

    Args:
        observation_space: Space of the observations.
        action_space: Space of the actions.
        tolerances: How far a prediction may be off; they set the units, too.
    """

    def __init__(
        self,
        observation_space: SpaceSpec,
        action_space: SpaceSpec,
        tolerances: Tolerances,
    ) -> None:
        self._observation_space = observation_space
        self._action_space = action_space
        self._tolerances = tolerances

    def judge(self, prediction: StepResult, real: Transition) -> PredictionError:
        """Returns how wrong a prediction was.

        Args:
            prediction: What a model said; it may be of any form.
            real: What happened.
        """
        space = self._observation_space
        batch = self._batch([real])
        predictions = self._predictions([prediction], batch)
        matches = strict_matches(predictions, batch, self._tolerances)
        wrong = wrong_parts(matches, space)[0]
        if not predictions.valid[0]:
            return PredictionError(wrong=wrong, size=LARGEST_ERROR)
        sizes = [WHOLE_ERROR if prediction.terminated != real.terminated else 0.0]
        sizes.append(
            _largest(
                predictions.rewards,
                batch.rewards,
                self._tolerances.reward_bounds(batch.rewards),
            )
        )
        for path, expected in batch.next_observations.items():
            predicted = predictions.next_observations[path]
            if path in self._tolerances.observation:
                true = np.asarray(expected)
                bounds = self._tolerances.bounds(path, true)
                sizes.append(_largest(np.asarray(predicted), true, bounds))
            else:
                sizes.append(0.0 if _equal(predicted, expected) else WHOLE_ERROR)
        return PredictionError(wrong=wrong, size=max(sizes))

    def wrong_parts(
        self, predictions: Sequence[StepResult | None], real: Sequence[Transition]
    ) -> list[tuple[str, ...]]:
        """Returns for each of several steps which parts were predicted wrong.

        Args:
            predictions: As in `judge`; `None` is no answer, of which `NO_ANSWER` is
                the wrong part.
            real: What happened, at least 1 step.
        """
        batch = self._batch(real)
        rows = self._predictions(predictions, batch)
        matches = strict_matches(rows, batch, self._tolerances)
        return [
            (NO_ANSWER,) if prediction is None else wrong
            for prediction, wrong in zip(
                predictions, wrong_parts(matches, self._observation_space), strict=True
            )
        ]

    def _batch(self, real: Sequence[Transition]) -> TransitionBatch:
        spaces = self._observation_space, self._action_space
        trajectory = make_trajectory(
            real, observation_space=spaces[0], action_space=spaces[1]
        )
        return batch_trajectories([trajectory], *spaces)

    def _predictions(
        self, predictions: Sequence[StepResult | None], batch: TransitionBatch
    ) -> Predictions:
        """Returns predictions as columns; those of another form are invalid rows."""
        space = self._observation_space
        valid = np.ones(len(predictions), dtype=np.bool_)
        observations: list[Value] = []
        for row, prediction in enumerate(predictions):
            observation = None
            if prediction is not None:
                with suppress(ValueError):
                    observation = conform(space, prediction.observation)
            if observation is None:
                observation = batch.transition(row).next_observation
                valid[row] = False
            observations.append(observation)
        return Predictions(
            next_observations=encode_columns(space, observations),
            rewards=np.asarray([p.reward if p else 0.0 for p in predictions]),
            terminated=np.asarray([bool(p and p.terminated) for p in predictions]),
            valid=valid,
            messages={},
        )


def _largest(
    predicted: NDArray[Any], expected: NDArray[Any], bounds: NDArray[np.float64]
) -> float:
    """Returns the largest error in units of the usual change of its element."""
    p, e = predicted.astype(np.float64), expected.astype(np.float64)
    same = (p == e) | (np.isnan(p) & np.isnan(e))
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        errors = np.where(same, 0.0, np.abs(p - e) * CHANGE_FRACTION / bounds)
    largest = np.max(np.nan_to_num(errors, nan=np.inf), initial=0.0)
    return float(min(largest, LARGEST_ERROR))


def _equal(predicted: Any, expected: Any) -> bool:
    if isinstance(expected, np.ndarray):
        return bool(np.array_equal(predicted, expected))
    return bool(predicted == expected)
