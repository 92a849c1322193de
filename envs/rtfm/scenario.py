"""Random manuals, and random starts that can be won."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from envs.rtfm.rules import MOVES, Cell, Lore, Scene, take_turn
from envs.rtfm.words import ELEMENTS, EMPTY, GROUPS, ITEMS, MODIFIERS, MONSTERS

T = TypeVar("T")

MIN_SIZE = 3
MAX_SIZE = 10

MAX_DISTRACTORS = len(ELEMENTS) - 1
"""Each has an element of its own."""

NUM_FREE_CELLS = 4
"""Cells that are empty at the start, at least."""


def check_options(size: int, num_distractors: int) -> None:
    """Refuses rooms and numbers of distractors that do not go together.

    Raises:
        ValueError: If one is out of range, or the room too small.
    """
    if not MIN_SIZE <= size <= MAX_SIZE:
        raise ValueError(f"size must be from {MIN_SIZE} to {MAX_SIZE}, got {size}.")
    if not 0 <= num_distractors <= MAX_DISTRACTORS:
        raise ValueError(
            f"num_distractors must be from 0 to {MAX_DISTRACTORS}, "
            f"got {num_distractors}."
        )
    if size**2 < 3 + 2 * num_distractors + NUM_FREE_CELLS:
        raise ValueError(
            f"num_distractors must leave {NUM_FREE_CELLS} free cells, got "
            f"{num_distractors} (two things each) in a room of size {size}."
        )


def cells_inside(size: int) -> list[Cell]:
    """Returns the cells inside the walls, row by row."""
    span = range(1, size + 1)
    return [(row, column) for row in span for column in span]


def draw_lore(rng: np.random.Generator) -> Lore:
    """Returns groups of three monsters, and two modifiers against each element."""
    monsters = _shuffled(MONSTERS, rng)
    modifiers = _shuffled(MODIFIERS, rng)
    return Lore(
        group_of={m: GROUPS[i % len(GROUPS)] for i, m in enumerate(monsters)},
        beaten_by={m: ELEMENTS[i % len(ELEMENTS)] for i, m in enumerate(modifiers)},
    )


def draw_goal(rng: np.random.Generator) -> str:
    """Returns the group to defeat."""
    return _one(GROUPS, rng)


def draw_scene(
    lore: Lore,
    target: str,
    rng: np.random.Generator,
    *,
    size: int = 4,
    num_distractors: int = 1,
) -> Scene:
    """Returns a start: one monster of the target group, and the item that beats it.

    Beside them each distractor is a monster of another group, and an item that beats
    this one; elements differ. Places are drawn until the scene can be won while
    the monsters stand still: in a corner behind two of them it cannot.

    Args:
        lore: What the manual tells.
        target: The group to defeat.
        rng: Source of all randomness; advanced by the call.
        size: Rows and columns inside the walls.
        num_distractors: Further monsters, and further items.
    """
    check_options(size, num_distractors)
    elements = _shuffled(ELEMENTS, rng)[: 1 + num_distractors]
    members = _shuffled([m for m, g in lore.group_of.items() if g == target], rng)
    others = _shuffled([m for m, g in lore.group_of.items() if g != target], rng)
    names = [members[0], *others[:num_distractors]]
    monsters = [f"{e} {name}" for e, name in zip(elements, names, strict=True)]
    items = [
        f"{_modifier(lore, element, rng)} {_one(ITEMS, rng)}" for element in elements
    ]
    cells = cells_inside(size)
    while True:
        agent, *places = _shuffled(cells, rng)[: 1 + 2 * len(elements)]
        scene = Scene(
            size=size,
            agent=agent,
            inventory=EMPTY,
            monsters=dict(zip(monsters, places[: len(monsters)], strict=True)),
            items=dict(zip(items, places[len(monsters) :], strict=True)),
        )
        if winning_moves(scene, lore, target) is not None:
            return scene


def winning_moves(scene: Scene, lore: Lore, target: str) -> list[int] | None:
    """Returns the fewest moves that win while the monsters stand still.

    `None` if none do: the item is lost, or out of reach.
    """
    queue: list[tuple[Scene, list[int]]] = [(scene, [])]
    seen = {_key(scene)}
    for now, moves in queue:
        for move in range(1, len(MOVES)):
            turn = take_turn(now, move, lore=lore, target=target)
            if turn.reward > 0:
                return [*moves, move]
            if not turn.terminated and _key(turn.scene) not in seen:
                seen.add(_key(turn.scene))
                queue.append((turn.scene, [*moves, move]))
    return None


def _key(scene: Scene) -> tuple[Cell | None, str, frozenset[str]]:
    return scene.agent, scene.inventory, frozenset(scene.items)


def _modifier(lore: Lore, element: str, rng: np.random.Generator) -> str:
    return _one(sorted(m for m, e in lore.beaten_by.items() if e == element), rng)


def _one(names: Sequence[str], rng: np.random.Generator) -> str:
    return names[int(rng.integers(len(names)))]


def _shuffled(values: Sequence[T], rng: np.random.Generator) -> list[T]:
    return [values[i] for i in rng.permutation(len(values))]
