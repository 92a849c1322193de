import numpy as np
import pytest

from cwm.core.predictions import Predictions
from cwm.core.spaces import BoxSpec, DiscreteSpec, TupleSpec
from cwm.core.trajectories import TransitionBatch
from cwm.programs.constants.remainder import describe_remainder
from cwm.programs.constants.residuals import CAP, Truth, lost
from cwm.programs.tolerances import Tolerances

NEXT = np.array([[1.0], [3.0], [1.0], [3.0]])
"""After zeros: changes of 1 and 3, with a standard deviation of 1."""


def batch(space: object = None, following: object = None) -> TransitionBatch:
    return TransitionBatch(
        observation_space=space or BoxSpec((1,), "float64"),
        action_space=DiscreteSpec(2),
        observations={"": np.zeros((4, 1))} if space is None else following[0],
        actions={"": np.zeros(4, dtype=np.int64)},
        next_observations={"": NEXT} if space is None else following[1],
        rewards=np.array([0.0, 0.0, 2.0, 2.0]),
        terminated=np.array([False, False, False, True]),
        truncated=np.zeros(4, dtype=np.bool_),
        trajectory=np.zeros(4, dtype=np.int64),
        time=np.arange(4),
    )


def predictions(following: np.ndarray, **changes: object) -> Predictions:
    made = {
        "next_observations": {"": following},
        "rewards": np.array([0.0, 0.0, 2.0, 2.0]),
        "terminated": np.array([False, False, False, True]),
        "valid": np.ones(4, dtype=np.bool_),
        "messages": {},
    }
    return Predictions(**{**made, **changes})


TRUTH = Truth(batch(), Tolerances.from_batch(batch()))


def test_exact_predictions_leave_nothing() -> None:
    found = TRUTH.compare(predictions(NEXT.copy()))
    assert (found.values == 0.0).all()
    assert (found.errors == 0.0).all()
    assert found.strict == 1.0
    assert found.cost == 0.0


def test_errors_are_in_standard_deviations_and_in_tolerances() -> None:
    moved = NEXT + np.array([[0.5], [0.0], [0.0], [0.0]])
    found = TRUTH.compare(predictions(moved))
    assert TRUTH.names == ["observation[0]", "reward"]
    assert found.values[0].tolist() == [0.5, 0.0]
    # The tolerance is 1e-4 of the standard deviation, which is 1.
    assert found.errors[0, 0] == pytest.approx(5_000.0)
    assert found.is_right.tolist() == [False, True, True, True]
    assert found.cost == pytest.approx(np.log1p(5_000.0) / 4)


def test_a_wrong_end_is_counted_apart() -> None:
    never = np.zeros(4, dtype=np.bool_)
    found = TRUTH.compare(predictions(NEXT.copy(), terminated=never))
    assert (found.values == 0.0).all()
    assert found.num_wrong.tolist() == [0, 0, 0, 1]
    assert found.strict == 0.75


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
def test_no_number_is_larger_than_the_cap(bad: float) -> None:
    moved = NEXT.copy()
    moved[2] = bad
    found = TRUTH.compare(predictions(moved))
    assert np.abs(found.values).max() == CAP
    assert np.isfinite(found.errors).all()
    assert np.isfinite(found.cost)
    assert not found.is_right[2]


def test_what_is_of_no_form_is_as_wrong_as_can_be() -> None:
    valid = np.array([True, True, True, False])
    found = TRUTH.compare(predictions(NEXT.copy(), valid=valid))
    assert found.values[3].tolist() == [CAP, CAP]
    assert not found.is_right[3]


def test_a_program_that_did_not_end_is_worse_than_any_that_did() -> None:
    assert lost(TRUTH).cost == np.inf
    assert lost(TRUTH).values.shape == (4, 2)


def test_codes_beside_real_numbers_are_right_or_wrong() -> None:
    space = TupleSpec((DiscreteSpec(3), BoxSpec((2,), "float64")))
    codes = np.array([0, 1, 2, 1])
    reals = np.arange(8.0).reshape(4, 2)
    before = {"0": codes, "1": reals * 0.5}
    whole = batch(space, (before, {"0": codes, "1": reals}))
    truth = Truth(whole, Tolerances.from_batch(whole))
    made = predictions(NEXT, next_observations={"0": codes[::-1], "1": reals})
    found = truth.compare(made)
    assert truth.names == ["observation/1[0]", "observation/1[1]", "reward"]
    assert found.num_wrong.tolist() == [1, 1, 1, 1]
    assert (found.values == 0.0).all()


def test_rounding_is_that_of_the_recorded_type() -> None:
    single = TransitionBatch(
        **{
            **{f: getattr(batch(), f) for f in batch().__dataclass_fields__},
            "observation_space": BoxSpec((1,), "float32"),
            "next_observations": {"": NEXT.astype(np.float32)},
        }
    )
    truth = Truth(single, Tolerances.from_batch(single))
    # One unit in the last place at 1 is 2**-23; uniform, its deviation is /sqrt(12).
    assert truth.rounding[0, 0] == pytest.approx(2.0**-23 / np.sqrt(12.0))
    assert TRUTH.rounding[0, 0] == pytest.approx(2.0**-52 / np.sqrt(12.0))


def test_nothing_is_told_where_nothing_is_left() -> None:
    assert describe_remainder(TRUTH, TRUTH.compare(predictions(NEXT.copy()))) == ()


def test_what_is_off_is_told_with_its_size() -> None:
    found = TRUTH.compare(predictions(NEXT + 0.5))
    (told,) = describe_remainder(TRUTH, found)
    assert told == (
        "`observation[0]` is off in 100% of the transitions, there by 0.5 standard "
        "deviations of its usual change."
    )


def test_ends_that_are_wrong_are_told() -> None:
    always = np.ones(4, dtype=np.bool_)
    found = TRUTH.compare(predictions(NEXT.copy(), terminated=always))
    (told,) = describe_remainder(TRUTH, found)
    assert told == (
        "Parts that are right or wrong, such as `terminated`, are wrong in 75% of the "
        "transitions."
    )
