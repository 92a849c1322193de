"""Rollouts along recorded actions, counted by hand."""

import json

import numpy as np
import pytest

from cwm.core.predictions import Predictions
from cwm.core.spaces import BoxSpec, DiscreteSpec
from cwm.core.trajectories import (
    Transition,
    TransitionBatch,
    batch_trajectories,
    make_trajectory,
)
from cwm.evaluation.guard import LARGEST_ERROR
from cwm.evaluation.rollout_error import (
    PredictOnce,
    RolloutErrors,
    rollout_errors,
    windows,
)
from cwm.programs.tolerances import Tolerances
from tests.support.corridor import corridor_dataset

PLACE = BoxSpec((1,), "float64")
MOVES = DiscreteSpec(2)


def walk(length: int, *, ends: bool) -> TransitionBatch:
    """One step to the right and one to the left in turn, from 0."""
    steps, place = [], 0.0
    for time in range(length):
        action = (time + 1) % 2
        after = place + (1.0 if action else -1.0)
        is_end = ends and time == length - 1
        steps.append(
            Transition(np.array([place]), action, np.array([after]), 0.0, is_end, False)
        )
        place = after
    trajectory = make_trajectory(steps, observation_space=PLACE, action_space=MOVES)
    return batch_trajectories([trajectory], PLACE, MOVES)


def stepper(
    drift: float = 0.0, *, ends_at: float = np.inf, no_answer_at: float = np.inf
) -> PredictOnce:
    """A model that goes a little too far, and may end or give up too early."""

    def predict(batch: TransitionBatch) -> Predictions:
        before = np.asarray(batch.observations[""])
        step = 2.0 * np.asarray(batch.actions[""])[:, None] - 1.0
        after = before + step + drift
        return Predictions(
            next_observations={"": after},
            rewards=np.zeros(len(batch)),
            terminated=after[:, 0] >= ends_at,
            valid=~(after[:, 0] >= no_answer_at),
            messages={},
        )

    return predict


BATCH = walk(12, ends=False)
TOLERANCES = Tolerances.from_batch(BATCH)  # Changes 1 and -1: the unit is 1.


def errors(predict: PredictOnce, *steps: int) -> RolloutErrors:
    found = rollout_errors(predict, BATCH, TOLERANCES, steps=steps)
    assert found is not None
    return found


def test_windows_cut_trajectories_and_never_join_them() -> None:
    batch = corridor_dataset().batch("train")
    starts, lengths = windows(batch, 4)
    assert (starts.tolist(), lengths.tolist()) == ([0, 4, 8], [4, 4, 3])
    two = batch.select(list(range(11)))
    two.trajectory[6:] = 1
    starts, lengths = windows(two, 4)
    assert (starts.tolist(), lengths.tolist()) == ([0, 4, 6, 10], [4, 2, 4, 1])


def test_an_exact_model_stays_right() -> None:
    found = errors(stepper(), 1, 5)
    assert [(e.strict, e.median_error, e.num_lost) for e in found.by_steps] == [
        (1.0, 0.0, 0),
        (1.0, 0.0, 0),
    ]


def test_errors_add_up_because_nobody_corrects_the_model() -> None:
    found = errors(stepper(0.25), 1, 2, 5)
    # 12 steps are two windows of 5 and one of 2.
    assert [(e.num_rollouts, e.num_left_out) for e in found.by_steps] == [
        (3, 0),
        (3, 0),
        (2, 1),
    ]
    sizes = [e.median_error for e in found.by_steps]
    assert sizes == pytest.approx([0.25, 0.5, 1.25])
    assert [e.strict for e in found.by_steps] == [0.0, 0.0, 0.0]


def test_a_model_told_what_happened_would_have_a_constant_error() -> None:
    # The broken twin of rolling out: the recorded observation instead of the own one.
    def corrected(batch: TransitionBatch) -> Predictions:
        truth = np.asarray(batch.next_observations[""])
        predictions = stepper(0.25)(batch)
        return Predictions(
            next_observations={"": truth + 0.25},
            rewards=predictions.rewards,
            terminated=predictions.terminated,
            valid=predictions.valid,
            messages={},
        )

    assert errors(corrected, 1, 5).at(5).median_error == pytest.approx(0.25)
    assert errors(stepper(0.25), 1, 5).at(5).median_error == pytest.approx(1.25)


def test_a_rollout_that_ends_too_early_is_lost_and_wrong() -> None:
    # It reaches 1 in its first step, and says that this is the end.
    found = errors(stepper(ends_at=1.0), 1, 2)
    first, second = found.by_steps
    assert (first.strict, first.num_lost) == (0.0, 0)
    assert (second.strict, second.num_lost) == (0.0, second.num_rollouts)
    assert second.median_error == LARGEST_ERROR


def test_a_rollout_without_an_answer_is_lost() -> None:
    found = errors(stepper(0.25, no_answer_at=1.5), 1, 2, 3)
    # Two of the four windows go 1.25, 0.5, 1.75; two start at 1 and go 0.25, 1.5.
    assert [e.num_lost for e in found.by_steps] == [0, 2, 4]
    assert found.at(3).strict == 0.0


def test_the_recorded_end_is_compared_and_ends_the_window() -> None:
    ending = walk(3, ends=True)
    found = rollout_errors(stepper(), ending, TOLERANCES, steps=(2, 3, 5))
    assert found is not None
    # The third step ends the episode, which the model does not say.
    assert [e.strict for e in found.by_steps] == [1.0, 0.0, None]
    assert found.at(5).num_left_out == 1
    assert found.at(5).median_error is None


def test_nothing_real_has_no_error_but_is_right_or_wrong() -> None:
    dataset = corridor_dataset()
    batch = dataset.batch("held_out")

    def truth(batch: TransitionBatch) -> Predictions:
        cells = np.asarray(batch.observations[""])
        step = 2 * np.asarray(batch.actions[""]) - 1
        after = np.clip(cells + step, 0, 4)
        return Predictions(
            next_observations={"": after},
            rewards=(after == 4).astype(np.float64),
            terminated=after == 4,
            valid=np.ones(len(batch), dtype=np.bool_),
            messages={},
        )

    found = rollout_errors(
        truth, batch, Tolerances.from_batch(dataset.batch("train")), steps=(1, 6)
    )
    assert found is not None
    assert [(e.strict, e.median_error) for e in found.by_steps] == [(1, None)] * 2


def test_a_number_that_is_none_counts_as_the_largest_error() -> None:
    found = errors(stepper(np.nan), 1)
    assert found.at(1).median_error == LARGEST_ERROR


def test_who_cannot_predict_has_no_rollouts() -> None:
    assert rollout_errors(lambda batch: None, BATCH, TOLERANCES) is None


def test_rollouts_survive_json() -> None:
    found = errors(stepper(0.25), 1, 5)
    assert RolloutErrors.from_json(json.loads(json.dumps(found.to_json()))) == found


@pytest.mark.parametrize("steps", [(), (0, 1), (5, 1), (1, 1)])
def test_steps_must_ascend(steps: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="steps must be ascending"):
        rollout_errors(stepper(), BATCH, TOLERANCES, steps=steps)


def test_only_compared_steps_can_be_looked_up() -> None:
    with pytest.raises(ValueError, match="steps must be one of 1, 5, got 2"):
        errors(stepper(), 1, 5).at(2)
