"""The sentences, in three dialects.

paper   ALFWorld 0.3 as papers on language models have it: no banner, and no word of
        arriving ("go to desk 1": "On the desk 1, you see a pen 1.")
0.3     "You arrive at loc 4. On the desk 1, ...", "put pen 1 in/on desk 1"
0.4     "You arrive at desk 1. On the desk 1, ...", "move pen 1 to desk 1", and help
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from envs.text_games.household.things import Furniture, Thing

NOTHING_HAPPENS = "Nothing happens."

MIDDLE_OF_ROOM = "You are in the middle of a room. Looking quickly around you, you see "


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How some things are said.

    Attributes:
        put: Verb of putting.
        put_between: What stands between what is put and where, in commands.
        told_put: What is told of it.
        arrival: What is told on arriving, before what is seen there.
        help_text: What "help" tells; not understood if empty.
        intro: The beginning of a game.
    """

    put: str
    put_between: str
    told_put: str
    arrival: str
    help_text: str
    intro: str


_BANNER = "-= Welcome to TextWorld, ALFRED! =-"

HELP = """\
Available commands:
  look:                             look around your current location
  inventory:                        check your current inventory
  go to (receptacle):               move to a receptacle
  open (receptacle):                open a receptacle
  close (receptacle):               close a receptacle
  take (object) from (receptacle):  take an object from a receptacle
  move (object) to (receptacle):  place an object in or on a receptacle
  examine (something):              examine a receptacle or an object
  use (object):                     use an object
  heat (object) with (receptacle):  heat an object using a receptacle
  clean (object) with (receptacle): clean an object using a receptacle
  cool (object) with (receptacle):  cool an object using a receptacle
  slice (object) with (object):     slice an object using a sharp object
"""
"""What "help" tells, where there is help."""

_OLD = Dialect(
    put="put",
    put_between=" in/on ",
    told_put="You put the {thing} in/on the {furniture}.",
    arrival="You arrive at loc {place}. ",
    help_text="",
    intro=_BANNER + "\n\n{room}\n\nYour task is to: {goal}.",
)

DIALECTS: dict[str, Dialect] = {
    "paper": Dialect(
        put=_OLD.put,
        put_between=_OLD.put_between,
        told_put=_OLD.told_put,
        arrival="",
        help_text="",
        intro="{room}\nYour task is to: {goal}.",
    ),
    "0.3": _OLD,
    "0.4": Dialect(
        put="move",
        put_between=" to ",
        told_put="You move the {thing} to the {furniture}.",
        arrival="You arrive at {furniture}. ",
        help_text=HELP,
        intro=_OLD.intro,
    ),
}
"""Name of a dialect -> the dialect."""


def tell_list(names: Sequence[str]) -> str:
    """Returns names as a list in words; "nothing" if there are none."""
    if not names:
        return "nothing"
    if len(names) == 1:
        return names[0]
    return f"{', '.join(names[:-1])}, and {names[-1]}"


def tell_several(names: Iterable[str]) -> str:
    """Returns names as a list in words, each with the article."""
    return tell_list([f"a {name}" for name in names])


def tell_contents(piece: Furniture, names: Iterable[str], *, is_open: bool) -> str:
    """Returns what is seen of a piece of furniture.

    Args:
        piece: The piece.
        names: What is in or on it.
        is_open: Whether it is open, if it opens at all.
    """
    if not piece.can_open:
        return f"On the {piece.name}, you see {tell_several(names)}."
    if not is_open:
        return f"The {piece.name} is closed."
    return f"The {piece.name} is open. In it, you see {tell_several(names)}."


def tell_thing(thing: Thing, states: Iterable[str]) -> str:
    """Returns what is seen of an object in the hand.

    Args:
        thing: The object.
        states: Of "hot", "cool", "clean", "sliced", those that it is.
    """
    found = frozenset(states)
    if thing.is_container:
        return f"This is a normal {thing.name}. In it, you see nothing."
    if not found:
        return f"There's nothing special about {thing.name}."
    if found == {"cool"}:
        return f"This is a cold {thing.name}."
    words = [word for word in ("hot", "cool", "clean") if word in found]
    what = f"sliced {thing.name}" if "sliced" in found else thing.name
    return f"This is a {' and '.join(words)}{' ' if words else ''}{what}."
