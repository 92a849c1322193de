"""How fast planners decide, by the kind of model, and beside the published planners.

Every planner is asked for decisions with a budget of `model_steps`, each from scratch,
from the same first observations of the environment; the models are those of
`benchmarks.planning_models`: bare, program, batch, sandbox and true.

    NAME decisions/s   decisions a second
    NAME steps/s       steps of the model a second

Beside them, in the same run, the published planners written down plainly
(`benchmarks.published_planners`), with the same model and the same settings:

    mcts MODEL over plain     time of a plain decision over one of `mcts --preset paper`
    mcts-each MODEL ...       the same, each action tried once before any is tried
                              again: with the preset's value of 1 for an untried action
                              most are never tried where returns are above it
    ... model share           time of the model alone (as many steps in a plain loop)
                              over that of our decision: the ratio above divided by it
                              is what a planner that takes no time would reach (not of
                              the true environment, whose rollouts cost less than steps)
    ... steps over plain      model steps of our decisions over those of the plain ones
    ... over published        our decisions a second over the 41 of the public code (on
                              another machine and with its own model)
    cem batch over plain      steps a second of `cem --preset paper` with `step_batch`
                              over those of the plain one, which steps the bare program
    cem bare over plain       the same without `step_batch`
    cem ... s/decision        seconds for a decision of the whole population

Step by step, cem does `1 / cem_part` of the population, so that a decision ends; as
each plan costs the same, the ratio of steps a second is that of decisions.
Comparisons are in processor time, which other work on the machine changes less, and in
both orders (ours, plain, plain, ours), added up; rates are by the clock.

    python -m benchmarks.planning
    python -m benchmarks.planning --envs CartPole-v1 --planners mcts beam --repeats 1
"""

import itertools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import tyro

from benchmarks.planning_models import PROGRAMS, BareModel, program_model
from benchmarks.published_planners import PlainMcts, plain_cem
from benchmarks.recording import append_record, print_table
from cwm.core.protocols import Context, WorldModel
from cwm.core.seeding import child_rng, child_seed
from cwm.core.spaces import BoxSpec, DiscreteSpec, Value
from cwm.evaluation.deciders import SandboxSettings, open_decider
from cwm.evaluation.decisions import Situation
from cwm.evaluation.held_program import PLANNING_DRIVER
from envs.registry import find
from envs.snapshots import open_with_snapshots
from envs.spaces import to_value
from envs.spec import EnvSpec
from envs.true_model import TrueModel
from planners.cem import CEM_PAPER, CEM_PAPER_PLANNING, CEMPlanner
from planners.mcts import MctsConfig, MctsPlanner
from planners.registry import PLANNERS, PlannerConfig, new_planner
from sandbox.pool import Sandbox

EnvName: TypeAlias = Literal["CartPole-v1", "Pendulum-v1"]
ModelName: TypeAlias = Literal["bare", "program", "batch", "sandbox", "true"]
Decide: TypeAlias = Callable[[int], int]
"""Makes decision number so-and-so; returns the steps of the model that it took."""

PUBLISHED_DECISIONS_PER_S = 41.0
NUM_STARTS = 16


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig:
    """Settings of this benchmark.

    Attributes:
        envs: Environments.
        models: Models.
        planners: Planners; one that cannot choose the actions of an environment is
            left out there.
        model_steps: Steps of the model that a decision may take.
        horizon: Steps that a plan looks ahead; exhaustive looks as far as it can.
        seconds: Time for which each planner decides, in each repeat; one decision at
            least.
        compares: Whether to time the published planners, too.
        cem_population: Plans of a round of cem, preset paper.
        cem_part: See above.
        seed: Of the first observations and of all decisions.
        repeats: How often everything is measured, after one warm-up.
        output: File that one line is appended to; none if it is empty.
    """

    envs: tuple[EnvName, ...] = ("CartPole-v1", "Pendulum-v1")
    models: tuple[ModelName, ...] = ("bare", "program", "batch", "sandbox", "true")
    planners: tuple[str, ...] = tuple(PLANNERS)
    model_steps: int = 2_000
    horizon: int = 50
    seconds: float = 0.1
    compares: bool = True
    cem_population: int = 1_000
    cem_part: int = 50
    seed: int = 0
    repeats: int = 5
    output: str = str(Path(__file__).parent / "results" / "planning.jsonl")


@dataclass(frozen=True, kw_only=True)
class Scene:
    """An environment with its models, and where decisions start.

    Attributes:
        spec: The environment.
        observations: What decisions start from.
        models: Models by name; those that are in this process.
        states: The same starts as states of each of the models.
    """

    spec: EnvSpec
    observations: Sequence[Value]
    models: dict[str, WorldModel]
    states: dict[str, Sequence[Any]]


