import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from envs.grids import (
    MOVES,
    CliffGrid,
    TaxiGrid,
    TeleportGrid,
    can_terminate,
    free_cells,
)
from envs.registry import OWN, find

UP, RIGHT, DOWN, LEFT, PICK_UP, DROP_OFF = range(6)


def test_the_cliff_puts_back_to_the_start() -> None:
    grid = CliffGrid(num_rows=3, num_columns=4)
    start = 2 * 4 + 0
    assert grid.start_states() == [start]
    assert grid.outcome(start, RIGHT) == (start, -100.0, False)
    assert grid.outcome(start, UP) == (4, -1.0, False)
    assert grid.outcome(start, LEFT) == (start, -1.0, False)


def test_the_cliff_ends_in_the_lower_right_corner() -> None:
    grid = CliffGrid(num_rows=3, num_columns=4)
    assert grid.outcome(7, DOWN) == (11, -1.0, True)


def test_a_taxi_fares_as_computed_by_hand() -> None:
    taxi = TaxiGrid(num_rows=3, num_columns=3, num_locations=2, num_walls=0)
    here, there = taxi.locations
    waiting = taxi.encode(here, 0, 1)
    inside = taxi.encode(here, 2, 1)
    assert taxi.outcome(waiting, PICK_UP) == (inside, -1.0, False)
    assert taxi.outcome(waiting, DROP_OFF) == (waiting, -10.0, False)
    assert taxi.outcome(inside, DROP_OFF) == (waiting, -1.0, False)
    arrived = taxi.encode(there, 2, 1)
    assert taxi.outcome(arrived, DROP_OFF) == (taxi.encode(there, 1, 1), 20.0, True)


def test_taxi_states_decode_to_what_was_encoded() -> None:
    taxi = TaxiGrid()
    states = {
        taxi.encode(cell, passenger, destination)
        for cell in taxi.free
        for passenger in range(4)
        for destination in range(3)
    }
    assert len(states) == len(taxi.free) * 12
    for state in states:
        assert taxi.encode(*taxi.decode(state)) == state


def test_a_teleport_moves_on_and_the_goal_takes_the_key() -> None:
    grid = TeleportGrid()
    for entrance, end in grid.teleports.items():
        for move, (down, right) in enumerate([(-1, 0), (0, 1), (1, 0), (0, -1)]):
            before = (entrance[0] - down, entrance[1] - right)
            inside = 0 <= before[0] < 6 and 0 <= before[1] < 6
            if not inside or before in grid.walls:
                continue
            expected = grid.number(end) * 2 + (end == grid.key)
            assert grid.outcome(grid.number(before) * 2, move)[0] == expected
    with_key = [
        grid.outcome(state * 2 + 1, move) for state in range(36) for move in range(4)
    ]
    without = [
        grid.outcome(state * 2, move) for state in range(36) for move in range(4)
    ]
    assert any(terminated and reward == 10.0 for _, reward, terminated in with_key)
    assert all(reward == -1.0 for _, reward, terminated in without if not terminated)


def test_walls_never_cut_the_grid_apart() -> None:
    for seed in range(20):
        free, walls = free_cells(5, 5, 12, np.random.default_rng(seed))
        assert len(free) + len(walls) == 25
        reached, frontier = {free[0]}, [free[0]]
        while frontier:
            row, column = frontier.pop()
            for down, right in ((1, 0), (-1, 0), (0, 1), (0, -1)):
                cell = (row + down, column + right)
                if cell in free and cell not in reached:
                    reached.add(cell)
                    frontier.append(cell)
        assert reached == set(free)


def test_the_same_arguments_give_the_same_layout() -> None:
    assert TaxiGrid(layout_seed=3).walls == TaxiGrid(layout_seed=3).walls
    layouts = {TaxiGrid(layout_seed=seed).walls for seed in range(8)}
    assert len(layouts) > 1


# Those that need an extra have tests of their own.
_WITHOUT_EXTRAS = sorted(
    name
    for name, spec in OWN.items()
    if "Privileged" not in name
    and "BabyAI" not in name
    and not str(spec.entry_point).startswith("envs.text_games")
)


@pytest.mark.parametrize("name", _WITHOUT_EXTRAS)
def test_our_environments_keep_gymnasiums_rules(name: str) -> None:
    env = find(name).make().unwrapped
    assert type(env).__module__.startswith("envs.")
    check_env(env, skip_render_check=True)


def test_rewards_are_as_the_arguments_say() -> None:
    cliff = CliffGrid(num_rows=3, num_columns=4, cliff_reward=-7.0, step_reward=-0.5)
    start = cliff.start_states()[0]
    assert cliff.outcome(start, RIGHT)[1] == -7.0
    assert cliff.outcome(start, UP)[1] == -0.5
    taxi = TaxiGrid(
        num_rows=3,
        num_columns=3,
        num_locations=2,
        num_walls=0,
        step_reward=-0.5,
        illegal_reward=-3.0,
        delivery_reward=4.0,
    )
    here, there = taxi.locations
    assert taxi.outcome(taxi.encode(here, 0, 1), PICK_UP)[1] == -0.5
    assert taxi.outcome(taxi.encode(here, 0, 1), UP)[1] == -0.5
    assert taxi.outcome(taxi.encode(here, 2, 1), DROP_OFF)[1] == -0.5
    assert taxi.outcome(taxi.encode(here, 0, 1), DROP_OFF)[1] == -3.0
    assert taxi.outcome(taxi.encode(there, 0, 1), PICK_UP)[1] == -3.0
    assert taxi.outcome(taxi.encode(there, 2, 1), DROP_OFF)[1] == 4.0
    maze = TeleportGrid(step_reward=-0.5, goal_reward=3.0)
    rewards = {
        maze.outcome(state, action)[1] for state in range(72) for action in range(4)
    }
    assert rewards == {-0.5, 3.0}


def test_a_maze_whose_goal_is_cut_off_cannot_end() -> None:
    maze = TeleportGrid(num_walls=0, num_teleports=0)
    assert can_terminate(maze)
    row, column = maze.goal
    around = {(row + down, column + right) for down, right in MOVES}
    maze.walls = frozenset(around)
    assert not can_terminate(maze)
    maze.walls = frozenset()
    maze.key = (-1, -1)
    assert not can_terminate(maze)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CliffGrid(num_rows=1), "must be at least 2, got 1 and 8"),
        (lambda: TaxiGrid(num_locations=99), "num_locations must be from 2"),
        (lambda: TeleportGrid(num_teleports=50), "must leave 3 free cells"),
    ],
)
def test_layouts_that_cannot_be_are_refused(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()  # type: ignore[operator]
