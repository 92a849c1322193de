import math

import numpy as np
import pytest

from planners.elite_refit import EliteRefit
from planners.gaussian_search import Gaussian, elites


def gaussian(mean=0.0, std=1.0):
    return Gaussian(mean=np.full((1, 1), mean), std=np.full((1, 1), std))


def points(*numbers):
    return np.array(numbers, dtype=float).reshape(-1, 1, 1)


def test_elites_are_the_best_in_order_and_the_first_of_equal_ones():
    returns = np.array([1.0, math.nan, 3.0, 1.0, math.inf, -math.inf])
    assert elites(returns, 4).tolist() == [4, 2, 0, 3]
    assert elites(returns, 9).tolist() == [4, 2, 0, 3, 5]
    assert elites(np.tile([0.0, 1.0], 500), 4).tolist() == [1, 3, 5, 7]


def test_the_distribution_moves_to_the_elites():
    refit = EliteRefit(elite_fraction=0.5, momentum=0.0, min_std=0.0)
    moved = refit(gaussian(), points(1, 3, 50, 70), np.array([5.0, 4.0, 0.0, 1.0]))
    assert moved.mean.item() == 2.0
    assert moved.std.item() == 1.0


def test_momentum_keeps_a_share_of_the_old_distribution():
    refit = EliteRefit(elite_fraction=0.5, momentum=0.25, min_std=0.0)
    start = gaussian(mean=10.0, std=5.0)
    moved = refit(start, points(1, 3, 50, 70), np.array([5.0, 4.0, 0.0, 1.0]))
    assert moved.mean.item() == 0.25 * 10 + 0.75 * 2
    assert moved.std.item() == 0.25 * 5 + 0.75 * 1


def test_a_plan_without_a_return_is_never_an_elite():
    refit = EliteRefit(elite_fraction=0.5, momentum=0.0, min_std=0.0)
    returns = np.array([math.nan, math.nan, 1.0, 2.0])
    assert refit(gaussian(), points(99, 99, 4, 6), returns).mean.item() == 5.0


def test_the_spread_has_a_smallest_size():
    refit = EliteRefit(elite_fraction=0.5, momentum=0.0, min_std=0.3)
    moved = refit(gaussian(), points(2, 2, 0, 0), np.array([1.0, 1.0, 0.0, 0.0]))
    assert moved.std.item() == 0.3


@pytest.mark.parametrize(
    "returns", [[-1.0] * 4, [math.nan] * 4, [math.nan, -1, -1, -1]]
)
def test_equal_returns_move_nothing(returns):
    refit = EliteRefit(elite_fraction=0.5, momentum=0.0, min_std=0.0)
    start = gaussian()
    assert refit(start, points(1, 2, 3, 4), np.array(returns)) is start


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"elite_fraction": 0.0}, "elite_fraction must be above 0"),
        ({"momentum": 1.0}, "momentum must be at least 0 and below 1, got 1.0"),
        ({"min_std": -0.1}, "min_std must be 0 or more, got -0.1"),
    ],
)
def test_settings_have_bounds(settings, message):
    usual = {"elite_fraction": 0.1, "momentum": 0.1, "min_std": 0.0}
    with pytest.raises(ValueError, match=message):
        EliteRefit(**{**usual, **settings})
