import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import solve_discrete_are

from cwm.suites.benchmark_task import BenchmarkTask
from cwm.suites.constants import MARGIN, Constant, Drawn, itself
from cwm.suites.cwmb import MUJOCO
from cwm.suites.shifted import ORIGINALS, shifted_tasks
from cwm.suites.shifted_ranges import (
    CONSTANTS,
    car_arrives,
    dealer_can_lose,
    maze_can_end,
    pendulum_can_rise,
)
from cwm.suites.tasks import tasks
from envs.grids import GridEnv, can_terminate
from envs.registry import find

STATEFUL = ("CartPole-S", "MountainCar-S", "Acrobot-S", "Pendulum-S")
MUJOCO_TASKS = [
    pytest.param(task.name, marks=pytest.mark.mujoco)
    for task in shifted_tasks(0)
    if task.env in MUJOCO
]
STARTS = {
    "CartPole-S": (0.1, 0.2, 0.05, -0.1),
    "MountainCar-S": (-0.7, 0.01),
    "Acrobot-S": (0.5, -0.4, 0.3, 0.2),
    "Pendulum-S": (2.0, 0.5),
}


def shifted(name: str, seed: int) -> BenchmarkTask:
    return next(task for task in tasks("cwmb-s", seed) if task.name == name)


def value(task: BenchmarkTask, constant: Constant) -> Any:
    held = task.changes if constant.target == "change" else task.env_kwargs
    found = held[(constant.paths or (constant.name,))[0]]
    if isinstance(found, dict):
        found = found["times"]
    return found[-1] if isinstance(found, list) else found


def after(env: Any, name: str) -> list[float]:
    """Returns state and reward one step after a fixed state."""
    env.reset(seed=0)
    inner = env.unwrapped
    action = env.action_space.sample()
    env.action_space.seed(0)
    action = env.action_space.sample()
    if name in STARTS:
        inner.state = np.array(STARTS[name])
        _, reward, *_ = env.step(action)
        return [*map(float, inner.state), float(reward)]
    model, data = inner.model, inner.data
    rng = np.random.default_rng(0)
    positions = data.qpos + rng.uniform(-0.05, 0.05, model.nq)
    inner.set_state(positions, rng.normal(size=model.nv))
    for _ in range(3):
        _, reward, *_ = env.step(action)
    return [*data.qpos, *data.qvel, float(reward)]


@given(st.integers(0, 2**31))
@settings(max_examples=30, deadline=None)
def test_constants_keep_to_their_ranges_and_margins(seed: int) -> None:
    for task in shifted_tasks(seed):
        for constant in CONSTANTS[task.name]:
            found = value(task, constant)
            assert constant.is_allowed(found), (task.name, constant, found)
            if constant.original is not None and constant.distribution != "integer":
                least = constant.margin * abs(constant.original)
                assert abs(found - constant.original) >= least
            elif constant.original is not None:
                assert found != constant.original
            assert constant.margin >= MARGIN / 2


def test_the_seed_fixes_all_constants() -> None:
    assert tasks("cwmb-s", 7) == tasks("cwmb-s", 7)
    one, two = tasks("cwmb-s", 7), tasks("cwmb-s", 8)
    for left, right in zip(one, two, strict=True):
        assert (left.name, left.env) == (right.name, right.env)
        assert (left.env_kwargs, left.changes) != (right.env_kwargs, right.changes)


def test_originals_are_what_the_environments_have() -> None:
    for task in shifted_tasks(0):
        if task.env in MUJOCO:
            continue
        env: Any = find(task.env).make().unwrapped
        is_ours = task.env.startswith("cwm/")
        original = ORIGINALS.get(task.name.removesuffix("-S"))
        for constant in CONSTANTS[task.name]:
            name = (constant.paths or (constant.name,))[0]
            if name == "AVAIL_TORQUE":
                assert env.AVAIL_TORQUE == [-1.0, 0.0, 1.0]
            elif not is_ours or original in (None, "Blackjack-v1"):
                held = getattr(env, name, constant.original)
                assert constant.original is None or held == constant.original


