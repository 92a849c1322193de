"""An expert that wins by reading what is shown: board, inventory, manual, goal.

It looks at nothing else. Against monsters that stand still it searches by the rules.
Against moving ones it works out the best policy by value iteration, in which two
monsters may share a cell (in the game one of them would stay where it is), and with
several distractors only the nearest counts.
"""

from functools import lru_cache
from itertools import product
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from envs.rtfm.manual import named_group, read_manual
from envs.rtfm.rules import (
    AGGRESSION,
    LOST,
    MOVES,
    STAY,
    WON,
    Cell,
    Lore,
    Scene,
    moved,
    moves_nearer,
    possible_moves,
    read,
)
from envs.rtfm.scenario import cells_inside, winning_moves
from envs.rtfm.words import EMPTY

DISCOUNT = 0.98
"""Of value iteration: a win that comes sooner is worth more, and values settle."""

MAX_SWEEPS = 200
PRECISION = 1e-3

FloatArray: TypeAlias = NDArray[np.float64]

Load: TypeAlias = tuple[str, frozenset[tuple[str, Cell]]]
"""What the agent has, and what lies about."""


class Solver:
    """Chooses moves; any episode of any of the environments, in any order.

    Args:
        is_moving: Whether the monsters move, which one observation does not show.
    """

    def __init__(self, *, is_moving: bool = False) -> None:
        self.is_moving = is_moving
        self._policy: _Policy | None = None

    def action(self, observation: dict[str, Any]) -> int:
        """Returns the move to make; to stay, if there is no way to win."""
        scene = read(observation["board"], observation["inventory"])
        lore = read_manual(observation["manual"])
        target = named_group(observation["goal"]) or ""
        if not self.is_moving:
            moves = winning_moves(scene, lore, target)
            return moves[0] if moves else STAY
        enemies = _enemies(scene, lore, target)
        if enemies is None:
            return STAY
        load = _load(scene)
        if self._policy is None or not self._policy.covers(lore, enemies, load):
            self._policy = _Policy(scene.size, lore, enemies, load)
        return self._policy.move(scene)


def _load(scene: Scene) -> Load:
    return scene.inventory, frozenset(scene.items.items())


def _enemies(scene: Scene, lore: Lore, target: str) -> tuple[str, ...] | None:
    """Returns the monster to defeat, and the nearest other one if there is one."""
    wanted = [name for name in scene.monsters if lore.is_of(name, target)]
    agent = scene.agent
    if not wanted or agent is None:
        return None
    others = sorted(
        (name for name in scene.monsters if name != wanted[0]),
        key=lambda name: np.hypot(*np.subtract(scene.monsters[name], agent)),
    )
    return (wanted[0], *others[:1])


class _Policy:
    """The best moves against one or two moving monsters.

    Below, `n` is the number of cells, and `m` is `n`, or 1 without another monster.
    A value is of the agent's cell, the wanted monster's and the other one's.
    """

    def __init__(
        self, size: int, lore: Lore, enemies: tuple[str, ...], load: Load
    ) -> None:
        self._lore, self._enemies = lore, enemies
        self._cells = cells_inside(size)
        self._number = {cell: i for i, cell in enumerate(self._cells)}
        self._chances = _chances(size)
        # Where each move leads to from each cell, `[moves, n]`; walls change nothing.
        self._to = np.asarray(
            [
                [
                    self._number.get(moved(cell, m), i)
                    for cell, i in self._number.items()
                ]
                for m in range(len(MOVES))
            ]
        )
        self._worth: dict[Load, FloatArray] = {}
        self._solve(load)

    def covers(self, lore: Lore, enemies: tuple[str, ...], load: Load) -> bool:
        """Returns whether the policy is for this game, and for what is left of it."""
        is_same = lore == self._lore and enemies == self._enemies
        return is_same and load in self._worth

    def move(self, scene: Scene) -> int:
        """Returns the best move."""
        assert scene.agent is not None, "the caller has looked"
        places = [scene.agent, *(scene.monsters[name] for name in self._enemies)]
        numbers = [self._number[place] for place in places]
        # Without another monster, its place is the only one there is.
        numbers += [0] * (3 - len(numbers))
        agent, wanted, other = numbers
        return int(np.argmax(self._worth[_load(scene)][:, agent, wanted, other]))

    def _solve(self, load: Load) -> None:
        """Works out what moves are worth with a load, `[moves, n, n, m]`."""
        loads = [_taken(load, cell) for cell in self._cells]
        # Items that are taken up never come back: what follows is solved first.
        for following in loads:
            if following != load and following not in self._worth:
                self._solve(following)
        n = len(self._cells)
        values = np.zeros((n, n, n if len(self._enemies) > 1 else 1))
        for cell, following in enumerate(loads):
            if following != load:
                values[cell] = self._worth[following][:, cell].max(axis=0)
        keeps = np.asarray([following == load for following in loads])
        wins = [self._lore.beats(following[0], self._enemies[0]) for following in loads]
        won = np.where(wins, WON, LOST)
        for _ in range(MAX_SWEEPS):
            worth = self._moves_worth(values, won)
            new = np.where(keeps[:, None, None], worth.max(axis=0), values)
            change = np.abs(new - values).max()
            values = new
            if change < PRECISION:
                break
        self._worth[load] = worth

    def _moves_worth(self, values: FloatArray, won: FloatArray) -> FloatArray:
        """Returns what moves are worth, by the values of what follows.

        Args:
            values: `[n, n, m]`.
            won: What a fight with the wanted monster brings in each cell, `[n]`.
        """
        has_other = values.shape[2] > 1
        each = np.arange(len(values))
        # Second, the monsters move; on the agent they fight.
        later = DISCOUNT * values
        if has_other:
            later[each, :, each] = LOST
        later[each, each, :] = won[:, None]
        worth: FloatArray = self._chances @ later[self._to]
        if has_other:
            worth = worth @ self._chances.transpose(0, 2, 1)
        # First, the agent does: what it then fights does not move any more.
        move, cell = np.indices(self._to.shape)
        if has_other:
            worth[move, cell, :, self._to] = LOST
        worth[move, cell, self._to, :] = won[self._to][..., None]
        return worth


def _taken(load: Load, cell: Cell) -> Load:
    for item, place in load[1]:
        if place == cell:
            return item, load[1] - {(item, place)}
    return load


@lru_cache
def _chances(size: int) -> FloatArray:
    """Returns a monster's chances by agent's cell, its cell, its next: `[n, n, n]`."""
    cells = cells_inside(size)
    number = {cell: i for i, cell in enumerate(cells)}
    chances = np.zeros((len(cells),) * 3)
    for agent, cell in product(cells, repeat=2):
        scene = Scene(size=size, agent=agent, inventory=EMPTY, monsters={}, items={})
        any_move = possible_moves(scene, cell)
        nearer = moves_nearer(scene, cell) or any_move
        row = chances[number[agent], number[cell]]
        for moves, share in ((nearer, AGGRESSION), (any_move, 1 - AGGRESSION)):
            for move in moves:
                row[number[moved(cell, move)]] += share / len(moves)
    return chances
