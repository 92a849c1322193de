"""Normalised errors by hand, and all metrics together."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from cwm.core.predictions import Predictions
from cwm.core.spaces import BoxSpec, DictSpec, DiscreteSpec
from cwm.core.trajectories import TransitionBatch
from cwm.evaluation.metrics import (
    ModelMetrics,
    NormalisedErrors,
    model_metrics,
    normalised_errors,
)
from cwm.evaluation.rollout_error import rollout_errors
from cwm.programs.accuracy import score_predictions
from cwm.programs.tolerances import Tolerances

SPACE = DictSpec((("x", BoxSpec((2,), "float64")), ("code", DiscreteSpec(3))))
ZEROS = np.zeros((4, 2))


def batch() -> TransitionBatch:
    # Changes of x[0]: 1, -1, 1, -1 (spread 1); x[1] never changes. Rewards 0 or 4
    # (spread 2).
    following = np.array([[1.0, 7.0], [-1.0, 7.0], [1.0, 7.0], [-1.0, 7.0]])
    return TransitionBatch(
        observation_space=SPACE,
        action_space=DiscreteSpec(1),
        observations={
            "x": ZEROS + np.array([0.0, 7.0]),
            "code": np.zeros(4, dtype=np.int64),
        },
        actions={"": np.zeros(4, dtype=np.int64)},
        next_observations={"x": following, "code": np.zeros(4, dtype=np.int64)},
        rewards=np.array([0.0, 4.0, 0.0, 4.0]),
        terminated=np.zeros(4, dtype=np.bool_),
        truncated=np.zeros(4, dtype=np.bool_),
        trajectory=np.zeros(4, dtype=np.int64),
        time=np.arange(4),
    )


BATCH = batch()
TOLERANCES = Tolerances.from_batch(BATCH)


def predictions(
    first: list[float], second: list[float] | None = None, **changes: object
) -> Predictions:
    errors = np.stack([first, second or [0.0] * 4], axis=1)
    exact = Predictions(
        next_observations={
            "x": np.asarray(BATCH.next_observations["x"]) + errors,
            "code": np.array([0, 0, 0, 1]),
        },
        rewards=BATCH.rewards,
        terminated=BATCH.terminated,
        valid=np.ones(4, dtype=np.bool_),
        messages={},
    )
    return replace(exact, **changes)  # type: ignore[arg-type]


def nobody_moves(batch: TransitionBatch) -> Predictions:
    return Predictions(
        next_observations=batch.observations,
        rewards=batch.rewards,
        terminated=batch.terminated,
        valid=np.ones(len(batch), dtype=np.bool_),
        messages={},
    )


def errors_of(found: Predictions) -> NormalisedErrors:
    return normalised_errors([found], BATCH, TOLERANCES)


def test_errors_are_in_usual_changes() -> None:
    found = errors_of(predictions([3.0, -4.0, 0.0, 0.0], rewards=np.full(4, 2.0)))
    # sqrt((9 + 16) / 4); rewards off by 2, their standard deviation. Codes are not
    # real numbers: nothing is said of them.
    assert found.rmse == {
        "observation/x[0]": pytest.approx(2.5),
        "observation/x[1]": 0.0,
        "reward": pytest.approx(1.0),
    }
    assert found.observation == pytest.approx(2.5 / math.sqrt(2))
    assert (found.num_not_finite, found.num_invalid) == ({}, 0)


def test_doing_nothing_is_off_by_about_one_usual_change() -> None:
    still = predictions([-1.0, 1.0, -1.0, 1.0])
    assert errors_of(still).rmse["observation/x[0]"] == pytest.approx(1.0)


def test_an_element_without_a_unit_is_right_or_has_no_number() -> None:
    rounding = errors_of(predictions([0.0] * 4, [1e-15, 0.0, 0.0, 0.0]))
    wrong = errors_of(predictions([0.0] * 4, [1e-3, 0.0, 0.0, 0.0]))
    assert rounding.rmse["observation/x[1]"] == 0.0
    assert (rounding.num_without_unit, rounding.rmse["reward"]) == ({}, 0.0)
    assert wrong.rmse["observation/x[1]"] is None
    assert wrong.num_without_unit == {"observation/x[1]": 1}
    assert wrong.observation == 0.0


def test_in_a_large_leaf_only_the_element_without_a_unit_is_left_out() -> None:
    space = BoxSpec((100,), "float64")
    before = np.zeros((2, 100))
    after = np.ones((2, 100)) * np.array([[1.0], [-1.0]])
    after[:, 7] = 0.0
    large = replace(
        BATCH.select([0, 1]),
        observation_space=space,
        observations={"": before},
        next_observations={"": after},
    )
    predicted = after + 3.0
    found = normalised_errors(
        [
            Predictions(
                next_observations={"": predicted},
                rewards=large.rewards,
                terminated=large.terminated,
                valid=np.ones(2, dtype=np.bool_),
                messages={},
            )
        ],
        large,
        Tolerances.from_batch(large),
    )
    assert found.rmse == {"observation": pytest.approx(3.0), "reward": 0.0}
    assert found.num_without_unit == {"observation": 1}


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_left_out_and_counted(value: float) -> None:
    found = errors_of(
        predictions([value, 3.0, 0.0, 0.0], rewards=np.array([value, 4.0, 0.0, 4.0]))
    )
    assert found.rmse["observation/x[0]"] == pytest.approx(math.sqrt(9 / 3))
    assert found.rmse["reward"] == 0.0
    assert found.num_not_finite == {"observation/x[0]": 1, "reward": 1}


def test_nothing_but_nan_has_no_error() -> None:
    found = errors_of(predictions([np.nan] * 4))
    assert found.rmse["observation/x[0]"] is None
    assert found.num_not_finite == {"observation/x[0]": 4}


def test_the_same_nan_and_infinity_are_no_error() -> None:
    truth = np.asarray(BATCH.next_observations["x"]).copy()
    truth[0, 0], truth[1, 0] = np.nan, np.inf
    nexts = BATCH.next_observations | {"x": truth}
    odd = replace(BATCH, next_observations=nexts)
    same = predictions([0.0] * 4, next_observations=nexts)
    found = normalised_errors([same], odd, TOLERANCES)
    assert found.rmse["observation/x[0]"] == 0.0
    assert found.num_not_finite == {}


def test_rows_of_a_wrong_form_are_left_out_and_counted() -> None:
    valid = np.array([False, True, True, True])
    found = errors_of(predictions([1e6, 3.0, 0.0, 0.0], valid=valid))
    assert found.rmse["observation/x[0]"] == pytest.approx(math.sqrt(9 / 3))
    assert found.num_invalid == 1


def test_huge_errors_do_not_overflow() -> None:
    found = errors_of(predictions([1e300, 1e300, 1e300, 1e300]))
    assert found.rmse["observation/x[0]"] == pytest.approx(1e300)


def test_errors_of_draws_are_over_all_of_them() -> None:
    draws = [predictions([0.0] * 4), predictions([2.0] * 4)]
    found = normalised_errors(draws, BATCH, TOLERANCES)
    assert found.rmse["observation/x[0]"] == pytest.approx(math.sqrt(2.0))


def test_metrics_have_the_score_of_the_search() -> None:
    found = predictions([1e-5, 0.3, 0.0, 0.0])
    rollouts = rollout_errors(nobody_moves, BATCH, TOLERANCES)
    metrics = model_metrics([found], BATCH, TOLERANCES, rollouts=rollouts)
    assert metrics.score == score_predictions(found, BATCH, TOLERANCES)
    assert metrics.curve.at(1e-4) == metrics.score.strict == 0.5
    again = ModelMetrics.from_json(json.loads(json.dumps(metrics.to_json())))
    assert again == metrics


def test_several_draws_are_scored_as_draws() -> None:
    draws = [predictions([0.0] * 4), predictions([2.0] * 4)]
    metrics = model_metrics(draws, BATCH, TOLERANCES)
    assert (metrics.score.num_draws, metrics.rollouts) == (2, None)
    assert metrics.score.strict == pytest.approx(0.375)
    assert metrics.curve.at(1e-4) == pytest.approx(0.375)


def test_there_must_be_a_draw() -> None:
    with pytest.raises(ValueError, match="draws must have at least 1"):
        model_metrics([], BATCH, TOLERANCES)
