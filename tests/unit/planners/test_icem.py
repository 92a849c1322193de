import numpy as np
import pytest

from planners.icem import ICEMConfig, ICEMPlanner
from planners.planner import PlanningConfig
from tests.support.planning_models import DoubleIntegrator


class Recording(DoubleIntegrator):
    """Remembers the plans of each round."""

    def __init__(self, horizon: int) -> None:
        self.horizon = horizon
        self.actions: list[np.ndarray] = []

    def step_batch(self, states, actions, rng):
        self.actions.append(actions[:, 0].copy())
        return super().step_batch(states, actions, rng)

    @property
    def rounds(self):
        steps = self.actions
        return [
            np.stack(steps[first : first + self.horizon], axis=1)
            for first in range(0, len(steps), self.horizon)
        ]


def rounds_of(**settings):
    model = Recording(10)
    planning = PlanningConfig(horizon=10, max_model_steps=10_000)
    config = ICEMConfig(**{"num_iterations": 3, "population": 100, **settings})
    planner = ICEMPlanner(model.action_space, planning, config)
    plan = planner.plan(model, model.start, np.random.default_rng(0))
    return model.rounds, plan


def test_each_round_has_fewer_plans():
    rounds, plan = rounds_of(decay=2.0)
    assert [len(plans) for plans in rounds] == [100, 50, 25]
    assert plan.statistics["populations"] == (100, 50, 25)


def test_the_best_plans_are_rolled_out_again():
    rounds, _ = rounds_of(decay=1.0)
    model = DoubleIntegrator()

    def value(plan):
        state, total = model.start, 0.0
        for action in plan:
            state, _, reward, _ = model.step(state, np.array([action]), None)
            total += reward
        return total

    best = sorted(rounds[0], key=value, reverse=True)[:3]
    assert np.array_equal(rounds[1][:3], np.array(best))


def test_no_plan_is_rolled_out_again_where_that_is_switched_off():
    rounds, _ = rounds_of(decay=1.0, reuse_fraction=0.0)
    first = {plan.tobytes() for plan in rounds[0]}
    assert not any(plan.tobytes() in first for plan in rounds[1])


def test_the_last_round_tries_the_mean_itself():
    rounds, plan = rounds_of(decay=1.0, momentum=0.0, reuse_fraction=0.0)
    assert plan.memory.mean.shape == (10, 1)
    # A mean is smoother than any sample of white noise.
    rounds, _ = rounds_of(decay=1.0, noise_exponent=0.0, reuse_fraction=0.0)
    roughness = np.abs(np.diff(rounds[-1], axis=1)).sum(axis=1)
    assert roughness[0] < np.quantile(roughness, 0.1)


def test_elites_go_to_the_next_decision():
    _, plan = rounds_of(decay=1.0)
    assert plan.memory.plans.shape == (3, 10, 1)
    assert np.array_equal(plan.memory.plans[0], np.array(plan.actions))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"decay": 0.5}, r"decay must be at least 1, got 0\.5"),
        ({"noise_exponent": -1.0}, r"noise_exponent must be in 0 \.\. 10, got -1\.0"),
        ({"reuse_fraction": 1.5}, r"reuse_fraction must be in 0 \.\. 1, got 1\.5"),
    ],
)
def test_settings_have_bounds(settings, message):
    with pytest.raises(ValueError, match=message):
        ICEMConfig(**settings)
