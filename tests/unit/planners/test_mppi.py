import math

import numpy as np
import pytest

from planners.gaussian_search import Gaussian
from planners.mppi import (
    MPPIConfig,
    MPPIPlanner,
    PathIntegralRefit,
    path_integral_weights,
)
from planners.planner import PlanningConfig
from tests.support.planning_models import DoubleIntegrator


def test_weights_are_exponentials_of_returns():
    # exp(0), exp(ln 2), exp(ln 4) at temperature 1 / ln 2 a unit: 1 : 2 : 4.
    weights = path_integral_weights(np.array([0.0, 1.0, 2.0]), 1 / math.log(2))
    assert weights == pytest.approx([1 / 7, 2 / 7, 4 / 7])


def test_weights_of_far_away_returns_neither_overflow_nor_vanish():
    assert path_integral_weights(np.array([-1e308, 1e308]), 1e-3).tolist() == [0.0, 1.0]
    weights = path_integral_weights(np.array([-1e6, -1e6 - math.log(3)]), 1.0)
    assert weights == pytest.approx([0.75, 0.25])


def test_failed_plans_weigh_nothing_and_infinite_ones_all():
    weights = path_integral_weights(np.array([math.nan, 1.0, math.inf, math.inf]), 1.0)
    assert weights.tolist() == [0.0, 0.0, 0.5, 0.5]
    weights = path_integral_weights(np.array([math.nan, 1.0, -math.inf]), 1.0)
    assert weights.tolist() == [0.0, 1.0, 0.0]


@pytest.mark.parametrize("factor", [1.0, 1_000.0])
def test_a_relative_temperature_does_not_know_the_size_of_rewards(factor):
    # The standard deviation of (0, 2) is 1; so weights are 1 : e at temperature 2.
    refit = PathIntegralRefit(temperature=2.0, is_relative=True)
    start = Gaussian(mean=np.zeros((1, 1)), std=np.ones((1, 1)))
    points = np.array([0.0, 1.0]).reshape(2, 1, 1)
    moved = refit(start, points, factor * np.array([0.0, 2.0]))
    assert moved.mean.item() == pytest.approx(math.e / (1 + math.e))
    assert moved.std is start.std


def test_an_absolute_temperature_does():
    refit = PathIntegralRefit(temperature=2.0, is_relative=False)
    start = Gaussian(mean=np.zeros((1, 1)), std=np.ones((1, 1)))
    points = np.array([0.0, 1.0]).reshape(2, 1, 1)
    moved = refit(start, points, np.array([0.0, 4.0]))
    assert moved.mean.item() == pytest.approx(math.e**2 / (1 + math.e**2))


@pytest.mark.parametrize("returns", [[1.0, 1.0], [math.nan, math.nan]])
def test_equal_returns_move_nothing(returns):
    refit = PathIntegralRefit(temperature=1.0, is_relative=True)
    start = Gaussian(mean=np.zeros((1, 1)), std=np.ones((1, 1)))
    assert refit(start, np.ones((2, 1, 1)), np.array(returns)) is start


def test_the_mean_is_executed_where_that_is_asked_for():
    model, planning = DoubleIntegrator(), PlanningConfig(horizon=10)
    planner = MPPIPlanner(model.action_space, planning, MPPIConfig(execute="mean"))
    plan = planner.plan(model, model.start, np.random.default_rng(0))
    assert np.array_equal(np.array(plan.actions), plan.memory.mean)
    assert plan.value == sum(step.reward for step in plan.predictions)


def test_temperature_must_be_above_0():
    with pytest.raises(ValueError, match=r"temperature must be above 0, got 0\.0"):
        MPPIConfig(temperature=0.0)
