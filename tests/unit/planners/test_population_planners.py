"""What all planners keep that draw populations of plans."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cwm.core.protocols import Context, ModelError
from cwm.core.spaces import BoxSpec, DiscreteSpec, TextSpec
from planners.cem import CEM_PAPER, CEMConfig, CEMPlanner
from planners.feedback import FeedbackConfig, FeedbackPlanner
from planners.icem import ICEMConfig, ICEMPlanner
from planners.mppi import MPPIConfig, MPPIPlanner
from planners.planner import NoLegalAction, PlanningConfig
from planners.random import RandomConfig, RandomPlanner
from planners.random_shooting import RandomShootingConfig, RandomShootingPlanner
from planners.warm_start import WarmStart, shifted
from tests.support.planning_models import (
    BatchedCorridor,
    BrokenIntegrator,
    Corridor,
    Counted,
    DeadEnd,
    DoubleIntegrator,
    PlaceValue,
    Scalar,
    SlipperyCorridor,
    SparseCar,
    TablePrior,
    WordCorridor,
    act,
)

SEARCHES = {
    "random-shooting": (RandomShootingPlanner, RandomShootingConfig()),
    "cem": (CEMPlanner, CEMConfig()),
    "cem-paper": (CEMPlanner, CEM_PAPER),
    "icem": (ICEMPlanner, ICEMConfig()),
    "mppi": (MPPIPlanner, MPPIConfig()),
    "feedback": (FeedbackPlanner, FeedbackConfig()),
}
PLANNERS = {"random": (RandomPlanner, RandomConfig()), **SEARCHES}
BY_ACTION = sorted(PLANNERS.keys() - {"feedback"})
"""All that draw actions; laws that push as hard as they can all do the same."""
PLANNING = PlanningConfig(horizon=8, max_model_steps=800)


def new(name, space, planning=PLANNING, **guides):
    kind, config = PLANNERS[name]
    return kind(space, planning, config, **guides)


def plan(name, model, *, seed=0, planning=PLANNING, guides=None, space=None, **known):
    planner = new(name, space or model.action_space, planning, **(guides or {}))
    rng = np.random.default_rng(seed)
    return planner.plan(model, model.start, rng, **known)


def assert_same(left, right):
    assert np.array_equal(np.array(left.actions), np.array(right.actions))
    assert left.value == right.value or math.isnan(left.value) == math.isnan(
        right.value
    )
    assert [step.reward for step in left.predictions] == [
        step.reward for step in right.predictions
    ]
    assert left.num_model_steps == right.num_model_steps


@pytest.mark.parametrize("name", PLANNERS)
@pytest.mark.parametrize("model", [DoubleIntegrator(), Corridor(), SlipperyCorridor()])
def test_the_same_generator_gives_the_same_plan(name, model):
    assert_same(plan(name, model, seed=3), plan(name, model, seed=3))


@pytest.mark.parametrize("name", BY_ACTION)
def test_other_generators_give_other_plans(name):
    model = DoubleIntegrator()
    found = {str(plan(name, model, seed=seed).actions) for seed in range(4)}
    assert len(found) == 4


@pytest.mark.parametrize("name", SEARCHES)
@pytest.mark.parametrize(
    "model", [DoubleIntegrator(), BatchedCorridor(), BrokenIntegrator()]
)
def test_batched_and_scalar_models_give_the_same_plan(name, model):
    assert_same(plan(name, model), plan(name, Scalar(model), space=model.action_space))


@pytest.mark.parametrize("name", SEARCHES)
def test_predictions_are_what_the_model_says(name):
    model = DoubleIntegrator()
    found = plan(name, model)
    state, total = model.start, 0.0
    assert len(found.predictions) == len(found.actions) == 8
    for action, predicted in zip(found.actions, found.predictions, strict=True):
        result = model.step(state, action, None)
        assert np.array_equal(result.observation, predicted.observation)
        assert result.reward == predicted.reward
        state, total = result.next_state, total + result.reward
    assert found.value == pytest.approx(total)


@pytest.mark.parametrize("name", SEARCHES)
@pytest.mark.parametrize("model", [Corridor(4), BatchedCorridor(4)])
def test_a_plan_is_predicted_up_to_the_end_and_not_beyond(name, model):
    found = plan(name, model)
    assert found.value == 1.0
    assert [step.terminated for step in found.predictions][-1]
    assert sum(step.terminated for step in found.predictions) == 1


@pytest.mark.parametrize("name", SEARCHES)
def test_sooner_is_better_with_a_discount(name):
    planning = PlanningConfig(horizon=6, discount=0.5, max_model_steps=3_000)
    found = plan(name, Corridor(4), planning=planning)
    assert found.actions[:3] == (1, 1, 1)
    assert found.value == 0.25


@pytest.mark.parametrize("name", PLANNERS)
def test_no_look_goes_beyond_the_steps_left(name):
    model = DoubleIntegrator()
    assert len(plan(name, model, steps_left=3).actions) <= 3
    with pytest.raises(ValueError, match="steps_left must be at least 1, got 0"):
        plan(name, model, steps_left=0)


@pytest.mark.parametrize("name", SEARCHES)
@settings(max_examples=40, deadline=None)
@given(budget=st.integers(1, 700), horizon=st.integers(1, 40), kind=st.integers(0, 4))
def test_the_budget_is_never_exceeded(name, budget, horizon, kind):
    makers = (DoubleIntegrator, BrokenIntegrator, Corridor, BatchedCorridor, DeadEnd)
    model = makers[kind]()
    counted = (Counted if hasattr(model, "step_batch") else Scalar)(model)
    planning = PlanningConfig(horizon=horizon, max_model_steps=budget)
    found = plan(name, counted, space=model.action_space, planning=planning)
    assert 1 <= counted.num_steps <= budget
    assert found.num_model_steps == counted.num_steps


@pytest.mark.parametrize("name", PLANNERS)
def test_illegal_actions_are_never_taken(name):
    model = Corridor(at_wall=False)
    for seed in range(5):
        assert plan(name, model, seed=seed).actions[0] == 1
    assert model.illegal_steps == 0


@pytest.mark.parametrize("name", SEARCHES)
def test_words_known_by_the_model_alone_lead_to_the_goal(name):
    found = plan(name, WordCorridor(), space=TextSpec())
    assert found.value == 1.0
    assert set(found.actions) <= {"left", "right"}


@pytest.mark.parametrize("name", PLANNERS)
def test_a_state_without_legal_actions_has_no_plan(name):
    model = DeadEnd()
    model.start = 2
    with pytest.raises(NoLegalAction):
        plan(name, model)


@pytest.mark.parametrize("name", SEARCHES)
def test_rollouts_end_where_there_is_no_way_on(name):
    found = plan(name, DeadEnd(), seed=1)
    assert not any(step.terminated for step in found.predictions)
    assert not math.isnan(found.value)


@pytest.mark.parametrize("name", SEARCHES)
@pytest.mark.parametrize("wrap", [lambda model: model, Scalar])
def test_plans_that_the_model_has_no_answer_to_are_left_out(name, wrap):
    model = BrokenIntegrator()
    found = plan(name, wrap(model), space=model.action_space)
    assert found.num_failures > 0
    num_failed = found.statistics["num_failed_plans"]
    # What only tells what is usual is no plan.
    assert (
        (num_failed < found.num_failures)
        if name == "feedback"
        else (num_failed == found.num_failures)
    )
    assert not math.isnan(found.value)
    assert max(action.item() for action in found.actions) <= model.limit


@pytest.mark.parametrize("name", SEARCHES)
def test_where_all_plans_fail_the_one_that_got_furthest_is_taken(name):
    class Short(Corridor):
        def step(self, state, action, rng):
            if state == 2 or (state == 1 and action == 0):
                raise ModelError("unknown")
            return super().step(state, 1, rng)

    planning = PlanningConfig(horizon=60, max_model_steps=6_000)
    found = plan(name, Short(), planning=planning)
    assert math.isnan(found.value)
    assert found.statistics["all_failed"]
    assert found.num_failures >= found.statistics["num_failed_plans"] > 0
    assert len(found.predictions) == 2


@pytest.mark.parametrize("name", SEARCHES)
def test_infinite_rewards_do_no_harm(name):
    class Pits(Corridor):
        def step(self, state, action, rng):
            result = super().step(state, action, rng)
            return result._replace(
                reward=-math.inf if state == 1 and action == 0 else result.reward
            )

    found = plan(
        name, Pits(4), planning=PlanningConfig(horizon=4, max_model_steps=2_000)
    )
    assert found.value == 1.0


@pytest.mark.parametrize("name", PLANNERS)
@pytest.mark.parametrize(
    "model",
    [Corridor(), Corridor(at_wall=False), BatchedCorridor(), SlipperyCorridor()],
)
def test_a_uniform_prior_is_the_plain_planner(name, model):
    context = Context(observations=(0,))
    plain = plan(name, model, seed=2)
    guided = plan(name, model, seed=2, guides={"prior": TablePrior()}, context=context)
    assert_same(plain, guided)


@pytest.mark.parametrize("name", PLANNERS)
@pytest.mark.parametrize("at_wall", [True, False])
def test_what_a_prior_forbids_is_never_tried(name, at_wall):
    model, prior = Corridor(at_wall=at_wall), TablePrior({0: 1.0, 1: 0.0})
    model.start = 2
    for seed in range(4):
        found = plan(
            name,
            model,
            seed=seed,
            guides={"prior": prior},
            context=Context(observations=(2,)),
        )
        assert found.actions[0] == 0


@pytest.mark.parametrize("name", PLANNERS)
def test_a_prior_needs_listed_actions_and_a_context(name):
    with pytest.raises(ValueError, match=r"must have listed actions .* got a box"):
        new(name, DoubleIntegrator.action_space, prior=TablePrior())
    with pytest.raises(ValueError, match="must be given a context, got none"):
        plan(name, Corridor(), guides={"prior": TablePrior()})


@pytest.mark.parametrize("name", SEARCHES)
def test_a_value_shows_the_way_beyond_the_horizon(name):
    planning = PlanningConfig(horizon=2, discount=0.9, max_model_steps=200)
    model, value = Corridor(20), PlaceValue(discount=0.9, scale=10.0)
    model.start = 5
    context = Context(instruction="go", observations=(5,))
    found = plan(
        name, model, planning=planning, guides={"value": value}, context=context
    )
    assert found.actions == (1, 1)
    assert found.value == pytest.approx(0.9**2 * 10.0 * 7)
    assert all(len(asked.actions) == 2 for asked in value.contexts)
    assert {asked.instruction for asked in value.contexts} == {"go"}
    assert all(asked.observations[0] == 5 for asked in value.contexts)


@pytest.mark.parametrize("name", SEARCHES)
@pytest.mark.parametrize("at_wall", [True, False])
def test_nothing_follows_an_end(name, at_wall):
    planning = PlanningConfig(horizon=3, max_model_steps=200)
    known = {"guides": {"value": PlaceValue()}, "context": Context(observations=(0,))}
    ended = plan(name, Corridor(2, at_wall=at_wall), planning=planning, **known)
    assert ended.value == 1.0  # A value of the last cell would make it 2.
    model = Corridor(9, at_wall=at_wall)
    cut_off = plan(name, model, planning=planning, steps_left=3, **known)
    assert cut_off.value == 0.0


@pytest.mark.parametrize("name", SEARCHES)
def test_nothing_follows_a_state_without_a_way_on(name):
    model = DeadEnd()
    model.start = 1
    found = plan(
        name,
        model,
        planning=PlanningConfig(horizon=1, max_model_steps=200),
        guides={"value": PlaceValue()},
        context=Context(observations=(1,)),
    )
    # Its horizon ends there before anybody looks for a way on.
    assert found.value == 2.0
    further = plan(
        name,
        model,
        planning=PlanningConfig(horizon=2, max_model_steps=200),
        guides={"value": PlaceValue()},
        context=Context(observations=(1,)),
    )
    assert further.value == 1.0  # There and back.


@pytest.mark.parametrize("name", PLANNERS)
def test_a_value_must_have_the_discount_of_the_planner(name):
    with pytest.raises(ValueError, match=r"discount \(1\.0\), got 0\.9"):
        new(name, DiscreteSpec(2), value=PlaceValue(discount=0.9))


@pytest.mark.parametrize("name", PLANNERS)
def test_a_box_must_have_bounds(name):
    with pytest.raises(ValueError, match="finite bounds"):
        new(name, BoxSpec((1,), "float32"))


@pytest.mark.parametrize("name", ["cem", "icem", "mppi"])
def test_a_decision_begins_with_the_last_one_less_the_steps_made(name):
    model = DoubleIntegrator()
    planner = new(name, model.action_space)
    rng = np.random.default_rng(0)
    first = planner.plan(model, model.start, rng, steps_left=50)
    tried = []

    class Spy(DoubleIntegrator):
        def step_batch(self, states, actions, rng):
            tried.append(actions.copy())
            return super().step_batch(states, actions, rng)

    state = first.predictions[1].next_state
    second = planner.plan(Spy(), state, rng, steps_left=48, memory=first.memory)
    begun = np.stack(tried[:8], axis=1)[0]
    assert np.array_equal(begun, shifted(first.memory.plans[0], by=2, horizon=8))
    rest = sum(step.reward for step in first.predictions[2:])
    assert sum(step.reward for step in second.predictions[:6]) > rest - 1.0


@pytest.mark.parametrize("name", ["cem", "icem", "mppi"])
def test_new_plans_are_drawn_around_the_last_mean(name):
    tried = []

    class Spy(DoubleIntegrator):
        def step_batch(self, states, actions, rng):
            tried.append(actions.copy())
            return super().step_batch(states, actions, rng)

    memory = WarmStart(
        mean=np.full((8, 1), 0.9),
        plans=np.zeros((1, 8, 1)),
        steps_left=None,
        num_done=None,
    )
    plan(name, Spy(), memory=memory)
    assert tried[0].mean() > 0.5


@pytest.mark.parametrize("name", SEARCHES)
def test_memory_of_another_planner_does_no_harm(name):
    model = DoubleIntegrator()
    assert_same(plan(name, model), plan(name, model, memory={"a": "tree"}))


@pytest.mark.parametrize("name", ["cem", "icem", "mppi"])
def test_where_no_reward_is_found_the_spread_stays(name):
    planning = PlanningConfig(horizon=8, max_model_steps=4_000)
    found = plan(name, Corridor(50), planning=planning)
    assert found.statistics["mean_std"] == 1.0
    assert len(found.statistics["populations"]) > 1


@pytest.mark.parametrize("name", SEARCHES)
def test_more_budget_is_not_worse(name):
    model, returns = DoubleIntegrator(), []
    for budget in (200, 4_000):
        planning = PlanningConfig(horizon=15, max_model_steps=budget)
        planner = new(name, model.action_space, planning)
        returns.append([act(planner, model, num_steps=30, seed=s)[0] for s in range(4)])
    assert np.mean(returns[1]) > np.mean(returns[0])


def test_coloured_noise_finds_a_goal_that_needs_long_pushes():
    model = SparseCar()
    planning = PlanningConfig(horizon=100, max_model_steps=20_000)
    planner = new("icem", model.action_space, planning)
    returns = [
        act(planner, model, num_steps=200, seed=s, execute=5)[0] for s in range(3)
    ]
    assert np.mean(returns) > -140


@pytest.mark.parametrize("name", ["cem", "icem", "mppi"])
def test_the_budget_is_used_where_plans_end_early(name):
    class Cliff(Corridor):
        def step(self, state, action, rng):
            return super().step(state, action, rng)._replace(terminated=True)

    planning = PlanningConfig(horizon=100, max_model_steps=4_000)
    found = plan(name, Cliff(), planning=planning)
    assert found.num_model_steps > 3_800
    assert len(found.statistics["populations"]) > 1
