"""What an episode shows beyond itself: a workflow without the accidents of one game.

A step is a command with its things lifted to kinds:

    named in the instruction, or seen first     its name, without its number; in the
                                                instructions of some games only,
                                                "what the task names"
    asked for by a recipe                       "what the recipe asks for"
    a tool, such as what one heats with, or     its name, without its number
    turns on
    anything else                               "an object", "its place", ...

What only serves to find something (going, looking, opening, closing) becomes one step
that says what is looked for.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from cwm.providers.knowledge.reading.commands import (
    DIRECTIONS,
    Command,
    parse_command,
    plain_name,
)
from cwm.providers.knowledge.reading.progress import is_named, is_wanted
from cwm.providers.knowledge.reading.texts import (
    asks_back,
    ingredients_in,
    menu_choice,
    refusal_in,
)
from cwm.providers.knowledge.records import Episode

MAX_PERIOD: Final = 4
"""Longest run of steps that counts as repeated."""

_TOOL_VERBS: Final = frozenset(
    {"clean", "heat", "cool", "cook", "slice", "use", "activate", "deactivate"}
    | {"turn on", "turn off", "toggle", "connect", "dunk"}
)

_JOINING_VERBS: Final = frozenset({"use", "connect"})
"""Of these the first thing is a tool as well."""

_TAKING_FROM: Final = frozenset({"take", "get", "pick up"})
_FINDING_VERBS: Final = frozenset({"focus on", "read", "use"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What decides whether a thing keeps its name.

    Attributes:
        text: Things that it speaks of keep theirs.
        wanted: What a recipe asks for.
        tools: Things that keep theirs, as something is done with them.
        shared: Words that the instructions of all games have, where many games are
            told of together; things with other names are what the task names. `None`
            for a single game.
    """

    text: str
    wanted: tuple[str, ...] = ()
    tools: frozenset[str] = frozenset()
    shared: frozenset[str] | None = None

    def kind(self, thing: str, otherwise: str, *, is_place: bool = False) -> str:
        """Returns what a thing is called: its name, or `otherwise`."""
        plain = plain_name(thing)
        if not plain or plain in DIRECTIONS:
            return otherwise
        if is_wanted(plain, self.wanted):
            return "what the recipe asks for"
        if not is_named(plain, self.text):
            return plain if plain in self.tools else otherwise
        if self.shared is not None and not self.shared.issuperset(plain.split()):
            return "the place that the task names" if is_place else _NAMED
        return plain


_NAMED: Final = "what the task names"


def known_of(episode: Episode, shared: frozenset[str] | None = None) -> Known:
    """Returns what decides about names in an episode.

    Args:
        episode: Which one.
        shared: As in `Known`. Without it the things that are seen first keep their
            names, too: of a single game they are known when knowledge is asked for.
    """
    wanted: tuple[str, ...] = ()
    for observation in episode.observations:
        wanted = wanted or ingredients_in(observation)
    first = f"\n{episode.observation}" if shared is None else ""
    used = (
        plain_name(command.other or command.thing)
        for command in _understood(episode)
        if command.verb in _TOOL_VERBS
    )
    tools = frozenset(tool for tool in used if not is_wanted(tool, wanted))
    return Known(
        text=episode.instruction + first, wanted=wanted, tools=tools, shared=shared
    )


def shared_words(instructions: Iterable[str]) -> frozenset[str]:
    """Returns the words that all instructions have, in lower case."""
    sets = [frozenset(re.findall(r"[\w'-]+", one.lower())) for one in instructions]
    return frozenset.intersection(*sets) if sets else frozenset()


def workflow_of(episode: Episode, known: Known) -> tuple[str, ...]:
    """Returns the steps of an episode, lifted, in order.

    Commands that failed are left out, and runs of steps that follow one another more
    than once are told once, with "for each".
    """
    lines: list[str] = []
    searched: list[Command] = []
    for command in _understood(episode):
        if command.is_searching:
            searched.append(command)
            continue
        lines += _search_line(searched, command, known)
        lines.append(lifted(command, known))
        searched = []
    return _folded(lines)


def lifted(command: Command, known: Known) -> str:
    """Returns a command with its things lifted to kinds."""
    if not command.thing:
        return command.verb
    is_tool = command.verb in _TOOL_VERBS
    thing = _thing_kind(command, known)
    if not command.other:
        return f"{command.verb} {thing}"
    if command.verb in _TAKING_FROM:
        return f"{command.verb} {thing} {command.relation} where it is"
    other = known.kind(
        command.other,
        plain_name(command.other) if is_tool else "its place",
        is_place=True,
    )
    return f"{command.verb} {thing} {command.relation} {other}"


def avoided_in(rejected: Episode, chosen: Episode, known: Known) -> tuple[str, ...]:
    """Returns what an explored episode did that is to be avoided, each once.

    Commands that the game refused (unless the expert's workflow has them), places
    visited again more often than the expert did, the same commands over and over, and
    the command that lost the game.
    """
    works = set(_plain(workflow_of(chosen, known)))
    avoided = [
        f"{command}, which is refused"
        for command in _refused(rejected, known)
        if command not in works
    ]
    if _num_revisits(rejected) > _num_revisits(chosen):
        avoided.append("go back to places that were searched before")
    repeated = _repeated(rejected)
    if repeated:
        avoided.append(f"repeat {' and '.join(repeated)} when nothing changes")
    if rejected.ending == "lost" and rejected.steps:
        last = lifted(parse_command(rejected.actions[-1]), known)
        avoided.append(f"{last} at the wrong moment, which loses the game")
    return tuple(dict.fromkeys(avoided))


