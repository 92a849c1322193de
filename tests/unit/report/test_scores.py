import numpy as np
import pytest

from cwm.core.predictions import Predictions
from cwm.core.trajectories import TransitionBatch
from cwm.programs.tolerances import Tolerances
from cwm.report.scores import (
    do_nothing,
    notes,
    num_wrong,
    score_row,
    show_share,
    unseen_note,
)
from tests.support.corridor import corridor_dataset

DATASET = corridor_dataset()
TRAIN = DATASET.batch("train")
SPLITS = {"train": TRAIN, "held_out": DATASET.batch("held_out")}
TOLERANCES = Tolerances.from_batch(TRAIN)


def true_outcomes(batch: TransitionBatch) -> list[Predictions]:
    return [
        Predictions(
            next_observations=batch.next_observations,
            rewards=batch.rewards,
            terminated=batch.terminated,
            valid=np.ones(len(batch), dtype=np.bool_),
            messages={},
        )
    ]


def test_doing_nothing_is_right_where_nothing_happens() -> None:
    # Of the 11 training steps one runs against the wall; of the 6 others none.
    row = score_row("nothing", do_nothing(TRAIN), SPLITS, TOLERANCES)
    train, held_out = row.scores["train"], row.scores["held_out"]
    assert train is not None
    assert held_out is not None
    assert (train.strict, held_out.strict) == (1 / 11, 0.0)
    assert train.part_accuracy["reward"] == pytest.approx(10 / 11)


def test_doing_nothing_predicts_the_most_frequent_reward() -> None:
    batch = TRAIN.select(np.asarray([10, 10, 0]))
    (predictions,) = do_nothing(batch)(TRAIN) or []
    assert set(predictions.rewards) == {1.0}


def test_the_truth_is_strictly_right() -> None:
    row = score_row("truth", true_outcomes, SPLITS, TOLERANCES)
    assert [score and score.strict for score in row.scores.values()] == [1.0, 1.0]


def test_what_cannot_predict_has_no_score() -> None:
    row = score_row("nobody", lambda batch: None, SPLITS, TOLERANCES, note="why")
    assert row.scores == {"train": None, "held_out": None}
    assert notes([row]) == ["nobody: why"]


def test_several_draws_are_scored_by_likelihood() -> None:
    row = score_row("nothing", do_nothing(TRAIN, num_draws=4), SPLITS, TOLERANCES)
    train = row.scores["train"]
    assert train is not None
    assert train.num_draws == 4
    # One of 11 is drawn 4 times of 4, the others never: (c + 1/2) / (4 + 1).
    expected = (np.log(4.5 / 5) + 10 * np.log(0.5 / 5)) / 11
    assert train.log_likelihood == pytest.approx(expected)


def test_the_number_of_wrong_transitions_is_whole() -> None:
    row = score_row("nothing", do_nothing(TRAIN), SPLITS, TOLERANCES)
    assert row.scores["train"] is not None
    assert num_wrong(row.scores["train"]) == 10


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        (1.0, "1.0000"),
        (0.99996, "0.9999"),
        (0.0, "0.0000"),
        (0.7, "0.7000"),
        (None, "-"),
    ],
)
def test_a_share_is_shown_as_one_only_if_it_is(share: float | None, shown: str) -> None:
    assert show_share(share) == shown


def test_wrong_predictions_from_new_observations_are_counted() -> None:
    # Trained on the first two steps, which start in cells 0 and 1. Doing nothing
    # is wrong in all 6 held-out steps: from 0, 1, 2, 1, 2 and 3.
    few, batch = TRAIN.select(np.asarray([0, 1])), SPLITS["held_out"]
    (predictions,) = do_nothing(few)(batch) or []
    assert unseen_note(predictions, few, batch, TOLERANCES) == [
        "3 of 6 wrong held-out predictions start from an observation that training "
        "never showed"
    ]
    (right,) = true_outcomes(batch)
    assert unseen_note(right, few, batch, TOLERANCES) == []


def test_a_row_is_plain_data_for_machines() -> None:
    row = score_row("nothing", do_nothing(TRAIN), {"train": TRAIN}, TOLERANCES)
    data = row.to_json()
    assert data["scores"]["train"]["num_transitions"] == 11
    assert data["name"] == "nothing"
