"""When a game is won, and how far it is; what can be asked in a room."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import get_args

from envs.text_games.household.rooms import make_room
from envs.text_games.household.rules import NOBODY, TREATMENTS, Scene
from envs.text_games.household.sources import Facts, read_facts
from envs.text_games.household.things import (
    LOOK,
    TWO,
    Game,
    Room,
    RoomKind,
    TaskName,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A kind of task.

    Attributes:
        rooms: Kinds of rooms where it is asked.
        sentences: ALFWorld's ways to say it.
        treatment: What is done to the object before it is put somewhere.
    """

    rooms: tuple[RoomKind, ...]
    sentences: tuple[str, str]
    treatment: str | None = None


_EVERYWHERE: tuple[RoomKind, ...] = get_args(RoomKind)

KINDS: dict[TaskName, Task] = {
    "pick_and_place_simple": Task(
        rooms=_EVERYWHERE,
        sentences=("put a {thing} in {target}", "put some {thing} on {target}"),
    ),
    "look_at_obj_in_light": Task(
        rooms=("LivingRoom", "Bedroom"),
        sentences=(
            "look at {thing} under the {target}",
            "examine the {thing} with the {target}",
        ),
    ),
    "pick_clean_then_place": Task(
        rooms=("Kitchen", "Bathroom"),
        sentences=(
            "put a clean {thing} in {target}",
            "clean some {thing} and put it in {target}",
        ),
        treatment="clean",
    ),
    "pick_heat_then_place": Task(
        rooms=("Kitchen",),
        sentences=(
            "put a hot {thing} in {target}",
            "heat some {thing} and put it in {target}",
        ),
        treatment="heat",
    ),
    "pick_cool_then_place": Task(
        rooms=("Kitchen",),
        sentences=(
            "put a cool {thing} in {target}",
            "cool some {thing} and put it in {target}",
        ),
        treatment="cool",
    ),
    "pick_two_obj_and_place": Task(
        rooms=_EVERYWHERE,
        sentences=(
            "put two {thing} in {target}",
            "find two {thing} and put them in {target}",
        ),
    ),
}


@lru_cache(maxsize=256)
def askable(number: int, task: TaskName) -> tuple[tuple[str, str], ...]:
    """Returns what can be asked in a room: kinds of objects with their targets.

    A target is a kind of furniture, or of lamp. Objects can also be somewhere else, and
    are not asked for where they are treated.
    """
    room, facts, kind = make_room(number), read_facts(), KINDS[task]
    if room.kind not in kind.rooms:
        return ()
    if task == LOOK:
        return tuple((o, lamp) for o in room.objects for lamp in room.lamps)
    return tuple(_places(room, facts, kind.treatment))


def _places(
    room: Room, facts: Facts, treatment: str | None
) -> Iterator[tuple[str, str]]:
    kinds = sorted({piece.kind for piece in room.furniture})
    if treatment is not None and TREATMENTS[treatment] not in kinds:
        return
    for thing in room.objects:
        if treatment is not None and treatment not in facts.abilities[thing]:
            continue
        fitting = [kind for kind in kinds if thing in facts.holds[kind]]
        if len(fitting) < 2:
            continue
        tool = TREATMENTS[treatment] if treatment is not None else None
        yield from ((thing, kind) for kind in fitting if kind != tool)


def is_won(game: Game, scene: Scene) -> bool:
    """Returns whether all is done."""
    if game.goal.task == LOOK:
        return scene.held in game.wanted and _stands_in_light(game, scene)
    placed = [index for index in game.wanted if scene.where[index] in game.targets]
    if game.goal.task == TWO:
        return max(Counter(scene.where[i] for i in placed).values(), default=0) >= 2
    return any(is_treated(game, scene, index) for index in placed)


def progress(game: Game, scene: Scene) -> float:
    """Returns the share of the steps to the goal that are done, from 0 to 1.

    Taking, treating and putting down each object, and turning on the lamp.
    """
    if is_won(game, scene):
        return 1.0
    is_held = scene.held in game.wanted
    if game.goal.task == LOOK:
        return (is_held + any(lamp in scene.lit for lamp in game.targets)) / 3
    if game.goal.task == TWO:
        placed = any(scene.where[index] in game.targets for index in game.wanted)
        return (2 * placed + is_held) / 4
    if treatment_of(game) is None:
        return is_held / 2
    done = (is_treated(game, scene, index) for index in game.wanted)
    return max(2 * any(done), is_held) / 3


def treatment_of(game: Game) -> str | None:
    """Returns what is to be done to the object, if anything."""
    return KINDS[game.goal.task].treatment


def is_treated(game: Game, scene: Scene, index: int) -> bool:
    """Returns whether what is to be done to an object has been done."""
    treatment = treatment_of(game)
    states = {"heat": scene.hot, "cool": scene.cool, "clean": scene.clean}
    return treatment is None or index in states[treatment]


def _stands_in_light(game: Game, scene: Scene) -> bool:
    return any(
        lamp in scene.lit
        and scene.where[lamp] != NOBODY
        and game.room.furniture[scene.where[lamp]].place == scene.place
        for lamp in game.targets
    )
