"""A level of BabyAI as integers that all that follows depends on: written and read.

Covers: levels of up to two instructions in which objects are named by colour and type.
Does not cover: `names.UNOBSERVABLE`.
"""

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from envs.babyai.describing import COLOURS, TYPES
from envs.babyai.minigrid import minigrid_module

State: TypeAlias = NDArray[np.int64]
"""`[HEAD + 3 * cells]`; see `privileged.PrivilegedBabyAI`."""

Cell: TypeAlias = tuple[int, int]
"""Column and row of the grid, from 0."""

Taken: TypeAlias = dict[Cell, tuple[int, int]]
"""Cells whose thing was taken since something was last dropped -> type, colour."""

PART = 5
"""Numbers that tell of one part of an instruction."""

MAX_PARTS = 2
HEAD = 8 + MAX_PARTS * PART
"""Numbers before those of the cells."""

EMPTY = TYPES.index("empty")
NUM_TYPES = TYPES.index("box") + 1
MOVABLE = tuple(TYPES.index(name) for name in ("key", "ball", "box"))

TAKEN = 3
"""State of a cell whose thing was taken, beside those of doors."""

ANY_TYPE, ANY_COLOUR = 0, len(COLOURS)

_SIMPLE = ("GoToInstr", "PickupInstr", "OpenInstr", "PutNextInstr")


class Strictness(NamedTuple):
    """Whether an instruction fails if something wrong is done; constant in a level.

    Attributes:
        of_parts: The wrong door or object, for each part.
        of_order: The second part first.
    """

    of_parts: tuple[bool, ...] = (False,) * MAX_PARTS
    of_order: bool = False


class Part(NamedTuple):
    """One part of an instruction, as numbers.

    Attributes:
        kind: 1 go to, 2 pick up, 3 open, 4 put next; 0 for no part.
        thing: Type of what is meant, and its colour.
        other: Of putting next, type and colour of what it is put next to.
    """

    kind: int = 0
    thing: tuple[int, int] = (ANY_TYPE, 0)
    other: tuple[int, int] = (ANY_TYPE, 0)


def parts_of(level: Any) -> tuple[list[Part], int]:
    """Returns the parts of a level's instruction in order, and how many are done.

    Raises:
        ValueError: If the instruction cannot be told in these numbers.
    """
    steps, num_done = _instructions(level.instrs)
    return [_part(step) for step in steps], num_done


def _instructions(instruction: Any) -> tuple[list[Any], int]:
    kind = type(instruction).__name__
    if kind == "BeforeInstr":
        steps = [instruction.instr_a, instruction.instr_b]
        return steps, int(instruction.a_done == "success")
    if kind == "AfterInstr":
        steps = [instruction.instr_b, instruction.instr_a]
        return steps, int(instruction.b_done == "success")
    return [instruction], 0


def strictness(level: Any) -> Strictness:
    """Returns how strict the instruction of a level is."""
    steps, _ = _instructions(level.instrs)
    of_parts = [bool(getattr(step, "strict", False)) for step in steps]
    return Strictness(
        of_parts=tuple(of_parts + of_parts[-1:] * (MAX_PARTS - len(steps))),
        of_order=len(steps) > 1 and bool(level.instrs.strict),
    )


def _part(step: Any) -> Part:
    kind = type(step).__name__
    if kind not in _SIMPLE:
        raise ValueError(f"A part of the instruction must be simple, got {kind}.")
    if kind == "PutNextInstr":
        return Part(4, _look(step.desc_move), _look(step.desc_fixed))
    return Part(1 + _SIMPLE.index(kind), _look(step.desc))


def _look(description: Any) -> tuple[int, int]:
    if description.loc is not None:
        raise ValueError(
            f"Objects must be named by colour and type, got {description!r}."
        )
    kind, colour = description.type, description.color
    return (
        ANY_TYPE if kind is None else TYPES.index(kind),
        ANY_COLOUR if colour is None else COLOURS.index(colour),
    )


def bounds(level: Any) -> list[int]:
    """Returns how many values each number of a level's states has."""
    most = level.max_steps
    if not level.fixed_max_steps:
        most = level.room_size**2 * level.num_rows * level.num_cols * 2 * MAX_PARTS
    look = [NUM_TYPES, ANY_COLOUR + 1]
    return [
        *(level.width, level.height, 4, most + 1, most + 1),
        *(NUM_TYPES, len(COLOURS), MAX_PARTS),
        *([len(_SIMPLE) + 1, *look, *look] * MAX_PARTS),
        *([NUM_TYPES, len(COLOURS), TAKEN + 1] * (level.width * level.height)),
    ]


