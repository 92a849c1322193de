"""Planners in the sandbox's driver go through `step_batch` of a fast form."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cwm.core.spaces import BoxSpec, DiscreteSpec, SpaceSpec
from cwm.evaluation.inside_model import ProgramModel, inside_model
from cwm.programs.acceleration.vectorised import vectorised
from cwm.programs.model_inside import Model
from cwm.programs.rollouts import model_spec
from planners.mcts_config import MctsConfig
from planners.registry import PRESETS, PlannerConfig, new_planner
from sandbox.child import make_loader
from tests.support.fast_programs import CART, LINE, program, traced

PUSH = BoxSpec((1,), "float64", low=(-1.0,), high=(1.0,))
PUSHES = DiscreteSpec(3)
COUNTED = """

class Counted(Environment):
    batches = 0

    def step_batch(self, states, actions):
        Counted.batches += len(states) > 1
        return super().step_batch(states, actions)


Environment = Counted
"""
THRIFTY = """

class Thrifty(Environment):
    rows = None

    def step_batch(self, states, actions):
        if self.rows is None or len(self.rows[0]) != len(states):
            size = len(states)
            self.rows = np.empty((size, 2)), np.empty(size), np.empty(size, bool)
        for mine, part in zip(self.rows, super().step_batch(states, actions)):
            mine[...] = part
        states[...] = actions[...] = np.nan
        return self.rows


Environment = Thrifty
"""
"""Writes all its answers into the same arrays, and over what it was given."""
STEPPED = program(
    "x, v = self.s\nreturn np.array([x + v, v + action - 1]), -abs(x), False"
)


def model_of(source: str, actions: SpaceSpec) -> tuple[Any, Any]:
    """Returns a program as the planning driver has it, and its environment."""
    model = Model(make_loader(source), model_spec(source, LINE, actions, 0))
    return inside_model(ProgramModel(model)), model._environment


def fast_source(source: str, actions: SpaceSpec) -> str:
    form = vectorised(traced(source, LINE, actions))
    return f"{source}\n\nimport numpy as np\n\n{form}\n\nEnvironment = Fast\n"


@pytest.mark.parametrize("name", ["cem", "icem", "mppi", "random-shooting"])
def test_plans_are_rolled_out_by_batches_and_are_the_same(name: str) -> None:
    config = PlannerConfig(name=name, horizon=6, model_steps=1_200)
    plans, batches = [], []
    for source in (CART, fast_source(CART, PUSH) + COUNTED):
        model, environment = model_of(source, PUSH)
        planner = new_planner(config, PUSH)
        plans.append(planner.plan(model, np.zeros(2), np.random.default_rng(0)))
        batches.append(getattr(environment, "batches", 0))
    assert batches[0] == 0
    assert batches[1] >= 6
    assert np.array_equal(plans[0].actions, plans[1].actions)
    assert plans[0].value == plans[1].value


def test_random_rollouts_of_a_leaf_are_one_batch() -> None:
    planner = new_planner(
        PlannerConfig(
            name="mcts",
            horizon=5,
            model_steps=800,
            settings=replace(PRESETS["default"], mcts=MctsConfig(rollouts_per_leaf=8)),
        ),
        PUSHES,
    )
    plans, batches = [], []
    for source in (STEPPED, fast_source(STEPPED, PUSHES) + COUNTED):
        model, environment = model_of(source, PUSHES)
        plans.append(planner.plan(model, np.zeros(2), np.random.default_rng(0)))
        batches.append(getattr(environment, "batches", 0))
    assert batches[1] > 50
    assert plans[0].actions == plans[1].actions


def test_a_program_that_writes_over_its_arrays_predicts_the_same() -> None:
    source = fast_source(CART, PUSH)
    plans = np.random.default_rng(0).uniform(-1.0, 1.0, (7, 9, 1))
    states, given = np.zeros((2, 2)), plans.copy()
    rollouts, steps = [], []
    for text in (source, source + THRIFTY):
        model, _ = model_of(text, PUSH)
        rollouts.append(model.roll_out(np.zeros(2), given, None))
        steps.append(model.step_batch(states, given[:2, 0], None))
        model.step_batch(states + 1.0, given[:2, 1], None)
    for name in ("rewards", "lengths", "terminated", "failed"):
        parts = [getattr(one, name) for one in rollouts]
        np.testing.assert_array_equal(*parts, err_msg=name)
    for left, right in zip(*(one.observations for one in rollouts), strict=True):
        np.testing.assert_array_equal(left, right)
    for left, right in zip(*steps, strict=True):
        np.testing.assert_array_equal(left, right)
    assert np.array_equal(given, plans)
    assert not states.any()
