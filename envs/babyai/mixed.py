"""The levels that BabyAI-Text added: mixed kinds of missions, and sequences of two.

Drawn in the original's order from the same stream, so that a seed gives the original's
episode.
"""

from functools import cache
from itertools import product
from typing import Any

from envs.babyai.describing import COLOURS
from envs.babyai.minigrid import minigrid_module
from envs.babyai.names import KINDS, MIXED, SEQUENCES

NOUNS = ("key", "ball", "box", "door")

HELD_OUT: tuple[str, ...] = (
    *("yellow box", "red key", "red door", "green ball", "grey door"),
)
"""What missions of the test level are about, and those of training never."""

TRAINED: tuple[str, ...] = tuple(
    name for name in map(" ".join, product(COLOURS, NOUNS)) if name not in HELD_OUT
)

_DOOR_COLOURS = {False: ("yellow", "green", "blue", "purple"), True: ("red", "grey")}
_NUM_DISTRACTORS = {"goto": 9, "pickup": 9, "putnext": 10, "sequence": 10, "open": 8}

_ORDERS = {
    "PickUpThenGoToLocal": ("before",),
    "GoToAfterPickUpLocal": ("after",),
}
"""Levels of sequences in one order of words only."""


class LocalMissions:
    """One room, or for doors two, and a mission of one kind; a minigrid level's part.

    `level_class` puts it together with minigrid's `RoomGridLevel`.

    Args:
        kind: One of `KINDS`, or `"pickup_twice"`.
        is_test: Whether missions are about the held-out pairs of colour and noun.
        orders: Of the words of a sequence: `"before"`, `"after"`.
        num_dists: Objects that are not needed, in each room; the level's own number
            if `None`.
        settings: Arguments of minigrid's levels.
    """

    instrs: Any
    width: int
    height: int
    num_rows: int
    num_cols: int
    agent_pos: Any
    place_agent: Any
    add_object: Any
    add_door: Any
    add_distractors: Any
    check_objs_reachable: Any
    connect_all: Any
    get_room: Any
    room_from_pos: Any
    _rand_elem: Any
    _rand_int: Any

    def __init__(
        self,
        *,
        kind: str,
        is_test: bool = False,
        orders: tuple[str, ...] = ("before", "after"),
        num_dists: int | None = None,
        **settings: Any,
    ) -> None:
        self.kind = kind
        self.orders = orders
        self.is_test = is_test
        self.refused = TRAINED if is_test else HELD_OUT
        default = _NUM_DISTRACTORS.get(kind, 10)
        self.num_dists = default if num_dists is None else num_dists
        least = 0 if kind == "open" else 2
        if self.num_dists < least:
            raise ValueError(f"num_dists must be at least {least}, got {num_dists}.")
        settings = {"num_rows": 1, "num_cols": 2 if kind == "open" else 1} | settings
        super().__init__(**settings)

    def gen_mission(self) -> None:
        """Draws layouts and missions until one is allowed."""
        while True:
            # Once more: what the caller has built is drawn, and thrown away.
            _grid_class()._gen_grid(self, self.width, self.height)
            is_reachable = self._furnish()
            self.instrs = self._instruction()
            mission = self.instrs.surface(self)
            if is_reachable and not any(name in mission for name in self.refused):
                return

    def _furnish(self) -> bool:
        """Places everything; returns whether the agent can reach all of it."""
        if self.kind == "open":
            return self._furnish_two_rooms()
        self.place_agent()
        self.distractors = self.add_distractors(
            num_distractors=self.num_dists, all_unique=False
        )
        return bool(self.check_objs_reachable(raise_exc=False))

    def _furnish_two_rooms(self) -> bool:
        self.door_colour = self._rand_elem(_DOOR_COLOURS[self.is_test])
        locked = None
        while locked is None:
            i, j = self._rand_int(0, self.num_cols), self._rand_int(0, self.num_rows)
            wall = self._rand_int(0, 4)
            if self.get_room(i, j).neighbors[wall] is not None:
                locked = self.get_room(i, j)
                self.add_door(i, j, wall, self.door_colour, locked=True)
        while True:
            i, j = self._rand_int(0, self.num_cols), self._rand_int(0, self.num_rows)
            if self.get_room(i, j) is not locked:
                self.add_object(i, j, "key", self.door_colour)
                break
        self.connect_all()
        for i, j in product(range(self.num_cols), range(self.num_rows)):
            if self.get_room(i, j) is not locked:
                self.add_distractors(i, j, self.num_dists, all_unique=False)
        while True:
            self.place_agent()
            if self.room_from_pos(*self.agent_pos) is not locked:
                break
        return bool(self.check_objs_reachable(raise_exc=False))

    def _instruction(self) -> Any:
        verifier, described = _verifier(), _described
        if self.kind == "open":
            colours = (self.door_colour,) if self.is_test else (None, self.door_colour)
            colour = self._rand_elem(colours)
            return verifier.OpenInstr(verifier.ObjDesc("door", colour))
        first = self._rand_elem(self.distractors)
        if self.kind == "goto":
            return verifier.GoToInstr(described(first))
        if self.kind == "pickup":
            return verifier.PickupInstr(described(first))
        second = self._second(first)
        if self.kind == "putnext":
            return verifier.PutNextInstr(described(first), described(second))
        is_goto = self.kind == "sequence"
        last = verifier.GoToInstr if is_goto else verifier.PickupInstr
        early, late = verifier.PickupInstr(described(first)), last(described(second))
        if self._rand_elem(self.orders) == "before":
            return verifier.BeforeInstr(early, late)
        return verifier.AfterInstr(late, early)

    def _second(self, first: Any) -> Any:
        """Draws another object: of another look, unless there are two of this."""
        looks = [(other.type, other.color) for other in self.distractors]
        look = (first.type, first.color)
        while True:
            second = self._rand_elem(self.distractors)
            if (second.type, second.color) != look or looks.count(look) >= 2:
                return second


def _verifier() -> Any:
    return minigrid_module(".envs.babyai.core.verifier")


def _grid_class() -> Any:
    return minigrid_module(".core.roomgrid").RoomGrid


def _described(thing: Any) -> Any:
    return _verifier().ObjDesc(thing.type, thing.color)


@cache
def level_class() -> Any:
    """Returns the class of these levels, which needs minigrid."""
    base = minigrid_module(".envs.babyai.core.roomgrid_level").RoomGridLevel
    return type("LocalLevel", (LocalMissions, base), {})


def make_local_level(name: str, kind: str, settings: dict[str, Any]) -> Any:
    """Returns one of BabyAI-Text's levels.

    Args:
        name: One of `names.OF_BABYAI_TEXT`.
        kind: Of a mixed level, one of `KINDS`; of others empty.
        settings: Further arguments.

    Raises:
        ValueError: If a mixed level has no such kind.
    """
    if name in MIXED:
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}.")
        return level_class()(kind=kind, is_test=name == "MixedTestLocal", **settings)
    assert name in SEQUENCES, f"{name} is no level of BabyAI-Text"
    kind = "pickup_twice" if name == "PickUpSeqPickUpLocal" else "sequence"
    orders = _ORDERS.get(name, ("before", "after"))
    return level_class()(kind=kind, orders=orders, **settings)
