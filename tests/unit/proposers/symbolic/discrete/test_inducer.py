import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from cwm.core.proposals import Completion, Task
from cwm.core.spaces import DiscreteSpec
from cwm.core.trajectories import Transition, batch_trajectories, make_trajectory
from cwm.proposers.symbolic.discrete import ladder
from cwm.proposers.symbolic.discrete.inducer import DiscreteInducer
from cwm.proposers.symbolic.discrete.model import model_from_json
from cwm.proposers.symbolic.discrete.table import gather_facts
from envs.collect import CollectConfig, collect
from envs.registry import find
from tests.unit.proposers.symbolic.discrete.worlds import (
    World,
    accuracies,
    grid_world,
    induce,
    load,
    reachable,
    record,
    request,
    share_right,
    table_world,
    task_of,
)

# Worlds in which everything can be known from 1,500 steps: 1.0 is required.
EXACT: dict[str, Callable[[], World]] = {
    "walls": lambda: grid_world(0, num_walls=5),
    "walls between cells": lambda: grid_world(1, num_edges=8),
    "teleports": lambda: grid_world(2, num_walls=3, num_teleports=2),
    "key and door": lambda: grid_world(1, num_walls=4, has_door=True),
    "wind": lambda: grid_world(0, num_columns=7, has_wind=True),
    "torus": lambda: grid_world(2, num_walls=3, wraps=True),
    "multi-discrete": lambda: grid_world(0, num_walls=3, shown_as="multi"),
    "tuple": lambda: grid_world(1, num_walls=3, shown_as="tuple"),
    "dict": lambda: grid_world(2, num_walls=3, shown_as="dict"),
    "integer box": lambda: grid_world(0, num_walls=3, shown_as="box"),
}


def solved(world: World, *, num_steps: int = 1500) -> tuple[Completion, int]:
    """Returns the last program of a chain, and how many programs it took."""
    programs = list(induce(task_of(record(world, seed=5, num_steps=num_steps))))
    return programs[-1][0], len(programs)


def every_case(world: World) -> list[tuple[tuple[int, ...], int]]:
    return [(s, a) for s in reachable(world) for a in range(world.num_actions)]


@pytest.mark.parametrize("name", EXACT)
def test_a_grid_comes_out_exactly_in_all_states_it_can_reach(name: str) -> None:
    world = EXACT[name]()
    completion, num_programs = solved(world)
    assert share_right(completion.text, world, every_case(world)) == 1.0
    assert num_programs > 2


@pytest.mark.parametrize("seed", [0, 2])
def test_a_random_decision_table_is_exact_on_what_it_was_shown(seed: int) -> None:
    world = table_world(seed)
    batch = record(world, seed=5, num_steps=1500)
    completion = list(induce(task_of(batch)))[-1][0]
    assert min(accuracies(completion)) == 1.0
    environment = load(completion.text)
    for index in range(0, len(batch), 37):
        step = batch.transition(index)
        environment.set_state(step.observation)
        assert environment.step(step.action) == (
            step.next_observation,
            step.reward,
            step.terminated,
        )


@pytest.mark.parametrize(
    ("seed", "num_digits"),
    [
        (5, 3),
        pytest.param(5, 4, marks=pytest.mark.slow),
        pytest.param(14, 4, marks=pytest.mark.slow),
    ],
)
def test_tables_are_right_wherever_their_entries_were_shown(
    seed: int, num_digits: int
) -> None:
    world = table_world(seed, num_digits=num_digits)
    batch = record(world, seed=5, num_steps=1500)
    completion = list(induce(task_of(batch)))[-1][0]
    shown: list[set[tuple[int, ...]]] = [set() for _ in world.depends_on]
    for code, action in zip(batch.observations[""], batch.actions[""], strict=True):
        inputs = (*np.unravel_index(int(code), world.sizes), int(action))
        for chosen, keys in zip(world.depends_on, shown, strict=True):
            keys.add(tuple(int(inputs[i]) for i in chosen))

    def is_known(state: tuple[int, ...], action: int) -> bool:
        inputs = (*state, action)
        return all(
            tuple(inputs[i] for i in chosen) in keys
            for chosen, keys in zip(world.depends_on, shown, strict=True)
        )

    known = [case for case in every_case(world) if is_known(*case)]
    assert share_right(completion.text, world, known) == 1.0


def first_and_second(world: World) -> tuple[Task, DiscreteInducer, Completion]:
    task = task_of(record(world, seed=5, num_steps=800))
    inducer = DiscreteInducer()
    return task, inducer, inducer.generate(request("generate", task))


