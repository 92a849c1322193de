"""Numbers of this file are computed by hand."""

import math

import numpy as np
import pytest

from cwm.core.predictions import Predictions
from cwm.core.spaces import (
    BoxSpec,
    DictSpec,
    DiscreteSpec,
    SpaceSpec,
    TextSpec,
    TupleSpec,
)
from cwm.core.trajectories import (
    Transition,
    TransitionBatch,
    batch_trajectories,
    make_trajectory,
)
from cwm.programs.accuracy import (
    observation_parts,
    reference_accuracy,
    reward_weights,
    score_draws,
    score_predictions,
    strict_matches,
    wrong_parts,
)
from cwm.programs.tolerances import Tolerances

BOX = BoxSpec((2,), "float32")


def batch(
    steps: list[tuple[object, object, float, bool, bool]], space: SpaceSpec = BOX
) -> TransitionBatch:
    """Each step: observation, next observation, reward, terminated, truncated."""
    return batch_trajectories(
        [
            make_trajectory(
                [Transition(o, 0, n, r, te, tr)],
                observation_space=space,
                action_space=DiscreteSpec(2),
            )
            for o, n, r, te, tr in steps
        ],
        space,
        DiscreteSpec(2),
    )


def truth(data: TransitionBatch) -> Predictions:
    return Predictions(
        next_observations=data.next_observations,
        rewards=data.rewards,
        terminated=data.terminated,
        valid=np.ones(len(data), dtype=bool),
        messages={},
    )


def changed(predictions: Predictions, **changes: object) -> Predictions:
    fields = {
        name: getattr(predictions, name)
        for name in ("next_observations", "rewards", "terminated", "valid", "messages")
    }
    return Predictions(**(fields | changes))


# Element 0 changes by 0 and 2 (standard deviation 1), element 1 never.
DATA = batch(
    [
        ([0.0, 5.0], [0.0, 5.0], 0.0, False, False),
        ([0.0, 5.0], [2.0, 5.0], 1.0, False, False),
        ([1.0, 5.0], [1.0, 5.0], 0.0, False, True),
        ([1.0, 5.0], [3.0, 5.0], 0.0, True, False),
    ]
)
TOLERANCES = Tolerances.from_batch(DATA)


def test_exact_predictions_are_perfect_by_every_honest_rule() -> None:
    score = score_predictions(truth(DATA), DATA, TOLERANCES)
    assert (score.strict, score.paper, score.score) == (1.0, 1.0, 1.0)
    assert set(score.part_accuracy.values()) == {1.0}


def test_reference_counts_the_time_limit_as_done() -> None:
    # The third transition was cut off: done, with nothing but the reward right: 1/2.
    # Reward 0 has three transitions, reward 1 one: (mean(1, .5, 1) + 1) / 2.
    expected = ((1 + 0.5 + 1) / 3 + 1) / 2
    assert reference_accuracy(truth(DATA), DATA) == pytest.approx(expected, abs=1e-15)


def test_reference_compares_rewards_in_single_precision_with_equality() -> None:
    data = batch([([0.0, 0.0], [0.0, 0.0], 0.1, False, False)])
    assert reference_accuracy(truth(data), data) == pytest.approx(2 / 3, abs=1e-15)
    as_float32 = changed(truth(data), rewards=np.array([float(np.float32(0.1))]))
    assert reference_accuracy(as_float32, data) == 1.0


def test_reference_ignores_the_observation_after_the_end() -> None:
    data = batch([([0.0, 0.0], [1.0, 2.0], 1.0, True, False)])
    wrong = changed(truth(data), next_observations={"": np.zeros((1, 2), np.float32)})
    assert reference_accuracy(wrong, data) == 1.0
    assert score_predictions(wrong, data, Tolerances.from_batch(data)).score == (
        pytest.approx(2 / 3)
    )


def test_reference_ignores_the_observation_after_a_time_limit_as_well() -> None:
    data = batch([([0.0, 0.0], [1.0, 2.0], 1.0, False, True)])
    said = changed(
        truth(data),
        next_observations={"": np.zeros((1, 2), np.float32)},
        terminated=np.ones(1, dtype=bool),
    )
    assert reference_accuracy(said, data) == 1.0
    score = score_predictions(said, data, Tolerances.from_batch(data))
    assert (score.strict, score.score) == (0.0, pytest.approx(1 / 3))


def test_reference_gives_each_reward_in_single_precision_the_same_weight() -> None:
    # Two rewards that are one in single precision, and a rare one: 1/4, 1/4, 1/2.
    zeros = [0.0, 0.0]
    data = batch(
        [(zeros, zeros, reward, False, False) for reward in (0.5, 0.5 + 1e-12, -100.0)]
    )
    rare_missing = changed(truth(data), valid=np.array([True, True, False]))
    # The second reward is off by 1e-12, which is wrong: 2/3 of its transition.
    expected = 1 / 4 + 2 / 3 / 4
    assert reference_accuracy(rare_missing, data) == pytest.approx(expected, abs=1e-15)


