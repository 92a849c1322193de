"""Types of objects, their categories, and what an object is called.

An object that lies about is a `Thing`: the index of its type and whether it is grown,
in one number, so that tables answer what else there is to know about it.
"""

from itertools import product
from typing import TypeAlias

Thing: TypeAlias = int
"""Twice the index of a type in `TYPES`, plus 1 if it is grown. Water is grown."""

BIG, SMALL, PLANT, SUPPLY = "big_herbivorous", "small_herbivorous", "plant", "supply"

MEMBERS: dict[str, tuple[str, ...]] = {
    BIG: ("elephant", "giraffe", "rhinoceros"),
    SMALL: ("pig", "cow", "sheep"),
    PLANT: ("carrot", "potato", "beet", "berry", "pea"),
    SUPPLY: ("water",),
}
"""The types of each category."""

TYPES: tuple[str, ...] = tuple(t for types in MEMBERS.values() for t in types)

CATEGORY: dict[str, str] = {t: name for name, types in MEMBERS.items() for t in types}
"""The category of each type."""


def thing(type_name: str, *, is_grown: bool = False) -> Thing:
    """Returns an object of a type; water is always grown."""
    grown = is_grown or CATEGORY[type_name] == SUPPLY
    return 2 * TYPES.index(type_name) + grown


def grown(seedling: Thing) -> Thing:
    """Returns what an object grows into."""
    return seedling | 1


def type_of(one: Thing) -> str:
    """Returns the type of an object."""
    return TYPES[one >> 1]


def _name(type_name: str, is_grown: bool) -> str:
    if is_grown or CATEGORY[type_name] == SUPPLY:
        return type_name
    if CATEGORY[type_name] == PLANT:
        return f"{type_name} seed"
    return f"baby {type_name}"


NAMES: tuple[str, ...] = tuple(_name(t, g) for t, g in product(TYPES, (False, True)))
"""What each thing is called."""

THINGS: dict[str, Thing] = {name: number for number, name in enumerate(NAMES)}
"""What has a name; water is the grown one."""

WATER, SEED, GROWN_PLANT, BABY_SMALL, BABY_BIG, GROWN_ANIMAL = range(6)
"""What a thing can be used for."""

_UNGROWN_KIND = {PLANT: SEED, SMALL: BABY_SMALL, BIG: BABY_BIG, SUPPLY: WATER}
_GROWN_KIND = {
    PLANT: GROWN_PLANT,
    SMALL: GROWN_ANIMAL,
    BIG: GROWN_ANIMAL,
    SUPPLY: WATER,
}

KINDS: tuple[int, ...] = tuple(
    kinds[CATEGORY[t]] for t, kinds in product(TYPES, (_UNGROWN_KIND, _GROWN_KIND))
)
"""The kind of each thing."""