def test_equal_requests_have_equal_answers_from_different_inducers() -> None:
    task, inducer, first = first_and_second(grid_world(0, num_walls=4))
    again = DiscreteInducer().generate(request("generate", task))
    assert again == first
    improved = inducer.improve(request("improve", task, first))
    assert DiscreteInducer().improve(request("improve", task, first)) == improved


def test_a_model_that_comes_back_is_refined_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task, inducer, first = first_and_second(grid_world(0, num_walls=4))
    asked: list[str] = []

    def counting(bench: ladder.Workbench, target: str) -> list[ladder.Candidate]:
        asked.append(target)
        return ladder.refinements(bench, target)

    monkeypatch.setattr("cwm.proposers.symbolic.discrete.inducer.refinements", counting)
    ask = request("improve", task, first)
    improved = inducer.improve(ask)
    num_asked = len(asked)
    assert num_asked > 0
    assert inducer.improve(ask) == improved
    assert len(asked) == num_asked
    # Another model, and other transitions, are others.
    inducer.improve(request("improve", task, improved))
    assert len(asked) > num_asked
    other = task_of(record(grid_world(0, num_walls=4), seed=6, num_steps=80))
    ask = request("improve", other, first)
    assert inducer.improve(ask) == DiscreteInducer().improve(ask) != improved


@pytest.mark.parametrize("max_remembered", [1, 256])
def test_answers_do_not_depend_on_how_many_refinements_are_kept(
    monkeypatch: pytest.MonkeyPatch, max_remembered: int
) -> None:
    name = "cwm.proposers.symbolic.discrete.inducer.MAX_REMEMBERED"
    monkeypatch.setattr(name, max_remembered)
    task, inducer, program = first_and_second(grid_world(1, num_walls=4))
    for _ in range(3):
        for num_siblings in (2, 1, 0):
            ask = request("improve", task, program, num_siblings=num_siblings)
            found = inducer.improve(ask)
            assert found == DiscreteInducer().improve(ask)
        program = found


def test_answers_do_not_depend_on_name_or_description() -> None:
    task, _, first = first_and_second(grid_world(0, num_walls=4))
    named = replace(task, environment_id="Taxi-v4", description="A taxi.")
    assert DiscreteInducer().generate(request("generate", named)) == first


def test_the_annotation_is_plain_json() -> None:
    _, _, first = first_and_second(grid_world(0, num_walls=4))
    assert json.loads(json.dumps(first.annotation)) == first.annotation


def test_attempts_at_one_node_differ() -> None:
    task, inducer, first = first_and_second(grid_world(0, num_walls=4, num_teleports=1))
    texts = {
        inducer.improve(request("improve", task, first, num_siblings=k)).text
        for k in range(4)
    }
    assert len(texts) == 4


def test_one_request_changes_one_part_or_rules_shared_by_digits() -> None:
    task, inducer, program = first_and_second(grid_world(1, num_walls=4))
    for _ in range(4):
        found = inducer.improve(request("improve", task, program))
        before, after = (
            {p["target"]: p for p in c.annotation["discrete_model"]["parts"]}
            for c in (program, found)
        )
        changed = {target for target in after if after[target] != before[target]}
        assert len(changed) <= 1 or changed <= {"x0", "x1"}
        program = found


def test_improve_without_an_annotation_starts_anew() -> None:
    task, inducer, first = first_and_second(grid_world(0))
    bare = Completion(text="class Environment: ...")
    assert inducer.improve(request("improve", task, bare)).text == first.text


def failing(task: Task, completion: Completion, needle: str) -> object:
    """Returns a fix request for a program that raised at the line with `needle`."""
    lines = completion.text.splitlines()
    line = next(i for i, text in enumerate(lines, 1) if needle in text)
    base = request("fix", task, completion)
    assert base.parent is not None
    return replace(base, parent=replace(base.parent, failure_line=line))


def test_fix_makes_the_part_that_raised_plain_again() -> None:
    task, inducer, program = first_and_second(grid_world(1, num_walls=4))
    for _ in range(3):
        program = inducer.improve(request("improve", task, program))
    targets = {p["target"]: p for p in program.annotation["discrete_model"]["parts"]}
    assert targets["x0"]["family"] != "most frequent"
    fixed = inducer.fix(failing(task, program, "next_row = "))  # type: ignore[arg-type]
    after = {p["target"]: p for p in fixed.annotation["discrete_model"]["parts"]}
    assert after["x0"]["base"]["kind"] == "feature"
    assert after["x0"]["rules"] == []
    assert {t: p for t, p in after.items() if t != "x0"} == {
        t: p for t, p in targets.items() if t != "x0"
    }
    load(fixed.text)


def test_fix_of_a_failure_outside_all_parts_makes_everything_plain() -> None:
    task, inducer, program = first_and_second(grid_world(1, num_walls=4))
    fixed = inducer.fix(failing(task, program, "def decode"))  # type: ignore[arg-type]
    parts = fixed.annotation["discrete_model"]["parts"]
    assert {part["family"] for part in parts} == {"most frequent"}


