"""Grid worlds of any size: cliffs, taxis, teleports, keys and doors.

They follow Gymnasium's conventions for such worlds (one integer as observation,
-1 per step) and vary what the well-known ones fix: size, walls, special cells.
`layout_seed` draws the layout; two environments with the same arguments are equal.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

import gymnasium
import numpy as np
from gymnasium import spaces

Cell: TypeAlias = tuple[int, int]
"""Row and column, from the upper left corner."""

Step: TypeAlias = tuple[int, float, bool]
"""Next state, reward, terminated."""

MOVES: tuple[Cell, ...] = ((-1, 0), (0, 1), (1, 0), (0, -1))
"""Up, right, down, left."""

STEP_REWARD = -1.0
"""Reward of an ordinary step, unless the arguments say otherwise."""


class GridEnv(gymnasium.Env[Any, Any]):
    """A deterministic world whose state is one integer, the observation.

    Subclasses set the spaces, `outcome` and `start_states`.
    """

    def __init__(
        self, *, num_rows: int, num_columns: int, step_reward: float = STEP_REWARD
    ) -> None:
        if num_rows < 2 or num_columns < 2:
            raise ValueError(
                "num_rows and num_columns must be at least 2, "
                f"got {num_rows} and {num_columns}."
            )
        self.num_rows = num_rows
        self.num_columns = num_columns
        self.step_reward = float(step_reward)
        self.s = 0

    def outcome(self, state: int, action: int) -> Step:
        """Returns what `action` leads to in `state`."""
        raise NotImplementedError

    def start_states(self) -> Sequence[int]:
        """Returns the states an episode can start in, equally likely."""
        raise NotImplementedError

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Starts an episode in a random start state."""
        super().reset(seed=seed)
        starts = self.start_states()
        self.s = int(starts[int(self.np_random.integers(len(starts)))])
        return self.s, {}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        """Moves on by one step."""
        self.s, reward, terminated = self.outcome(self.s, int(action))
        return self.s, reward, terminated, False, {}

    def moved(self, cell: Cell, move: int, walls: frozenset[Cell]) -> Cell:
        """Returns the cell after a move; walls and the border stop it."""
        row = min(max(cell[0] + MOVES[move][0], 0), self.num_rows - 1)
        column = min(max(cell[1] + MOVES[move][1], 0), self.num_columns - 1)
        return cell if (row, column) in walls else (row, column)

    def number(self, cell: Cell) -> int:
        """Returns the number of a cell, row by row."""
        return cell[0] * self.num_columns + cell[1]

    def cell(self, number: int) -> Cell:
        """Returns the cell of a number."""
        row, column = divmod(number, self.num_columns)
        return row, column


def can_terminate(env: GridEnv) -> bool:
    """Returns whether an episode can be brought to its end from every start."""
    before: dict[int, list[int]] = {}
    frontier: list[int] = []
    pending = list(env.start_states())
    seen = set(pending)
    actions = range(int(env.action_space.n))  # type: ignore[attr-defined]
    while pending:
        state = pending.pop()
        for action in actions:
            following, _, terminated = env.outcome(state, action)
            if terminated:
                frontier.append(state)
                continue
            before.setdefault(following, []).append(state)
            if following not in seen:
                seen.add(following)
                pending.append(following)
    ending = set(frontier)
    while frontier:
        for state in before.get(frontier.pop(), ()):
            if state not in ending:
                ending.add(state)
                frontier.append(state)
    return ending >= set(env.start_states())


def free_cells(
    num_rows: int, num_columns: int, num_walls: int, rng: np.random.Generator
) -> tuple[list[Cell], frozenset[Cell]]:
    """Returns the free cells of a random layout, shuffled, and its walls.

    Walls are drawn one by one; one that would cut the free cells apart is left out,
    so that fewer than `num_walls` may result.
    """
    cells = [(r, c) for r in range(num_rows) for c in range(num_columns)]
    order = [cells[i] for i in rng.permutation(len(cells))]
    walls: set[Cell] = set()
    for cell in order:
        if len(walls) == num_walls:
            break
        if _is_connected(set(cells) - walls - {cell}):
            walls.add(cell)
    free = [cell for cell in order if cell not in walls]
    return free, frozenset(walls)


