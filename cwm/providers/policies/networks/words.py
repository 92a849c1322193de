"""Whole words as tokens, for networks that learn from nothing."""

import re
from collections.abc import Iterable, Sequence

UNKNOWN = "<unknown>"
END = "<end>"

_PARTS = re.compile(r"\w+|[^\w\s]|\n")

BABYAI_WORDS: tuple[str, ...] = (
    *("\n", ",", ":", "You", "see", "carry", "a", "the", "wall", "key", "ball", "box"),
    *("door", "red", "green", "blue", "purple", "yellow", "grey", "open", "closed"),
    *("locked", *map(str, range(10)), "step", "steps", "left", "right", "forward"),
    *("and", "go", "to", "pick", "up", "put", "next", "then", "after", "you", "turn"),
    *("drop", "toggle", "sleep", "do", "nothing", "think", "in", "front", "of"),
    *("behind", "on", "your", "Goal", "agent", "Observation", "Action", "Possible"),
    *("action", "object"),
)
"""All words of BabyAI's missions, views and prompts in English."""


class WordTokens:
    """Text as words of a closed list, whatever is not among them as one token.

    Args:
        words: The list, in order.
    """

    def __init__(self, words: Iterable[str] = BABYAI_WORDS) -> None:
        self.words = (UNKNOWN, END, *dict.fromkeys(words))
        self._index = {word: index for index, word in enumerate(self.words)}

    def __len__(self) -> int:
        return len(self.words)

    @property
    def end_id(self) -> int:
        """The token that ends a text."""
        return self._index[END]

    def encode(self, text: str) -> list[int]:
        """Returns the tokens of a text; blanks only part words."""
        unknown = self._index[UNKNOWN]
        return [self._index.get(part, unknown) for part in _PARTS.findall(text)]

    def decode(self, token_ids: Sequence[int]) -> str:
        """Returns words with blanks between them."""
        return " ".join(self.words[index] for index in token_ids)
