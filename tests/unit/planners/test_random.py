import numpy as np
import pytest

from cwm.core.protocols import Context
from cwm.core.spaces import BoxSpec
from planners.planner import PlanningConfig
from planners.random import RandomConfig, RandomPlanner
from planners.random_shooting import RandomShootingConfig, RandomShootingPlanner
from tests.support.planning_models import Corridor, Scalar, TablePrior


def shares(prior=None, *, number=4_000):
    planner = RandomPlanner(
        Corridor.action_space, PlanningConfig(), RandomConfig(), prior=prior
    )
    rng, context = np.random.default_rng(0), Context(observations=(2,))
    chosen = [
        planner.plan(Corridor(), 2, rng, context=context).actions[0]
        for _ in range(number)
    ]
    return np.bincount(chosen, minlength=2) / number


def test_actions_are_equally_probable():
    assert shares() == pytest.approx([0.5, 0.5], abs=0.03)


def test_a_prior_says_how_probable_they_are():
    assert shares(TablePrior({0: 0.9, 1: 0.1})) == pytest.approx([0.9, 0.1], abs=0.03)


def test_a_box_is_filled_evenly():
    space = BoxSpec((1,), "float64", (-1.0,), (3.0,))
    planner = RandomPlanner(space, PlanningConfig(), RandomConfig())
    rng = np.random.default_rng(0)
    drawn = [planner.plan(Corridor(), 0, rng).actions[0].item() for _ in range(4_000)]
    assert np.quantile(drawn, [0, 0.25, 0.5, 1]) == pytest.approx(
        [-1, 0, 1, 3], abs=0.1
    )


def test_the_model_is_not_asked():
    model = Scalar(Corridor())
    planner = RandomPlanner(Corridor.action_space, PlanningConfig(), RandomConfig())
    plan = planner.plan(model, 0, np.random.default_rng(0))
    assert (model.num_steps, plan.num_model_steps, plan.predictions) == (0, 0, ())


def test_shooting_takes_as_many_plans_as_it_is_told():
    planner = RandomShootingPlanner(
        Corridor.action_space,
        PlanningConfig(horizon=3, max_model_steps=1_000),
        RandomShootingConfig(num_plans=7),
    )
    plan = planner.plan(Corridor(9), 0, np.random.default_rng(0))
    assert plan.statistics["num_plans"] == 7
    assert plan.num_model_steps == 21


def test_shooting_uses_what_early_ends_save():
    planner = RandomShootingPlanner(
        Corridor.action_space,
        PlanningConfig(horizon=10, max_model_steps=1_000),
        RandomShootingConfig(),
    )
    plan = planner.plan(Corridor(2), 0, np.random.default_rng(0))
    assert plan.statistics["num_plans"] > 300
    assert plan.num_model_steps > 990


def test_shooting_has_bounds():
    with pytest.raises(ValueError, match="num_plans must be at least 1, got 0"):
        RandomShootingConfig(num_plans=0)
    with pytest.raises(ValueError, match="min_population must be at least 1, got 0"):
        RandomShootingConfig(min_population=0)
