"""States and actions to compare on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cwm.core.spaces import BoxSpec, DiscreteSpec, MultiDiscreteSpec, TextSpec
from cwm.programs.acceleration.samples import samples

BOX = BoxSpec((2,), "float32", low=(-1.0, -np.inf), high=(1.0, np.inf))


def test_recorded_pairs_come_first_and_all_of_them() -> None:
    states = np.array([[0.0, 5.0], [0.5, 9.0]], dtype=np.float32)
    actions = np.array([1, 0])
    found = samples(
        BOX, DiscreteSpec(3), recorded=(states, actions), number=300, seed=0
    )
    assert (len(found), found.num_recorded) == (302, 2)
    np.testing.assert_array_equal(found.states[:2], states)
    np.testing.assert_array_equal(found.actions[:2], actions)
    assert found.states.dtype == np.float32


def test_drawn_states_reach_the_bounds_and_beyond_what_was_recorded() -> None:
    states = np.array([[0.0, 5.0], [0.5, 9.0]], dtype=np.float32)
    found = samples(
        BOX, DiscreteSpec(3), recorded=(states, np.array([0, 0])), number=3000, seed=0
    )
    first, second = found.states[2:].T
    assert (first.min(), first.max()) == (-1.0, 1.0)
    # Without bounds: half of what was seen, and one more, to each side.
    assert second.min() == 2.0
    assert second.max() == 12.0
    assert set(found.actions.tolist()) == {0, 1, 2}


def test_all_pairs_of_small_spaces_are_the_last_ones() -> None:
    found = samples(
        DiscreteSpec(4, start=2), DiscreteSpec(3), recorded=None, number=9, seed=0
    )
    pairs = list(
        zip(found.states[-12:].tolist(), found.actions[-12:].tolist(), strict=True)
    )
    assert pairs == [(s, a) for s in range(2, 6) for a in range(3)]


@given(seed=st.integers(0, 2**32), number=st.integers(3, 60))
def test_samples_are_of_their_spaces(seed: int, number: int) -> None:
    spaces = MultiDiscreteSpec((3, 5)), DiscreteSpec(2, start=1)
    found = samples(*spaces, recorded=None, number=number, seed=seed)
    assert found.states.shape == (number, 2)
    assert found.states.min() >= 0
    assert (found.states.max(axis=0) < [3, 5]).all()
    assert set(found.actions.tolist()) <= {1, 2}


def test_the_same_seed_draws_the_same() -> None:
    one, other = (
        samples(BOX, DiscreteSpec(3), recorded=None, number=30, seed=4)
        for _ in range(2)
    )
    np.testing.assert_array_equal(one.states, other.states)


def test_texts_are_no_rows() -> None:
    with pytest.raises(ValueError, match="rows of an array"):
        samples(TextSpec(5), DiscreteSpec(3), recorded=None, number=30, seed=0)
