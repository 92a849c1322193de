"""The manual: lore as sentences, and sentences as lore.

Reading does not know the sentences that writing uses: one that names a group tells
of the monsters it names, one that names an element of the modifiers.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

import numpy as np

from envs.rtfm.rules import Lore
from envs.rtfm.words import ELEMENTS, GROUPS, MODIFIERS, MONSTERS

ABOUT_ELEMENTS = (
    "Against {element} creatures, carry something {modifiers}.",
    "Anything {modifiers} is the bane of {element} monsters.",
    "No {element} monster survives a weapon that is {modifiers}.",
    "To bring down {element} creatures, arm yourself with {modifiers} gear.",
    "{element} monsters fear {modifiers} items.",
    "{modifiers} equipment puts an end to {element} monsters.",
    "{modifiers} weapons work well against {element} creatures.",
    "What is {element} cannot stand {modifiers} arms.",
)

ABOUT_GROUPS = (
    "Among the {group} are {monsters}.",
    "The {group} counts {monsters} in its ranks.",
    "The {group} has three kinds of members: {monsters}.",
    "Three monsters serve the {group}: {monsters}.",
    "{monsters} fight side by side in the {group}.",
    "{monsters} form the {group}.",
    "{monsters} have sworn loyalty to the {group}.",
    "You will find {monsters} in the {group}.",
)

GOALS = (
    "Bring down the {group}.",
    "Defeat the {group}.",
    "Find the monster of the {group} and beat it.",
    "The {group} must fall.",
    "Win against the {group}.",
    "Your enemy is the {group}.",
)


def write_manual(lore: Lore, rng: np.random.Generator) -> str:
    """Returns a manual: one sentence for each element and group, in any order."""
    sentences = [
        _filled(
            ABOUT_ELEMENTS, rng, element=element, modifiers=_listed(names, "or", rng)
        )
        for element, names in _inverted(lore.beaten_by).items()
    ]
    sentences += [
        _filled(ABOUT_GROUPS, rng, group=group, monsters=_listed(names, "and", rng))
        for group, names in _inverted(lore.group_of).items()
    ]
    return " ".join(sentences[i] for i in rng.permutation(len(sentences)))


def write_goal(group: str, rng: np.random.Generator) -> str:
    """Returns a sentence that says which group to defeat."""
    return _filled(GOALS, rng, group=group)


def _inverted(mapping: Mapping[str, str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in sorted(mapping):
        found.setdefault(mapping[name], []).append(name)
    return found


def _listed(names: Sequence[str], joined_by: str, rng: np.random.Generator) -> str:
    *first, last = [names[i] for i in rng.permutation(len(names))]
    return f"{', '.join(first)} {joined_by} {last}" if first else last


def _filled(templates: Sequence[str], rng: np.random.Generator, **words: str) -> str:
    text = templates[int(rng.integers(len(templates)))].format(**words)
    return text[0].upper() + text[1:]


@lru_cache(maxsize=256)
def read_manual(text: str) -> Lore:
    """Returns what a manual tells; what it does not mention is not in it."""
    group_of: dict[str, str] = {}
    beaten_by: dict[str, str] = {}
    for sentence in text.lower().split("."):
        words = set(sentence.replace(",", " ").replace(":", " ").split())
        group = named_group(sentence)
        if group is not None:
            group_of |= dict.fromkeys(_named(words, MONSTERS), group)
        for element in _named(words, ELEMENTS):
            beaten_by |= dict.fromkeys(_named(words, MODIFIERS), element)
    return Lore(group_of=group_of, beaten_by=beaten_by)


def named_group(text: str) -> str | None:
    """Returns the group that a text names, such as the goal's; `None` for none."""
    return next((group for group in GROUPS if group in text.lower()), None)


def _named(words: set[str], names: Iterable[str]) -> list[str]:
    return [name for name in names if name in words]
