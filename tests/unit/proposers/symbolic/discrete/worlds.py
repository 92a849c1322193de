"""Small random worlds over integers, and ways to record and judge them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from cwm.core.codec import encode_columns
from cwm.core.proposals import (
    Completion,
    ParentProgram,
    ProposalRequest,
    Task,
)
from cwm.core.spaces import (
    BoxSpec,
    DictSpec,
    DiscreteSpec,
    MultiDiscreteSpec,
    SpaceSpec,
    TupleSpec,
    Value,
)
from cwm.core.trajectories import (
    Transition,
    TransitionBatch,
    batch_trajectories,
    make_trajectory,
)
from cwm.proposers.symbolic.discrete.inducer import DiscreteInducer

State = tuple[int, ...]
Outcome = tuple[State, float, bool]
MOVES = ((-1, 0), (0, 1), (1, 0), (0, -1))


@dataclass(frozen=True, kw_only=True)
class World:
    """A deterministic world whose state is a few digits.

    Attributes:
        sizes: Number of values of each digit.
        num_actions: Number of actions.
        starts: States in which episodes start.
        outcome: What an action in a state leads to.
        shown_as: `"code"`, `"multi"`, `"tuple"`, `"dict"` or `"box"`.
        depends_on: For a table world: inputs of each table, the action last.
    """

    sizes: tuple[int, ...]
    num_actions: int
    starts: tuple[State, ...]
    outcome: Callable[[State, int], Outcome]
    shown_as: str = "code"
    depends_on: tuple[tuple[int, ...], ...] = ()

    @property
    def observation_space(self) -> SpaceSpec:
        sizes = self.sizes
        return {
            "code": DiscreteSpec(int(np.prod(sizes))),
            "multi": MultiDiscreteSpec(sizes),
            "tuple": TupleSpec(tuple(DiscreteSpec(n) for n in sizes)),
            "dict": DictSpec(
                tuple((f"part {i}", DiscreteSpec(n)) for i, n in enumerate(sizes))
            ),
            "box": BoxSpec(
                (len(sizes),), "uint8", (0.0,), tuple(float(n - 1) for n in sizes)
            ),
        }[self.shown_as]

    @property
    def action_space(self) -> DiscreteSpec:
        return DiscreteSpec(self.num_actions)

    def show(self, state: State) -> Value:
        code = 0
        for value, size in zip(state, self.sizes, strict=True):
            code = code * size + value
        return {
            "code": code,
            "multi": np.asarray(state, dtype=np.int64),
            "tuple": state,
            "dict": {f"part {i}": value for i, value in enumerate(state)},
            "box": np.asarray(state, dtype=np.uint8),
        }[self.shown_as]


def record(world: World, *, seed: int, num_steps: int, horizon: int = 60) -> Any:
    """Returns transitions of episodes that prefer what was tried least."""
    rng = np.random.default_rng(seed)
    counts: dict[tuple[State, int], int] = {}
    trajectories = []
    left = num_steps
    while left > 0:
        state = world.starts[int(rng.integers(len(world.starts)))]
        greed = float(rng.choice([0.0, 0.5, 0.9]))
        steps: list[Transition] = []
        for _ in range(min(horizon, left)):
            tried = [counts.get((state, a), 0) for a in range(world.num_actions)]
            action = int(np.argmin(np.asarray(tried) + 0.1 * rng.random(len(tried))))
            if rng.random() > greed:
                action = int(rng.integers(world.num_actions))
            counts[state, action] = counts.get((state, action), 0) + 1
            after, reward, terminated = world.outcome(state, action)
            steps.append(
                Transition(
                    world.show(state),
                    action,
                    world.show(after),
                    reward,
                    terminated,
                    False,
                )
            )
            state = after
            if terminated:
                break
        left -= len(steps)
        trajectories.append(
            make_trajectory(
                steps,
                observation_space=world.observation_space,
                action_space=world.action_space,
            )
        )
    return batch_trajectories(trajectories, world.observation_space, world.action_space)


def reachable(world: World, limit: int = 4000) -> list[State]:
    """Returns the states that can be met before an episode ends."""
    seen = set(world.starts)
    waiting = list(world.starts)
    while waiting and len(seen) < limit:
        state = waiting.pop()
        for action in range(world.num_actions):
            after, _, terminated = world.outcome(state, action)
            if not terminated and after not in seen:
                seen.add(after)
                waiting.append(after)
    return sorted(seen)


def task_of(batch: TransitionBatch, *, is_stochastic: bool = False) -> Task:
    """Returns the task of transitions, without name or description."""
    return Task(
        environment_id="",
        description="",
        observation_space=batch.observation_space,
        action_space=batch.action_space,
        train=batch,
        is_stochastic=is_stochastic,
    )


def load(source: str) -> Any:
    """Returns an `Environment` of a program, with a generator."""
    namespace: dict[str, Any] = {}
    exec(compile(source, "<program>", "exec"), namespace)
    environment = namespace["Environment"]()
    environment.rng = np.random.default_rng(0)
    return environment


def share_right(source: str, world: World, cases: list[tuple[State, int]]) -> float:
    """Returns the share of cases in which all of the transition is right."""
    environment = load(source)
    right = 0
    for state, action in cases:
        after, reward, terminated = world.outcome(state, action)
        environment.set_state(world.show(state))
        shown, predicted, ended = environment.step(action)
        same = all(
            np.array_equal(a, b)
            for a, b in zip(
                encode_columns(world.observation_space, [shown]).values(),
                encode_columns(world.observation_space, [world.show(after)]).values(),
                strict=True,
            )
        )
        right += same and predicted == reward and ended == terminated
    return right / len(cases)


def request(
    kind: Any, task: Task, parent: Completion | None = None, *, num_siblings: int = 0
) -> ProposalRequest:
    """Returns a request, the parent being an earlier completion."""
    program = parent and ParentProgram(source=parent.text, annotation=parent.annotation)
    return ProposalRequest(
        kind=kind,
        task=task,
        parent=program,
        attempt=num_siblings,
        num_siblings=num_siblings,
    )


def induce(
    task: Task, *, max_requests: int = 20
) -> Iterator[tuple[Completion, list[float]]]:
    """Yields each program of a greedy chain of improvements with its accuracies."""
    inducer = DiscreteInducer()
    best = inducer.generate(request("generate", task))
    yield best, accuracies(best)
    attempt = 0
    for _ in range(max_requests):
        if min(accuracies(best)) == 1.0:
            return
        found = inducer.improve(request("improve", task, best, num_siblings=attempt))
        if sum(accuracies(found)) > sum(accuracies(best)):
            best, attempt = found, 0
            yield best, accuracies(best)
        else:
            attempt += 1


def accuracies(completion: Completion) -> list[float]:
    """Returns the accuracy of each part, as its proposer states it."""
    model = completion.annotation["discrete_model"]
    return [part["accuracy"] for part in model["parts"]]


def grid_world(
    seed: int,
    *,
    num_rows: int = 5,
    num_columns: int = 6,
    num_walls: int = 0,
    num_edges: int = 0,
    num_teleports: int = 0,
    num_pits: int = 1,
    has_door: bool = False,
    has_wind: bool = False,
    wraps: bool = False,
    shown_as: str = "code",
) -> World:
    """Returns a random grid; the digits are row, column and, with a door, a key.

    Args:
        seed: Seed of the layout.
        num_rows: Number of rows.
        num_columns: Number of columns.
        num_walls: Cells that stop a move.
        num_edges: Walls between two cells, both ways.
        num_teleports: Cells that lead elsewhere.
        num_pits: Terminal cells with reward -5; the goal gives 10.
        has_door: Whether a cell can be entered only after a key's cell was.
        has_wind: Whether some columns push upwards.
        wraps: Whether the grid is a torus.
        shown_as: As in `World`.
    """
    rng = np.random.default_rng(seed)
    cells = [(r, c) for r in range(num_rows) for c in range(num_columns)]
    order = [cells[i] for i in rng.permutation(len(cells))]
    goal, key, door, *order = order
    walls = {order.pop() for _ in range(num_walls)}
    pits = {order.pop() for _ in range(num_pits)}
    teleports = {order.pop(): order.pop() for _ in range(num_teleports)}
    wind = rng.integers(0, 2, num_columns) if has_wind else np.zeros(num_columns, int)
    edges = set()
    for _ in range(num_edges):
        row, column = order[int(rng.integers(len(order)))]
        move = MOVES[int(rng.integers(4))]
        edges.add(frozenset({(row, column), (row + move[0], column + move[1])}))
    names = rng.permutation(4)

    def target(cell: tuple[int, int], action: int) -> tuple[int, int]:
        step = MOVES[int(names[action])]
        row, column = cell[0] + step[0] - int(wind[cell[1]]), cell[1] + step[1]
        if wraps:
            return row % num_rows, column % num_columns
        return min(max(row, 0), num_rows - 1), min(max(column, 0), num_columns - 1)

    def outcome(state: State, action: int) -> Outcome:
        cell = (state[0], state[1])
        has_key = state[2] if has_door else 1
        after = target(cell, action)
        blocked = after in walls or frozenset({cell, after}) in edges
        if blocked or (has_door and after == door and not has_key):
            after = cell
        after = teleports.get(after, after)
        has_key = int(has_key or after == key)
        ended = after == goal or after in pits
        reward = 10.0 if after == goal else -5.0 if after in pits else -1.0
        return (*after, *([has_key] if has_door else [])), reward, ended

    flags = (0,) if has_door else ()
    return World(
        sizes=(num_rows, num_columns, *([2] if has_door else [])),
        num_actions=4,
        starts=tuple((*cell, *flags) for cell in order if cell not in teleports),
        outcome=outcome,
        shown_as=shown_as,
    )


def table_world(seed: int, *, num_digits: int = 3, shown_as: str = "code") -> World:
    """Returns a world whose digits follow random tables of two or three inputs."""
    rng = np.random.default_rng(seed)
    sizes = tuple(int(n) for n in rng.integers(2, 6, num_digits))
    num_actions = int(rng.integers(2, 5))
    limits = (*sizes, num_actions)

    def random_table(num_values: int) -> tuple[Any, Any]:
        chosen = sorted(rng.choice(len(limits), int(rng.integers(1, 4)), replace=False))
        shape = [limits[i] for i in chosen]
        return chosen, rng.integers(0, num_values, shape)

    tables = [random_table(size) for size in sizes]
    reward_of, rewards = random_table(3)
    end_of, ends = random_table(12)

    def outcome(state: State, action: int) -> Outcome:
        inputs = (*state, action)
        after = tuple(
            int(table[tuple(inputs[i] for i in chosen)]) for chosen, table in tables
        )
        reward = float(rewards[tuple(inputs[i] for i in reward_of)]) - 1.0
        ended = bool(ends[tuple(inputs[i] for i in end_of)] == 0)
        return after, reward, ended

    grids = np.indices(sizes).reshape(num_digits, -1).T
    return World(
        sizes=sizes,
        num_actions=num_actions,
        starts=tuple(tuple(int(v) for v in row) for row in grids),
        outcome=outcome,
        shown_as=shown_as,
        depends_on=tuple(
            tuple(int(i) for i in chosen)
            for chosen in (*(chosen for chosen, _ in tables), reward_of, end_of)
        ),
    )
