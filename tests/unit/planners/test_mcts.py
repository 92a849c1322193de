"""The tree search: against known optima, a transcription, and within its budget."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cwm.core.protocols import Context, RollingWorldModel
from cwm.core.spaces import BoxSpec, DiscreteSpec
from planners.actions import ListedActions
from planners.guidance import Guidance
from planners.mcts import PAPER_DISCOUNT, MctsConfig, MctsPlanner
from planners.planner import Plan, PlanningConfig
from planners.random_rollouts import RandomRollouts
from planners.simulator import Simulator
from tests.support.tree_models import (
    CartPole,
    ChanceModel,
    FavouringPrior,
    TableModel,
    TableValue,
    TargetModel,
    UniformPrior,
    best_return,
    random_table,
)

BOX = BoxSpec((1,), "float32", (-1.0,), (1.0,))


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def mcts(
    config: MctsConfig | None = None,
    *,
    horizon: int = 5,
    budget: int = 4_000,
    discount: float = 1.0,
    **guidance: object,
) -> MctsPlanner:
    planning = PlanningConfig(
        horizon=horizon, max_model_steps=budget, discount=discount
    )
    return MctsPlanner(
        DiscreteSpec(2),
        planning,
        MctsConfig() if config is None else config,
        **guidance,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("seed", range(12))
def test_first_action_is_an_optimal_one_given_enough_steps(seed: int) -> None:
    table = random_table(seed, num_states=5)
    plan = mcts(horizon=4).plan(TableModel(table), 0, rng(seed))
    returns = []
    for action in range(2):
        following, reward, terminated = table[0, action]
        rest = 0.0
        if not terminated:
            rest = best_return(
                TableModel(table), following, 3, discount=1.0, num_actions=2
            )
        returns.append(reward + rest)
    assert returns[plan.actions[0]] == pytest.approx(max(returns))


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 1_000),
    budget=st.integers(1, 80),
    is_paper=st.booleans(),
    has_keys=st.booleans(),
)
def test_budget_is_kept(seed: int, budget: int, is_paper: bool, has_keys: bool) -> None:
    model = TableModel(random_table(seed, num_states=40), has_keys=has_keys)
    config = MctsConfig.paper() if is_paper else MctsConfig()
    plan = mcts(config, horizon=20, budget=budget).plan(model, 0, rng(seed))
    assert plan.num_model_steps == model.num_steps <= budget


@pytest.mark.parametrize("has_keys", [True, False])
@pytest.mark.parametrize("is_stochastic", [True, None])
def test_chance_is_valued_by_its_mean(
    has_keys: bool, is_stochastic: bool | None
) -> None:
    model = ChanceModel()
    model.has_keys = has_keys
    config = MctsConfig(
        is_stochastic=is_stochastic,
        max_idle_simulations=9_999,
        decisive_deviations=math.inf,
    )
    plan = mcts(config).plan(model, 0, rng(1))
    assert plan.actions == (1,)
    assert plan.statistics["is_stochastic"]
    # 2.25 but for the simulations that try what is worse.
    assert 2.0 < plan.value < 2.4


def test_clear_decision_under_chance_ends_early() -> None:
    steps = []
    for deviations in (3.0, math.inf):
        config = MctsConfig(is_stochastic=True, decisive_deviations=deviations)
        plan = mcts(config, budget=3_000).plan(ChanceModel(), 0, rng())
        assert plan.actions == (1,)
        steps.append(plan.num_model_steps)
    assert steps[0] < 300 < steps[1] < 3_000  # Nothing could catch up any more.


def test_deterministic_model_gets_its_whole_budget() -> None:
    # What is found late may turn everything round.
    config = MctsConfig(decisive_deviations=0.0)
    plan = mcts(config, budget=1_000, horizon=30).plan(CartPole(), (0.0,) * 4, rng())
    assert not plan.statistics["is_stochastic"]
    assert plan.num_model_steps > 950


def test_fixed_outcome_would_be_mistaken_for_the_only_one() -> None:
    planner = mcts(MctsConfig(is_stochastic=False))
    values = [planner.plan(ChanceModel(), 0, rng(seed)).value for seed in range(20)]
    assert max(values) > 3.5  # The lucky ones: what the test above would show.


@pytest.mark.parametrize("model", [CartPole(), TableModel(random_table(4))])
def test_uniform_prior_is_none(model: CartPole | TableModel) -> None:
    start = (0.0, 0.0, 0.05, 0.0) if isinstance(model, CartPole) else 0
    context = Context(observations=(start,))
    plans: list[Plan] = []
    for prior in (None, UniformPrior()):
        planner = mcts(horizon=30, budget=2_000, prior=prior)
        plans.append(planner.plan(model, start, rng(3), context=context))
    plain, guided = plans
    assert (plain.actions, plain.value) == (guided.actions, guided.value)
    assert plain.statistics == guided.statistics


def test_prior_steers_and_forbids() -> None:
    model = TableModel({(0, a): (0, float(a == 0), False) for a in range(2)})
    context = Context(observations=(0,))
    few = MctsConfig(num_simulations=1)
    for seed in range(5):
        plan = mcts(few, prior=FavouringPrior(1)).plan(
            model, 0, rng(seed), context=context
        )
        assert plan.actions[0] == 1
    forbidden = mcts(prior=FavouringPrior(1, impossible=0))
    assert set(forbidden.plan(model, 0, rng(), context=context).actions) == {1}


def test_value_takes_the_place_of_rollouts() -> None:
    table = {(s, a): (2 * s + a + 1, 0.0, False) for s in range(99) for a in range(2)}
    model, value = TableModel(table), TableValue({1: 1.0, 2: 5.0}, scale=2.0)
    planner = mcts(MctsConfig(num_simulations=2), value=value)
    plan = planner.plan(model, 0, rng(), context=Context(observations=(0,)))
    assert plan.actions[0] == 1
    assert plan.value == 10.0
    assert plan.num_model_steps <= 3
    with pytest.raises(ValueError, match="needs a context"):
        planner.plan(model, 0, rng())


def test_tree_is_taken_up_where_the_plan_has_led() -> None:
    planner, model = mcts(horizon=30, budget=3_000), CartPole()
    first = planner.plan(model, (0.0, 0.0, 0.05, 0.0), rng())
    state = first.predictions[0].next_state
    fresh = planner.plan(model, state, rng(1))
    reused = planner.plan(model, state, rng(1), memory=first.memory)
    again = planner.plan(model, state, rng(1), memory=first.memory)
    assert reused.statistics["is_reused"]
    assert reused.statistics["root_visits"] > reused.statistics["num_simulations"]
    assert reused.actions[0] == fresh.actions[0]
    # The memory is left as it was: the same call gives the same plan.
    assert (again.actions, again.value) == (reused.actions, reused.value)
    elsewhere = planner.plan(model, (0.1, 0.0, 0.0, 0.0), rng(), memory=first.memory)
    assert not elsewhere.statistics["is_reused"]


def test_plan_is_the_variation_that_was_visited_often() -> None:
    model = TableModel({(0, a): (0, float(a), False) for a in range(2)})
    plan = mcts(MctsConfig(min_plan_visits=20)).plan(model, 0, rng())
    assert len(plan.actions) > 1
    assert set(plan.actions) == {1}
    assert [result.reward for result in plan.predictions] == [1.0] * len(plan.actions)
    single = mcts(MctsConfig(min_plan_visits=None)).plan(model, 0, rng())
    assert len(single.actions) == len(single.predictions) == 1


def test_actions_without_an_answer_are_given_up() -> None:
    table = random_table(2, end_share=0.0)
    failing = frozenset((s, 0) for s in range(6))
    plan = mcts().plan(TableModel(table, failing=failing), 0, rng())
    assert set(plan.actions) == {1}
    assert plan.num_failures > 0
    lost = mcts().plan(TableModel(table, failing=frozenset(table)), 0, rng())
    assert lost.actions[0] in (0, 1)
    assert math.isnan(lost.value)
    assert lost.num_failures == 2


def test_legal_actions_are_those_of_the_state() -> None:
    table = {k: v for k, v in random_table(3).items() if k[1] == k[0] % 2}
    model = TableModel(table, legal={s: (s % 2,) for s in range(6)})
    plan = mcts().plan(model, 0, rng())  # Anything else would be a KeyError.
    assert plan.actions[0] == 0


def test_box_is_widened_to_the_best_action() -> None:
    planner = MctsPlanner(BOX, PlanningConfig(horizon=2), MctsConfig())
    plan = planner.plan(TargetModel(), 0.4, rng())
    assert float(plan.actions[0][0]) == pytest.approx(0.6, abs=0.3)
    assert plan.actions[0].shape == (1,)
    with pytest.raises(ValueError, match="prior needs a finite number"):
        MctsPlanner(BOX, PlanningConfig(), MctsConfig(), prior=UniformPrior())


def transcription(model: TableModel, state: int, generator: np.random.Generator):
    """The paper's planner, written down plainly: root values and their visits."""
    new = lambda s, end: {"s": s, "end": end, "n": [0, 0], "w": [0.0, 0.0], "c": {}}  # noqa: E731
    root = new(state, False)
    for _ in range(25):
        node, path, value = root, [], 0.0
        while not node["end"]:
            total = math.log(1 + sum(node["n"]))
            scores = [
                (w / n if n else 1.0) + math.sqrt(total / (n + 1e-3))
                for n, w in zip(node["n"], node["w"], strict=True)
            ]
            best = [a for a in range(2) if scores[a] == max(scores)]
            action = best[int(generator.integers(len(best)))]
            following, reward, ends = model.table[node["s"], action]
            path.append((node, action, reward))
            if action not in node["c"]:
                node["c"][action] = new(following, ends)
                weight, current = 1.0, following
                for _ in range(0 if ends else 100):
                    move = int(generator.integers(2))
                    current, pay, is_end = model.table[current, move]
                    value += weight * pay
                    weight *= PAPER_DISCOUNT
                    if is_end:
                        break
                break
            node = node["c"][action]
        for node, action, reward in reversed(path):
            value = reward + PAPER_DISCOUNT * value
            node["n"][action] += 1
            node["w"][action] += value
    return root


