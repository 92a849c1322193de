"""What is seen after a change, and what can be done, from state texts alone.

The way back from `envs.playground.texts.change_between`: a model that predicts a
sentence predicts the next text with it. Covers: what the words say. Does not cover: the
rules, which are the model's business; a change that the words allow is made, whether it
can happen or not.

What the words leave open, and what is taken for it:

- the place in the list of an object that comes out of the inventory: that of the
  object that was under the agent;
- the order of two objects in the inventory: that in which they were picked up;
- which of several objects of the same name the agent stands on: the first.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import permutations
from typing import NamedTuple

from envs.playground.rules import (
    GO_TO,
    GRASP,
    GREW_BIG,
    GREW_PLANT,
    GREW_SMALL,
    HOLDING1,
    HOLDING2,
    MAX_HELD,
    NOTHING,
    PREFIXED,
    RELEASE_ALL,
    RELEASE_FIRST,
    RELEASE_SECOND,
    STANDING,
)
from envs.playground.texts import (
    NO_ACTION,
    ORIGINAL,
    Shown,
    Wording,
    action_sentence,
    read,
    say,
)
from envs.playground.things import (
    BABY_BIG,
    BABY_SMALL,
    KINDS,
    NAMES,
    SEED,
    THINGS,
    grown,
)

_GREW = {SEED: GREW_PLANT, BABY_SMALL: GREW_SMALL, BABY_BIG: GREW_BIG}

_SEEDLING = {
    NAMES[grown(one)]: name for name, one in THINGS.items() if KINDS[one] in _GREW
}
"""What becomes each thing that grows, by name."""


class Meaning(NamedTuple):
    """What a change sentence says.

    Attributes:
        transition_type: One of the seven numbers of `envs.playground.rules`.
        names: What it is about; nothing for standing on nothing.
    """

    transition_type: int
    names: tuple[str, ...]


@lru_cache
def _meanings(wording: Wording) -> dict[str, Meaning]:
    """Returns every sentence of a wording with what it says."""
    found = {
        wording.nothing: Meaning(NOTHING, ()),
        wording.standing_on_nothing: Meaning(STANDING, ()),
    }
    meanings = [
        Meaning(kind, (name,)) for kind in (STANDING, HOLDING1) for name in THINGS
    ]
    pairs = (*permutations(THINGS, 2), *((name, name) for name in THINGS))
    meanings += [Meaning(HOLDING2, pair) for pair in pairs]
    meanings += [
        Meaning(_GREW[KINDS[THINGS[seedling]]], (name,))
        for name, seedling in _SEEDLING.items()
    ]
    return found | {wording.tell(*meaning): meaning for meaning in meanings}


def read_change(change: str, wording: Wording = ORIGINAL) -> Meaning:
    """Returns what a change sentence says.

    Raises:
        ValueError: If it is none of the wording.
    """
    meaning = _meanings(wording).get(change)
    if meaning is None:
        raise ValueError(f"change must be a sentence of the wording, got {change!r}.")
    return meaning


def shown_actions(text: str) -> tuple[int, ...]:
    """Returns the actions that a state text allows, in ascending order.

    Going to what is seen, picking up what one is next to with at most one object held,
    giving each object held, and all if there are two, to what one is next to. More than
    the legal ones: whether something grows is not in the text.
    """
    shown = read(text)
    actions = {GO_TO[THINGS[name]] for name in shown.visible}
    items = sorted(shown.items)
    if shown.under is not None:
        if len(items) < MAX_HELD:
            actions.add(GRASP)
        # Two of the same name are given by the number of the first.
        actions |= {RELEASE_FIRST + items.index(name) for name in items}
        if len(items) == MAX_HELD:
            actions.add(RELEASE_ALL)
    return tuple(sorted(actions))


def say_action(text: str, action: int) -> str:
    """Returns the sentence about an action, from the state text before it.

    `NO_ACTION` for an action that the text does not allow. One that it allows is told
    as it is, even if nothing comes of it.
    """
    if action not in shown_actions(text):
        return NO_ACTION
    return action_sentence(action, sorted(read(text).items))


def apply_change(
    text: str, action: int, change: str, wording: Wording = ORIGINAL
) -> str:
    """Returns the state text after a change.

    Args:
        text: State text before it.
        action: What was done; says what was given, which the change does not.
        change: What came of it.
        wording: How it is told.

    Raises:
        ValueError: If the change cannot be made in this text, such as holding what is
            not there or growing where nothing was given.
    """
    shown, meaning = read(text), read_change(change, wording)
    if meaning.transition_type == NOTHING:
        return text
    if meaning.transition_type == STANDING:
        return say(_standing(shown, meaning.names))
    if meaning.transition_type in (HOLDING1, HOLDING2):
        return say(_holding(shown, meaning.names))
    return say(_growing(shown, action, meaning.names[0]))


def _standing(shown: Shown, names: Sequence[str]) -> Shown:
    if not names:
        return replace(shown, under=None)
    if names[0] not in shown.visible:
        raise ValueError(f"There must be a {names[0]} to stand on: {say(shown)!r}.")
    # Like the environment, which looks names up by their beginning.
    found = PREFIXED[THINGS[names[0]]]
    return replace(
        shown, under=next(name for name in shown.visible if THINGS[name] in found)
    )


def _holding(shown: Shown, names: Sequence[str]) -> Shown:
    *old, new = names
    if tuple(old) != shown.items or new not in shown.visible:
        raise ValueError(
            f"One object must come to those held: {say(shown)!r} cannot have "
            f"{' and '.join(names)} in the inventory next."
        )
    seen = list(shown.visible)
    seen.remove(new)
    # If it was another of that name, the agent stays, but words do not tell.
    under = None if shown.under == new else shown.under
    return Shown(tuple(seen), under, tuple(names))


def _growing(shown: Shown, action: int, name: str) -> Shown:
    given = _given(shown, action)
    seedling = _SEEDLING[name]
    if shown.under is None or not given or seedling not in (shown.under, *given):
        raise ValueError(
            f"A {seedling} must be given or be given something to become a {name}: "
            f"{say(shown)!r}, action {action}."
        )
    seen, items = list(shown.visible), list(shown.items)
    seen[seen.index(shown.under)] = name
    for one in given:
        items.remove(one)
    return Shown(tuple(seen), name, tuple(items))


def _given(shown: Shown, action: int) -> tuple[str, ...]:
    """Returns the names of what an action gives; none if it gives nothing."""
    items = sorted(shown.items)
    if action == RELEASE_ALL:
        return tuple(items) if len(items) == MAX_HELD else ()
    number = action - RELEASE_FIRST
    if action in (RELEASE_FIRST, RELEASE_SECOND) and number < len(items):
        return (items[number],)
    return ()
