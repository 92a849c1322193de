"""What the planning benchmark compares computes the same, and it runs."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.planning import BenchmarkConfig, main, measure, open_scene
from benchmarks.planning_models import PROGRAMS, BareModel, program_model
from benchmarks.published_planners import PlainMcts, plain_cem
from cwm.core.spaces import DiscreteSpec
from envs.registry import find
from planners.cem import CEM_PAPER, CEM_PAPER_PLANNING, CEMPlanner
from planners.mcts import PAPER_DISCOUNT, MctsConfig, MctsPlanner
from planners.planner import PlanningConfig
from tests.support.tree_models import TableModel, random_table

TINY = BenchmarkConfig(
    planners=("random", "mcts", "cem", "exhaustive"),
    model_steps=30,
    horizon=3,
    seconds=0.001,
    cem_population=20,
    cem_part=10,
    repeats=1,
    output="",
)


@pytest.mark.parametrize("scale", [0.05, 1.0])
@pytest.mark.parametrize("untried_value", [1.0, math.inf])
def test_plain_tree_search_decides_like_the_preset(
    scale: float, untried_value: float
) -> None:
    table = {
        edge: (following, scale * reward, terminated)
        for edge, (following, reward, terminated) in random_table(
            8, num_states=4, end_share=0.3
        ).items()
    }
    settings = replace(
        MctsConfig.paper(),
        untried_value=None if untried_value == math.inf else untried_value,
    )
    planner = MctsPlanner(
        DiscreteSpec(2), PlanningConfig(horizon=200, discount=PAPER_DISCOUNT), settings
    )
    found: dict[str, list[tuple[float, ...]]] = {"ours": [], "plain": []}
    for seed in range(300):
        plan = planner.plan(TableModel(table), 0, np.random.default_rng(seed))
        found["ours"].append((plan.actions[0], plan.value, plan.num_model_steps))
        published = PlainMcts(
            TableModel(table),
            2,
            np.random.default_rng(1_000 + seed),
            untried_value=untried_value,
        )
        other = published.plan(0)
        found["plain"].append((other.actions[0], other.value, other.num_model_steps))
    ours, plain = np.array(found["ours"]), np.array(found["plain"])
    error = np.sqrt((ours.var(axis=0) + plain.var(axis=0)) / 300)
    assert (np.abs(ours.mean(axis=0) - plain.mean(axis=0)) <= 3.5 * error + 1e-9).all()


def test_plain_search_with_one_path_does_just_what_the_preset_does() -> None:
    # One action, which ends after 40 steps: nothing is left to chance.
    table = {(s, 0): (s + 1, 1.0 / (1 + s), s == 39) for s in range(40)}
    planner = MctsPlanner(
        DiscreteSpec(1),
        PlanningConfig(horizon=200, discount=PAPER_DISCOUNT),
        MctsConfig.paper(),
    )
    plan = planner.plan(TableModel(table), 0, np.random.default_rng(0))
    other = PlainMcts(TableModel(table), 1, np.random.default_rng(1)).plan(0)
    assert other.value == pytest.approx(plan.value, rel=1e-12)
    assert other.num_model_steps == plan.num_model_steps


def test_plain_cem_finds_the_plan_of_the_preset() -> None:
    model = BareModel(PROGRAMS["Pendulum-v1"][0])
    space = find("Pendulum-v1").action_space
    start = np.array([-1.0, 0.1, 0.3], dtype=np.float32)
    planning = replace(CEM_PAPER_PLANNING, horizon=12)
    settings = replace(CEM_PAPER, population=30, num_iterations=4)
    plan = CEMPlanner(space, planning, settings).plan(
        model, start, np.random.default_rng(3)
    )
    other = plain_cem(
        model,
        start,
        space,
        np.random.default_rng(3),
        population=30,
        horizon=12,
        num_iterations=4,
        num_elites=3,
    )
    assert np.array(other.actions) == pytest.approx(np.array(plan.actions), abs=1e-4)
    assert other.value == pytest.approx(plan.value, rel=1e-4)
    assert other.num_model_steps == plan.num_model_steps == 30 * 12 * 4


@pytest.mark.parametrize("env", ["CartPole-v1", "Pendulum-v1"])
def test_all_models_of_an_environment_say_the_same(env) -> None:
    with open_scene(env, 0) as scene:
        rng = np.random.default_rng(0)
        action = 1 if env == "CartPole-v1" else np.array([0.7], dtype=np.float32)
        for index in range(3):
            found = {
                name: model.step(scene.states[name][index], action, rng)
                for name, model in scene.models.items()
            }
            for result in found.values():
                assert result.observation == pytest.approx(
                    found["bare"].observation, abs=1e-5
                )
                assert result.reward == pytest.approx(found["bare"].reward, abs=1e-5)
                assert result.terminated == found["bare"].terminated


@pytest.mark.parametrize("env", ["CartPole-v1", "Pendulum-v1"])
def test_batches_of_a_program_are_its_steps(env) -> None:
    spec = find(env)
    with open_scene(env, 0) as scene:
        model, states = scene.models["batch"], np.array(scene.observations)
    rng = np.random.default_rng(0)
    if env == "CartPole-v1":
        actions = rng.integers(2, size=len(states))
    else:
        actions = rng.uniform(-3.0, 3.0, (len(states), 1)).astype(np.float32)
    following, rewards, _ = model.step_batch(states, actions, rng)
    single = program_model(PROGRAMS[env][0], spec.observation_space, spec.action_space)
    for row, state in enumerate(states):
        action = actions[row] if actions.ndim > 1 else int(actions[row])
        result = single.step(state, action, rng)
        assert following[row] == pytest.approx(result.observation, abs=1e-5)
        assert rewards[row] == pytest.approx(result.reward, abs=1e-5)


def test_each_planner_is_timed_with_each_model_that_it_can_use(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "planning.jsonl"
    main(replace(TINY, output=str(output)))
    (line,) = map(json.loads, output.read_text().splitlines())
    assert {"commit", "dirty", "platform", "num_cpus"} <= set(line["environment"])
    assert line["config"]["seed"] == 0
    figures = line["repeats"]
    for model in ("bare", "program", "batch", "sandbox", "true"):
        for planner in ("random", "mcts", "cem", "exhaustive"):
            assert f"CartPole-v1 {model} {planner} steps/s" in figures
        assert f"Pendulum-v1 {model} cem decisions/s" in figures
        assert f"Pendulum-v1 {model} exhaustive decisions/s" not in figures
    shown = capsys.readouterr().out
    for figure in ("mcts bare over plain", "cem batch over plain"):
        assert len(figures[figure]) == 1
        assert figures[figure][0] > 0.0
        assert figure in shown


def test_the_published_planners_can_be_left_out() -> None:
    figures = measure(
        replace(TINY, envs=("CartPole-v1",), models=("bare",), compares=False)
    )
    assert set(figures) == {
        f"CartPole-v1 bare {planner} {figure}"
        for planner in TINY.planners
        for figure in ("decisions/s", "steps/s")
    }
