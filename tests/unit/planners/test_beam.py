"""The beam against the exhaustive optimum, and where rewards say nothing."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cwm.core.protocols import Context
from cwm.core.spaces import BoxSpec, DiscreteSpec
from planners.beam import BeamConfig, BeamPlanner
from planners.novelty import as_vectors, spread_order
from planners.planner import PlanningConfig
from tests.support.tree_models import (
    CliffModel,
    FavouringPrior,
    MountainCar,
    TableModel,
    TableValue,
    TargetModel,
    UniformPrior,
    best_return,
    random_table,
    return_of,
)

BOX = BoxSpec((1,), "float32", (-1.0,), (1.0,))


def beam(number: int = 2, horizon: int = 5, **settings: object) -> BeamPlanner:
    budget = int(settings.pop("max_model_steps", 10_000))  # type: ignore[call-overload]
    discount = float(settings.pop("discount", 1.0))  # type: ignore[arg-type]
    planning = PlanningConfig(
        horizon=horizon, max_model_steps=budget, discount=discount
    )
    guidance = {k: settings.pop(k) for k in ("prior", "value") if k in settings}
    config = BeamConfig(**settings)  # type: ignore[arg-type]
    return BeamPlanner(DiscreteSpec(number), planning, config, **guidance)  # type: ignore[arg-type]


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    horizon=st.integers(1, 6),
    discount=st.sampled_from([1.0, 0.5]),
    has_keys=st.booleans(),
)
# Every way ends at depth 2, some worse than breaking off at depth 1 would look.
@example(seed=1902, horizon=2, discount=1.0, has_keys=False)
def test_beam_as_wide_as_the_world_is_exact(
    seed: int, horizon: int, discount: float, has_keys: bool
) -> None:
    model = TableModel(random_table(seed), has_keys=has_keys)
    planner = beam(horizon=horizon, discount=discount, width=6 if has_keys else 64)
    plan = planner.plan(model, 0, np.random.default_rng(0))
    best = best_return(model, 0, horizon, discount=discount, num_actions=2)
    assert plan.value == pytest.approx(best)
    assert return_of(model, 0, plan.actions, discount=discount) == pytest.approx(best)
    if has_keys:
        assert model.num_steps <= 12  # No step is taken twice.


def test_cliff_is_passed_by_the_shortest_way_at_little_cost() -> None:
    plan = beam(4, 50).plan(CliffModel(), 36, np.random.default_rng(0))
    assert (plan.value, len(plan.actions)) == (-13.0, 13)
    assert plan.statistics["is_complete"]
    assert plan.num_model_steps <= 48 * 4


@pytest.mark.parametrize("seed", range(3))
def test_goal_that_no_reward_points_to_is_reached_by_width(seed: int) -> None:
    plan = beam(3, 200).plan(MountainCar(), (-0.5, 0.0), np.random.default_rng(seed))
    assert plan.predictions[-1].terminated
    assert plan.value > -130.0


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 1_000),
    budget=st.integers(1, 60),
    width=st.none() | st.integers(1, 9),
)
def test_budget_is_kept(seed: int, budget: int, width: int | None) -> None:
    model = TableModel(random_table(seed, num_states=40), has_keys=False)
    planner = beam(horizon=8, max_model_steps=budget, width=width)
    plan = planner.plan(model, 0, np.random.default_rng(0))
    assert plan.num_model_steps == model.num_steps <= budget


@pytest.mark.parametrize("model", [MountainCar(), TableModel(random_table(5))])
def test_uniform_prior_is_none(model: MountainCar | TableModel) -> None:
    start = (-0.5, 0.0) if isinstance(model, MountainCar) else 0
    number = 3 if isinstance(model, MountainCar) else 2
    plans = [
        beam(number, 30, max_model_steps=900, prior=prior).plan(
            model,
            start,
            np.random.default_rng(1),
            context=Context(observations=(start,)),
        )
        for prior in (None, UniformPrior())
    ]
    assert plans[0].actions == plans[1].actions
    assert plans[0].num_model_steps == plans[1].num_model_steps


def test_prior_and_value_lead_a_narrow_beam() -> None:
    # Both actions pay the same at once; only what 2 leads to pays later.
    table = {
        (0, 0): (1, 0.0, False),
        (0, 1): (2, 0.0, False),
        **{(1, a): (1, 0.0, False) for a in range(2)},
        **{(2, a): (2, 1.0, False) for a in range(2)},
    }
    context = Context(observations=(0,))
    for guidance in (
        {"prior": FavouringPrior(1)},
        {"value": TableValue({2: 1.0})},
    ):
        for seed in range(8):
            planner = beam(2, 3, width=1, novelty_share=0.0, **guidance)
            rng = np.random.default_rng(seed)
            plan = planner.plan(TableModel(table), 0, rng, context=context)
            assert plan.actions[0] == 1


def test_impossible_action_is_never_taken() -> None:
    model = TableModel({(0, a): (0, float(1 - a), False) for a in range(2)})
    plan = beam(prior=FavouringPrior(1, impossible=0)).plan(
        model, 0, np.random.default_rng(0), context=Context(observations=(0,))
    )
    assert set(plan.actions) == {1}


def test_plan_that_came_true_is_followed_without_another_search() -> None:
    planner, model = beam(4, 50), CliffModel()
    first = planner.plan(model, 36, np.random.default_rng(0))
    state = first.predictions[4].next_state
    second = planner.plan(model, state, np.random.default_rng(0), memory=first.memory)
    assert second.num_model_steps == 0
    assert second.actions == first.actions[5:]
    assert second.value == -8.0
    # Elsewhere it searches.
    other = planner.plan(model, 1, np.random.default_rng(0), memory=first.memory)
    assert other.num_model_steps > 0


def test_rest_of_a_plan_is_a_candidate_of_the_next_search() -> None:
    wide = beam(2, 12, width=64, discount=1.0)
    narrow = beam(2, 11, width=1, novelty_share=1.0)
    for seed in range(12):
        model = TableModel(random_table(seed, num_states=30, end_share=0.0))
        first = wide.plan(model, 0, np.random.default_rng(seed))
        state = first.predictions[0].next_state
        rest = sum(result.reward for result in first.predictions[1:])
        second = narrow.plan(
            model, state, np.random.default_rng(seed), memory=first.memory
        )
        assert second.value >= rest - 1e-9


def test_known_highest_reward_ends_a_search_that_nothing_can_better() -> None:
    steps = [
        beam(3, 200, max_reward=bound)
        .plan(MountainCar(), (-0.5, 0.0), np.random.default_rng(0))
        .num_model_steps
        for bound in (None, -1.0)
    ]
    assert steps[1] < 0.8 * steps[0]


def test_end_is_better_only_where_going_on_costs() -> None:
    for reward, ends in ((-1.0, True), (0.0, False)):
        table = {
            (0, 0): (1, 2 * reward, True),
            (0, 1): (2, reward, False),
            (2, 0): (2, reward, False),
            (2, 1): (2, reward, False),
        }
        plan = beam(2, 2).plan(TableModel(table), 0, np.random.default_rng(0))
        assert plan.predictions[-1].terminated is ends


def test_steps_without_an_answer_leave_the_beam() -> None:
    table = random_table(2, end_share=0.0)
    failing = frozenset((s, 0) for s in range(6))
    plan = beam().plan(TableModel(table, failing=failing), 0, np.random.default_rng(0))
    assert set(plan.actions) == {1}
    assert plan.num_failures > 0
    everything = frozenset(table)
    lost = beam().plan(
        TableModel(table, failing=everything), 0, np.random.default_rng(0)
    )
    assert len(lost.actions) == 1
    assert np.isnan(lost.value)


def test_box_is_searched_on_a_grid() -> None:
    planner = BeamPlanner(BOX, PlanningConfig(horizon=3), BeamConfig())
    plan = planner.plan(TargetModel(), 0.0, np.random.default_rng(0))
    # 0.5 after one step, 0.75 after two: -0.2 - 0.05 - 0.05.
    assert plan.value == pytest.approx(-0.3)
    assert all(action.dtype == np.float32 for action in plan.actions)


def test_edge_of_what_was_reached_is_kept_first() -> None:
    vectors = as_vectors([np.array([x, 0.0]) for x in (0.0, 0.1, 0.2, 0.5, 1.0)])
    order = spread_order(
        np.zeros(5), vectors, np.random.default_rng(0), num_cells=2, novelty_share=0.5
    )
    assert set(order[:2].tolist()) == {0, 4}
    ranked = spread_order(
        np.array([0.0, 3.0, 2.0, 1.0, 0.0]),
        vectors,
        np.random.default_rng(0),
        num_cells=2,
        novelty_share=0.0,
    )
    assert ranked[:3].tolist() == [1, 2, 3]
