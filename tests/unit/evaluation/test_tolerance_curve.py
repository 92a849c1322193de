"""The curve of right transitions by tolerance, counted by hand."""

import json
from dataclasses import replace

import numpy as np
import pytest

from cwm.core.predictions import Predictions
from cwm.core.spaces import BoxSpec, DiscreteSpec, TupleSpec
from cwm.core.trajectories import TransitionBatch
from cwm.evaluation.tolerance_curve import (
    CURVE_TOLERANCES,
    ToleranceCurve,
    paper_tolerances,
    tolerance_curve,
)
from cwm.programs.accuracy import score_predictions
from cwm.programs.tolerances import CHANGE_FRACTION, Tolerances

REAL = BoxSpec((1,), "float64")


def batch_of(values: list[float], following: list[float]) -> TransitionBatch:
    number = len(values)
    return TransitionBatch(
        observation_space=REAL,
        action_space=DiscreteSpec(1),
        observations={"": np.asarray(values)[:, None]},
        actions={"": np.zeros(number, dtype=np.int64)},
        next_observations={"": np.asarray(following)[:, None]},
        rewards=np.zeros(number),
        terminated=np.zeros(number, dtype=np.bool_),
        truncated=np.zeros(number, dtype=np.bool_),
        trajectory=np.zeros(number, dtype=np.int64),
        time=np.arange(number),
    )


# Changes 2 and -2: their standard deviation is 2.
BATCH = batch_of([0.0, 0.0, 0.0, 0.0], [2.0, -2.0, 2.0, -2.0])
TOLERANCES = Tolerances.from_batch(BATCH)


def predictions(*errors: float, batch: TransitionBatch = BATCH) -> Predictions:
    return Predictions(
        next_observations={"": batch.next_observations[""] + np.array(errors)[:, None]},
        rewards=batch.rewards,
        terminated=batch.terminated,
        valid=np.ones(len(batch), dtype=np.bool_),
        messages={},
    )


def test_shares_are_counted_in_standard_deviations_of_the_change() -> None:
    # In units of 2 the errors are 0, 0.005, 0.05 and 5.
    found = tolerance_curve(
        [predictions(0.0, 0.01, 0.1, 10.0)],
        BATCH,
        TOLERANCES,
        at=(1e-3, 1e-2, 1e-1, 1.0),
    )
    assert found.shares == (0.25, 0.5, 0.75, 0.75)
    # Trapezoids over the decades: (0.375 + 0.625 + 0.75) / 3.
    assert found.area == pytest.approx(1.75 / 3)


@pytest.mark.parametrize("error", [0.0, 1e-5, 1.9999e-4, 2e-4, 2.0001e-4, 1.0])
def test_the_curve_is_strict_at_the_strict_tolerance(error: float) -> None:
    found = predictions(0.0, error, error, error)
    curve = tolerance_curve([found], BATCH, TOLERANCES)
    score = score_predictions(found, BATCH, TOLERANCES)
    assert curve.at(CHANGE_FRACTION) == score.strict
    assert curve.strict_at == CHANGE_FRACTION


def test_the_grid_has_four_in_each_decade_from_1e_8_to_1() -> None:
    assert (len(CURVE_TOLERANCES), CURVE_TOLERANCES[0]) == (33, 1e-8)
    assert CURVE_TOLERANCES[-1] == 1.0
    assert CHANGE_FRACTION in CURVE_TOLERANCES


def test_rounding_is_right_at_every_tolerance() -> None:
    found = tolerance_curve([predictions(0.0, 1e-15, 1e-15, 0.0)], BATCH, TOLERANCES)
    assert found.area == 1.0


def test_what_is_exact_stays_exact() -> None:
    space = TupleSpec((REAL, DiscreteSpec(5)))
    batch = replace(
        BATCH,
        observation_space=space,
        observations={"0": BATCH.observations[""], "1": np.zeros(4, dtype=np.int64)},
        next_observations={
            "0": BATCH.next_observations[""],
            "1": np.arange(4),
        },
        next_legal_actions=((0,), (0,), (0,), (0,)),
    )
    found = Predictions(
        next_observations={
            "0": BATCH.next_observations[""],
            "1": np.array([0, 1, 2, 4]),
        },
        rewards=batch.rewards,
        terminated=np.array([False, False, True, False]),
        valid=np.array([True, True, True, True]),
        messages={},
        legal_actions=((0,), (), (0,), (0,)),
    )
    # Wrong: the second's legal actions, the third's end, the fourth's code.
    curve = tolerance_curve([found], batch, Tolerances.from_batch(batch))
    assert set(curve.shares) == {0.25}


def test_shares_of_draws_are_means() -> None:
    draws = [predictions(0.0, 0.0, 0.0, 0.0), predictions(9.0, 9.0, 9.0, 0.0)]
    assert set(tolerance_curve(draws, BATCH, TOLERANCES).shares) == {(1 + 0.25) / 2}


def test_a_number_that_is_none_is_never_right() -> None:
    found = predictions(np.nan, np.inf, 0.0, 0.0)
    assert set(tolerance_curve([found], BATCH, TOLERANCES).shares) == {0.5}


def test_the_published_rule_lies_where_its_bound_is_in_usual_changes() -> None:
    # 1e-5 + 1e-5 * 2 allowed, and the usual change is 2; all rewards are 0.
    assert paper_tolerances(BATCH, TOLERANCES) == {"[0]": pytest.approx(1.5e-5)}
    curve = tolerance_curve([predictions(0.0, 0.0, 0.0, 0.0)], BATCH, TOLERANCES)
    assert curve.paper_from == curve.paper_to == pytest.approx(1.5e-5)


def test_an_element_that_never_changes_has_no_place_for_the_published_rule() -> None:
    still = batch_of([1.0, 2.0], [1.0, 2.0])
    curve = tolerance_curve(
        [predictions(0.0, 0.0, batch=still)], still, Tolerances.from_batch(still)
    )
    assert (curve.paper_from, curve.paper_to, curve.area) == (None, None, 1.0)


def test_curves_survive_json() -> None:
    curve = tolerance_curve([predictions(0.0, 0.1, 1.0, 0.0)], BATCH, TOLERANCES)
    assert ToleranceCurve.from_json(json.loads(json.dumps(curve.to_json()))) == curve


@pytest.mark.parametrize("at", [(1e-3,), (1e-2, 1e-3), (1e-3, 1e-3)])
def test_tolerances_must_ascend(at: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="at must be ascending"):
        tolerance_curve([predictions(0, 0, 0, 0)], BATCH, TOLERANCES, at=at)
