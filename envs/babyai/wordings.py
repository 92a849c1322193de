"""In which words BabyAI-Text tells of views, missions and actions.

English and French are those of BabyAI-Text, their mistakes included ("a open red
door"; what is carried stays English in French). `english-mended` and `french-mended`
are without these. The others are the paper's tests of generalisation: the same
sentences with some words replaced.
"""

import re
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

Language: TypeAlias = Literal["english", "french"]

ACTIONS: tuple[str, ...] = (
    *("turn left", "turn right", "go forward", "pick up", "drop", "toggle"),
    *("sleep", "do nothing", "think"),
)
"""Names of the actions; from the seventh on they do nothing."""

_FRENCH_ACTIONS = (
    *("tourner à gauche", "tourner à droite", "aller tout droit"),
    *("attraper", "lâcher", "basculer", "dormir", "ne rien faire", "penser"),
)

_NOUNS = {"door": "porte", "key": "clef", "ball": "balle", "box": "boîte"}
_ADJECTIVES = {
    **{"red": "rouge", "green": "verte", "blue": "bleue"},
    **{"purple": "violette", "yellow": "jaune", "grey": "grise"},
}
_FRENCH_STATES = {"open": "ouverte", "closed": "fermée", "locked": "fermée à clef"}
_FRENCH_SIDES = {"left": "à gauche", "right": "à droite", "forward": "devant"}
_GO_TO = re.compile(r"go to (?P<article>the|a) (?:(?P<colour>\w+) )?(?P<noun>\w+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """How views, missions and actions are told.

    Attributes:
        language: Language of the sentences.
        renamed: Words and what stands for each of them, in everything that is told
            but actions; one after the other.
        actions: Names of the nine actions, in the order of `ACTIONS`.
        is_mended: Whether the mistakes of BabyAI-Text are mended.
    """

    language: Language = "english"
    renamed: tuple[tuple[str, str], ...] = ()
    actions: tuple[str, ...] = ACTIONS
    is_mended: bool = False

    @property
    def is_french(self) -> bool:
        """Whether sentences are French."""
        return self.language == "french"

    def rename(self, text: str) -> str:
        """Returns a text with the renamed words."""
        for word, other in self.renamed:
            text = re.sub(rf"\b{word}\b", other, text)
        return text

    def tell_carried(self, colour: str, noun: str) -> str:
        """Returns what the agent carries."""
        if not self.is_french:
            return self.rename(f"You carry a {colour} {noun}")
        if not self.is_mended:
            return self.rename(f"Tu portes une {noun} {colour}")
        return self.rename(f"Tu portes une {_NOUNS[noun]} {_ADJECTIVES[colour]}")

    def tell_wall(self, distance: int, direction: str) -> str:
        """Returns where a wall is: "forward", "left" or "right"."""
        if self.is_french:
            return f"Tu vois un mur à {distance} pas {_FRENCH_SIDES[direction]}"
        return f"You see a wall {_steps(distance)} {direction}"

    def tell_object(
        self, colour: str, noun: str, state: str, *, right: int, forward: int
    ) -> str:
        """Returns where an object is.

        Args:
            colour: Its colour.
            noun: Its type.
            state: That of a door; empty for anything else.
            right: Cells to the right of the agent; negative to its left.
            forward: Cells ahead of it.
        """
        distances = []
        if right:
            distances.append((abs(right), "right" if right > 0 else "left"))
        if forward or not right:
            distances.append((forward, "forward"))
        if self.is_french:
            named = f"{_NOUNS.get(noun, noun)} {_ADJECTIVES[colour]}"
            named += f" {_FRENCH_STATES[state]}" if state else ""
            parts = [f"{count} pas {_FRENCH_SIDES[side]}" for count, side in distances]
            return self.rename(f"Tu vois une {named} {' et '.join(parts)}")
        named = f"{state} {colour} {noun}" if state else f"{colour} {noun}"
        article = "an" if self.is_mended and named.startswith("open") else "a"
        where = " and ".join(f"{_steps(count)} {side}" for count, side in distances)
        return self.rename(f"You see {article} {named} {where}")

    def tell_mission(self, mission: str) -> str:
        """Returns a mission in these words.

        In French, only "go to" has a translation, as in BabyAI-Text: other missions
        stay English.
        """
        match = _GO_TO.fullmatch(mission) if self.is_french else None
        if match and match["noun"] in _NOUNS:
            # The original looks for the letter a, which "ball" has.
            is_any = "a" in mission.removeprefix("go to ").split(" ")
            if not self.is_mended:
                is_any = "a" in mission
            words = ["aller à", "une" if is_any else "la", _NOUNS[match["noun"]]]
            words += [_ADJECTIVES[match["colour"]]] if match["colour"] else []
            mission = " ".join(words)
        return self.rename(mission)


def _steps(count: int) -> str:
    return f"{count} {'step' if count == 1 else 'steps'}"


ENGLISH = Wording()
FRENCH = Wording(language="french", actions=_FRENCH_ACTIONS)

NEW_NOUNS = (("key", "chair"), ("ball", "table"), ("box", "car"))
NEW_ADJECTIVES = (
    *(("red", "vermilion"), ("green", "jade"), ("blue", "cyan")),
    *(("purple", "violet"), ("yellow", "golden"), ("grey", "silver")),
)
INVENTED_NOUNS = (("key", "dax"), ("ball", "xolo"), ("box", "afze"))
INVENTED_ADJECTIVES = (
    *(("red", "faze"), ("green", "jatu"), ("blue", "croh")),
    *(("purple", "vurst"), ("yellow", "gakul"), ("grey", "sil")),
)
FRENCH_NEW_NOUNS = (("clef", "chaise"), ("balle", "table"), ("boîte", "voiture"))
FRENCH_NEW_ADJECTIVES = (
    *(("rouge", "vermilion"), ("verte", "jade"), ("bleue", "cyan")),
    *(("violette", "mauve"), ("jaune", "dorée"), ("grise", "argent")),
)


def _acting(*names: str) -> Wording:
    return replace(ENGLISH, actions=(*names, *ACTIONS[len(names) :]))


WORDINGS: dict[str, Wording] = {
    "english": ENGLISH,
    "english-mended": replace(ENGLISH, is_mended=True),
    "french": FRENCH,
    "french-mended": replace(FRENCH, is_mended=True),
    "new-nouns": replace(ENGLISH, renamed=NEW_NOUNS),
    "new-adjectives": replace(ENGLISH, renamed=NEW_ADJECTIVES),
    "invented-nouns": replace(ENGLISH, renamed=INVENTED_NOUNS),
    "invented-adjectives": replace(ENGLISH, renamed=INVENTED_ADJECTIVES),
    "invented-words": replace(ENGLISH, renamed=INVENTED_NOUNS + INVENTED_ADJECTIVES),
    "synonym-actions": _acting(
        *("rotate left", "rotate right", "move ahead", "take", "release", "switch")
    ),
    "synonym-actions-2": _acting(
        *("shift left", "shift right", "go ahead", "take", "release", "turn")
    ),
    "french-new-nouns": replace(FRENCH, renamed=FRENCH_NEW_NOUNS),
    "french-new-adjectives": replace(FRENCH, renamed=FRENCH_NEW_ADJECTIVES),
}
"""Named wordings."""
