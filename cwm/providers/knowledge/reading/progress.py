"""Where an episode stands, followed from its words alone.

A value for each moment, made from the one before by one action and what was seen then.
Nothing else goes in, so that planners can tell of steps that only a model has taken.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from cwm.providers.knowledge.reading.commands import (
    DIRECTIONS,
    Command,
    parse_command,
    plain_name,
)
from cwm.providers.knowledge.reading.texts import (
    asks_back,
    closed_in,
    goal_of,
    ingredients_in,
    menu_choice,
    place_in,
    received_in,
    refusal_in,
    things_in,
)

MAX_GOAL_WORDS: Final = 40
"""Of a longer goal the beginning is told."""

MAX_SEEN: Final = 6
MAX_HELD: Final = 6
MAX_ACCOMPLISHED: Final = 4
MAX_HERE: Final = 4
MAX_FOUND: Final = 4
MAX_CLOSED: Final = 4
"""Of more places, things and deeds the last are told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where an episode stands; never changed, so that trees can share it.

    Attributes:
        instruction: What is to be done.
        place: Where one is; empty if it was not told.
        seen: Places visited and containers opened, each once, in order.
        here: Things here that the task or a recipe speaks of.
        found: Such things elsewhere, each with its place.
        closed: What is closed here, and the ways of closed doors.
        held: What was taken and not put away.
        accomplished: What was done, but for going, looking, opening and taking.
        failure: Why the last command did nothing; empty if it did something.
        wanted: What a recipe that was read asks for.
        question: The numbered list that is to be answered; empty for none.
    """

    instruction: str
    place: str = ""
    seen: tuple[str, ...] = ()
    here: tuple[str, ...] = ()
    found: tuple[tuple[str, str], ...] = ()
    closed: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    accomplished: tuple[str, ...] = ()
    failure: str = ""
    wanted: tuple[str, ...] = ()
    question: str = ""

    @classmethod
    def begin(cls, instruction: str, observation: str) -> "Progress":
        """Returns where an episode stands before its first action."""
        place = place_in(observation)
        first = cls(instruction=instruction, place=place, seen=_and((), place))
        # Some games tell the task there, too; what it speaks of is not in sight.
        here = first._told_of(observation.replace(instruction, ""))
        return replace(first, here=here, closed=closed_in(observation))

    def after(
        self, action: str, observation: str, *, is_legal: bool = True
    ) -> "Progress":
        """Returns where it stands after one more action.

        Args:
            action: The command.
            observation: What was seen then.
            is_legal: Whether the game understood it. What it refuses in words that are
                known counts as failed in any case.
        """
        command = self._meant(action)
        question = observation if asks_back(observation) else ""
        if question:
            return replace(self, question=question, failure="")
        failure = refusal_in(observation)
        if not is_legal and not failure:
            failure = "The game did not understand it."
        if failure:
            return replace(self, failure=failure, question="")
        return replace(self._done(command, observation), failure="", question="")

    def note(self) -> str:
        """Returns the state knowledge at this moment, in one line."""
        goal = _cut(goal_of(self.instruction))
        parts = [f"Goal: {goal}."]
        if self.place:
            parts.append(f"Place: {self.place}.")
        parts += _list("Here", self.here[-MAX_HERE:])
        parts += _list("Closed", self.closed[-MAX_CLOSED:])
        found = [f"{thing} ({place})" for thing, place in self.found[-MAX_FOUND:]]
        parts += _list("Found", found)
        parts += _list("Seen", self.seen[-MAX_SEEN:])
        parts += _list("Held", self.held[-MAX_HELD:] or ("nothing",))
        missing = [one for one in self.wanted if not self._has_had(one)]
        parts += _list("Wanted", missing)
        parts += _list("Done", self.accomplished[-MAX_ACCOMPLISHED:])
        if self.question:
            parts.append("The game asks which one is meant.")
        if self.failure:
            parts.append(f"The last command failed: {self.failure.rstrip('.')}.")
        return " ".join(parts)

    def _has_had(self, ingredient: str) -> bool:
        """Whether what a recipe asks for is held."""
        return any(is_wanted(thing, (ingredient,)) for thing in self.held)

    def _meant(self, action: str) -> Command:
        return parse_command(menu_choice(self.question, action) or action)

    def _done(self, command: Command, observation: str) -> "Progress":
        if command.is_going:
            return self._gone(command, observation)
        progress = self._read(observation)
        if command.is_searching:
            return progress._opened(command)
        progress = progress._handed(command, observation)
        if command.is_taking or self.accomplished[-1:] == (command.text,):
            # What is done several times in a row is told once.
            return progress
        accomplished = (*self.accomplished, command.text)
        return replace(progress, accomplished=accomplished)

    def _opened(self, command: Command) -> "Progress":
        """Returns it after something was opened or closed, if it was."""
        if command.is_closing:
            return replace(self, closed=_and(self.closed, command.thing))
        if not command.is_opening:
            return self
        left = tuple(one for one in self.closed if one != command.thing)
        opened = "" if _is_door(command) else command.thing
        return replace(self, closed=left, seen=_and(self.seen, opened))

    def _gone(self, command: Command, observation: str) -> "Progress":
        named = "" if command.thing in DIRECTIONS else command.thing
        place = place_in(observation) or named or self.place
        left = [(thing, self.place) for thing in self.here if self.place]
        elsewhere = tuple(one for one in (*self.found, *left) if one[1] != place)
        return replace(
            self,
            place=place,
            seen=_and(self.seen, place),
            here=self._told_of(observation),
            found=tuple(dict.fromkeys(elsewhere)),
            closed=closed_in(observation),
        )

    def _read(self, observation: str) -> "Progress":
        wanted = ingredients_in(observation) or self.wanted
        known = replace(self, wanted=wanted, place=place_in(observation) or self.place)
        told = known._told_of(observation)
        here = known.here + tuple(one for one in told if one not in known.here)
        closed = dict.fromkeys((*known.closed, *closed_in(observation)))
        return replace(known, here=here, closed=tuple(closed))

    def _handed(self, command: Command, observation: str) -> "Progress":
        """Returns it with what is held after taking and putting."""
        held, here = self.held, self.here
        if command.is_taking:
            held = _and(held, command.thing)
            here = tuple(one for one in here if not _is_same(one, command.thing))
        elif command.is_putting:
            held = tuple(one for one in held if not _is_same(command.thing, one))
        received = received_in(observation)
        if received and not command.is_taking:
            held = _and(held, received)
        return replace(self, held=held, here=here)

    def _told_of(self, observation: str) -> tuple[str, ...]:
        """Returns the things in an observation that matter."""
        things = things_in(observation)
        if "objects" in self.instruction.lower():
            return tuple(one for one in things if one not in self.held)
        return tuple(
            one
            for one in things
            if one not in self.held
            and (is_named(one, self.instruction) or is_wanted(one, self.wanted))
        )


def progress_of(
    instruction: str,
    observations: Sequence[str],
    actions: Sequence[str],
    is_legal: Sequence[bool],
) -> Progress:
    """Returns where an episode stands after all that was seen and done.

    Args:
        instruction: What is to be done.
        observations: One more than actions.
        actions: The commands.
        is_legal: Of each command, whether the game understood it.
    """
    progress = Progress.begin(instruction, observations[0])
    steps = zip(actions, observations[1:], is_legal, strict=True)
    for action, observation, legal in steps:
        progress = progress.after(action, observation, is_legal=legal)
    return progress


def is_named(thing: str, text: str) -> bool:
    """Whether a text speaks of a thing, by all of its name or the end of it."""
    words = plain_name(thing.lower()).split()
    lowered = text.lower()
    return any(
        re.search(rf"\b{re.escape(' '.join(words[start:]))}s?\b", lowered)
        for start in range(len(words))
    )


def is_wanted(thing: str, wanted: Iterable[str]) -> bool:
    """Whether a recipe asks for a thing, which may be raw, cooked or cut."""
    return any(thing == one or thing.endswith(f" {one}") for one in wanted)


def _is_door(command: Command) -> bool:
    return command.verb != "open" or "door" in command.thing.split()


def _is_same(described: str, thing: str) -> bool:
    """Whether a longer description, before or behind, is of that thing."""
    return (
        described == thing
        or described.startswith(f"{thing} ")
        or described.endswith(f" {thing}")
    )


def _and(known: tuple[str, ...], one: str) -> tuple[str, ...]:
    """Returns them with one more at the end, unless it is there or empty."""
    return (*known, one) if one and one not in known else known


def _list(name: str, things: Sequence[str]) -> list[str]:
    return [f"{name}: {', '.join(things)}."] if things else []


def _cut(goal: str) -> str:
    words = goal.split()
    if len(words) <= MAX_GOAL_WORDS:
        return goal
    return " ".join(words[:MAX_GOAL_WORDS]) + " ..."
