import numpy as np
import pytest

from cwm.core.spaces import BoxSpec, DiscreteSpec, MultiDiscreteSpec, TextSpec
from planners.latent import points_of


def test_a_box_is_mapped_to_its_bounds():
    points = points_of(BoxSpec((2,), "float32", (-2.0, 0.0), (2.0, 10.0)))
    actions = points.to_actions(np.array([[[-1.0, -1.0], [0.0, 0.0], [1.0, 0.5]]]))
    assert actions.tolist() == [[[-2.0, 0.0], [0.0, 5.0], [2.0, 7.5]]]
    assert actions.dtype == np.float32


def test_half_the_largest_bound_is_in_units_of_each_half_range():
    points = points_of(BoxSpec((2,), "float64", (-2.0, 0.0), (2.0, 10.0)))
    assert points.std_of_largest_bound(0.5).tolist() == [2.5, 1.0]


def test_an_element_with_one_value_has_no_spread():
    points = points_of(BoxSpec((2,), "float64", (1.0, -1.0), (1.0, 1.0)))
    assert points.std_of_largest_bound(0.5).tolist() == [0.0, 0.5]


def test_integers_of_a_box_are_equally_probable():
    points = points_of(BoxSpec((1,), "int64", (0.0,), (3.0,)))
    drawn = points.spread_evenly(np.random.default_rng(0), 8_000, 1)
    counts = np.bincount(points.to_actions(drawn).ravel())
    assert len(counts) == 4
    assert np.abs(counts / 8_000 - 0.25).max() < 0.02


def test_the_action_is_the_one_with_the_highest_score():
    points = points_of(DiscreteSpec(3, start=5))
    scores = np.array([[[0.1, 0.3, 0.2], [0.9, 0.3, 0.2]]])
    assert points.to_actions(scores).tolist() == [[6, 5]]


def test_bias_is_added_to_the_first_step_only():
    points = points_of(DiscreteSpec(2))
    scores = np.array([[[1.0, 0.9], [1.0, 0.9]]])
    assert points.to_actions(scores, np.array([0.0, 0.2])).tolist() == [[1, 0]]


def test_vectors_of_integers_are_listed():
    points = points_of(MultiDiscreteSpec((2, 2)))
    assert points.size == 4
    assert points.to_actions(np.eye(4)[None]).tolist() == [
        [[0, 0], [0, 1], [1, 0], [1, 1]]
    ]


def test_only_legal_actions_are_chosen():
    points = points_of(DiscreteSpec(3))
    assert points.choose(np.array([3.0, 1.0, 2.0]), (1, 2), None) == 2
    assert points.choose(np.array([3.0, 1.0, 2.0]), (1, 2), np.array([1.5, 0.0])) == 1


def test_a_legal_action_that_is_not_of_the_space_is_refused():
    points = points_of(DiscreteSpec(3))
    with pytest.raises(ValueError, match="must be one of the action space, got 7"):
        points.choose(np.zeros(3), (7,), None)


def test_texts_are_chosen_by_their_place_and_all_can_be():
    points = points_of(TextSpec())
    legal = tuple(f"go {number}" for number in range(40))
    rng = np.random.default_rng(0)
    drawn = points.spread_evenly(rng, 3_000, 1)[:, 0]
    chosen = {points.choose(scores, legal, None) for scores in drawn}
    assert chosen == set(legal)
    assert points.choose(drawn[0], legal[:3], None) == legal[drawn[0][:3].argmax()]