def test_partial_credit_is_weighted_by_distinct_rewards() -> None:
    predictions = changed(
        truth(DATA),
        # Row 0: one of two elements wrong. Row 1: reward wrong. Row 3: not ended.
        next_observations={
            "": np.array([[0, 6], [2, 5], [1, 5], [3, 5]], dtype=np.float32)
        },
        rewards=np.array([0.0, 2.0, 0.0, 0.0]),
        terminated=np.zeros(4, dtype=bool),
    )
    score = score_predictions(predictions, DATA, TOLERANCES)
    reward_zero = ((0.5 + 1 + 1) / 3 + 1 + 2 / 3) / 3
    reward_one = 2 / 3
    assert score.score == pytest.approx((reward_zero + reward_one) / 2, abs=1e-15)
    assert score.strict == 0.25
    assert score.part_accuracy == {
        "observation[0]": 1.0,
        "observation[1]": 0.75,
        "reward": 0.75,
        "terminated": 0.75,
    }


def test_invalid_row_has_nothing_right() -> None:
    valid = np.array([False, True, True, True])
    score = score_predictions(changed(truth(DATA), valid=valid), DATA, TOLERANCES)
    assert score.strict == score.part_accuracy["terminated"] == 0.75
    assert score.score == pytest.approx((2 / 3 + 1) / 2)


@pytest.mark.parametrize(
    ("error", "is_right"), [(0.99e-4, True), (1.01e-4, False), (-1.01e-4, False)]
)
def test_real_element_may_be_off_by_1e4th_of_the_spread_of_its_change(
    error: float, is_right: bool
) -> None:
    columns = DATA.next_observations[""].copy()
    columns[0, 0] += np.float32(error)
    predictions = changed(truth(DATA), next_observations={"": columns})
    matches = strict_matches(predictions, DATA, TOLERANCES)
    assert bool(matches.elements[0, 0]) is is_right


@pytest.mark.parametrize(("units", "is_right"), [(8, True), (9, False)])
def test_element_that_never_changes_may_be_off_by_8_units_in_the_last_place(
    units: int, is_right: bool
) -> None:
    columns = DATA.next_observations[""].copy()
    columns[0, 1] += units * np.spacing(np.float32(5.0))
    predictions = changed(truth(DATA), next_observations={"": columns})
    assert (
        bool(strict_matches(predictions, DATA, TOLERANCES).elements[0, 1]) is is_right
    )


@pytest.mark.parametrize(
    ("expected", "predicted", "is_right"),
    [
        (math.nan, math.nan, True),
        (0.0, math.nan, False),
        (math.nan, 0.0, False),
        (math.inf, math.inf, True),
        (math.inf, -math.inf, False),
        (math.inf, 1e38, False),
        (0.0, math.inf, False),
        (0.0, -0.0, True),
    ],
)
def test_nan_and_infinity_match_themselves_alone(
    expected: float, predicted: float, is_right: bool
) -> None:
    data = batch([([0.0, 0.0], [expected, 0.0], 0.0, False, False)])
    predictions = changed(
        truth(data), next_observations={"": np.array([[predicted, 0.0]], np.float32)}
    )
    score = score_predictions(predictions, data, Tolerances.from_batch(data))
    assert score.strict == score.paper == float(is_right)


def test_reward_nan_is_wrong_where_a_number_was_recorded() -> None:
    predictions = changed(truth(DATA), rewards=np.full(4, np.nan))
    assert score_predictions(predictions, DATA, TOLERANCES).strict == 0.0


def test_discrete_observations_are_exact() -> None:
    data = batch(
        [(0, 3, 0.0, False, False), (3, 4, 0.0, False, False)], DiscreteSpec(9)
    )
    predictions = changed(truth(data), next_observations={"": np.array([3, 5])})
    score = score_predictions(predictions, data, Tolerances.from_batch(data))
    assert score.part_accuracy["observation"] == score.strict == 0.5
    assert score.score == pytest.approx((1 + 2 / 3) / 2)


NESTED = DictSpec(
    (
        ("pair", TupleSpec((BoxSpec((2,), "float64"), DiscreteSpec(3)))),
        ("text", TextSpec()),
        ("image", BoxSpec((9, 9), "uint8")),
    )
)


def test_parts_are_named_by_path_and_index() -> None:
    parts = observation_parts(NESTED)
    assert parts == [
        ("observation/pair/0[0]", slice(0, 1)),
        ("observation/pair/0[1]", slice(1, 2)),
        ("observation/pair/1", slice(2, 3)),
        ("observation/text", slice(3, 4)),
        ("observation/image", slice(4, 85)),
    ]
    assert observation_parts(BoxSpec((1, 2), "int8"))[1][0] == "observation[0,1]"


