"""What a move leads to: a pure function of the scene, the move and the lore.

Covers: moving, picking up, fighting, the end. Does not cover: how monsters choose
their moves (`draw_moves`, which draws), nor how lore is told (`envs.rtfm.manual`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias

import numpy as np

from envs.rtfm.words import AGENT, ELEMENTS, EMPTY, WALL

Cell: TypeAlias = tuple[int, int]
"""Row and column on the board, walls included, from the upper left corner."""

Board: TypeAlias = list[list[list[str]]]
"""Rows of cells of `CELL_PLACES` words."""

CELL_PLACES = 2
"""Things that a cell can hold; whoever can move comes first."""

STAY, UP, DOWN, LEFT, RIGHT = range(5)

MOVES: tuple[Cell, ...] = ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))
"""What each action adds to row and column."""

AGGRESSION = 0.6
"""Probability that a monster which sees the agent moves towards it."""

SIGHT = 5.0
"""How far monsters see, in cells, as the crow flies."""

WON, LOST = 1.0, -1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lore:
    """What the manual tells.

    Attributes:
        group_of: The group of each monster.
        beaten_by: The element that each modifier beats.
    """

    group_of: Mapping[str, str]
    beaten_by: Mapping[str, str]

    def beats(self, item: str, monster: str) -> bool:
        """Returns whether an item beats a monster.

        Args:
            item: `"blessed axe"`, or `EMPTY`.
            monster: `"cold wolf"`.
        """
        modifier, element = item.partition(" ")[0], monster.partition(" ")[0]
        return self.beaten_by.get(modifier) == element

    def is_of(self, monster: str, group: str) -> bool:
        """Returns whether a monster, `"cold wolf"`, belongs to a group."""
        return self.group_of.get(monster.rpartition(" ")[2]) == group


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Who and what is where.

    Attributes:
        size: Rows and columns inside the walls.
        agent: The agent's cell; `None` once it is dead.
        inventory: The item that it has, or `EMPTY`.
        monsters: Cell of each monster; no two share one.
        items: Cell of each item that lies about; no two share one.
    """

    size: int
    agent: Cell | None
    inventory: str
    monsters: Mapping[str, Cell]
    items: Mapping[str, Cell]

    def is_inside(self, cell: Cell) -> bool:
        """Returns whether a cell is no wall."""
        return all(1 <= place <= self.size for place in cell)

    def monster_at(self, cell: Cell) -> str | None:
        """Returns the monster in a cell, if there is one."""
        return next((m for m, place in self.monsters.items() if place == cell), None)


class Turn(NamedTuple):
    """What came of a move.

    Attributes:
        scene: The scene after it.
        reward: `WON`, `LOST`, or 0.
        terminated: Whether there was a fight: every fight is the last.
    """

    scene: Scene
    reward: float
    terminated: bool


def moved(cell: Cell, move: int) -> Cell:
    """Returns the cell that a move leads to, wall or not."""
    return cell[0] + MOVES[move][0], cell[1] + MOVES[move][1]


def legal_moves(scene: Scene) -> tuple[int, ...]:
    """Returns the moves that do not lead into a wall; none for a dead agent."""
    if scene.agent is None:
        return ()
    return possible_moves(scene, scene.agent)


def possible_moves(scene: Scene, cell: Cell) -> tuple[int, ...]:
    """Returns the moves from a cell that do not lead into a wall."""
    return tuple(m for m in range(len(MOVES)) if scene.is_inside(moved(cell, m)))


def take_turn(
    scene: Scene,
    move: int,
    *,
    lore: Lore,
    target: str,
    monster_moves: Sequence[tuple[str, int]] = (),
) -> Turn:
    """Returns what a move of the agent, and then the monsters' moves, lead to.

    A move into a wall changes nothing. The agent takes up what lies in its new
    cell, and what it had is lost. A monster in its cell is fought at once: the
    agent wins if its item beats the monster's element, otherwise it dies. The
    first fight ends the episode; nobody moves after it.

    Args:
        scene: Before the move; the agent is alive.
        move: Of the agent, as in `MOVES`.
        lore: What beats what, and who belongs to whom.
        target: The group to defeat.
        monster_moves: Names of the monsters that move, in turn, and their moves.

    Raises:
        ValueError: If there is no such move, or the agent is dead.
    """
    if scene.agent is None:
        raise ValueError("The agent must be alive to move.")
    if move not in range(len(MOVES)):
        raise ValueError(f"move must be from 0 to {len(MOVES) - 1}, got {move!r}.")
    cell = moved(scene.agent, move)
    if scene.is_inside(cell):
        scene = _taken_up(replace(scene, agent=cell), cell)
        enemy = scene.monster_at(cell)
        if enemy is not None:
            return _fight(scene, enemy, lore, target)
    for monster, its_move in monster_moves:
        scene = _walked(scene, monster, its_move)
        if scene.monsters[monster] == scene.agent:
            return _fight(scene, monster, lore, target)
    return Turn(scene, 0.0, False)


