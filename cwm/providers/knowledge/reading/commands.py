"""Commands of text games, taken apart: verb, what it is done to, and with what.

Covers: the commands of TextWorldExpress, ScienceWorld, ALFWorld and TextWorld, and any
    others of the form VERB [THING [RELATION THING]].
Does not cover: whether a game understands them.
"""

import re
from dataclasses import dataclass
from typing import Final

_PHRASES: Final = (
    "open door to",
    "close door to",
    "look around",
    "look at",
    "look in",
    "look on",
    "go to",
    "teleport to",
    "pick up",
    "put down",
    "focus on",
    "turn on",
    "turn off",
)
"""Verbs of several words; longer ones before those that they begin with."""

_RELATIONS: Final = {
    "take": ("from",),
    "get": ("from",),
    "pick up": ("from",),
    "put": ("in/on", "into", "onto", "in", "on"),
    "insert": ("into", "in"),
    "move": ("to",),
    "clean": ("with",),
    "heat": ("with",),
    "cool": ("with",),
    "slice": ("with",),
    "chop": ("with",),
    "dice": ("with",),
    "lock": ("with",),
    "unlock": ("with",),
    "cook": ("in", "on", "with"),
    "pour": ("into", "in"),
    "dunk": ("into", "in"),
    "connect": ("to",),
    "use": ("on",),
}
"""Verb -> what may stand between its two things."""

_TAKING: Final = frozenset({"take", "get", "pick up"})
_PUTTING: Final = frozenset({"put", "insert", "move", "drop", "put down", "eat"})
_GOING: Final = frozenset({"go to", "teleport to", "go"})
_LOOKING: Final = frozenset(
    {
        *("look", "look around", "look at", "look in", "look on", "examine"),
        *("inventory", "task", "wait", "wait1", "help"),
    }
)
_OPENING: Final = frozenset({"open", "open door to"})
_CLOSING: Final = frozenset({"close", "close door to"})

DIRECTIONS: Final = frozenset(
    {"north", "south", "east", "west", "up", "down", "in", "out"}
)
"""Words after `move` and `go` that are no things."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command with its parts.

    Attributes:
        text: The whole.
        verb: One word, or several that belong together.
        thing: What it is done to; empty for nothing.
        relation: What stands between the two things; empty for nothing.
        other: With what, to what, from what; empty for nothing.
    """

    text: str
    verb: str
    thing: str = ""
    relation: str = ""
    other: str = ""

    @property
    def is_going(self) -> bool:
        """Whether one is elsewhere afterwards."""
        return self.verb in _GOING or (
            self.verb == "move" and self.thing in DIRECTIONS and not self.other
        )

    @property
    def is_taking(self) -> bool:
        """Whether one holds the thing afterwards."""
        return self.verb in _TAKING or (
            self.verb == "move" and self.other == "inventory"
        )

    @property
    def is_putting(self) -> bool:
        """Whether one no longer holds the thing afterwards."""
        return self.verb in _PUTTING and not self.is_going and not self.is_taking

    @property
    def is_opening(self) -> bool:
        """Whether a door or a container is open afterwards."""
        return self.verb in _OPENING

    @property
    def is_closing(self) -> bool:
        """Whether a door or a container is closed afterwards."""
        return self.verb in _CLOSING

    @property
    def is_searching(self) -> bool:
        """Whether it serves to find something: going, looking, opening, closing."""
        return (
            self.is_going or self.is_opening or self.is_closing or self.verb in _LOOKING
        )


def parse_command(text: str) -> Command:
    """Returns the parts of a command."""
    words = " ".join(text.lower().split())
    verb = next(
        (phrase for phrase in _PHRASES if f"{words} ".startswith(f"{phrase} ")),
        words.partition(" ")[0],
    )
    rest = words[len(verb) :].strip()
    for relation in _RELATIONS.get(verb, ()):
        # The last one: what is moved may itself be described as being in something.
        thing, found, other = rest.rpartition(f" {relation} ")
        if found:
            return Command(
                text=words, verb=verb, thing=thing, relation=relation, other=other
            )
    return Command(text=words, verb=verb, thing=rest)


def plain_name(thing: str) -> str:
    """Returns a thing's name without the number that tells it from its like."""
    return re.sub(r" \d+\b", "", thing)
