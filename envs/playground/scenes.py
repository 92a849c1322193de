"""Goals, and random scenes from the published stream of random numbers.

The published environment draws from NumPy's old generator, positions and colours
included, which nobody sees: they are drawn here, too, so that the same seed gives the
same scenes.
"""

from dataclasses import dataclass
from math import hypot

import numpy as np

from envs.playground.rules import GROUND, NUM_SLOTS, UNDER, Scene
from envs.playground.things import (
    BIG,
    CATEGORY,
    MEMBERS,
    PLANT,
    SMALL,
    SUPPLY,
    TYPES,
    Thing,
    thing,
    type_of,
)

DEFAULT_GOAL = "grow any small_herbivorous then grow any big_herbivorous"

DRAWN_GOALS: tuple[str, ...] = tuple(
    f"grow any {wanted}"
    for wanted in (
        *("carrot", "berry", "beet", "pea", "pig", "sheep", "giraffe", "elephant"),
        *(PLANT, SMALL, BIG),
    )
)
"""The goals among which one is drawn where none is given."""

_FILLING: tuple[tuple[str, ...], ...] = (
    tuple(t for t in TYPES if CATEGORY[t] != SUPPLY),
    *(MEMBERS[name] for name in (SUPPLY, PLANT, SMALL, BIG)),
)
"""Categories of random objects; the first is "living thing"."""

_SUPPLIES = {
    PLANT: (SUPPLY,),
    SMALL: (SUPPLY, PLANT),
    BIG: (SUPPLY, PLANT, SUPPLY, PLANT),
}
"""What has to be there for one to grow, by category."""

_NUM_COLOURS = 3
_RED = 0
_NUM_SHADES = 2
_LIGHT = 0
_APART = 0.3
_REACH = 0.125
"""An object is under the agent if it is less than this away from it."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What has to grow.

    Attributes:
        wanted: Types or categories, in the order of the text.
    """

    wanted: tuple[str, ...]

    def reached_by(self, one: Thing) -> list[bool]:
        """Returns which parts are reached when this object has grown."""
        names = type_of(one), CATEGORY[type_of(one)]
        return [part in names for part in self.wanted]


def read_goal(text: str) -> Goal:
    """Returns the goal that a text states: `"grow any pig then grow any plant"`.

    Raises:
        ValueError: If it states none, or one that needs more objects than there are.
    """
    wanted = []
    growing = {*_SUPPLIES, *(t for t in TYPES if CATEGORY[t] != SUPPLY)}
    for part in text.lower().split(" then "):
        name = part.removeprefix("grow any ")
        if name == part or name not in growing:
            raise ValueError(
                "goal must be 'grow any X', or several joined by ' then ', where X is "
                f"one of {', '.join(sorted(growing))}, got {text!r}."
            )
        wanted.append(name)
    num_needed = sum(1 + len(_SUPPLIES[CATEGORY.get(name, name)]) for name in wanted)
    if num_needed > NUM_SLOTS:
        raise ValueError(
            f"goal must need at most {NUM_SLOTS} objects, got {text!r}, which needs "
            f"{num_needed}."
        )
    return Goal(tuple(wanted))


class SceneSource:
    """Draws scenes, one after the other, as the published environment does.

    Known to be the published scenes for the default goal. For other goals, the order
    in which random objects are drawn is a guess.

    Attributes:
        stream: NumPy's old generator. The published random policy and the drawing of
            a goal take their numbers from it, too.

    Args:
        seed: From 0 to 2**32 - 1.
    """

    def __init__(self, seed: int) -> None:
        self.stream = np.random.RandomState(seed)

    def draw(self, goal: Goal) -> Scene:
        """Returns a scene in which the goal can be reached, after one not seen."""
        self.draw_unseen()
        types: list[str | None] = []
        for name in goal.wanted:
            # A type that was asked for is the only one to choose from.
            types.append(self._one_of(MEMBERS.get(name, (name,))))
            supplies = _SUPPLIES[CATEGORY.get(name, name)]
            types.extend("water" if s == SUPPLY else None for s in supplies)
        num_fillers = NUM_SLOTS - len(types)
        fillers = [self._filler() for _ in range(num_fillers)]
        types.extend(self._consistent(category, t) for _, category, t in fillers)
        chosen = [t or self._one_of(MEMBERS[PLANT]) for t in types]
        colours = [self._number(_NUM_COLOURS) for _ in range(NUM_SLOTS - num_fillers)]
        places = self._places([*colours, *(colour for colour, _, _ in fillers)])
        return Scene(tuple(thing(t) for t in chosen), places)

    def draw_goal(self) -> str:
        """Returns one of `DRAWN_GOALS`."""
        return self._one_of(DRAWN_GOALS)

    def draw_unseen(self) -> None:
        """Draws a scene without a goal that nobody sees.

        The published environment does so when it is made, and before each scene.
        """
        fillers = [self._filler() for _ in range(NUM_SLOTS)]
        for _, category, type_name in fillers:
            self._consistent(category, type_name)
        self._places([colour for colour, _, _ in fillers])

    def _number(self, count: int) -> int:
        return int(self.stream.randint(count))

    def _one_of(self, names: tuple[str, ...]) -> str:
        return names[self._number(len(names))]

    def _filler(self) -> tuple[int, int, str]:
        """Returns colour, category and type of a random object."""
        colour = self._number(_NUM_COLOURS)
        return colour, self._number(len(_FILLING)), self._one_of(TYPES)

    def _consistent(self, category: int, type_name: str) -> str:
        members = _FILLING[category]
        return type_name if type_name in members else self._one_of(members)

    def _places(self, colours: list[int]) -> tuple[int, ...]:
        """Returns where objects lie; the agent is in the middle."""
        positions = [self._position_and_shade(colour) for colour in colours]
        for slot in range(len(positions)):
            x, y = self._position()
            # Also from where it was: the published way keeps the old position.
            while any(hypot(x - a, y - b) < _APART for a, b in positions):
                x, y = self._position()
            positions[slot] = x, y
        return tuple(UNDER if hypot(*p) < _REACH else GROUND for p in positions)

    def _position_and_shade(self, colour: int) -> tuple[float, float]:
        position = self._position()
        is_light = self._number(_NUM_SHADES) == _LIGHT
        self.stream.random_sample(4 if is_light and colour == _RED else 3)
        return position

    def _position(self) -> tuple[float, float]:
        # What uniform(-1, 1) returns, ten times as fast.
        draw = self.stream.random_sample
        return -1.0 + 2.0 * draw(), -1.0 + 2.0 * draw()
