"""What the texts of games say: where one is, what is seen, why a command failed.

Covers: the wordings of TextWorldExpress, ScienceWorld, ALFWorld and TextWorld; a
    wording that is not known says nothing.
Does not cover: what a game does not tell. No state of a game is looked at.
"""

import re
from typing import Final

_PLACE: Final = re.compile(
    r"(?:^|\n)\s*(?:You are in the (?!middle\b)"
    r"|This room is called the |This (?:outside )?location is called the "
    r"|You move to the |You teleport to the |You are facing the |-= )"
    r"([^.,\n]+?)\s*(?:=-|[.,\n]|$)"
)
_REFUSAL: Final = re.compile(
    r"nothing (?:happens|was done)|(?:no known|unknown) action|not sure what you mean"
    r"|not a verb|didn't understand"
    r"|you (?:can't|cannot|can not|could not|couldn't)|(?:is|are) not |isn't|aren't"
    r"|don't (?:see|have|know|understand)|already|you (?:need|have) to |must first",
    re.IGNORECASE,
)
_REFUSAL_LENGTH: Final = 160
"""Longer first sentences describe what is seen."""

_TO_INVENTORY: Final = re.compile(
    r"(?:adding|you (?:move|pick up|take)) the (.+?) (?:to|in) (?:your|the) inventory",
    re.IGNORECASE,
)
_RECIPE: Final = re.compile(r"ingredients:\s*\n(.*?)\n\s*\n", re.IGNORECASE | re.DOTALL)
_ARTICLE: Final = re.compile(
    r"\b(?:an?|some) ([^\W\d_][\w' -]*?)"
    r"(?=,? (?:that|which|and|with)\b|[.,;:()\n]| (?:on|in|inside|here)\b|$)"
)
_THING_FOLLOWED: Final = re.compile(r",? (?:that|which) (?:is|are|has)\b")
_CLOSED: Final = re.compile(
    r"to the (north|south|east|west) you see an? closed\b"
    r"|\ban? ([^\W\d_][\w' -]*?) that is closed\b"
    r"|\bthe ([^\W\d_][\w' -]*?)(?: door)? is closed\b",
    re.IGNORECASE,
)
_FIXED: Final = frozenset({"oven", "stove", "barbeque", "toilet", "bath mat"})
"""Furniture of TextWorldExpress of which nothing is told."""

_MENU_LINE: Final = re.compile(r"^\s*(\d+):\s*(.+?)(?: \(.*)?$", re.MULTILINE)
_TASK_WORDS: Final = re.compile(
    r"^\s*(?:your task is(?: to)?\b|task\b)[:,]?\s*", re.IGNORECASE
)


def place_in(observation: str) -> str:
    """Returns the place that an observation names; empty for none."""
    found = _PLACE.search(observation)
    return found[1].strip().lower() if found else ""


def first_sentence(text: str) -> str:
    """Returns what stands before the first full stop or newline."""
    return re.split(r"(?<=[.!?])\s|\n", text.strip(), maxsplit=1)[0].strip()


def refusal_in(observation: str) -> str:
    """Returns the sentence that says why a command did nothing; empty for none."""
    sentence = first_sentence(observation)
    if len(sentence) > _REFUSAL_LENGTH or not _REFUSAL.search(sentence):
        return ""
    return sentence


def received_in(observation: str) -> str:
    """Returns what is now in the inventory by what is told; empty for nothing."""
    found = _TO_INVENTORY.search(observation)
    return found[1].strip().lower() if found else ""


def ingredients_in(observation: str) -> tuple[str, ...]:
    """Returns what a recipe asks for; empty if it is none."""
    found = _RECIPE.search(observation)
    if not found:
        return ()
    return tuple(line.strip().lower() for line in found[1].splitlines() if line.strip())


def things_in(observation: str) -> tuple[str, ...]:
    """Returns things that lie about, in order, each once.

    Those of which it is told what is on or in them, or whether they are open, are
    furniture and left out, and so are doors.
    """
    found: dict[str, None] = {}
    for match in _ARTICLE.finditer(observation):
        thing = match[1].strip().lower()
        is_fixed = thing in _FIXED or thing.endswith("door")
        if not is_fixed and not _THING_FOLLOWED.match(observation, match.end()):
            found[thing] = None
    return tuple(found)


def closed_in(observation: str) -> tuple[str, ...]:
    """Returns what is told to be closed, each once: containers, and ways of doors."""
    found = (next(filter(None, groups)) for groups in _CLOSED.findall(observation))
    return tuple(dict.fromkeys(one.strip().lower() for one in found))


def menu_choice(observation: str, action: str) -> str:
    """Returns the command that a number stands for; empty if there is no such menu.

    ScienceWorld answers a command that may mean several things with a numbered list.
    """
    if not action.strip().isdigit():
        return ""
    lines: dict[str, str] = dict(_MENU_LINE.findall(observation))
    return lines.get(action.strip(), "").strip()


def asks_back(observation: str) -> bool:
    """Whether a number is to be chosen from a list."""
    return observation.lstrip().lower().startswith("ambiguous request")


def goal_of(instruction: str) -> str:
    """Returns what is to be done, as it follows on "to": one line, no full stop."""
    line = " ".join(instruction.split())
    return _TASK_WORDS.sub("", line, count=1).rstrip(" .!")