def test_paper_preset_is_the_transcription_on_average() -> None:
    model = TableModel(random_table(8, num_states=4, end_share=0.3))
    planner = mcts(MctsConfig.paper(), horizon=100, discount=PAPER_DISCOUNT)
    ours, theirs, steps = [], [], []
    for seed in range(300):
        plan = planner.plan(model, 0, rng(seed))
        assert len(plan.actions) == 1
        assert plan.statistics["num_simulations"] == 25
        steps.append(plan.num_model_steps)
        ours.append((plan.actions[0], plan.value))
        root = transcription(model, 0, rng(10_000 + seed))
        values = np.array(root["w"]) / np.array(root["n"])
        weights = np.exp((values - values.max()) / 0.01)
        action = int(rng(seed).choice(2, p=weights / weights.sum()))
        theirs.append((action, values[action]))
    mine, plain = np.array(ours), np.array(theirs)
    error = np.sqrt((mine.var(axis=0) + plain.var(axis=0)) / 300)
    assert (np.abs(mine.mean(axis=0) - plain.mean(axis=0)) <= 3.5 * error + 1e-9).all()


def test_setting_that_breaks_its_rule_is_named() -> None:
    with pytest.raises(ValueError, match="num_simulations must be at least 1"):
        MctsConfig(num_simulations=0)
    with pytest.raises(ValueError, match="widening_exponent must be in 0"):
        MctsConfig(widening_exponent=2.0)


