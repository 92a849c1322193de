"""Games drawn at random, by split, task and number.

train    rooms of ALFRED's training
seen     the same rooms with other goals: nine in ten of what can be asked in a
         room are asked in training, the others here
unseen   ALFRED's other rooms
"""

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from cwm.core.errors import InternalError
from cwm.core.seeding import child_rng, child_seed
from envs.text_games.base import Split
from envs.text_games.household.experts import searching_plan
from envs.text_games.household.goals import (
    KINDS,
    askable,
)
from envs.text_games.household.rooms import (
    FIRST_NUMBERS,
    ROOMS_PER_KIND,
    UNSEEN_PER_KIND,
    make_room,
)
from envs.text_games.household.sources import read_facts
from envs.text_games.household.texts import DIALECTS
from envs.text_games.household.things import (
    LOOK,
    TWO,
    Furniture,
    Game,
    Goal,
    Room,
    TaskName,
    Thing,
)

NUM_GAMES: dict[Split, int] = {"train": 3_321, "seen": 140, "unseen": 134}
"""As many as ALFWorld has."""

MAX_COMMANDS = 40
"""Games for which the searching expert needs more are drawn again."""

MAX_OF_A_KIND = 3
"""Most objects of a kind in a room; of what is asked for, one more than needed."""

SEEN_SHARE = 10
"""One in so many goals of a room is kept for `seen`."""

_TABLES = ("Desk", "SideTable", "Dresser", "CoffeeTable", "DiningTable")

STANDS = {
    "DeskLamp": (*_TABLES, "Shelf"),
    "FloorLamp": _TABLES,
    "HousePlant": (*_TABLES, "Shelf", "CounterTop"),
    "Television": (*_TABLES, "TVStand"),
}
"""What stands about -> what it is on; on another kind only if there is none."""

_MAX_DRAWS = 1_000

_KNIVES = frozenset({"Knife", "ButterKnife"})


@lru_cache(maxsize=256)
def draw_game(split: Split, task: TaskName, number: int) -> Game:
    """Returns a game; the same arguments give the same one.

    Raises:
        PrerequisiteError: If ALFWorld's data are not installed.
    """
    rng = child_rng(number, "household", split, task)
    rooms = room_numbers(split, task)
    for _ in range(_MAX_DRAWS):
        room = int(rng.choice(rooms))
        asked = asked_in(split, task, room)
        if not asked:
            continue
        game = _furnish(make_room(room), _draw_goal(task, asked, rng), rng)
        if len(searching_plan(game, DIALECTS["paper"])) <= MAX_COMMANDS:
            return game
    raise InternalError(f"No game of {task!r} in {split!r} was found.")


def room_numbers(split: Split, task: TaskName) -> list[int]:
    """Returns the floor plans of a split where a task is asked."""
    numbers = (
        range(UNSEEN_PER_KIND)
        if split == "unseen"
        else range(UNSEEN_PER_KIND, ROOMS_PER_KIND)
    )
    kinds = KINDS[task].rooms
    return [FIRST_NUMBERS[kind] + n for kind in kinds for n in numbers]


def asked_in(split: Split, task: TaskName, room: int) -> list[tuple[str, str]]:
    """Returns what is asked in a room: kinds of objects, and targets."""
    found = askable(room, task)
    if split == "unseen":
        return list(found)
    is_seen = split == "seen"
    return [pair for pair in found if _is_kept(room, task, pair) == is_seen]


def task_of(game: int, tasks: tuple[TaskName, ...]) -> tuple[TaskName, int]:
    """Returns task, and number within it, of a game: tasks take turns."""
    return tasks[game % len(tasks)], game // len(tasks)


def _is_kept(room: int, task: str, pair: tuple[str, str]) -> bool:
    return child_seed(room, "household goal", task, *pair) % SEEN_SHARE == 0


def _draw_goal(
    task: TaskName, asked: list[tuple[str, str]], rng: np.random.Generator
) -> Goal:
    kinds = sorted({kind for kind, _ in asked})
    kind = kinds[int(rng.integers(len(kinds)))]
    targets = [target for found, target in asked if found == kind]
    target = targets[int(rng.integers(len(targets)))]
    sentence = KINDS[task].sentences[int(rng.integers(2))]
    words = sentence.format(thing=kind.lower(), target=target.lower())
    return Goal(task=task, object_kind=kind, target_kind=target, words=words)


def _furnish(room: Room, goal: Goal, rng: np.random.Generator) -> Game:
    """Returns a game with objects at random places where they belong.

    A kind of furniture of which there are four pieces is twice as likely as one of
    which there is one. What is to be put somewhere is not there yet.
    """
    placed = []
    kinds = (*room.objects, *room.lamps, *room.scenery)
    for kind in sorted(kinds, key=str.lower):
        is_wanted = kind == goal.object_kind
        avoided = {goal.target_kind} if is_wanted else set()
        for left in range(_draw_number(room, goal, kind, rng), 0, -1):
            thing = _thing(room, kind, left)
            placed.append((thing, _draw_piece(room, thing.fits - avoided, rng)))
    things = tuple(thing for thing, _ in placed)
    target = things if goal.task == LOOK else room.furniture
    return Game(
        room=room,
        goal=goal,
        things=things,
        start=tuple(at for _, at in placed),
        wanted=_of_kind(things, goal.object_kind),
        targets=_of_kind(target, goal.target_kind),
        furniture_by_name={p.name: i for i, p in enumerate(room.furniture)},
        thing_by_name={thing.name: i for i, thing in enumerate(things)},
    )


def _draw_number(room: Room, goal: Goal, kind: str, rng: np.random.Generator) -> int:
    """Returns how many objects of a kind there are."""
    if kind in STANDS:
        return 1
    if kind != goal.object_kind:
        return int(rng.integers(1, MAX_OF_A_KIND + 1))
    return 1 + (goal.task == TWO) + int(rng.integers(2))


def _of_kind(pieces: Sequence[Thing | Furniture], kind: str) -> tuple[int, ...]:
    return tuple(i for i, piece in enumerate(pieces) if piece.kind == kind)


def _thing(room: Room, kind: str, number: int) -> Thing:
    facts = read_facts()
    kinds = {piece.kind for piece in room.furniture}
    abilities = facts.abilities.get(kind, frozenset())
    if kind in STANDS:
        fits = kinds.intersection(STANDS[kind]) or kinds
    else:
        fits = {k for k in kinds if kind in facts.holds[k]}
        abilities |= {"take"}
    return Thing(
        name=f"{kind.lower()} {number}",
        kind=kind,
        fits=frozenset(fits),
        abilities=abilities,
        can_slice=kind in _KNIVES,
        is_container=kind in facts.containers,
    )


def _draw_piece(room: Room, kinds: frozenset[str], rng: np.random.Generator) -> int:
    pieces = Counter(piece.kind for piece in room.furniture)
    found = sorted(kind for kind in pieces if kind in kinds)
    weights = np.sqrt([pieces[kind] for kind in found])
    kind = found[int(rng.choice(len(found), p=weights / weights.sum()))]
    choices = [i for i, piece in enumerate(room.furniture) if piece.kind == kind]
    return choices[int(rng.integers(len(choices)))]
