"""A program in the sandbox as a predictor for rollouts, and how fast it steps."""

import statistics

import numpy as np
from numpy.typing import NDArray

from cwm.core.codec import Column, Columns
from cwm.core.predictions import Predictions
from cwm.core.trajectories import TransitionBatch
from cwm.evaluation.rollout_error import PredictOnce
from cwm.programs.evaluation import ProgramEvaluator
from sandbox.outcome import Completed, Raised

MAX_RAISES = 20
"""Times that a program may raise in one step of its rollouts; then it has no answer
for all that are left."""

TIMED_ROWS = 1_000
NUM_TIMINGS = 5


def surviving(evaluator: ProgramEvaluator, source: str) -> PredictOnce:
    """Returns a program as a predictor that has no answer where it raises.

    One exception is the end of a run in the sandbox. Here the transition that raised
    gets an invalid row, and the others are run again without it.

    Args:
        evaluator: Runs the program.
        source: The program.
    """

    def predict(batch: TransitionBatch) -> Predictions:
        answers = _no_answer(batch)
        left = np.arange(len(batch))
        for _ in range(MAX_RAISES):
            outcome, found = evaluator.predict(source, batch.select(left))
            if found is not None:
                return _filled(answers, found, left)
            if not isinstance(outcome, Raised) or outcome.position is None:
                break
            left = np.delete(left, outcome.position)
            if not len(left):
                break
        return answers

    return predict


def _no_answer(batch: TransitionBatch) -> Predictions:
    return Predictions(
        next_observations=batch.observations,
        rewards=np.zeros(len(batch)),
        terminated=np.zeros(len(batch), dtype=np.bool_),
        valid=np.zeros(len(batch), dtype=np.bool_),
        messages={},
    )


def _filled(
    answers: Predictions, found: Predictions, rows: NDArray[np.intp]
) -> Predictions:
    """Returns predictions with the rows that were found put in their places."""
    rewards = answers.rewards.copy()
    terminated, valid = answers.terminated.copy(), answers.valid.copy()
    rewards[rows], terminated[rows] = found.rewards, found.terminated
    valid[rows] = found.valid
    observations: Columns = {}
    for path, column in answers.next_observations.items():
        observations[path] = _with_rows(column, found.next_observations[path], rows)
    return Predictions(
        next_observations=observations,
        rewards=rewards,
        terminated=terminated,
        valid=valid,
        messages={},
    )


def _with_rows(column: Column, found: Column, rows: NDArray[np.intp]) -> Column:
    if isinstance(column, np.ndarray):
        filled = column.copy()
        filled[rows] = found
        return filled
    texts = list(column)
    for row, text in zip(rows.tolist(), found, strict=True):
        texts[row] = text
    return texts


def seconds_per_step(
    evaluator: ProgramEvaluator, source: str, batch: TransitionBatch
) -> float | None:
    """Returns how long a program takes for a transition, as it is scored.

    By the sandbox's clock, from fork to exit, in one child: a run of 1,000
    transitions less a run of one, for what a start takes, shared out; the median of
    five such differences, at least 0. `None` if the program does not get through.

    Args:
        evaluator: Runs the program.
        source: The program.
        batch: Transitions to step; repeated where they are fewer than 1,000.
    """
    # Odd and even times go into children of their own: of one kind, it is one child.
    rows = np.flatnonzero(batch.time % 2 == batch.time[0] % 2)
    many = batch.select(np.resize(rows, TIMED_ROWS))
    found = []
    for _ in range(NUM_TIMINGS):
        walls = []
        for part in (many.select([0]), many):
            outcome, _ = evaluator.predict(source, part)
            if not isinstance(outcome, Completed):
                return None
            walls.append(outcome.usage.wall_s)
        found.append((walls[1] - walls[0]) / (TIMED_ROWS - 1))
    return max(0.0, statistics.median(found))
