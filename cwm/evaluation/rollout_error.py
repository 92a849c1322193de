"""How far a world model strays when nobody corrects it.

Every recorded trajectory is cut into consecutive windows of the longest rollout. A
model starts from a window's first recorded observation and gets the recorded
actions; from then on it goes on from what it has predicted. After `k` steps it is
compared with what was recorded there.

Covers: anything that predicts batches. Does not cover: legal actions, and stochastic
tasks, where a rollout cannot be expected to be the recorded one.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cwm.core.codec import select_rows
from cwm.core.predictions import Predictions
from cwm.core.trajectories import TransitionBatch
from cwm.evaluation.error_size import in_usual_changes, root_mean_square
from cwm.evaluation.guard import LARGEST_ERROR
from cwm.programs.accuracy import strict_matches
from cwm.programs.tolerances import Tolerances

ROLLOUT_STEPS: tuple[int, ...] = (1, 5, 10, 25, 50)
"""Numbers of steps after which rollouts are compared."""

PredictOnce = Callable[[TransitionBatch], Predictions | None]
"""Predicts each transition once; `None` if nothing can be predicted at all."""


@dataclass(frozen=True, kw_only=True)
class RolloutError:
    """Rollouts after one number of steps.

    Attributes:
        steps: The number of steps, `k`.
        num_rollouts: Windows of at least `k` steps: those that are compared.
        num_left_out: Shorter windows.
        strict: Share whose step `k` is right in every part, by the strict rule of
            single steps; `None` if nothing is compared.
        median_error: Median over the rollouts of the error of the observation: the
            root of the mean square over its real elements (those that change in
            training), in standard deviations of their change in one step. A rollout
            that has ended too early, or in no number, counts as `LARGEST_ERROR`.
            `None` if nothing is compared or nothing is real.
        num_lost: Rollouts that did not get there: the model ended them before the
            recorded episode did, had no answer, or one of the wrong form.
    """

    steps: int
    num_rollouts: int
    num_left_out: int
    strict: float | None
    median_error: float | None
    num_lost: int = 0


@dataclass(frozen=True, kw_only=True)
class RolloutErrors:
    """Rollouts after several numbers of steps.

    Attributes:
        by_steps: In ascending order of the steps.
    """

    by_steps: tuple[RolloutError, ...]

    def at(self, steps: int) -> RolloutError:
        """Returns the rollouts after a number of steps.

        Raises:
            ValueError: If they were not compared there.
        """
        for found in self.by_steps:
            if found.steps == steps:
                return found
        known = ", ".join(str(found.steps) for found in self.by_steps)
        raise ValueError(f"steps must be one of {known}, got {steps}.")

    def to_json(self) -> dict[str, Any]:
        """Returns the errors as plain data."""
        return {"by_steps": [asdict(error) for error in self.by_steps]}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "RolloutErrors":
        """Returns the errors that `to_json` described."""
        return cls(by_steps=tuple(RolloutError(**one) for one in data["by_steps"]))


def rollout_errors(
    predict: PredictOnce,
    batch: TransitionBatch,
    tolerances: Tolerances,
    *,
    steps: Sequence[int] = ROLLOUT_STEPS,
) -> RolloutErrors | None:
    """Returns how far a model strays along recorded actions.

    Args:
        predict: The model. Asked once for each step, for all windows together; it
            gets the recorded outcomes in the batch as any predictor does, and the
            observations that it has predicted itself.
        batch: Whole trajectories, their transitions in order.
        tolerances: Of the training transitions.
        steps: After how many steps to compare; ascending, each at least 1.

    Returns:
        The errors; `None` if the model cannot predict.

    Raises:
        ValueError: If `steps` is empty or not ascending.
    """
    if not steps or list(steps) != sorted(set(steps)) or steps[0] < 1:
        raise ValueError(f"steps must be ascending, each at least 1, got {steps!r}.")
    # What is legal would have to be asked for, and says nothing of where it goes.
    batch = replace(batch, next_legal_actions=None)
    starts, lengths = windows(batch, steps[-1])
    is_right = np.zeros((len(starts), steps[-1]), dtype=np.bool_)
    errors = np.full((len(starts), steps[-1]), LARGEST_ERROR)
    is_there = np.zeros((len(starts), steps[-1]), dtype=np.bool_)
    active = np.arange(len(starts))
    observations = select_rows(batch.observations, starts)
    for step in range(steps[-1]):
        goes_on = lengths[active] > step
        active = active[goes_on]
        if not len(active):
            break
        observations = select_rows(observations, np.flatnonzero(goes_on))
        recorded = replace(
            batch.select(starts[active] + step), observations=observations
        )
        predictions = predict(recorded)
        if predictions is None:
            return None
        matches = strict_matches(predictions, recorded, tolerances)
        valid = predictions.valid
        is_right[active, step] = matches.everything
        errors[active, step] = _sizes(predictions, recorded, tolerances)
        is_there[active, step] = valid
        kept = np.flatnonzero(valid & ~predictions.terminated)
        active = active[kept]
        observations = select_rows(predictions.next_observations, kept)
    has_real = any((t > 0.0).any() for t in tolerances.observation.values())
    return RolloutErrors(
        by_steps=tuple(
            _after(k, lengths, is_right, errors if has_real else None, is_there)
            for k in steps
        )
    )


def windows(
    batch: TransitionBatch, max_steps: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Returns the first row and the number of steps of each window."""
    starts: list[int] = []
    lengths: list[int] = []
    for trajectory in np.unique(batch.trajectory):
        rows = np.flatnonzero(batch.trajectory == trajectory)
        for offset in range(0, len(rows), max_steps):
            starts.append(int(rows[offset]))
            lengths.append(min(max_steps, len(rows) - offset))
    return np.asarray(starts, dtype=np.intp), np.asarray(lengths, dtype=np.intp)


def _after(
    steps: int,
    lengths: NDArray[np.intp],
    is_right: NDArray[np.bool_],
    errors: NDArray[np.float64] | None,
    is_there: NDArray[np.bool_],
) -> RolloutError:
    rows = np.flatnonzero(lengths >= steps)
    at = steps - 1
    return RolloutError(
        steps=steps,
        num_rollouts=len(rows),
        num_left_out=len(lengths) - len(rows),
        strict=float(is_right[rows, at].mean()) if len(rows) else None,
        median_error=(
            float(np.median(errors[rows, at]))
            if errors is not None and len(rows)
            else None
        ),
        num_lost=int((~is_there[rows, at]).sum()),
    )


def _sizes(
    predictions: Predictions, batch: TransitionBatch, tolerances: Tolerances
) -> NDArray[np.float64]:
    """Returns the error of each predicted observation, at most `LARGEST_ERROR`."""
    columns = [np.zeros((len(batch), 0))]
    for path, tolerance in tolerances.observation.items():
        true = np.asarray(batch.next_observations[path])
        errors = in_usual_changes(
            np.asarray(predictions.next_observations[path]),
            true,
            tolerance=tolerance,
            bounds=tolerances.bounds(path, true),
        )
        columns.append(errors.reshape(len(batch), -1)[:, tolerance.ravel() > 0.0])
    together = np.nan_to_num(np.concatenate(columns, axis=1), nan=LARGEST_ERROR)
    if not together.shape[1]:
        return np.zeros(len(batch))
    sizes = root_mean_square(np.minimum(together, LARGEST_ERROR))
    return np.where(predictions.valid, sizes, LARGEST_ERROR)
