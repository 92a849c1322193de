import math

import numpy as np
import pytest

from cwm.core.protocols import ModelError
from planners.simulator import Simulator, discounted_returns
from tests.support.planning_models import (
    BatchedCorridor,
    BrokenIntegrator,
    Counted,
    Scalar,
)


def simulator(model):
    return Simulator(model, np.random.default_rng(0), max_steps=1_000)


def both(model, plans):
    """Rolls out together and singly."""
    together, singly = simulator(Counted(model)), simulator(Scalar(model))
    rollouts = [each.roll_out(model.start, plans) for each in (together, singly)]
    assert together.num_steps == singly.num_steps
    assert together.num_failures == singly.num_failures
    return together, rollouts


def assert_same(left, right):
    for name in ("rewards", "lengths", "terminated", "failed"):
        assert np.array_equal(getattr(left, name), getattr(right, name)), name
    for ours, theirs in zip(left.observations, right.observations, strict=True):
        assert len(ours) == len(theirs)
        assert np.array_equal(np.ravel(ours), np.ravel(theirs))


def test_rollouts_that_end_leave_the_batch():
    plans = np.array([[1, 1, 1, 0, 0], [0, 1, 1, 1, 1], [0, 0, 0, 0, 0]])
    counted, (together, singly) = both(BatchedCorridor(4), plans)
    assert_same(together, singly)
    assert together.lengths.tolist() == [3, 4, 5]
    assert together.terminated.tolist() == [True, True, False]
    assert counted.num_steps == counted.model.num_steps == 12


def test_rows_that_fail_leave_the_batch_and_the_others_go_on_together():
    pushes = np.array([[0.1, 0.2, 0.1], [0.1, 0.9, 0.1], [0.9, 0.1, 0.1]])
    counted, (together, singly) = both(BrokenIntegrator(), pushes[..., np.newaxis])
    assert_same(together, singly)
    assert together.failed.tolist() == [False, True, True]
    assert together.lengths.tolist() == [3, 1, 0]
    assert counted.num_failures == 2
    assert np.isnan(discounted_returns(together, 1.0)).tolist() == [False, True, True]


def test_a_batch_that_fails_is_not_begun_again():
    class Late(BatchedCorridor):
        calls = 0

        def step_batch(self, states, actions, rng):
            self.calls += 1
            if self.calls == 3:
                raise ModelError("unknown")
            return super().step_batch(states, actions, rng)

    counted = Counted(Late(30))
    rollouts = simulator(counted).roll_out(0, np.ones((4, 5), dtype=np.int64))
    assert rollouts.lengths.tolist() == [5] * 4
    assert counted.num_steps == 20


def test_returns_are_discounted():
    rollouts = simulator(BatchedCorridor(4)).roll_out(0, np.ones((1, 5), dtype=int))
    assert discounted_returns(rollouts, 0.5).tolist() == [0.25]


@pytest.mark.parametrize("reward", [math.inf, math.nan])
def test_rewards_that_are_no_numbers_raise_no_warning(reward):
    class Odd(BatchedCorridor):
        def step_batch(self, states, actions, rng):
            cells, _, ends = super().step_batch(states, actions, rng)
            return cells, np.where(actions == 1, reward, -math.inf), ends

    rollouts = simulator(Odd(9)).roll_out(0, np.array([[1, 0, 0], [1, 1, 1]]))
    returns = discounted_returns(rollouts, 1.0)
    assert math.isnan(returns[0])
    assert returns[1] == reward or math.isnan(reward)