def _is_connected(cells: set[Cell]) -> bool:
    if not cells:
        return False
    frontier = [min(cells)]
    seen = set(frontier)
    while frontier:
        row, column = frontier.pop()
        for down, right in MOVES:
            cell = (row + down, column + right)
            if cell in cells and cell not in seen:
                seen.add(cell)
                frontier.append(cell)
    return len(seen) == len(cells)


class CliffGrid(GridEnv):
    """A walk along a cliff.

    ## Description
    The agent starts in the lower left corner and has to reach the lower right one.
    The cells between them are a cliff: whoever steps there is put back to the start.

    ## Action Space
    0: up, 1: right, 2: down, 3: left. A move off the grid changes nothing.

    ## Observation Space
    The agent's cell as `row * num_columns + column`.

    ## Rewards
    `step_reward` (-1) for each step, `cliff_reward` (-100) for a step into the cliff.

    ## Episode End
    The episode terminates in the goal.
    """

    def __init__(
        self,
        num_rows: int = 5,
        num_columns: int = 8,
        cliff_reward: float = -100.0,
        step_reward: float = STEP_REWARD,
    ) -> None:
        super().__init__(
            num_rows=num_rows, num_columns=num_columns, step_reward=step_reward
        )
        self.cliff_reward = float(cliff_reward)
        self.observation_space = spaces.Discrete(num_rows * num_columns)
        self.action_space = spaces.Discrete(4)

    def start_states(self) -> Sequence[int]:
        """Returns the lower left corner."""
        return [self.number((self.num_rows - 1, 0))]

    def outcome(self, state: int, action: int) -> Step:
        """Returns what a move leads to."""
        row, column = self.moved(self.cell(state), action, frozenset())
        if row == self.num_rows - 1 and 0 < column < self.num_columns - 1:
            return self.number((row, 0)), self.cliff_reward, False
        is_goal = (row, column) == (self.num_rows - 1, self.num_columns - 1)
        return self.number((row, column)), self.step_reward, is_goal


class TeleportGrid(GridEnv):
    """A maze with teleports, a key and a door.

    ## Description
    The agent has to reach the goal. Stepping on a teleport moves it to another
    cell. The goal opens only for an agent that has stepped on the key's cell.

    ## Action Space
    0: up, 1: right, 2: down, 3: left. Walls and the border stop a move.

    ## Observation Space
    `cell * 2 + has_key`, where `cell` is `row * num_columns + column`.

    ## Rewards
    `step_reward` (-1) for each step, `goal_reward` (+10) for the step into the goal
    with the key.

    ## Episode End
    The episode terminates in the goal, if the agent has the key.
    """

    def __init__(
        self,
        num_rows: int = 6,
        num_columns: int = 6,
        num_walls: int = 6,
        num_teleports: int = 2,
        layout_seed: int = 0,
        *,
        step_reward: float = STEP_REWARD,
        goal_reward: float = 10.0,
    ) -> None:
        super().__init__(
            num_rows=num_rows, num_columns=num_columns, step_reward=step_reward
        )
        self.goal_reward = float(goal_reward)
        rng = np.random.default_rng([layout_seed, num_rows, num_columns])
        free, self.walls = free_cells(num_rows, num_columns, num_walls, rng)
        if len(free) < 2 * num_teleports + 3:
            raise ValueError(
                f"num_teleports must leave 3 free cells, got {num_teleports} "
                f"teleports on {len(free)} cells without wall."
            )
        self.key, self.goal = free[0], free[1]
        ends = free[2 : 2 + 2 * num_teleports]
        self.teleports = dict(zip(ends[::2], ends[1::2], strict=True))
        self.starts = free[2 + 2 * num_teleports :]
        self.observation_space = spaces.Discrete(num_rows * num_columns * 2)
        self.action_space = spaces.Discrete(4)

    def start_states(self) -> Sequence[int]:
        """Returns all free cells without anything special, without the key."""
        return [self.number(cell) * 2 for cell in self.starts]

    def outcome(self, state: int, action: int) -> Step:
        """Returns what a move leads to."""
        number, has_key = divmod(state, 2)
        cell = self.moved(self.cell(number), action, self.walls)
        cell = self.teleports.get(cell, cell)
        if cell == self.key:
            has_key = 1
        if cell == self.goal and has_key:
            return self.number(cell) * 2 + 1, self.goal_reward, True
        return self.number(cell) * 2 + has_key, self.step_reward, False