@contextmanager
def open_scene(name: EnvName, seed: int) -> Iterator[Scene]:
    """Yields the models of an environment; they are closed afterwards."""
    spec = find(name)
    source, batched = PROGRAMS[name]
    spaces = (spec.observation_space, spec.action_space)
    true = TrueModel(spec, seed)
    env = open_with_snapshots(spec, seed)
    try:
        observations, states = [], []
        for index in range(NUM_STARTS):
            shown = env.reset(child_seed(seed, "start", index))
            observations.append(to_value(spec.observation_space, shown))
            states.append(true.state_of(env, observations[-1]))
        models: dict[str, WorldModel] = {
            "bare": BareModel(source),
            "program": program_model(source, *spaces),
            "batch": program_model(batched, *spaces),
            "true": true,
        }
        starts: dict[str, Sequence[Any]] = dict.fromkeys(models, observations)
        yield Scene(
            spec=spec,
            observations=observations,
            models=models,
            states=starts | {"true": states},
        )
    finally:
        true.close()
        env.close()


def planner_config(name: str, config: BenchmarkConfig) -> PlannerConfig:
    """Returns the settings of a planner whose rates are measured."""
    horizon = config.horizon
    if name == "exhaustive":  # 2 + 4 + 8 + ... steps, with the 2 actions of CartPole.
        horizon = min(horizon, int(math.log2(config.model_steps + 2)) - 1)
    return PlannerConfig(
        name=name,
        horizon=horizon,
        model_steps=config.model_steps,
    )


@contextmanager
def open_rate(
    scene: Scene, model: ModelName, planner: PlannerConfig, sandbox: Sandbox, seed: int
) -> Iterator[Decide]:
    """Yields what makes decisions with a model."""
    space = scene.spec.action_space
    if model != "sandbox":
        asked, states = scene.models[model], scene.states[model]
        made, rng = new_planner(planner, space), child_rng(seed, "rates")

        def plan(number: int) -> int:
            state = states[number % NUM_STARTS]
            return made.plan(asked, state, rng).num_model_steps

        yield plan
        return
    source, _ = PROGRAMS[scene.spec.id]
    with open_decider(
        source,
        observation_space=scene.spec.observation_space,
        action_space=space,
        planner=planner,
        settings=SandboxSettings(sandbox=sandbox),
    ) as decider:
        decider.begin(seed)

        def decide(number: int) -> int:
            observation = scene.observations[number % NUM_STARTS]
            decision = decider.decide(
                Situation(
                    observation=observation,
                    step=number,
                    steps_left=None,
                    context=Context(observations=(observation,)),
                ),
                keeps_plan=False,
            )
            assert decision.plan is not None, decision.failure
            return decision.plan.num_model_steps

        yield decide


def rates(decide: Decide, least_s: float) -> tuple[float, float]:
    """Returns decisions a second and steps of the model a second."""
    decide(0)  # A program is loaded, a cache filled.
    number, num_steps = 0, 0
    start = time.perf_counter()
    while True:
        number += 1
        num_steps += decide(number)
        elapsed = time.perf_counter() - start
        if elapsed >= least_s:
            return number / elapsed, num_steps / elapsed


def can_plan(planner: PlannerConfig, spec: EnvSpec) -> bool:
    """Returns whether a planner can choose such actions."""
    try:
        new_planner(planner, spec.action_space)
    except ValueError:
        return False
    return True


def measure_rates(
    scene: Scene, config: BenchmarkConfig, sandbox: Sandbox
) -> dict[str, float]:
    """Returns one repeat of the rates of all planners with all models."""
    found = {}
    for model in config.models:
        for name in config.planners:
            planner = planner_config(name, config)
            if not can_plan(planner, scene.spec):
                continue
            with open_rate(scene, model, planner, sandbox, config.seed) as decide:
                decisions_per_s, steps_per_s = rates(decide, config.seconds)
            row = f"{scene.spec.id} {model} {name}"
            found[f"{row} decisions/s"] = decisions_per_s
            found[f"{row} steps/s"] = steps_per_s
    return found


def both_orders(
    ours: Callable[[], int], plain: Callable[[], int]
) -> tuple[float, float, int, int]:
    """Returns the processor time and the model steps of two calls of each."""
    spent, steps = {ours: 0.0, plain: 0.0}, {ours: 0, plain: 0}
    for call in (ours, plain, plain, ours):
        start = time.process_time()
        steps[call] += call()
        spent[call] += time.process_time() - start
    return spent[ours], spent[plain], steps[ours], steps[plain]


