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
    CartPole,
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
# The world is seen whole at depth 1, where an open way looks better than the end.
@example(seed=155, horizon=6, discount=1.0, has_keys=True)
def test_beam_as_wide_as_the_world_is_exact(
    seed: int, horizon: int, discount: float, has_keys: bool
) -> None:
    model = TableModel(random_table(seed), has_keys=has_keys)
    planner = beam(horizon=horizon, discount=discount, width=6 if has_keys else 64)
    plan = planner.plan(model, 0, np.random.default_rng(0), steps_left=horizon)
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
    late, early = (
        beam(3, 200, max_reward=bound, width=30, max_model_steps=100_000).plan(
            MountainCar(), (-0.5, 0.0), np.random.default_rng(0)
        )
        for bound in (None, -1.0)
    )
    assert early.num_model_steps < 0.8 * late.num_model_steps
    assert early.value == late.value


def line(length: int, pit: int = -1, gold: float = 0.0) -> TableModel:
    """Forward or stay, at 1 a step; a pit ends it, and so does the far end."""
    table = {}
    for state in range(length):
        ends = state + 1 == length
        table[state, 0] = (state + 1, gold - 1.0 if ends else -1.0, ends)
        table[state, 1] = (-1, -1.0, True) if state == pit else (state, -1.0, False)
    return TableModel(table)


def test_first_round_sees_what_is_beyond_the_first_end() -> None:
    # The pit is the shortest end; only who goes on sees what the far one pays.
    plan = beam(2, 60, max_model_steps=4_000).plan(
        line(40, pit=0, gold=100.0), 0, np.random.default_rng(0)
    )
    assert plan.value == 60.0
    assert len(plan.actions) == 40


def test_world_that_was_seen_whole_is_looked_at_no_further() -> None:
    class Counting(TableModel):
        num_keys = 0

        def state_key(self, state: int) -> int:
            self.num_keys += 1
            return state

    model = Counting(line(8).table)
    plan = beam(2, 1_000, max_model_steps=100_000).plan(
        model, 0, np.random.default_rng(0)
    )
    assert model.num_keys < 500  # It would take thousands of depths, each as known.
    assert (plan.value, plan.statistics["num_rounds"]) == (-8.0, 1)
    assert plan.statistics["is_complete"]
    assert model.num_steps <= 16


def test_ends_that_pay_nothing_do_not_end_the_search() -> None:
    # Every way on pays nothing until the goal, and so do the holes beside it.
    table = {(s, 0): (s + 1, float(s == 19), s == 19) for s in range(20)}
    table |= {(s, 1): (-1, 0.0, True) for s in range(20)}
    for settings_ in ({}, {"max_reward": 1.0}, {"num_rounds": 1}):
        plan = beam(2, 30, **settings_).plan(
            TableModel(table), 0, np.random.default_rng(0)
        )
        assert plan.value == 1.0
        assert set(plan.actions) == {0}


@pytest.mark.parametrize("goal", range(0, 256, 37))
def test_goal_that_the_first_round_missed_is_found_by_a_wider_one(goal: int) -> None:
    # A tree of 8 levels with one leaf that pays; action 2 falls into a hole.
    table = {}
    for node in range(1, 256):
        for action in range(2):
            child = 2 * node + action
            table[node, action] = (child, float(child == 256 + goal), child >= 256)
        table[node, 2] = (0, 0.0, True)
    planner = beam(3, 8, max_model_steps=4_800)
    model = TableModel(table, has_keys=False)
    plan = planner.plan(model, 1, np.random.default_rng(goal), steps_left=8)
    assert plan.value == 1.0


def test_search_ends_with_the_first_round_that_got_all_there_is() -> None:
    # Action 0 pays 1 for ever; action 1 ends.
    table = {(s, 0): (s + 1, 1.0, False) for s in range(300)}
    table |= {(s, 1): (-1, 0.0, True) for s in range(300)}
    planner = beam(2, 200, max_model_steps=50_000, max_known_states=1)
    model = TableModel(table, has_keys=False)
    plan = planner.plan(model, 0, np.random.default_rng(0), steps_left=200)
    assert plan.value == 200.0
    assert plan.num_model_steps <= 3_125  # The first of three rounds.


def test_first_part_of_a_plan_without_an_end_is_followed() -> None:
    table = {(0, a): (0, float(a), False) for a in range(2)}
    model, planner = TableModel(table), beam(2, 9)
    plan = planner.plan(model, 0, np.random.default_rng(0))
    assert (len(plan.actions), len(plan.predictions)) == (5, 5)
    assert plan.value == 9.0
    whole = planner.plan(model, 0, np.random.default_rng(0), steps_left=9)
    assert len(whole.actions) == 9


def test_end_that_could_not_be_avoided_is_not_run_into() -> None:
    # Survival pays, and the beam saw only ways that end.
    pole = CartPole()
    planner = beam(2, 250, width=1, novelty_share=1.0)
    plan = planner.plan(pole, (0.0, 0.0, 0.05, 0.0), np.random.default_rng(0))
    assert plan.value < 250.0
    assert len(plan.actions) == -(-int(plan.value) // 2)


def test_pole_is_balanced_for_a_whole_episode() -> None:
    planner, model = beam(2, 250, max_model_steps=20_000), CartPole()
    state, time, memory = (0.02, 0.03, -0.04, 0.01), 0, None
    while time < 500:
        plan = planner.plan(
            model,
            state,
            np.random.default_rng(time),
            steps_left=500 - time,
            memory=memory,
        )
        assert not any(result.terminated for result in plan.predictions)
        state, memory = plan.predictions[-1].next_state, plan.memory
        time += len(plan.actions)
    assert time == 500


def test_finished_plan_is_searched_anew_unless_it_is_to_be_kept() -> None:
    model = CliffModel()
    for keeps, is_searched in ((True, False), (False, True)):
        planner = beam(4, 50, keeps_finished_plans=keeps)
        first = planner.plan(model, 36, np.random.default_rng(0))
        state = first.predictions[0].next_state
        second = planner.plan(
            model, state, np.random.default_rng(0), memory=first.memory
        )
        assert second.statistics["is_searched"] is is_searched
        assert second.value == -12.0


def test_dead_end_is_no_plan_where_there_is_another() -> None:
    # Action 1 pays at once and leads to where nothing has an answer.
    table = {(0, 0): (1, -1.0, False), (0, 1): (2, 5.0, False)}
    table |= {(1, a): (1, -1.0, a == 1) for a in range(2)}
    table |= {(2, a): (2, 0.0, False) for a in range(2)}
    model = TableModel(table, failing=frozenset({(2, 0), (2, 1)}))
    plan = beam(2, 4).plan(model, 0, np.random.default_rng(0))
    assert plan.actions[0] == 0
    assert plan.predictions[-1].terminated


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
        np.zeros(5), vectors, np.random.default_rng(0), num_cells=2, novelty_share=1.0
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