class TaxiGrid(GridEnv):
    """A taxi that carries a passenger between marked cells.

    ## Description
    The taxi picks up the passenger at a marked cell and drops it off at another.

    ## Action Space
    0: up, 1: right, 2: down, 3: left, 4: pick up, 5: drop off. Walls and the border
    stop a move.

    ## Observation Space
    `(cell * (L + 1) + passenger) * L + destination`, where `cell` is
    `row * num_columns + column`, `L` the number of marked cells, and `passenger` the
    index of the marked cell where the passenger waits, `L` inside the taxi.

    ## Rewards
    `step_reward` (-1) for each step, `illegal_reward` (-10) for a pick-up or drop-off
    that is not possible, `delivery_reward` (+20) for the drop-off at the destination.

    ## Episode End
    The episode terminates with the drop-off at the destination.
    """

    def __init__(
        self,
        num_rows: int = 4,
        num_columns: int = 4,
        num_locations: int = 3,
        num_walls: int = 2,
        layout_seed: int = 0,
        *,
        step_reward: float = STEP_REWARD,
        illegal_reward: float = -10.0,
        delivery_reward: float = 20.0,
    ) -> None:
        super().__init__(
            num_rows=num_rows, num_columns=num_columns, step_reward=step_reward
        )
        self.illegal_reward = float(illegal_reward)
        self.delivery_reward = float(delivery_reward)
        rng = np.random.default_rng([layout_seed, num_rows, num_columns])
        self.free, self.walls = free_cells(num_rows, num_columns, num_walls, rng)
        if not 2 <= num_locations <= len(self.free):
            raise ValueError(
                f"num_locations must be from 2 to the number of free cells "
                f"({len(self.free)}), got {num_locations}."
            )
        self.locations = self.free[:num_locations]
        num_states = num_rows * num_columns * (num_locations + 1) * num_locations
        self.observation_space = spaces.Discrete(num_states)
        self.action_space = spaces.Discrete(6)

    def encode(self, cell: Cell, passenger: int, destination: int) -> int:
        """Returns the state's number."""
        count = len(self.locations)
        return (self.number(cell) * (count + 1) + passenger) * count + destination

    def decode(self, state: int) -> tuple[Cell, int, int]:
        """Returns cell, passenger and destination of a state."""
        rest, destination = divmod(state, len(self.locations))
        number, passenger = divmod(rest, len(self.locations) + 1)
        return self.cell(number), passenger, destination

    def start_states(self) -> Sequence[int]:
        """Returns the states with a waiting passenger who wants to go elsewhere."""
        count = range(len(self.locations))
        return [
            self.encode(cell, passenger, destination)
            for cell in self.free
            for passenger in count
            for destination in count
            if passenger != destination
        ]

    def outcome(self, state: int, action: int) -> Step:
        """Returns what a move, a pick-up or a drop-off leads to."""
        cell, passenger, destination = self.decode(state)
        inside = len(self.locations)
        if action < len(MOVES):
            cell = self.moved(cell, action, self.walls)
            return self.encode(cell, passenger, destination), self.step_reward, False
        if action == len(MOVES):
            if passenger < inside and cell == self.locations[passenger]:
                return self.encode(cell, inside, destination), self.step_reward, False
            return state, self.illegal_reward, False
        if passenger == inside and cell == self.locations[destination]:
            return (
                self.encode(cell, destination, destination),
                self.delivery_reward,
                True,
            )
        if passenger == inside and cell in self.locations:
            waiting = self.locations.index(cell)
            return self.encode(cell, waiting, destination), self.step_reward, False
        return state, self.illegal_reward, False