def write_state(level: Any, taken: Taken) -> State:
    """Returns the numbers of a level as it is.

    Args:
        level: Minigrid's environment, after a reset.
        taken: What was taken since something was last dropped.

    Raises:
        ValueError: If the instruction cannot be told in these numbers.
    """
    parts, num_done = parts_of(level)
    carried = level.carrying.encode()[:2] if level.carrying else (0, 0)
    head = [
        *(int(level.agent_pos[0]), int(level.agent_pos[1]), int(level.agent_dir)),
        *(level.step_count, level.max_steps, *carried, num_done),
    ]
    for part in (parts + [Part()] * MAX_PARTS)[:MAX_PARTS]:
        head += [part.kind, *part.thing, *part.other]
    cells = np.full((level.height, level.width, 3), (EMPTY, 0, 0), dtype=np.int64)
    for index, thing in enumerate(level.grid.grid):
        if thing is not None:
            cells[divmod(index, level.width)] = thing.encode()
    for (x, y), (kind, colour) in taken.items():
        cells[y, x] = (kind, colour, TAKEN)
    return np.concatenate([np.asarray(head, dtype=np.int64), cells.ravel()])


def read_state(level: Any, state: State, *, strict: Strictness) -> Taken:
    """Puts a level into a state; returns what was taken.

    Args:
        level: Minigrid's environment, after a reset; changed.
        state: Of a level of the same size.
        strict: How strict the instruction is.
    """
    objects = minigrid_module(".core.world_object").WorldObj
    x, y, direction, num_steps, max_steps, kind, colour, num_done = map(int, state[:8])
    level.agent_pos, level.agent_dir = (x, y), direction
    level.step_count, level.max_steps = num_steps, max_steps
    level.carrying = objects.decode(kind, colour, 0) if kind else None
    if level.carrying:
        level.carrying.cur_pos = (-1, -1)
    cells = state[HEAD:].reshape(level.height, level.width, 3).tolist()
    taken: Taken = {}
    for row, cells_of_row in enumerate(cells):
        for column, (kind, colour, how) in enumerate(cells_of_row):
            thing = None
            if how == TAKEN:
                taken[column, row] = (kind, colour)
            elif kind != EMPTY:
                thing = objects.decode(kind, colour, how)
                thing.cur_pos = (column, row)
            level.grid.set(column, row, thing)
    _instruct(level, state, taken, strict=strict, num_done=num_done)
    return taken


def _instruct(
    level: Any, state: State, taken: Taken, *, strict: Strictness, num_done: int
) -> None:
    """Gives a level the instruction of a state, with what it remembers."""
    verifier = minigrid_module(".envs.babyai.core.verifier")
    steps = []
    for index in range(MAX_PARTS):
        numbers = state[8 + index * PART :][:PART].tolist()
        if numbers[0]:
            steps.append(
                _make_step(verifier, numbers, is_strict=strict.of_parts[index])
            )
    for index, step in enumerate(steps):
        step.reset_verifier(level)
        if index == num_done and level.step_count:
            step.preCarrying = level.carrying
        for name in ("desc", "desc_move", "desc_fixed"):
            if hasattr(step, name):
                _remember(getattr(step, name), level.carrying, taken)
    if len(steps) == 1:
        level.instrs = steps[0]
        return
    level.instrs = verifier.BeforeInstr(*steps, strict=strict.of_order)
    level.instrs.env = level
    level.instrs.a_done = "success" if num_done else False
    level.instrs.b_done = False


def _make_step(verifier: Any, numbers: list[int], *, is_strict: bool) -> Any:
    kind = _SIMPLE[numbers[0] - 1]
    looks = [
        verifier.ObjDesc(
            None if noun == ANY_TYPE else TYPES[noun],
            None if colour == ANY_COLOUR else COLOURS[colour],
        )
        for noun, colour in (numbers[1:3], numbers[3:5])
    ]
    if kind == "GoToInstr":
        return verifier.GoToInstr(looks[0])
    if kind == "PutNextInstr":
        return verifier.PutNextInstr(*looks, strict=is_strict)
    return getattr(verifier, kind)(looks[0], strict=is_strict)


def _remember(description: Any, carried: Any, taken: Taken) -> None:
    """Adds what is not in the grid to what a description stands for."""
    if carried is not None and _fits(description, carried.type, carried.color):
        description.obj_set.append(carried)
    description.obj_poss += [
        cell
        for cell, (kind, colour) in taken.items()
        if _fits(description, TYPES[kind], COLOURS[colour])
    ]


def _fits(description: Any, kind: str, colour: str) -> bool:
    return description.type in (None, kind) and description.color in (None, colour)
