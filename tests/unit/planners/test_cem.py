import numpy as np
import pytest

from cwm.core.spaces import BoxSpec
from planners.cem import CEM_PAPER, CEM_PAPER_PLANNING, CEMConfig, CEMPlanner
from planners.planner import PlanningConfig
from tests.support.planning_models import DoubleIntegrator

SKEWED = BoxSpec((1,), "float64", (-1.0,), (3.0,))


def transcribed(model, space, rng, *, num_plans, num_elites, num_rounds, horizon):
    """The paper's planner, written down plainly: one plan after the other."""
    low, high = space.bounds()
    mean = np.tile((low + high) / 2, (horizon, 1))
    std = np.full((horizon, 1), max(np.abs(low).max(), np.abs(high).max()) / 2)
    for _ in range(num_rounds):
        noise = rng.standard_normal((num_plans, horizon, 1))
        plans = np.clip(mean + std * noise, low, high)
        returns = []
        for plan in plans:
            state, total = model.start, 0.0
            for action in plan:
                state, _, reward, _ = model.step(state, action, rng)
                total += reward
            returns.append(total)
        best_first = np.argsort(-np.array(returns))
        best = plans[best_first[:num_elites]]
        mean, std = best.mean(axis=0), best.std(axis=0)
    return plans[best_first[0]], max(returns)


@pytest.mark.parametrize("space", [DoubleIntegrator.action_space, SKEWED])
def test_the_paper_preset_is_the_papers_planner(space):
    model = DoubleIntegrator()
    planning = PlanningConfig(horizon=6, max_model_steps=40 * 6 * 5)
    config = CEMConfig(
        **{
            **{name: getattr(CEM_PAPER, name) for name in CEMConfig.__slots__},
            "population": 40,
            "num_iterations": 5,
        }
    )
    plan = CEMPlanner(space, planning, config).plan(
        model, model.start, np.random.default_rng(0)
    )
    actions, value = transcribed(
        model,
        space,
        np.random.default_rng(0),
        num_plans=40,
        num_elites=4,
        num_rounds=5,
        horizon=6,
    )
    assert np.array(plan.actions) == pytest.approx(actions, rel=1e-12)
    assert plan.value == pytest.approx(value, rel=1e-12)
    assert plan.num_model_steps == 40 * 6 * 5
    assert plan.memory is None


def test_the_paper_preset_has_the_papers_sizes():
    model = DoubleIntegrator()
    planner = CEMPlanner(model.action_space, CEM_PAPER_PLANNING, CEM_PAPER)
    plan = planner.plan(model, model.start, np.random.default_rng(0), steps_left=500)
    assert plan.statistics["populations"] == (1_000,) * 20
    assert len(plan.actions) == 100
    assert plan.num_model_steps == 2_000_000


def test_the_best_of_all_rounds_is_not_worse_than_of_any():
    model = DoubleIntegrator()
    planning = PlanningConfig(horizon=20, max_model_steps=2_000)
    planner = CEMPlanner(model.action_space, planning, CEMConfig())
    plan = planner.plan(model, model.start, np.random.default_rng(0))
    assert plan.value == max(plan.statistics["best_returns"])


def test_a_warm_start_is_never_worse_than_going_on_with_the_plan():
    model, rng = DoubleIntegrator(), np.random.default_rng(0)
    planning = PlanningConfig(horizon=20, max_model_steps=400)
    planner = CEMPlanner(model.action_space, planning, CEMConfig())
    plan = planner.plan(model, model.start, rng, steps_left=20)
    for steps_left in range(19, 0, -1):
        state = plan.predictions[0].next_state
        rest = sum(step.reward for step in plan.predictions[1:])
        plan = planner.plan(
            model, state, rng, steps_left=steps_left, memory=plan.memory
        )
        assert plan.value >= rest - 1e-9


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_iterations": 0}, "num_iterations must be at least 1, got 0"),
        ({"population": 0}, "population must be at least 1, got 0"),
        ({"min_population": 0}, "min_population must be at least 1, got 0"),
        ({"initial_std": 0.0}, r"initial_std must be above 0, got 0\.0"),
        ({"elite_fraction": 2.0}, "elite_fraction must be above 0 and at most 1"),
    ],
)
def test_settings_have_bounds(settings, message):
    with pytest.raises(ValueError, match=message):
        CEMConfig(**settings)