@pytest.mark.mujoco
def test_originals_of_arguments_are_the_constructors_defaults() -> None:
    pytest.importorskip("mujoco")
    for task in shifted_tasks(0):
        if task.env not in MUJOCO:
            continue
        env: Any = find(task.env).make().unwrapped
        for constant in CONSTANTS[task.name]:
            if constant.target == "argument":
                (path,) = constant.paths or ()
                assert getattr(env, f"_{path}") == constant.original
            else:
                assert constant.original == 1.0


@pytest.mark.parametrize("name", [*STATEFUL, *MUJOCO_TASKS])
def test_a_step_from_the_same_state_differs(name: str) -> None:
    if name not in STATEFUL:
        pytest.importorskip("mujoco")
    outcomes = [after(find(ORIGINALS[name.removesuffix("-S")]).make(), name)]
    outcomes += [after(shifted(name, seed).spec().make(), name) for seed in (1, 2)]
    for i in range(3):
        for j in range(i):
            assert not np.allclose(outcomes[i], outcomes[j], rtol=1e-6, atol=1e-6)
    assert outcomes[1] == after(shifted(name, 1).spec().make(), name)


@pytest.mark.parametrize("name", ["CliffWalking-S", "Taxi-S", "Teleport-S"])
def test_grids_have_other_sizes_or_rewards_with_each_seed(name: str) -> None:
    tables = []
    for seed in range(4):
        grid: Any = shifted(name, seed).spec().make().unwrapped
        num_states = int(grid.observation_space.n)
        tables.append([grid.outcome(s, 1) for s in grid.start_states()] + [num_states])
    for i in range(4):
        for j in range(i):
            assert tables[i] != tables[j]


@pytest.mark.parametrize("name", ["CliffWalking-S", "Taxi-S", "Teleport-S"])
def test_every_episode_in_a_grid_can_be_brought_to_its_end(name: str) -> None:
    for seed in range(40):
        grid = shifted(name, seed).spec().make().unwrapped
        assert isinstance(grid, GridEnv)
        assert can_terminate(grid)


def test_what_cannot_be_solved_is_drawn_again() -> None:
    weak = {"force": 1e-4, "gravity": 0.0035, "max_speed": 0.1, "goal_position": 0.5}
    assert not car_arrives(weak)
    assert car_arrives({**weak, "force": 0.001, "gravity": 0.0025})
    slow = {"g": 10.0, "m": 1.0, "l": 1.0, "max_speed": 7.0, "max_torque": 2.0}
    assert not pendulum_can_rise(slow)
    assert pendulum_can_rise({**slow, "max_speed": 8.0})
    assert not pendulum_can_rise({**slow, "max_speed": 8.0, "max_torque": 1.0})
    assert not dealer_can_lose({"limit": 20, "dealer_stands_at": 20})
    full = {"num_rows": 4, "num_columns": 4, "num_walls": 8, "num_teleports": 3}
    assert not maze_can_end({**full, "layout_seed": 1})
    layouts = [{**full, "num_walls": 2, "layout_seed": seed} for seed in range(60)]
    assert 0 < sum(map(maze_can_end, layouts)) < 60


@pytest.mark.parametrize(
    ("name", "is_solvable"),
    [
        ("Blackjack-S", dealer_can_lose),
        ("MountainCar-S", car_arrives),
        ("Pendulum-S", pendulum_can_rise),
        ("Teleport-S", maze_can_end),
    ],
)
def test_what_is_drawn_can_be_solved(
    name: str, is_solvable: Callable[[Drawn], bool]
) -> None:
    for seed in range(60):
        task = shifted(name, seed)
        drawn = {c.name: value(task, c) for c in CONSTANTS[name]}
        assert is_solvable(drawn), (seed, drawn)