def test_chances_are_induced_where_outcomes_vary() -> None:
    # A counter grows by 1 with probability 3/4 under action 1 and stays otherwise.
    space, actions = DiscreteSpec(30), DiscreteSpec(2)
    rng = np.random.default_rng(0)
    trajectories = []
    for _ in range(60):
        state, steps = 0, []
        for _ in range(25):
            action = int(rng.integers(2))
            after = min(state + int(action == 1 and rng.random() < 0.75), 29)
            steps.append(
                Transition(state, action, after, float(after > state), False, False)
            )
            state = after
        trajectories.append(
            make_trajectory(steps, observation_space=space, action_space=actions)
        )
    batch = batch_trajectories(trajectories, space, actions)
    task = task_of(batch, is_stochastic=True)
    inducer = DiscreteInducer()
    program = inducer.generate(request("generate", task))
    for _ in range(4):
        program = inducer.improve(request("improve", task, program))
    environment = load(program.text)
    grown = 0
    for _ in range(2000):
        environment.set_state(11)
        after, reward, terminated = environment.step(1)
        assert after in (11, 12)
        assert reward == float(after > 11)
        assert terminated is False
        grown += after - 11
    assert grown / 2000 == pytest.approx(0.75, abs=0.05)
    environment.set_state(11)
    assert environment.step(0) == (11, 0.0, False)


def drifting_task(*, moving: float, fairness: float) -> Task:
    """A place that drifts, drawn anew at times, and a reward with chances by it."""
    space, actions = DiscreteSpec(12), DiscreteSpec(2)
    rng = np.random.default_rng(0)
    place, steps = 0, []
    for _ in range(1500):
        action = int(rng.integers(2))
        after = place
        if rng.random() < moving:
            drifts = rng.random() < 0.9
            after = int(
                (place + rng.integers(1, 4)) % 12 if drifts else rng.integers(12)
            )
        chance = fairness * 0.5 + (1 - fairness) * (after > 5)
        reward = float(rng.random() < chance)
        steps.append(Transition(place, action, after, reward, False, False))
        place = after
    trajectory = make_trajectory(steps, observation_space=space, action_space=actions)
    return task_of(batch_trajectories([trajectory], space, actions), is_stochastic=True)


def costs_of(task: Task, *completions: Completion) -> list[float]:
    facts = gather_facts(task)
    return [
        ladder.Workbench.of(facts, model_from_json(c.annotation["discrete_model"]))
        .candidate_of(())
        .cost
        for c in completions
    ]


def test_where_nothing_gets_shorter_what_gets_the_least_longer_comes_first() -> None:
    task, inducer = drifting_task(moving=1.0, fairness=0.5), DiscreteInducer()
    program = inducer.generate(request("generate", task))
    shorter = True
    while shorter:
        found = inducer.improve(request("improve", task, program))
        before, after = costs_of(task, program, found)
        shorter = after < before
        program = found if shorter else program
    answers = [
        inducer.improve(request("improve", task, program, num_siblings=k))
        for k in range(2)
    ]
    own, first, second = costs_of(task, program, *answers)
    assert own < first < second


def test_the_worst_part_comes_first_where_it_gets_shorter() -> None:
    task, inducer = drifting_task(moving=0.05, fairness=0.02), DiscreteInducer()
    program = inducer.generate(request("generate", task))
    answers = [
        inducer.improve(request("improve", task, program, num_siblings=k))
        for k in range(2)
    ]
    own, first, second = costs_of(task, program, *answers)
    assert second < first < own


def test_a_program_with_one_wrong_wall_is_noticed_by_these_tests() -> None:
    world = grid_world(0, num_walls=5)
    completion, _ = solved(world)
    name = "ROW_CASES = {("
    assert name in completion.text
    broken = completion.text.replace(name, "ROW_CASES = {(9, 9), (9", 1)
    assert share_right(broken, world, every_case(world)) < 1.0


@pytest.mark.slow
@pytest.mark.parametrize("env_id", ["CliffWalking-v1", "Taxi-v4"])
def test_collected_data_of_a_named_environment_are_explained(env_id: str) -> None:
    dataset = collect(find(env_id), CollectConfig(), seed=3)
    completion = list(induce(task_of(dataset.batch("train")), max_requests=30))[-1][0]
    environment = load(completion.text)
    batch = dataset.batch("held_out")
    right = 0
    for index in range(len(batch)):
        step = batch.transition(index)
        environment.set_state(step.observation)
        right += environment.step(step.action) == (
            step.next_observation,
            step.reward,
            step.terminated,
        )
    assert right / len(batch) >= 0.999
