import math

import numpy as np
import pytest

from cwm.core.protocols import Context
from cwm.core.spaces import DiscreteSpec
from planners.actions import ListedActions
from planners.cem import CEMConfig, CEMPlanner
from planners.guidance import Guidance, PriorConfig
from planners.planner import PlanningConfig
from tests.support.planning_models import BatchedCorridor, Corridor, TablePrior

CONTEXT = Context(observations=(0,))


class Says:
    def __init__(self, *logs):
        self.logs = np.array(logs)

    def evaluate(self, contexts, legal):
        return [self.logs] * len(contexts)


def bias(*logs, weight=1.0):
    guidance = Guidance(ListedActions((0, 1)), 1.0, Says(*logs), None)
    return guidance.log_weights([CONTEXT], [range(2)], weight=weight)[0].tolist()


def test_the_most_probable_action_gets_exactly_0():
    logs = (math.log(0.1), math.log(0.9))
    assert bias(*logs) == [logs[0] - logs[1], 0.0]
    assert bias(*[math.log(1 / 2)] * 2) == [0.0, 0.0]


def test_the_weight_is_a_factor_and_what_is_impossible_stays_so():
    assert bias(-3.0, -1.0, weight=0.5) == [-1.0, 0.0]
    assert bias(-math.inf, 0.0, weight=0.0) == [-math.inf, 0.0]


@pytest.mark.parametrize(
    "logs", [(0.0,), (-math.inf, -math.inf), (math.nan, 0.0), (math.inf, 0.0)]
)
def test_a_prior_must_give_a_probability_to_each_action(logs):
    with pytest.raises(ValueError, match="for each of 2 legal actions, got"):
        bias(*logs)


def planned(model, prior, num_steps, *, seed=0):
    planner = CEMPlanner(
        DiscreteSpec(2),
        PlanningConfig(horizon=5, max_model_steps=400),
        CEMConfig(prior=PriorConfig(num_steps=num_steps)),
        prior=prior,
    )
    rng = np.random.default_rng(seed)
    return planner.plan(model, 0, rng, context=CONTEXT)


def test_the_first_step_costs_one_question():
    prior = TablePrior()
    planned(Corridor(), prior, 1)
    assert prior.contexts == [CONTEXT]


def test_further_steps_are_asked_about_where_each_plan_is():
    prior = TablePrior({0: 0.0, 1: 1.0})
    plan = planned(Corridor(9), prior, 3)
    assert plan.actions[:3] == (1, 1, 1)
    assert {len(context.actions) for context in prior.contexts} == {0, 1, 2}
    assert all(
        context.observations[-1] == len(context.actions) for context in prior.contexts
    )


@pytest.mark.parametrize("model", [Corridor(), BatchedCorridor()])
def test_a_uniform_prior_of_all_steps_is_the_plain_planner(model):
    plain = planned(model, None, 1)
    guided = planned(model, TablePrior(), 5)
    assert guided.value == plain.value
    assert guided.actions == plain.actions[: len(guided.actions)]
    assert guided.num_model_steps == plain.num_model_steps


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"weight": -1.0}, r"weight must be 0 or more, got -1\.0"),
        ({"num_steps": 0}, "num_steps must be at least 1, got 0"),
    ],
)
def test_settings_have_bounds(settings, message):
    with pytest.raises(ValueError, match=message):
        PriorConfig(**settings)