def lasts(env: Any, seed: int, act: Callable[[Any], Any], limit: int) -> int:
    observation, _ = env.reset(seed=seed)
    for step in range(1, limit + 1):
        observation, _, terminated, truncated, _ = env.step(act(observation))
        if terminated or truncated:
            return step
    return limit


@pytest.mark.parametrize("seed", range(5))
def test_the_car_arrives_when_it_is_pushed_the_way_it_moves(seed: int) -> None:
    env = shifted("MountainCar-S", seed).spec().make()
    assert lasts(env, seed, lambda o: 2 if o[1] >= 0 else 0, 200) < 200


@pytest.mark.parametrize("seed", range(5))
def test_the_acrobot_swings_up_by_pumping(seed: int) -> None:
    env = shifted("Acrobot-S", seed).spec().make()
    pumps: list[Callable[[Any], int]] = [
        lambda o: 2 if o[5] > 0 else 0,
        lambda o: 0 if o[4] > 0 else 2,
    ]
    assert min(lasts(env, seed, pump, 500) for pump in pumps) < 400


@pytest.mark.parametrize("seed", range(5))
def test_the_pendulum_stands_by_energy_control(seed: int) -> None:
    env: Any = shifted("Pendulum-S", seed).spec().make()
    inner = env.unwrapped
    weight = inner.m * inner.g * inner.l / 2
    inertia = inner.m * inner.l**2 / 3

    def torque(observation: Any) -> Any:
        angle, speed = inner.state
        angle = (angle + math.pi) % (2 * math.pi) - math.pi
        energy = inertia * speed**2 / 2 + weight * (math.cos(angle) - 1)
        if abs(angle) < 0.4 and abs(speed) < 3:
            u = -3 * weight * angle - 3 * math.sqrt(inertia * weight) * speed
        else:
            u = math.copysign(inner.max_torque, -speed * energy)
        return np.clip([u], -inner.max_torque, inner.max_torque).astype(np.float32)

    env.reset(seed=0)
    inner.state = np.array([math.pi, 0.01])
    for _ in range(200):
        observation, *_ = env.step(torque(None))
    assert observation[0] > 0.95


@pytest.mark.parametrize("seed", range(5))
def test_the_pole_is_held_by_pushes_of_linear_control(seed: int) -> None:
    env: Any = shifted("CartPole-S", seed).spec().make()
    inner = env.unwrapped

    def moved(state: Any, action: int) -> Any:
        env.reset(seed=0)
        inner.state = np.array(state)
        env.step(action)
        return np.array(inner.state)

    step = 1e-4
    drift = np.stack(
        [
            sum(moved(step * e, a) - moved(-step * e, a) for a in (0, 1)) / (4 * step)
            for e in np.eye(4)
        ],
        axis=1,
    )
    push = (moved(np.zeros(4), 1) - moved(np.zeros(4), 0)) / 2
    cost = solve_discrete_are(
        drift, push[:, None], np.diag([1, 0.1, 10, 0.1]), np.eye(1) * 0.1
    )

    def act(observation: Any) -> int:
        following = [drift @ observation + sign * push for sign in (-1, 1)]
        return int(np.argmin([state @ cost @ state for state in following]))

    assert lasts(env, seed, act, 500) == 500


@pytest.mark.mujoco
@pytest.mark.parametrize("name", ["InvertedPendulum-S", "InvertedDoublePendulum-S"])
def test_poles_of_mujoco_are_held_by_linear_control(name: str) -> None:
    pytest.importorskip("mujoco")
    for seed in range(3):
        env: Any = shifted(name, seed).spec().make()
        inner = env.unwrapped
        env.reset(seed=0)
        count, step = inner.model.nq, 1e-5

        def moved(
            state: Any, action: float, inner: Any = inner, count: int = count
        ) -> Any:
            inner.set_state(state[:count], state[count:])
            inner.do_simulation(np.array([action]), inner.frame_skip)
            return np.concatenate([inner.data.qpos, inner.data.qvel])

        eye = np.eye(2 * count)
        drift = np.stack(
            [(moved(step * e, 0) - moved(-step * e, 0)) / (2 * step) for e in eye], 1
        )
        force = moved(0 * eye[0], step) - moved(0 * eye[0], -step)
        force = force[:, None] / (2 * step)
        cost = solve_discrete_are(drift, force, eye, np.eye(1))
        gain = np.linalg.solve(
            np.eye(1) + force.T @ cost @ force, force.T @ cost @ drift
        )

        def act(observation: Any, inner: Any = inner, gain: Any = gain) -> Any:
            state = np.concatenate([inner.data.qpos, inner.data.qvel])
            limit = inner.action_space.high
            return np.clip(-gain @ state, -limit, limit).astype(np.float32)

        assert lasts(env, seed, act, 200) == 200


