import numpy as np
import pytest

from cwm.core.spaces import BoxSpec, DiscreteSpec, TupleSpec
from cwm.core.trajectories import Transition, batch_trajectories, make_trajectory
from cwm.programs.tolerances import Tolerances, real_leaves
from tests.support.recorded import record

SPACE = TupleSpec((BoxSpec((2,), "float32"), DiscreteSpec(4), BoxSpec((), "int8")))


def test_spread_is_of_the_change_not_of_the_value() -> None:
    space = BoxSpec((1,), "float64")
    steps = [
        Transition(np.array([x]), 0, np.array([x + step]), reward, False, False)
        for x, step, reward in [(0.0, 100.0, 0.5), (100.0, 104.0, 2.5)]
    ]
    data = batch_trajectories(
        [make_trajectory(steps, observation_space=space, action_space=DiscreteSpec(1))],
        space,
        DiscreteSpec(1),
    )
    tolerances = Tolerances.from_batch(data)
    # Changes 100 and 104: standard deviation 2. Rewards 0.5 and 2.5: 1.
    assert tolerances.observation[""].tolist() == pytest.approx([2e-4])
    assert tolerances.reward == pytest.approx(1e-4)


def test_integers_have_no_tolerance() -> None:
    assert [path for path, _ in real_leaves(SPACE)] == ["0"]


def test_values_that_are_not_finite_do_not_spoil_the_spread() -> None:
    space = BoxSpec((1,), "float64")
    trajectories = [
        make_trajectory(
            [Transition(np.array([0.0]), 0, np.array([x]), 0.0, False, False)],
            observation_space=space,
            action_space=DiscreteSpec(1),
        )
        for x in (1.0, 3.0, np.nan, np.inf)
    ]
    data = batch_trajectories(trajectories, space, DiscreteSpec(1))
    assert Tolerances.from_batch(data).observation[""].tolist() == [1e-4]


@pytest.mark.parametrize(
    ("rewards", "dtype"), [([1.0, -100.0, 0.5], "float32"), ([0.1, 1.0], "float64")]
)
def test_reward_precision_is_that_of_the_recorded_numbers(
    rewards: list[float], dtype: str
) -> None:
    data = record("CartPole-v1").select(range(len(rewards)))
    data = type(data)(**(vars(data) | {"rewards": np.array(rewards)}))
    assert Tolerances.from_batch(data).reward_dtype == dtype


def test_single_precision_reward_may_be_off_by_8_of_its_units() -> None:
    tolerances = Tolerances(observation={}, reward=0.0, reward_dtype="float32")
    bound = tolerances.reward_bounds(np.array([1.0]))[0]
    assert bound == 8 * 2.0**-23
