"""The paper's tests of generalisation, as environments and prompts.

Section 5 of Carta et al. (https://arxiv.org/abs/2302.02662): new objects, new words,
other names of actions, a new composition, another language. What is varied is in the
environment's arguments, but for how the prompt introduces the goal.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from envs.babyai.names import PREFIX

_ENV = f"cwm/{PREFIX}{{}}-v0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One test.

    Attributes:
        env_id: The environment.
        kwargs: Its arguments.
        prompt: Name of the prompt's wording, in `prompts.glam.WORDINGS`.
        what: What is new to an agent trained on `MixedTrainLocal` in English.
    """

    env_id: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    prompt: str = "english"
    what: str


def _mixed(what: str, wording: str = "english", prompt: str = "english") -> Variant:
    return Variant(
        env_id=_ENV.format("MixedTrainLocal"),
        kwargs={"wording": wording} if wording != "english" else {},
        prompt=prompt,
        what=what,
    )


SUITE: dict[str, Variant] = {
    "training": _mixed("nothing"),
    "held-out-pairs": Variant(
        env_id=_ENV.format("MixedTestLocal"),
        what="colours and nouns are known, their five pairs are not",
    ),
    "new-nouns": _mixed("other nouns: chair, table, car", "new-nouns"),
    "new-adjectives": _mixed("rarer adjectives, such as vermilion", "new-adjectives"),
    "invented-nouns": _mixed("invented nouns: dax, xolo, afze", "invented-nouns"),
    "invented-adjectives": _mixed(
        "invented adjectives, such as faze", "invented-adjectives"
    ),
    "invented-words": _mixed("invented nouns and adjectives", "invented-words"),
    "first-person-speaker": _mixed(
        'the goal is told as "I would like the agent to"',
        prompt="first-person-speaker",
    ),
    "first-person-agent": _mixed(
        'the goal is told as "You have to"', prompt="first-person-agent"
    ),
    "synonym-actions": _mixed("actions: rotate left, move ahead", "synonym-actions"),
    "synonym-actions-2": _mixed("actions: shift left, go ahead", "synonym-actions-2"),
    "composition": Variant(
        env_id=_ENV.format("PickUpSeqPickUpLocal"),
        what="picking up two objects, one after the other",
    ),
    "french": Variant(
        env_id=_ENV.format("GoToLocal"),
        kwargs={"wording": "french"},
        prompt="french",
        what="the language",
    ),
}
"""Name of a test -> what it is played in."""
