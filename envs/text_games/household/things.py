"""What does not change while a game is played: furniture, objects, what is asked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

RoomKind: TypeAlias = Literal["Kitchen", "LivingRoom", "Bedroom", "Bathroom"]

TaskName: TypeAlias = Literal[
    "pick_and_place_simple",
    "look_at_obj_in_light",
    "pick_clean_then_place",
    "pick_heat_then_place",
    "pick_cool_then_place",
    "pick_two_obj_and_place",
]
"""Kinds of tasks, in ALFWorld's order."""

TASKS: tuple[TaskName, ...] = get_args(TaskName)

LOOK: TaskName = "look_at_obj_in_light"

TWO: TaskName = "pick_two_obj_and_place"

MIDDLE = 0
"""The place at which a game begins: no furniture is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Furniture:
    """A piece of furniture.

    Attributes:
        name: As commands have it, such as "drawer 2".
        kind: Such as "Drawer".
        place: Where one stands to use it, from 1; several pieces can have the same.
        can_open: Whether it opens; then it is closed at first.
    """

    name: str
    kind: str
    place: int
    can_open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """An empty room.

    Attributes:
        number: Of its floor plan.
        kind: What it is for.
        furniture: In the order in which it is told: by kind, then the last number
            first.
        objects: Kinds of objects that belong here, sorted.
        lamps: Kinds of lamps that stand here, sorted.
        scenery: Kinds of other things that stand here and are of no use, sorted.
    """

    number: int
    kind: RoomKind
    furniture: tuple[Furniture, ...]
    objects: tuple[str, ...]
    lamps: tuple[str, ...]
    scenery: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """An object.

    Attributes:
        name: As commands have it, such as "mug 1".
        kind: Such as "Mug".
        fits: Kinds of furniture that it can be put in or on.
        abilities: What can be done with it: "take", "heat", "cool", "clean", "slice",
            "use".
        can_slice: Whether others are sliced with it.
        is_container: Whether others could be in it; none ever are.
    """

    name: str
    kind: str
    fits: frozenset[str]
    abilities: frozenset[str]
    can_slice: bool
    is_container: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What is to be done.

    Attributes:
        task: Kind of task.
        object_kind: What is to be found.
        target_kind: Kind of furniture where it is to be put; a lamp's kind where it is
            to be looked at in its light.
        words: The goal in words, such as "put a clean mug in coffeemachine".
    """

    task: TaskName
    object_kind: str
    target_kind: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Game:
    """A room with what is in it, and what is to be done there.

    Attributes:
        room: The room.
        goal: What is to be done.
        things: The objects in the order in which they are told.
        start: Index of the furniture that each of them is in or on at first.
        wanted: Objects of the goal's kind.
        targets: Where they are to be put: furniture; the lamps in whose light they
            are to be looked at.
        furniture_by_name: Name -> index of a piece of furniture.
        thing_by_name: Name -> index of an object.
    """

    room: Room
    goal: Goal
    things: tuple[Thing, ...]
    start: tuple[int, ...]
    wanted: tuple[int, ...]
    targets: tuple[int, ...]
    furniture_by_name: Mapping[str, int]
    thing_by_name: Mapping[str, int]
