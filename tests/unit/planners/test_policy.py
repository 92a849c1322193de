import math

import numpy as np
import pytest

from cwm.core.protocols import Context
from cwm.core.spaces import BoxSpec
from planners.planner import PlanningConfig
from planners.policy import PolicyConfig, PolicyPlanner
from planners.registry import PLANNERS, PlannerConfig, new_planner
from tests.support.planning_models import Corridor, Scalar, TablePrior

HERE = Context(observations=(2,))


def planner(probabilities=None, *, greedy=False):
    return PolicyPlanner(
        Corridor.action_space,
        PlanningConfig(),
        PolicyConfig(greedy=greedy),
        prior=TablePrior(probabilities),
    )


def shares(probabilities, *, greedy=False, number=4_000):
    made, rng = planner(probabilities, greedy=greedy), np.random.default_rng(0)
    chosen = [
        made.plan(Corridor(), 2, rng, context=HERE).actions[0] for _ in range(number)
    ]
    return np.bincount(chosen, minlength=2) / number


def test_actions_are_drawn_with_the_prior_s_probabilities():
    assert shares({0: 0.8, 1: 0.2}) == pytest.approx([0.8, 0.2], abs=0.03)
    assert shares({0: 1.0, 1: 0.0}) == pytest.approx([1.0, 0.0])


def test_the_likeliest_is_taken_without_a_draw():
    assert shares({0: 0.4, 1: 0.6}, greedy=True, number=9).tolist() == [0.0, 1.0]
    assert shares(None, greedy=True, number=9).tolist() == [1.0, 0.0]
    rng = np.random.default_rng(3)
    before = rng.bit_generator.state
    planner({0: 0.4, 1: 0.6}, greedy=True).plan(Corridor(), 2, rng, context=HERE)
    assert rng.bit_generator.state == before


def test_the_model_is_not_asked():
    model = Scalar(Corridor())
    plan = planner({0: 0.8, 1: 0.2}).plan(
        model, 2, np.random.default_rng(0), context=HERE
    )
    assert (model.num_steps, plan.num_model_steps, plan.predictions) == (0, 0, ())
    expected = {0: 0.8, 1: 0.2}[plan.actions[0]]
    assert plan.statistics["probability"] == pytest.approx(expected)
    assert math.isnan(plan.value)


def test_it_does_nothing_without_a_prior_and_what_it_reads():
    with pytest.raises(ValueError, match="'policy' acts as a prior says, and got none"):
        new_planner(PlannerConfig(name="policy"), Corridor.action_space)
    with pytest.raises(ValueError, match="plan must be given a context"):
        planner().plan(Corridor(), 2, np.random.default_rng(0))


def test_it_needs_listed_actions():
    space = BoxSpec((1,), "float64", (-1.0,), (3.0,))
    with pytest.raises(ValueError, match="must have listed actions"):
        new_planner(PlannerConfig(name="policy"), space, prior=TablePrior())


def test_only_planners_that_look_ahead_use_a_value():
    lazy = [name for name, spec in PLANNERS.items() if not spec.uses_value]
    assert lazy == ["random", "policy"]