def compare_mcts(scene: Scene, config: BenchmarkConfig) -> dict[str, float]:
    """Returns one repeat of mcts beside the plain one."""
    space = scene.spec.action_space
    assert isinstance(space, DiscreteSpec)
    paper = MctsConfig.paper()
    planning = PlannerConfig(name="mcts", preset="paper").planning()
    number = max(1, round(20 * min(1.0, config.seconds / 0.1)))
    found = {}
    for label, settings, untried_value in (
        ("mcts", paper, 1.0),
        ("mcts-each", replace(paper, untried_value=None), math.inf),
    ):
        planner = MctsPlanner(space, planning, settings)
        for name in ("bare", "program", "true"):
            row = f"{label} {name}"
            model, states = scene.models[name], scene.states[name]
            rng = child_rng(config.seed, "compared", label, name)
            published = PlainMcts(
                model, space.num_values, rng, untried_value=untried_value
            )

            def ours(
                model: WorldModel = model,
                states: Sequence[Any] = states,
                rng: np.random.Generator = rng,
                planner: MctsPlanner = planner,
            ) -> int:
                plans = [planner.plan(model, s, rng) for s in cycled(states, number)]
                return sum(plan.num_model_steps for plan in plans)

            def plain(
                published: PlainMcts = published, states: Sequence[Any] = states
            ) -> int:
                plans = [published.plan(state) for state in cycled(states, number)]
                return sum(plan.num_model_steps for plan in plans)

            ours_s, plain_s, num_steps, num_plain_steps = both_orders(ours, plain)
            decisions_per_s = 2 * number / ours_s
            found[f"{row} over plain"] = plain_s / ours_s
            found[f"{row} steps over plain"] = num_steps / num_plain_steps
            found[f"{row} decisions/s"] = decisions_per_s
            found[f"{row} over published"] = decisions_per_s / PUBLISHED_DECISIONS_PER_S
            if name != "true":
                start = time.process_time()
                walk(model, states[0], num_steps)
                found[f"{row} model share"] = (time.process_time() - start) / ours_s
    return found


def cycled(states: Sequence[Any], number: int) -> Iterator[Any]:
    """Returns the first so many states, over and over."""
    return itertools.islice(itertools.cycle(states), number)


def walk(model: WorldModel, start: Any, num_steps: int) -> None:
    """Takes steps in a plain loop, from the start again after each end."""
    rng, state = np.random.default_rng(0), start
    for number in range(num_steps):
        result = model.step(state, number % 2, rng)
        state = start if result.terminated else result.next_state


def compare_cem(scene: Scene, config: BenchmarkConfig) -> dict[str, float]:
    """Returns one repeat of cem beside the plain one."""
    space = scene.spec.action_space
    assert isinstance(space, BoxSpec)
    rng = child_rng(config.seed, "compared", "cem")
    start = scene.observations[0]
    few = max(2, config.cem_population // config.cem_part)

    def plain() -> int:
        return plain_cem(
            scene.models["bare"],
            start,
            space,
            rng,
            population=few,
            num_elites=max(2, few // 10),
        ).num_model_steps

    found = {}
    for name, population in (("batch", config.cem_population), ("bare", few)):
        planner = CEMPlanner(
            space, CEM_PAPER_PLANNING, replace(CEM_PAPER, population=population)
        )
        model = scene.models[name]

        def ours(planner: CEMPlanner = planner, model: WorldModel = model) -> int:
            return planner.plan(model, start, rng).num_model_steps

        ours_s, plain_s, num_steps, num_plain_steps = both_orders(ours, plain)
        steps_per_s = num_steps / ours_s
        found[f"cem {name} over plain"] = steps_per_s / (num_plain_steps / plain_s)
        found[f"cem {name} steps/s"] = steps_per_s
        found[f"cem {name} s/decision"] = (
            ours_s / 2 * config.cem_population / population
        )
    return found


def measure(config: BenchmarkConfig) -> dict[str, list[float]]:
    """Returns every repeat of every figure."""
    figures: dict[str, list[float]] = {}
    with Sandbox(drivers=[PLANNING_DRIVER], num_workers=1) as sandbox:
        for name in config.envs:
            with open_scene(name, config.seed) as scene:
                for repeat in range(config.repeats + 1):
                    found = measure_rates(scene, config, sandbox)
                    if config.compares:
                        is_box = isinstance(scene.spec.action_space, BoxSpec)
                        compare = compare_cem if is_box else compare_mcts
                        found |= compare(scene, config)
                    if repeat == 0:
                        continue
                    for figure, value in found.items():
                        figures.setdefault(figure, []).append(value)
    return figures


def main(config: BenchmarkConfig) -> None:
    """Measures, prints a table and appends a line to the results."""
    figures = measure(config)
    print_table(figures)
    append_record("planning", config, figures)


if __name__ == "__main__":
    main(tyro.cli(BenchmarkConfig, description=__doc__))