def test_wrong_parts_of_a_composite_observation_are_named() -> None:
    value = {"pair": (np.zeros(2), 1), "text": "a", "image": np.zeros((9, 9), np.uint8)}
    data = batch([(value, value, 0.0, False, False)], NESTED)
    columns = dict(data.next_observations)
    columns["text"] = ["b"]
    columns["pair/0"] = np.array([[0.0, 1.0]])
    predictions = changed(truth(data), next_observations=columns)
    matches = strict_matches(predictions, data, Tolerances.from_batch(data))
    assert wrong_parts(matches, NESTED) == [
        ("observation/pair/0[1]", "observation/text")
    ]
    # One of 85 elements is the text, one the number.
    assert matches.elements.mean() == pytest.approx(83 / 85)


def test_members_of_a_tuple_are_single_items_for_the_reference() -> None:
    space = TupleSpec((BoxSpec((2,), "float64"), DiscreteSpec(3)))
    data = batch([((np.zeros(2), 1), (np.zeros(2), 1), 0.0, False, False)], space)
    columns = dict(data.next_observations) | {"0": np.array([[0.0, 1.0]])}
    predictions = changed(truth(data), next_observations=columns)
    assert reference_accuracy(predictions, data) == pytest.approx(0.5 / 3 + 2 / 3)


def test_reward_weights_give_each_distinct_value_the_same_total() -> None:
    weights = reward_weights(np.array([1.0, 1.0, 1.0, -5.0]))
    assert weights.tolist() == [1 / 3, 1 / 3, 1 / 3, 1.0]


def test_rows_must_fit() -> None:
    with pytest.raises(ValueError, match="one row for each of 2 transitions"):
        score_predictions(truth(DATA), DATA.select([0, 1]), TOLERANCES)
    nothing = DATA.select([])
    with pytest.raises(ValueError, match=r"at least 1\), got 0"):
        score_predictions(truth(nothing), nothing, TOLERANCES)


COIN = batch([(0, 1, 0.0, False, False), (0, 2, 0.0, False, False)], DiscreteSpec(3))


def draws(*outcomes: int) -> list[Predictions]:
    return [
        changed(truth(COIN), next_observations={"": np.array([outcome, outcome])})
        for outcome in outcomes
    ]


def test_likelihood_of_a_coin_is_that_of_its_draws() -> None:
    tolerances = Tolerances.from_batch(COIN)
    fair = score_draws(draws(1, 2), COIN, tolerances)
    # One of two draws is right in each row: (1 + 1/2) / (2 + 1) = 1/2.
    assert fair.log_likelihood == pytest.approx(math.log(0.5))
    assert fair.strict == fair.part_accuracy["observation"] == 0.5
    # 0 at log(1/6), 1 at log(5/6); reward and terminated are always right.
    scaled = math.log(3) / math.log(5)
    assert fair.score == pytest.approx((scaled + scaled + 1 + 1) / 4)
    always = score_draws(draws(1, 1), COIN, tolerances)
    assert always.log_likelihood == pytest.approx(
        (math.log(5 / 6) + math.log(1 / 6)) / 2
    )
    assert always.score < fair.score


def test_exact_deterministic_draws_score_one_and_hopeless_ones_zero() -> None:
    data = COIN.select([0])
    right = changed(truth(data), next_observations={"": np.array([1])})
    wrong = changed(right, valid=np.array([False]))
    tolerances = Tolerances.from_batch(COIN)
    assert score_draws([right] * 4, data, tolerances).score == 1.0
    assert score_draws([wrong] * 4, data, tolerances).score == 0.0


def test_rewards_that_rounding_makes_equal_weigh_apart_in_the_score_alone() -> None:
    # As float32, the first two rewards are one: the third weighs as much as both.
    near = 0.1 + 1e-12
    data = batch(
        [(0, 1, 0.1, False, False), (0, 1, near, False, False), (0, 1, 5, True, False)],
        DiscreteSpec(3),
    )
    tolerances = Tolerances.from_batch(data)
    several = [
        changed(truth(data), next_observations={"": np.array(observations)})
        for observations in ([2, 1, 1], [1, 1, 2])
    ]
    for predictions in several:
        single = score_predictions(predictions, data, tolerances)
        assert single.score == pytest.approx(8 / 9)
        assert single.reference == reference_accuracy(predictions, data)
    together = score_draws(several, data, tolerances)
    expected = np.mean([reference_accuracy(one, data) for one in several])
    assert together.reference == pytest.approx(expected, abs=1e-15)


def test_draws_of_other_transitions_are_refused() -> None:
    longer = changed(truth(DATA))
    with pytest.raises(ValueError, match="one row for each of 2 transitions"):
        score_draws([*draws(1), longer], COIN, Tolerances.from_batch(COIN))


def test_a_single_draw_is_no_distribution() -> None:
    with pytest.raises(ValueError, match="draws must have at least 2 members, got 1"):
        score_draws(draws(1), COIN, Tolerances.from_batch(COIN))
