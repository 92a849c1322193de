"""Advantages: numbers by hand, and a loop that knows no vectors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cwm.providers.policies.learning.advantages import (
    generalised_advantages,
    group_relative,
    leave_one_out,
    normalised,
)


def one(rewards, values, next_values, ends, *, discount=0.5, gae_lambda=0.5):
    """Returns the advantages of one environment."""
    return generalised_advantages(
        np.array(rewards, dtype=float)[:, None],
        np.array(values, dtype=float)[:, None],
        np.array(next_values, dtype=float)[:, None],
        np.array(ends)[:, None],
        discount=discount,
        gae_lambda=gae_lambda,
    )[:, 0].tolist()


def test_advantages_of_an_episode_that_goes_on():
    # delta = 1 + 0.5 * 4 - 2 = 1 and 0 + 0.5 * 8 - 4 = 0; then 1 + 0.25 * 0.
    assert one([1, 0], [2, 4], [4, 8], [False, False]) == [1.0, 0.0]
    # delta = 1 and 2 + 0.5 * 8 - 4 = 2; then 1 + 0.25 * 2.
    assert one([1, 2], [2, 4], [4, 8], [False, False]) == [1.5, 2.0]


def test_terminal_step_has_nothing_after_it():
    # delta = 1 - 2; the next episode does not reach back.
    assert one([1, 2], [2, 4], [0, 8], [True, False]) == [-1.0, 2.0]


def test_truncated_episode_goes_on_in_value_but_not_into_the_next_one():
    # delta = 1 + 0.5 * 6 - 2 = 2, where 6 is the value of what was seen last.
    assert one([1, 2], [2, 4], [6, 8], [True, False]) == [2.0, 2.0]


def naive(rewards, values, next_values, ends, discount, gae_lambda):
    """Returns each advantage as the sum of what follows in its episode."""
    found = []
    for start in range(len(rewards)):
        total, weight = 0.0, 1.0
        for t in range(start, len(rewards)):
            delta = rewards[t] + discount * next_values[t] - values[t]
            total += weight * delta
            weight *= discount * gae_lambda
            if ends[t]:
                break
        found.append(total)
    return found


numbers = st.floats(-10, 10, allow_nan=False)


@settings(max_examples=100, deadline=None)
@given(
    steps=st.lists(st.tuples(numbers, numbers, numbers, st.booleans()), min_size=1),
    discount=st.floats(0.1, 1.0),
    gae_lambda=st.floats(0.0, 1.0),
)
def test_advantages_are_sums_over_the_episode(steps, discount, gae_lambda):
    rewards, values, next_values, ends = map(list, zip(*steps, strict=True))
    found = one(
        rewards, values, next_values, ends, discount=discount, gae_lambda=gae_lambda
    )
    expected = naive(rewards, values, next_values, ends, discount, gae_lambda)
    assert found == pytest.approx(expected, abs=1e-8)


def test_leave_one_out_compares_with_the_others():
    found = leave_one_out(np.array([[1.0, 0.0, 0.5], [1.0, 1.0, 1.0]]))
    assert found.tolist() == [[0.75, -0.75, 0.0], [0.0, 0.0, 0.0]]


def test_group_relative_has_mean_0_and_deviation_1_unless_all_are_equal():
    found = group_relative(np.array([[1.0, 0.0], [0.3, 0.3]]))
    assert found.tolist() == [[1.0, -1.0], [0.0, 0.0]]


def test_what_is_scaled_only_keeps_its_sign():
    found = normalised(
        np.array([0.6, -0.6, 0.0]), np.ones(3, dtype=bool), centres=False
    )
    assert found[2] == 0.0
    assert found[0] == -found[1] > 0.0


def test_only_what_counts_is_normalised_over():
    found = normalised(
        np.array([[1.0, 100.0], [3.0, 100.0]]), np.array([[True, False], [True, False]])
    )
    assert found[:, 0].tolist() == pytest.approx([-1.0, 1.0])
