"""A room's furniture, from its floor plan.

A floor plan names the kinds of things in a room, and for most pieces of furniture the
pose from which they are used. Pieces that are used from the same pose are at one place.
Of kinds without a pose there is one piece, of stove burners four, each at a place of
its own; kinds that open are left out then, since no pose for opening them is known.
"""

from collections import Counter
from functools import lru_cache

from envs.text_games.household.sources import (
    Facts,
    FloorPlan,
    read_facts,
    read_floor_plan,
)
from envs.text_games.household.things import Furniture, Room, RoomKind

FIRST_NUMBERS: dict[RoomKind, int] = {
    "Kitchen": 1,
    "LivingRoom": 201,
    "Bedroom": 301,
    "Bathroom": 401,
}
"""Kind of room -> number of the first of its 30 floor plans."""

ROOMS_PER_KIND = 30

UNSEEN_PER_KIND = 6
"""The first floor plans of each kind are never trained in, as in ALFRED."""

NUM_UNPLACED = {"StoveBurner": 4}
"""Pieces of a kind without a pose, where it is not one."""

SCENERY = ("HousePlant", "Television")
"""Kinds of things that are seen, and no more."""

_BASIN = "Basin"


@lru_cache(maxsize=128)
def make_room(number: int) -> Room:
    """Returns the room of a floor plan.

    Raises:
        PrerequisiteError: If ALFWorld's data are not installed.
    """
    facts, plan = read_facts(), read_floor_plan(number)
    kind = next(k for k, n in FIRST_NUMBERS.items() if 0 <= number - n < ROOMS_PER_KIND)
    furniture = _furniture(facts, plan)
    kinds = {piece.kind for piece in furniture}
    return Room(
        number=number,
        kind=kind,
        furniture=furniture,
        objects=tuple(
            sorted(
                kind
                for kind in plan.kinds
                if any(kind in facts.holds[place] for place in kinds)
            )
        ),
        lamps=tuple(
            sorted(k for k in plan.kinds if "use" in facts.abilities.get(k, ()))
        ),
        scenery=tuple(kind for kind in SCENERY if kind in plan.kinds),
    )


def _furniture(facts: Facts, plan: FloorPlan) -> tuple[Furniture, ...]:
    pieces: list[tuple[str, object]] = [
        (_kind_of(name), plan.poses[name]) for name in sorted(plan.poses)
    ]
    unplaced = plan.kinds - {kind for kind, _ in pieces} - facts.openable
    for kind in sorted(unplaced):
        pieces += [(kind, (kind, n)) for n in range(NUM_UNPLACED.get(kind, 1))]
    pieces = sorted(
        (piece for piece in pieces if piece[0] in facts.holds),
        key=lambda piece: piece[0].lower(),
    )
    left = Counter(kind for kind, _ in pieces)
    places: dict[object, int] = {}
    furniture = []
    for kind, pose in pieces:
        place = places.setdefault(pose, len(places) + 1)
        name = f"{kind.lower()} {left[kind]}"
        left[kind] -= 1
        can_open = kind in facts.openable
        furniture.append(
            Furniture(name=name, kind=kind, place=place, can_open=can_open)
        )
    return tuple(furniture)


def _kind_of(name: str) -> str:
    parts = name.split("|")
    return parts[-1] if parts[-1].endswith(_BASIN) else parts[0]
