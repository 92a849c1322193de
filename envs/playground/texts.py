"""Scenes, actions and changes in words, written and read.

The sentences are the published ones, to the letter. What a text does not show: which
slot an object that is held belongs to, and which of several objects of the same name
the agent stands on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations

from envs.playground.rules import (
    GOES_TO,
    GRASP,
    GREW_BIG,
    GREW_PLANT,
    GREW_SMALL,
    HOLDING1,
    HOLDING2,
    NOTHING,
    RELEASE_ALL,
    RELEASE_FIRST,
    STANDING,
    Outcome,
    Scene,
    held,
    under,
    visible,
)
from envs.playground.things import (
    BABY_BIG,
    BABY_SMALL,
    BIG,
    CATEGORY,
    GROWN_PLANT,
    KINDS,
    NAMES,
    PLANT,
    SEED,
    SMALL,
    THINGS,
    grown,
    type_of,
)

_SEE = "You see "
_NEXT_TO = "You are next to the "
_INVENTORY = "In your inventory, there "
_NO_OBJECTS = "You see nothing."

_GREW_BY_CATEGORY = {PLANT: GREW_PLANT, SMALL: GREW_SMALL, BIG: GREW_BIG}

_NUM_PLANTS_NEEDED = {SEED: 0, BABY_SMALL: 1, BABY_BIG: 2}
"""Plants that must be there for one to grow, among the candidates."""

NO_ACTION = "You do nothing."
"""The action text of an action that is not legal; a sentence of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """How changes are told.

    Attributes:
        standing: With `{0}` for the object.
        standing_on_nothing: No action leads there; one of the candidates.
        holding_one: With `{0}` for the object.
        holding_two: With `{0}` for the object held before, `{1}` for the new one.
        growing: With `{0}` for what has grown.
        nothing: What an action that is not legal leads to.
    """

    standing: str
    standing_on_nothing: str
    holding_one: str
    holding_two: str
    growing: str
    nothing: str = "Nothing happens."

    def tell(self, transition_type: int, names: tuple[str, ...]) -> str:
        """Returns the sentence about what came of an action.

        Args:
            transition_type: One of the seven numbers of `envs.playground.rules`.
            names: What it is about.
        """
        if transition_type >= GREW_PLANT:
            return self.growing.format(*names)
        sentences = {
            NOTHING: self.nothing,
            STANDING: self.standing,
            HOLDING1: self.holding_one,
            HOLDING2: self.holding_two,
        }
        return sentences[transition_type].format(*names)


ORIGINAL = Wording(
    standing="You are standing on the {0}.",
    standing_on_nothing="You are standing on nothing.",
    holding_one="In your inventory, there is the {0}.",
    holding_two="In your inventory, there are the {0} and the {1}.",
    growing="The objects transform into the {0}.",
)
"""The published wording."""

REWORDED = Wording(
    standing="The {0} is beneath you.",
    standing_on_nothing="Nothing is beneath you.",
    holding_one="The {0} is in your grasp.",
    holding_two="The {0} and the {1} are in your grasp.",
    growing="The {0} results from combining the objects.",
)
"""The published wording of the test of generalisation; that for two objects is ours."""

WORDINGS: dict[str, Wording] = {"original": ORIGINAL, "reworded": REWORDED}


@dataclass(frozen=True, slots=True)
class Shown:
    """What a state text says.

    Attributes:
        visible: Names of what lies about, in the order of the text.
        under: The name of what the agent stands on, if it does.
        items: Names of what it holds, in the order of the text.
    """

    visible: tuple[str, ...]
    under: str | None
    items: tuple[str, ...]


def describe(scene: Scene) -> str:
    """Returns what the agent sees, where it is, and what it has."""
    at = under(scene)
    return say(
        Shown(
            visible=tuple(NAMES[one] for one in visible(scene)),
            under=None if at is None else NAMES[scene.things[at]],
            items=tuple(NAMES[scene.things[slot]] for slot in held(scene)),
        )
    )


def say(shown: Shown) -> str:
    """Returns the state text that says so."""
    names, items = shown.visible, shown.items
    seen = f"{_SEE}the {', the '.join(names)}." if names else _NO_OBJECTS
    near = "" if shown.under is None else f" {_NEXT_TO}{shown.under}."
    if not items:
        return f"{seen}{near} {_INVENTORY}is nothing."
    verb = "is" if len(items) == 1 else "are"
    return f"{seen}{near} {_INVENTORY}{verb} the {' and the '.join(items)}."


def tell_change(outcome: Outcome, wording: Wording = ORIGINAL) -> str:
    """Returns the sentence about what came of an action."""
    names = tuple(NAMES[one] for one in outcome.things)
    return wording.tell(outcome.transition_type, names)


