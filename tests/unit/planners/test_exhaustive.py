"""The exhaustive planner against brute force and by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cwm.core.protocols import Context
from cwm.core.spaces import BoxSpec, DiscreteSpec
from planners.exhaustive import ExhaustiveConfig, ExhaustivePlanner
from planners.planner import PlanningConfig
from tests.support.tree_models import (
    ChanceModel,
    FavouringPrior,
    TableModel,
    TableValue,
    UniformPrior,
    best_return,
    random_table,
    return_of,
)

CONTEXT = Context(observations=(0,))


def planner(
    horizon: int = 4, *, num_samples: int = 1, discount: float = 1.0, **guidance: object
) -> ExhaustivePlanner:
    planning = PlanningConfig(horizon=horizon, discount=discount)
    config = ExhaustiveConfig(num_samples=num_samples)
    return ExhaustivePlanner(DiscreteSpec(2), planning, config, **guidance)  # type: ignore[arg-type]


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    horizon=st.integers(1, 5),
    discount=st.sampled_from([1.0, 0.9, 0.5]),
    has_keys=st.booleans(),
)
def test_plan_is_the_best_of_all(
    seed: int, horizon: int, discount: float, has_keys: bool
) -> None:
    model = TableModel(random_table(seed), has_keys=has_keys)
    plan = planner(horizon, discount=discount).plan(model, 0, np.random.default_rng(0))
    best = best_return(model, 0, horizon, discount=discount, num_actions=2)
    assert plan.value == pytest.approx(best)
    assert return_of(model, 0, plan.actions, discount=discount) == pytest.approx(best)
    assert len(plan.predictions) == len(plan.actions)
    assert plan.num_model_steps == model.num_steps


def test_equal_states_are_solved_once() -> None:
    keyed, plain = TableModel(random_table(1)), TableModel(random_table(1))
    plain.has_keys = False
    for model in (keyed, plain):
        planner(8).plan(model, 0, np.random.default_rng(0))
    assert keyed.num_steps <= 8 * 6 * 2
    assert plain.num_steps > 2 * keyed.num_steps


def test_budget_that_is_too_small_is_refused_with_both_numbers() -> None:
    small = ExhaustivePlanner(
        DiscreteSpec(3),
        PlanningConfig(horizon=4, max_model_steps=119),
        ExhaustiveConfig(),
    )
    with pytest.raises(ValueError, match=r"at least 120 .* got 119"):
        small.plan(TableModel({}), 0, np.random.default_rng(0))


def test_chance_is_averaged() -> None:
    plan = planner(2, num_samples=45).plan(ChanceModel(), 0, np.random.default_rng(0))
    assert plan.actions == (1,)
    assert plan.value == pytest.approx(2.25, abs=0.5)


def test_action_without_an_answer_is_not_there() -> None:
    table = {(0, 0): (1, 9.0, True), (0, 1): (1, 1.0, True)}
    model = TableModel(table, failing=frozenset({(0, 0)}))
    plan = planner(1).plan(model, 0, np.random.default_rng(0))
    assert (plan.actions, plan.value, plan.num_failures) == ((1,), 1.0, 1)


def test_legal_actions_are_those_of_the_state() -> None:
    model = TableModel(random_table(3), legal={s: (s % 2,) for s in range(6)})
    plan = planner(3).plan(model, 0, np.random.default_rng(0))
    state = 0
    for action, result in zip(plan.actions, plan.predictions, strict=True):
        assert action == state % 2
        state = result.next_state


def test_prior_decides_between_equals_and_forbids() -> None:
    model = TableModel({(0, a): (0, 0.0, False) for a in range(2)})
    rng = np.random.default_rng(0)
    plans = [
        planner(2, prior=prior).plan(model, 0, rng, context=CONTEXT).actions
        for prior in (UniformPrior(), FavouringPrior(1), FavouringPrior(1, 0))
    ]
    assert plans == [(0, 0), (1, 1), (1, 1)]


def test_value_counts_at_the_horizon_in_its_scale() -> None:
    model = TableModel({(0, 0): (1, 1.0, False), (0, 1): (2, 0.0, False)})
    value = TableValue({2: 3.0}, discount=0.5, scale=2.0)
    found = planner(1, discount=0.5, value=value)
    plan = found.plan(model, 0, np.random.default_rng(0), context=CONTEXT)
    assert (plan.actions, plan.value) == ((1,), 3.0)
    with pytest.raises(ValueError, match="needs a context"):
        found.plan(model, 0, np.random.default_rng(0))
    with pytest.raises(ValueError, match="discount"):
        planner(1, discount=1.0, value=value)


def test_box_is_refused() -> None:
    with pytest.raises(ValueError, match="'exhaustive' needs a finite number"):
        ExhaustivePlanner(
            BoxSpec((1,), "float32", (-1.0,), (1.0,)),
            PlanningConfig(),
            ExhaustiveConfig(),
        )