def missed_in(rejected: Episode, workflow: Sequence[str], known: Known) -> list[str]:
    """Returns steps of a workflow that an explored episode never made."""
    made = set(_plain(workflow_of(rejected, known)))
    return [
        line
        for line in dict.fromkeys(_plain(workflow))
        if line not in made and not line.startswith(("look for", "go to", "go where"))
    ]


def _understood(episode: Episode) -> list[Command]:
    commands = []
    before = episode.observation
    for step in episode.steps:
        did_nothing = refusal_in(step.observation) or asks_back(step.observation)
        if step.is_legal and step.action and not did_nothing:
            text = menu_choice(before, step.action) or step.action
            commands.append(parse_command(text))
        before = step.observation
    return commands


def _thing_kind(command: Command, known: Known) -> str:
    plain = plain_name(command.thing)
    if command.is_going:
        return known.kind(command.thing, "another place", is_place=True)
    if command.is_opening or command.verb.startswith("close"):
        is_door = "door" in plain or command.verb != "open"
        otherwise = "a door" if is_door else "a container"
        return known.kind(command.thing, otherwise, is_place=True)
    if command.verb in _JOINING_VERBS or (
        command.verb in _TOOL_VERBS and not command.other
    ):
        return known.kind(command.thing, plain)
    if command.is_taking:
        return known.kind(command.thing, "an object")
    is_handed = command.is_putting and command.verb != "eat"
    if is_handed or command.other or command.verb == "focus on":
        return known.kind(command.thing, "the object")
    return known.kind(command.thing, plain)


def _search_line(
    searched: Sequence[Command], command: Command, known: Known
) -> list[str]:
    """Returns the step that tells of the search before a command, if there is one."""
    useful = [one for one in searched if one.is_going or one.is_opening]
    if not useful:
        return []
    verbs = ", ".join(dict.fromkeys(_ways(useful)))
    if command.other and not command.is_taking:
        goal = lifted(command, known).rpartition(f" {command.relation} ")[2]
        return [f"go to {goal} ({verbs})"]
    if command.is_taking or command.verb in _FINDING_VERBS:
        return [f"look for {_thing_kind(command, known)} ({verbs})"]
    return [f"go where one can {lifted(command, known)} ({verbs})"]


def _ways(searched: Sequence[Command]) -> Iterable[str]:
    """Yields the verbs of a search, and the place that it led to if there is only one.

    One of several alike has a number, and directions lead elsewhere in each game.
    """
    places = [one for one in searched if one.is_going]
    for one in searched:
        is_unique = one.thing not in DIRECTIONS and plain_name(one.thing) == one.thing
        if one.is_going and is_unique:
            if one is places[-1]:
                yield one.text
        else:
            yield one.verb


def _folded(lines: Sequence[str]) -> tuple[str, ...]:
    """Returns lines with runs that follow one another more than once told once."""
    folded = list(lines)
    for period in range(1, MAX_PERIOD + 1):
        start = 0
        while start + 2 * period <= len(folded):
            run = [_once(line) for line in folded[start : start + period]]
            end = start + period
            while [_once(line) for line in folded[end : end + period]] == run:
                del folded[end : end + period]
                folded[start] = f"{run[0]} ({_EACH[period > 1]})"
            start += 1
    return tuple(folded)


_EACH: Final = {
    False: "more than once if needed",
    True: "this and what follows, for each",
}


def _once(line: str) -> str:
    for told in _EACH.values():
        line = line.removesuffix(f" ({told})")
    return line


def _plain(lines: Iterable[str]) -> list[str]:
    return [_once(line) for line in lines]


def _refused(episode: Episode, known: Known) -> list[str]:
    """Returns the lifted commands that were refused, the most frequent first."""
    counts: dict[str, int] = {}
    for step in episode.steps:
        if step.action and (not step.is_legal or refusal_in(step.observation)):
            told = lifted(parse_command(step.action), known)
            counts[told] = counts.get(told, 0) + 1
    return sorted(counts, key=lambda told: (-counts[told], told))


def _num_revisits(episode: Episode) -> int:
    """Returns how often a place was entered that had been seen before."""
    seen = {episode.observation}
    number = 0
    for command, step in zip(
        map(parse_command, episode.actions), episode.steps, strict=True
    ):
        if command.is_going and step.is_legal:
            place = step.observation if command.thing in DIRECTIONS else command.thing
            number += place in seen
            seen.add(place)
    return number


def _repeated(episode: Episode) -> list[str]:
    """Returns the verbs of commands done again at once, with the same outcome."""
    pairs = [(step.action, step.observation) for step in episode.steps if step.action]
    verbs = [
        parse_command(action).verb
        for (action, _), group in groupby(pairs)
        if len(list(group)) > 1
    ]
    for period in range(2, MAX_PERIOD + 1):
        for start in range(len(pairs) - 2 * period + 1):
            run = pairs[start : start + period]
            if run == pairs[start + period : start + 2 * period]:
                verbs += [parse_command(action).verb for action, _ in run]
    return list(dict.fromkeys(verbs))[:3]
