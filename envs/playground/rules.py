"""What an action leads to: a pure function of the scene and the action.

Covers: walking, picking up, giving, growing. Does not cover: goals and the end of an
episode (`envs.playground.env`), and sentences (`envs.playground.texts`).

Positions have no part in it: objects keep more than an arm's length from each other, so
that at most one is under the agent and nothing meets by chance.
"""

from typing import NamedTuple

from envs.playground.things import (
    BABY_BIG,
    BABY_SMALL,
    GROWN_PLANT,
    KINDS,
    NAMES,
    SEED,
    THINGS,
    TYPES,
    WATER,
    Thing,
    grown,
)

NUM_SLOTS = 8
"""Objects of a scene, those that are gone included."""

GONE, GROUND, UNDER, HELD = range(4)
"""Where an object is: used up, somewhere, under the agent, in the inventory."""

MAX_HELD = 2

NUM_ACTIONS = 30
GRASP = 26
RELEASE_FIRST, RELEASE_SECOND = 27, 28
RELEASE_ALL = 29

GO_TO: tuple[int, ...] = tuple(
    1 + number + (len(TYPES) + 1) * is_grown
    for number in range(len(TYPES))
    for is_grown in (0, 1)
)
"""The action that goes to each thing: 1 to 11, and 14 to 25 for grown ones."""

GOES_TO: dict[int, Thing] = {GO_TO[one]: one for one in THINGS.values()}
"""The thing that each action goes to; water that has not grown, 12, is nothing."""

PREFIXED: tuple[frozenset[Thing], ...] = tuple(
    frozenset(one for one, name in enumerate(NAMES) if name.startswith(wanted))
    for wanted in NAMES
)
"""The things whose names start with the name of each: on the way to the pea, the agent
stops at a pea seed if that comes first."""

NOTHING, STANDING, HOLDING1, HOLDING2, GREW_PLANT, GREW_SMALL, GREW_BIG = range(7)

TRANSITION_TYPES = (
    *("nothing", "standing", "holding1", "holding2"),
    *("transformP", "transformSH", "transformBH"),
)
"""Published names of what can come of an action, by number."""

_FEEDS = {SEED: WATER, BABY_SMALL: GROWN_PLANT}
"""What one object needs to grow, by its kind."""

_GREW = {SEED: GREW_PLANT, BABY_SMALL: GREW_SMALL}


class Scene(NamedTuple):
    """What there is, and where.

    Attributes:
        things: The object in each slot; the order never changes.
        places: Where each is: at most one `UNDER`, at most two `HELD`.
    """

    things: tuple[Thing, ...]
    places: tuple[int, ...]


class Outcome(NamedTuple):
    """What came of an action.

    Attributes:
        scene: The scene after it.
        transition_type: One of the seven numbers; `NOTHING` if it was not legal.
        things: What it is about: the object gone to (the one asked for), the objects
            held (in the order in which they were picked up), the object that has grown.
    """

    scene: Scene
    transition_type: int
    things: tuple[Thing, ...]


def under(scene: Scene) -> int | None:
    """Returns the slot under the agent, if there is one."""
    places = scene.places
    return places.index(UNDER) if UNDER in places else None


def held(scene: Scene) -> list[int]:
    """Returns the slots in the inventory, in the order of the slots."""
    return [slot for slot, place in enumerate(scene.places) if place == HELD]


def visible(scene: Scene) -> list[Thing]:
    """Returns the objects that lie about, in the order of the slots."""
    return [
        one
        for one, place in zip(scene.things, scene.places, strict=True)
        if place in (GROUND, UNDER)
    ]


def inventory(scene: Scene) -> list[Thing]:
    """Returns the objects held, in alphabetical order, as actions number them."""
    return sorted((scene.things[slot] for slot in held(scene)), key=NAMES.__getitem__)


def listed_actions(scene: Scene) -> list[int]:
    """Returns the legal actions in the published order, as often as they are listed.

    There is one way to go to each object, so that objects of the same name are
    listed several times: the random oracle goes to them more often.
    """
    things, places = scene
    at, slots = under(scene), held(scene)
    actions = [GRASP] if at is not None and len(slots) < MAX_HELD else []
    for one, place in zip(things, places, strict=True):
        if place in (GROUND, UNDER):
            actions.append(GO_TO[one])
    if at is not None and slots:
        actions.extend(_releases(scene, at, slots))
    return actions


