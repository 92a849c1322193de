"""A planner gives one plan, beside the program or over a session."""

import sys
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from cwm.core.protocols import Context
from cwm.core.spaces import BoxSpec, Value
from cwm.evaluation.deciders import SandboxDecider, SandboxSettings, SessionDecider
from cwm.evaluation.decisions import Decider, Situation
from cwm.evaluation.held_program import PLANNING_DRIVER
from cwm.evaluation.inside_model import InsideModel, ProgramModel, inside_model
from cwm.evaluation.model_decider import ModelDecider
from cwm.programs.model_inside import Model
from cwm.programs.rollouts import model_spec
from envs.actions import ActionSource
from planners.planner import Plan
from planners.registry import PLANNERS, PlannerConfig, new_planner
from sandbox.child import make_loader
from sandbox.limits import Limits
from sandbox.pool import Sandbox
from tests.support.planning_programs import PROGRAMS, PlanningProgram, same_value

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the filter needs Linux"
)

NUM_DECISIONS = 3
HORIZON, SHORT_HORIZON = 8, 4


def planners() -> Iterator[PlannerConfig]:
    for name, spec in PLANNERS.items():
        if spec.needs_prior:
            continue  # With a prior it is never beside the program.
        # All sequences of four moves are 256; the others look further.
        is_short = name == "exhaustive"
        one = PlannerConfig(
            name=name,
            horizon=SHORT_HORIZON if is_short else HORIZON,
            model_steps=400 if is_short else 150,
        )
        yield one
        if spec.paper is not None:
            yield replace(one, preset="paper")


def suits(planner: PlannerConfig, program: PlanningProgram) -> bool:
    has_box = isinstance(program.action_space, BoxSpec)
    return not (planner.name == "exhaustive" and has_box)


CASES = [
    pytest.param(planner, program, id=f"{planner.name}-{planner.preset}-{program.name}")
    for planner in planners()
    for program in PROGRAMS
    if suits(planner, program)
]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    limits = Limits(memory_mib=128)
    with Sandbox(drivers=[PLANNING_DRIVER], limits=limits, num_workers=2) as made:
        yield made


def situation(observation: Value, step: int, steps_left: int) -> Situation:
    return Situation(
        observation=observation,
        step=step,
        steps_left=steps_left,
        context=Context(observations=(observation,)),
    )


def assert_same_plan(left: Plan, right: Plan) -> None:
    assert len(left.actions) == len(right.actions)
    assert all(map(same_value, left.actions, right.actions))
    assert len(left.predictions) == len(right.predictions)
    for ours, theirs in zip(left.predictions, right.predictions, strict=True):
        # Some planners keep states to themselves; nobody acts by them.
        assert all(map(same_value, ours[1:], theirs[1:]))
    assert same_value(left.value, right.value)
    assert left.num_model_steps == right.num_model_steps
    assert left.num_failures == right.num_failures
    for name in set(left.statistics) & set(right.statistics):
        assert same_value(left.statistics[name], right.statistics[name])


def local_model(program: PlanningProgram) -> InsideModel:
    spec = model_spec(
        program.source, program.observation_space, program.action_space, 0
    )
    return inside_model(ProgramModel(Model(make_loader(program.source), spec)))


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_single_steps_are_the_same_wherever_the_planner_runs(
    sandbox: Sandbox, program: PlanningProgram
) -> None:
    spaces = program.observation_space, program.action_space
    planner = PlannerConfig(name="random-shooting", horizon=3, model_steps=10)
    rng = np.random.default_rng(5)
    actions = [ActionSource(spaces[1]).uniform(rng) for _ in range(30)]
    starts = [program.start] * len(actions)
    found = []
    for kind in (SandboxDecider, SessionDecider):
        with kind(
            program.source,
            observation_space=spaces[0],
            action_space=spaces[1],
            planner=planner,
            settings=SandboxSettings(sandbox=sandbox),
        ) as one:
            one.begin(7)
            found.append(one.predict_steps(starts, actions))
    with ModelDecider(new_planner(planner, spaces[1]), local_model(program)) as here:
        here.begin(7)
        found.append(here.predict_steps(starts, actions))
    first, *others = found
    assert any(step is not None for step in first)
    for other in others:
        for ours, theirs in zip(first, other, strict=True):
            assert (ours is None) == (theirs is None)
            if ours is not None and theirs is not None:
                assert all(map(same_value, ours[1:], theirs[1:]))


@pytest.mark.parametrize(("config", "program"), CASES)
def test_plan_is_the_same_wherever_the_planner_runs(
    sandbox: Sandbox, config: PlannerConfig, program: PlanningProgram
) -> None:
    spaces = program.observation_space, program.action_space
    with (
        SandboxDecider(
            program.source,
            observation_space=spaces[0],
            action_space=spaces[1],
            planner=config,
            settings=SandboxSettings(sandbox=sandbox),
        ) as beside,
        SessionDecider(
            program.source,
            observation_space=spaces[0],
            action_space=spaces[1],
            planner=config,
            settings=SandboxSettings(sandbox=sandbox),
        ) as here,
    ):
        model = local_model(program)
        alone = ModelDecider(new_planner(config, program.action_space), model)
        deciders: list[Decider] = [beside, here, alone]
        for one in deciders:
            one.begin(7)
        observation, num_plans = program.start, 0
        for step in range(NUM_DECISIONS):
            now = situation(observation, step, 50 - step)
            # The third decision is after something that nobody had planned.
            decisions = [one.decide(now, keeps_plan=step != 2) for one in deciders]
            plans = [decision.plan for decision in decisions]
            first = plans[0]
            assert first is not None, decisions[0].failure
            for plan in plans[1:]:
                assert plan is not None
                assert_same_plan(first, plan)
            num_plans += 1
            following = model.step(
                observation, first.actions[0], np.random.default_rng(step)
            )
            if following.terminated:
                break
            observation = following.observation
    assert num_plans