@pytest.mark.parametrize("name", CONSTANTS)
def test_a_description_gives_no_number_away(name: str) -> None:
    text = shifted(name, 0).description or ""
    # Elements of observations are called `[3]`, actions `- 3: ...`.
    rest = re.sub(r"\[\d+\]", "", re.sub(r"(?m)^- \d: ", "- ", text))
    assert re.findall(r"\d", rest.replace("Walker2d", "")) == []
    assert "are not given here" in text
    for task_seed in range(3):
        task = shifted(name, task_seed)
        for constant in CONSTANTS[name]:
            for number in (value(task, constant), constant.original):
                assert number is None or str(number) not in rest


@pytest.mark.parametrize("name", CONSTANTS)
def test_a_description_has_all_parts(name: str) -> None:
    text = shifted(name, 0).description or ""
    headings = re.findall(r"(?m)^## (.*)$", text)
    assert headings == [
        "Description",
        "Action Space",
        "Observation Space",
        "Rewards",
        "Episode End",
        "Constants",
    ]


@pytest.mark.parametrize(
    "name",
    [
        name
        if ORIGINALS.get(name[:-2]) not in MUJOCO
        else pytest.param(name, marks=pytest.mark.mujoco)
        for name in CONSTANTS
    ],
)
def test_a_description_names_all_elements(name: str) -> None:
    if ORIGINALS.get(name[:-2]) in MUJOCO:
        pytest.importorskip("mujoco")
    env = shifted(name, 0).spec().make()
    text = (shifted(name, 0).description or "").split("## Rewards")[0]
    actions, observations = text.split("## Action Space")[1].split("## Observation")
    for space, part in (
        (env.action_space, actions),
        (env.observation_space, observations),
    ):
        named = [int(n) for n in re.findall(r"(?m)\[(\d+)\]", part)]
        size = int(np.prod(space.shape or ())) if space.shape else 0
        if size:
            assert max(named) == size - 1
        elif part is actions:
            count = int(space.n)  # type: ignore[attr-defined]
            labels = re.findall(r"(?m)^- (\d): ", part)
            assert labels == [str(i) for i in range(count)]


def row(constant: Constant) -> str:
    """Returns the row of a constant in the table of the documentation."""
    original = "-" if constant.original is None else f"{constant.original:.4g}"
    if constant.form is not itself and constant.original == 1.0 and constant.paths:
        original = "factor" if "." in constant.paths[0] else original
    margin = "differs" if constant.distribution == "integer" else f"{constant.margin:g}"
    if constant.original in (None, 0.0):
        margin = "-"
    paths = ", ".join(f"`{path}`" for path in constant.paths or (constant.name,))
    return (
        f"| {constant.name} | {paths} | {original} | {constant.low:g} to "
        f"{constant.high:g} | {margin} |"
    )


@pytest.mark.parametrize("name", CONSTANTS)
def test_the_documentation_has_the_ranges(name: str) -> None:
    text = (Path(__file__).parents[3] / "docs" / "benchmark-tasks.md").read_text()
    part = text.split(f"### {name}\n")[1].split("\n### ")[0].split("\n## ")[0]
    rows = [line for line in part.splitlines() if line.startswith("| ")][1:]
    assert rows == [row(constant) for constant in CONSTANTS[name]]