def _taken_up(scene: Scene, cell: Cell) -> Scene:
    found = next((item for item, place in scene.items.items() if place == cell), None)
    if found is None:
        return scene
    left = {item: place for item, place in scene.items.items() if item != found}
    return replace(scene, inventory=found, items=left)


def _walked(scene: Scene, monster: str, move: int) -> Scene:
    """Returns the scene after a monster's move; it stays where it cannot go."""
    cell = moved(scene.monsters[monster], move)
    if not scene.is_inside(cell) or scene.monster_at(cell) is not None:
        return scene
    return replace(scene, monsters={**scene.monsters, monster: cell})


def _fight(scene: Scene, monster: str, lore: Lore, target: str) -> Turn:
    if not lore.beats(scene.inventory, monster):
        return Turn(replace(scene, agent=None), LOST, True)
    left = {name: cell for name, cell in scene.monsters.items() if name != monster}
    reward = WON if lore.is_of(monster, target) else LOST
    return Turn(replace(scene, monsters=left), reward, True)


def draw_moves(scene: Scene, rng: np.random.Generator) -> list[tuple[str, int]]:
    """Returns the monsters in the random order of their moves, and these moves.

    They decide before the agent moves: with `AGGRESSION` each takes, of the moves
    that bring it nearer to the agent it sees, one at random; otherwise any that does
    not lead into a wall.
    """
    names = sorted(scene.monsters)
    order = [names[i] for i in rng.permutation(len(names))]
    drawn = []
    for name in order:
        nearer = moves_nearer(scene, scene.monsters[name])
        if not nearer or rng.random() >= AGGRESSION:
            nearer = possible_moves(scene, scene.monsters[name])
        drawn.append((name, nearer[int(rng.integers(len(nearer)))]))
    return drawn


def moves_nearer(scene: Scene, cell: Cell) -> tuple[int, ...]:
    """Returns the moves that bring a monster nearer to the agent, if it sees it."""
    agent = scene.agent
    if agent is None or _distance(agent, cell) > SIGHT:
        return ()
    distance = _distance(agent, cell)
    possible = possible_moves(scene, cell)
    return tuple(m for m in possible if _distance(agent, moved(cell, m)) < distance)


def _distance(one: Cell, other: Cell) -> float:
    return float(np.hypot(one[0] - other[0], one[1] - other[1]))


def show(scene: Scene) -> Board:
    """Returns the board of a scene."""
    board: Board = [
        [[] if scene.is_inside((row, column)) else [WALL] for column in _span(scene)]
        for row in _span(scene)
    ]
    for name, (row, column) in _placed(scene):
        board[row][column].append(name)
    for line in board:
        for cell in line:
            cell.extend([EMPTY] * (CELL_PLACES - len(cell)))
    return board


def _span(scene: Scene) -> range:
    return range(scene.size + 2)


def _placed(scene: Scene) -> Iterator[tuple[str, Cell]]:
    if scene.agent is not None:
        yield AGENT, scene.agent
    yield from scene.monsters.items()
    yield from scene.items.items()


def read(board: Sequence[Sequence[Sequence[str]]], inventory: str) -> Scene:
    """Returns the scene that a board and an inventory show; `show` is the inverse."""
    agent: Cell | None = None
    monsters: dict[str, Cell] = {}
    items: dict[str, Cell] = {}
    for row, line in enumerate(board):
        for column, words in enumerate(line):
            for word in words:
                if word == AGENT:
                    agent = (row, column)
                elif word not in (EMPTY, WALL):
                    is_monster = word.partition(" ")[0] in ELEMENTS
                    (monsters if is_monster else items)[word] = (row, column)
    return Scene(
        size=len(board) - 2,
        agent=agent,
        inventory=inventory,
        monsters=monsters,
        items=items,
    )