@pytest.mark.parametrize("number", range(1, 12))
def test_uniform_prior_has_no_weight_to_the_last_bit(number: int) -> None:
    guidance = Guidance(ListedActions(()), 1.0, UniformPrior(), None)
    (weights,) = guidance.log_weights([Context(observations=(0,))], [range(number)])
    assert weights.tolist() == [0.0] * number


@pytest.mark.parametrize("limit", [1, 3, 6])
def test_rollout_is_discounted_limited_and_counted(limit: int) -> None:
    model = TableModel({(0, a): (0, 1.0, False) for a in range(2)})
    simulator = Simulator(model, rng(), max_steps=5)
    rollouts = RandomRollouts(
        simulator, ListedActions((0, 1)), rng(), by_state=False, discount=0.5
    )
    rollout = rollouts.roll_out(0, limit)
    length = min(limit, 5)
    assert rollout.discounted_return == 2.0 - 0.5 ** (length - 1)
    assert rollout.length == simulator.num_steps == model.num_steps == length


def test_several_rollouts_of_a_leaf_are_valued_by_their_mean() -> None:
    table = random_table(3, num_states=5)
    actions = ListedActions((0, 1))

    def rollouts() -> tuple[RandomRollouts, Simulator]:
        simulator = Simulator(TableModel(table), rng(1), max_steps=100)
        made = RandomRollouts(simulator, actions, rng(2), by_state=False, discount=0.5)
        return made, simulator

    drawn = rng(2).integers(2, size=512)[:24].reshape(4, 6).tolist()
    wanted = []
    for plan in drawn:
        state, total = 0, 0.0
        for depth, action in enumerate(plan):
            state, reward, terminated = table[state, action]
            total += 0.5**depth * reward
            if terminated:
                break
        wanted.append(total)
    several, simulator = rollouts()
    found = several.roll_out_together(0, 6, 4)
    assert found.discounted_return == pytest.approx(sum(wanted) / 4)
    assert 6 <= simulator.num_steps <= 24
    alone, _ = rollouts()
    assert alone.roll_out_together(0, 6, 1) == rollouts()[0].roll_out(0, 6)
    # Of a budget of 100 steps, four rollouts of 30 are more than can be paid.
    assert rollouts()[0].roll_out_together(0, 30, 4).length <= 30


@pytest.mark.parametrize("number", [2, 16])
def test_several_rollouts_of_each_leaf_keep_the_budget(number: int) -> None:
    table = random_table(5, num_states=6)
    config = MctsConfig(rollouts_per_leaf=number)
    plan = mcts(config, budget=300).plan(TableModel(table), 0, rng())
    assert plan.num_model_steps <= 300


def test_model_that_rolls_out_itself_gives_the_same_plan() -> None:
    class Rolling(CartPole):
        def roll_out(self, state, actions, generator):
            return Simulator(CartPole(), generator, max_steps=10**9).roll_out(
                state, actions
            )

    for config in (MctsConfig.paper(), MctsConfig()):
        plans = [
            mcts(config, horizon=40, budget=1_500).plan(model, (0.0,) * 4, rng(2))
            for model in (CartPole(), Rolling())
        ]
        assert isinstance(Rolling(), RollingWorldModel)
        assert plans[0].actions == plans[1].actions
        assert plans[0].value == plans[1].value
        assert plans[0].num_model_steps == plans[1].num_model_steps
