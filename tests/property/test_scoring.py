"""Invariants of scoring over generated predictions."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cwm.core.predictions import Predictions
from cwm.core.spaces import BoxSpec, DiscreteSpec
from cwm.core.trajectories import TransitionBatch
from cwm.programs.accuracy import score_draws, score_predictions
from cwm.programs.json_values import value_from_json, value_to_json
from cwm.programs.tolerances import Tolerances

NUMBERS = st.floats(width=32)
FINITE = st.floats(-1e6, 1e6, width=32)


@st.composite
def batches(draw: st.DrawFn) -> TransitionBatch:
    size = draw(st.integers(1, 6))
    row = st.lists(FINITE, min_size=2, max_size=2)
    rows = st.lists(row, min_size=size, max_size=size)
    flags = st.lists(st.booleans(), min_size=size, max_size=size)
    return TransitionBatch(
        observation_space=BoxSpec((2,), "float32"),
        action_space=DiscreteSpec(2),
        observations={"": np.array(draw(rows), dtype=np.float32)},
        actions={"": np.zeros(size, dtype=np.int64)},
        next_observations={"": np.array(draw(rows), dtype=np.float32)},
        rewards=np.array(draw(st.lists(FINITE, min_size=size, max_size=size))),
        terminated=np.array(draw(flags)),
        truncated=np.array(draw(flags)),
        trajectory=np.zeros(size, dtype=np.int64),
        time=np.arange(size),
    )


@st.composite
def cases(draw: st.DrawFn) -> tuple[TransitionBatch, Predictions]:
    batch = draw(batches())
    size = len(batch)
    observations = batch.next_observations[""].copy()
    rewards = batch.rewards.copy()
    for index in range(size):
        if draw(st.booleans()):
            observations[index, draw(st.integers(0, 1))] = draw(NUMBERS)
        if draw(st.booleans()):
            rewards[index] = draw(NUMBERS)
    flags = st.lists(st.booleans(), min_size=size, max_size=size)
    return batch, Predictions(
        next_observations={"": observations},
        rewards=rewards,
        terminated=np.array(draw(flags)),
        valid=np.array(draw(flags)),
        messages={},
    )


def truth(batch: TransitionBatch) -> Predictions:
    return Predictions(
        next_observations=batch.next_observations,
        rewards=batch.rewards,
        terminated=batch.terminated,
        valid=np.ones(len(batch), dtype=bool),
        messages={},
    )


@given(cases())
def test_scores_are_shares(case: tuple[TransitionBatch, Predictions]) -> None:
    batch, predictions = case
    score = score_predictions(predictions, batch, Tolerances.from_batch(batch))
    shares = [score.strict, score.paper, score.reference, score.score]
    assert all(0.0 <= share <= 1.0 for share in shares)
    assert all(score.strict <= part for part in score.part_accuracy.values())


@given(cases())
def test_score_is_one_exactly_if_everything_is_strictly_right(
    case: tuple[TransitionBatch, Predictions],
) -> None:
    batch, predictions = case
    score = score_predictions(predictions, batch, Tolerances.from_batch(batch))
    assert (score.score == 1.0) is (score.strict == 1.0)


@given(batches())
def test_the_truth_is_perfect(batch: TransitionBatch) -> None:
    score = score_predictions(truth(batch), batch, Tolerances.from_batch(batch))
    assert (score.strict, score.paper, score.score) == (1.0, 1.0, 1.0)


@given(cases(), st.randoms(use_true_random=False))
def test_order_of_transitions_does_not_matter(
    case: tuple[TransitionBatch, Predictions], random: object
) -> None:
    batch, predictions = case
    tolerances = Tolerances.from_batch(batch)
    order = np.argsort([random.random() for _ in range(len(batch))])
    shuffled = Predictions(
        next_observations={"": predictions.next_observations[""][order]},
        rewards=predictions.rewards[order],
        terminated=predictions.terminated[order],
        valid=predictions.valid[order],
        messages={},
    )
    one = score_predictions(predictions, batch, tolerances)
    other = score_predictions(shuffled, batch.select(order), tolerances)
    assert one.strict == other.strict
    np.testing.assert_allclose(one.score, other.score, rtol=1e-12)
    np.testing.assert_allclose(one.reference, other.reference, rtol=1e-12)


@given(cases(), st.integers(0, 5))
def test_repairing_a_row_never_lowers_a_score(
    case: tuple[TransitionBatch, Predictions], row: int
) -> None:
    batch, predictions = case
    row %= len(batch)
    tolerances = Tolerances.from_batch(batch)
    before = score_predictions(predictions, batch, tolerances)
    predictions.next_observations[""][row] = batch.next_observations[""][row]
    predictions.rewards[row] = batch.rewards[row]
    predictions.terminated[row] = batch.terminated[row]
    predictions.valid[row] = True
    after = score_predictions(predictions, batch, tolerances)
    assert after.strict >= before.strict
    assert after.paper >= before.paper
    assert after.score >= before.score - 1e-12


@given(st.lists(cases(), min_size=1, max_size=1), st.integers(2, 5))
def test_equal_draws_keep_the_order_of_single_scores(
    case: list[tuple[TransitionBatch, Predictions]], num_draws: int
) -> None:
    batch, predictions = case[0]
    tolerances = Tolerances.from_batch(batch)
    single = score_predictions(predictions, batch, tolerances)
    repeated = score_draws([predictions] * num_draws, batch, tolerances)
    np.testing.assert_allclose(repeated.strict, single.strict)
    assert 0.0 <= repeated.score <= 1.0
    # Draws that are all alike are right or wrong: the scale's ends, row by row.
    parts = [
        single.strict,
        np.mean(
            [np.all(row) for row in observation_matches(predictions, batch, tolerances)]
        ),
        single.part_accuracy["reward"],
        single.part_accuracy["terminated"],
    ]
    np.testing.assert_allclose(repeated.score, np.mean(parts), atol=1e-12)


def observation_matches(
    predictions: Predictions, batch: TransitionBatch, tolerances: Tolerances
) -> np.ndarray:
    expected = batch.next_observations[""]
    predicted = predictions.next_observations[""]
    bounds = tolerances.bounds("", expected)
    with np.errstate(invalid="ignore", over="ignore"):
        near = np.abs(predicted.astype(float) - expected.astype(float)) <= bounds
    return near & predictions.valid[:, None]


VALUES = st.recursive(
    st.text() | st.integers() | st.booleans() | st.floats(allow_nan=False) | st.none(),
    lambda inner: (
        st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text(), inner)
    ),
    max_leaves=8,
)


@given(VALUES)
def test_values_survive_json(value: object) -> None:
    assert value_from_json(value_to_json(value)) == value


@given(st.lists(NUMBERS, max_size=5), st.sampled_from(["float32", "float64"]))
def test_arrays_survive_json_bit_for_bit(numbers: list[float], dtype: str) -> None:
    array = np.array(numbers, dtype=dtype)
    back = value_from_json(value_to_json(array))
    assert back.dtype == array.dtype
    np.testing.assert_array_equal(back, array)