def tell_action(outcome: Outcome, action: int, before: Scene) -> str:
    """Returns the sentence about an action; `NO_ACTION` if it was not legal."""
    if outcome.transition_type == NOTHING:
        return NO_ACTION
    return action_text(action, before)


def action_text(action: int, scene: Scene) -> str:
    """Returns the sentence about a legal action, before it is taken."""
    items = sorted(NAMES[scene.things[slot]] for slot in held(scene))
    return action_sentence(action, items)


def action_sentence(action: int, items: Sequence[str]) -> str:
    """Returns the sentence about an action.

    Args:
        action: The action.
        items: Names of what is held, in alphabetical order.
    """
    if action in GOES_TO:
        return f"You go to the {NAMES[GOES_TO[action]]}."
    if action == GRASP:
        return "You pick up the object."
    if action == RELEASE_ALL:
        return "You give all the objects you hold."
    return f"You give the {items[action - RELEASE_FIRST]}."


@lru_cache(maxsize=4_096)
def read(text: str) -> Shown:
    """Returns what a state text says.

    Raises:
        ValueError: If it is not one of ours.
    """
    seen, _, rest = text.partition(". ")
    near = None
    if rest.startswith(_NEXT_TO):
        near, _, rest = rest.removeprefix(_NEXT_TO).partition(". ")
    names = () if f"{seen}." == _NO_OBJECTS else _listed(seen, _SEE, ", ")
    rest = rest.removesuffix(".")
    if rest == f"{_INVENTORY}is nothing":
        return Shown(names, near, ())
    verb = "are " if " and the " in rest else "is "
    items = _listed(rest, f"{_INVENTORY}{verb}", " and ")
    return Shown(names, near, items)


def _listed(text: str, start: str, comma: str) -> tuple[str, ...]:
    names = text.removeprefix(start).split(comma)
    found = tuple(name.removeprefix("the ") for name in names)
    is_well_formed = text.startswith(start) and names == [f"the {n}" for n in found]
    if not is_well_formed or not THINGS.keys() >= set(found):
        raise ValueError(f"A state text must list objects after {start!r}: {text!r}.")
    return found


def action_between(before: str, action: int, after: str) -> str:
    """Returns the sentence about an action, from the state texts around it."""
    if type_between(before, action, after) == NOTHING:
        return NO_ACTION
    return action_sentence(action, sorted(read(before).items))


def change_between(
    before: str, action: int, after: str, wording: Wording = ORIGINAL
) -> str:
    """Returns the sentence about what came of an action, from the texts around it.

    For recorded transitions, which have the state texts only.

    Args:
        before: State text before the action.
        action: The action.
        after: State text after it.
        wording: How to tell it.

    Raises:
        ValueError: If a text is none of ours, or the action cannot lead there.
    """
    transition_type = type_between(before, action, after)
    old, new = read(before), read(after)
    names: tuple[str, ...] = ()
    if transition_type == STANDING:
        names = (NAMES[GOES_TO[action]],)
    elif transition_type in (HOLDING1, HOLDING2):
        names = (*old.items, _found(old.under))
    elif transition_type != NOTHING:
        names = (_found(new.under),)
    return wording.tell(transition_type, names)


def type_between(before: str, action: int, after: str) -> int:
    """Returns the number of the transition's type, from the texts around it.

    Raises:
        ValueError: As `change_between`.
    """
    old, new = read(before), read(after)
    if action in GOES_TO:
        return STANDING if NAMES[GOES_TO[action]] in old.visible else NOTHING
    if before == after:
        return NOTHING
    if action == GRASP:
        return HOLDING1 if len(new.items) == 1 else HOLDING2
    return _GREW_BY_CATEGORY[CATEGORY[type_of(THINGS[_found(new.under)])]]


def _found(name: str | None) -> str:
    if name is None:
        raise ValueError("The action must lead from one text to the other.")
    return name


def candidate_changes(text: str, wording: Wording = ORIGINAL) -> list[str]:
    """Returns the changes that could follow a state text, sorted, each once.

    More than the legal ones: standing on each object, held ones too, or on nothing;
    holding each, or each two in both orders; growing of each plant, of each small
    animal if there is a plant, of each big one if there are two.
    """
    shown = read(text)
    names = (*shown.visible, *shown.items)
    found = {wording.standing_on_nothing}
    found |= {wording.tell(STANDING, (name,)) for name in names}
    found |= {wording.tell(HOLDING1, (name,)) for name in names}
    found |= {wording.tell(HOLDING2, pair) for pair in permutations(names, 2)}
    kinds = [KINDS[THINGS[name]] for name in names]
    num_plants = kinds.count(GROWN_PLANT)
    for name, kind in zip(names, kinds, strict=True):
        if kind in _NUM_PLANTS_NEEDED and num_plants >= _NUM_PLANTS_NEEDED[kind]:
            found.add(wording.growing.format(NAMES[grown(THINGS[name])]))
    return sorted(found)