def legal_actions(scene: Scene) -> tuple[int, ...]:
    """Returns the legal actions, in ascending order."""
    return tuple(sorted(set(listed_actions(scene))))


def _releases(scene: Scene, at: int, slots: list[int]) -> list[int]:
    things = scene.things
    items = inventory(scene)
    partners = [things[slot] for slot in slots if _grows(things[at], things[slot])]
    if KINDS[things[at]] == SEED:
        # Only one water is offered, however many are held.
        partners = partners[:1]
    # Of two objects of the same name, the first is given.
    actions = [RELEASE_FIRST + items.index(one) for one in partners]
    if _feast(scene, at, slots) is not None:
        actions.append(RELEASE_ALL)
    return actions


def _grows(left: Thing, right: Thing) -> bool:
    """Returns whether one of two objects makes the other grow."""
    kinds = KINDS[left], KINDS[right]
    return _FEEDS.get(kinds[0]) == kinds[1] or _FEEDS.get(kinds[1]) == kinds[0]


def _feast(scene: Scene, at: int, slots: list[int]) -> int | None:
    """Returns the slot of the big baby animal that two plants make grow."""
    if len(slots) < MAX_HELD:
        return None
    together = [at, *slots]
    kinds = [KINDS[scene.things[slot]] for slot in together]
    if kinds.count(BABY_BIG) == 1 and kinds.count(GROWN_PLANT) == 2:
        return together[kinds.index(BABY_BIG)]
    return None


def take(scene: Scene, action: int) -> Outcome:
    """Returns what an action leads to; one that is not legal changes nothing."""
    if action in GOES_TO:
        return _go_to(scene, GOES_TO[action])
    at, slots = under(scene), held(scene)
    if at is None:
        return Outcome(scene, NOTHING, ())
    if action == GRASP and len(slots) < MAX_HELD:
        old = tuple(scene.things[slot] for slot in slots)
        return Outcome(
            Scene(scene.things, _moved(scene.places, {at: HELD})),
            HOLDING1 + len(slots),
            (*old, scene.things[at]),
        )
    if action in (RELEASE_FIRST, RELEASE_SECOND):
        return _release(scene, at, slots, action - RELEASE_FIRST)
    if action == RELEASE_ALL:
        eater = _feast(scene, at, slots)
        if eater is not None:
            return _grow(scene, eater, [at, *slots], GREW_BIG)
    return Outcome(scene, NOTHING, ())


def _go_to(scene: Scene, wanted: Thing) -> Outcome:
    things, places = scene
    target = -1
    is_there = False
    for slot, one in enumerate(things):
        if places[slot] not in (GROUND, UNDER):
            continue
        is_there = is_there or one == wanted
        if target < 0 and one in PREFIXED[wanted]:
            target = slot
    if not is_there:
        return Outcome(scene, NOTHING, ())
    after = [GROUND if place == UNDER else place for place in places]
    after[target] = UNDER
    return Outcome(Scene(things, tuple(after)), STANDING, (wanted,))


def _release(scene: Scene, at: int, slots: list[int], number: int) -> Outcome:
    things = scene.things
    items = inventory(scene)
    # Two of the same name are given by the number of the first.
    is_first = number < len(items) and items.index(items[number]) == number
    if not is_first or not _grows(things[at], items[number]):
        return Outcome(scene, NOTHING, ())
    given = next(slot for slot in slots if things[slot] == items[number])
    eater = at if KINDS[things[at]] in _FEEDS else given
    return _grow(scene, eater, [at, given], _GREW[KINDS[things[eater]]])


def _grow(
    scene: Scene, eater: int, together: list[int], transition_type: int
) -> Outcome:
    """Returns the scene in which one of the objects has used up the others."""
    things = list(scene.things)
    things[eater] = grown(things[eater])
    places = dict.fromkeys(together, GONE) | {eater: UNDER}
    after = Scene(tuple(things), _moved(scene.places, places))
    return Outcome(after, transition_type, (things[eater],))


def _moved(places: tuple[int, ...], changed: dict[int, int]) -> tuple[int, ...]:
    return tuple(changed.get(slot, place) for slot, place in enumerate(places))
