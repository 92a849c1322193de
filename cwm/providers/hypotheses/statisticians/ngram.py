"""A statistician without a language model: it copies words from what it reads.

Covers: a stand-in for tests, rehearsals and machines without torch. It shows that a
    search works, by a likelihood that grows when a hypothesis has the words of what
    happens in their order.
Does not cover: understanding. "Nothing grows" and "Something grows" are as good.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple
from functools import lru_cache
from math import log
from typing import Final, TypeAlias

import numpy as np

from cwm.core.protocols import FloatArray
from cwm.providers.hypotheses.texts import TextTransition
from envs.door import CLOSED, OBJECTS, OPENED
from envs.playground.texts import WORDINGS
from envs.playground.things import NAMES

Word: TypeAlias = str
"""A word in small letters, a sign, or one of the two below."""

START: Final = "<start>"
END: Final = "<end>"
"""What stands before and behind each sentence."""

Counts: TypeAlias = Mapping[tuple[Word, ...], tuple[int, Mapping[Word, int]]]
"""Context of 0 to `order - 1` words -> its number, how often each word follows it."""

SPELLING: Final = 1e-3
"""Probability that a word is spelled letter by letter, whichever it is."""

LONGER: Final = 0.8
"""Probability that a word that is spelled has another letter."""

COMMON_CHARS: Final = 128
RARE: Final = 1e-3
"""Probability that a letter is none of the first 128 of Unicode."""

ACTION_WEIGHT: Final = 4
"""An action counts so many times: what changes is mostly about what was acted on."""

_PIECE = re.compile(r"\s?\w+|\s?[^\w\s]|\s")
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_MAX_CODE = 0x110000


def _default_vocabulary() -> frozenset[Word]:
    texts = [*NAMES, "You go to the. You pick up the object. You give all the objects"]
    texts += ["you hold", OPENED, CLOSED, *(held.text for held in OBJECTS)]
    texts += [text for wording in WORDINGS.values() for text in astuple(wording)]
    return frozenset(word for text in texts for word in _words(text))


class NGramStatistician:
    """Predicts each word of a change by the words before it; see `Statistician`.

    An n-gram model with the weights of Witten and Bell: the shorter context counts as
    much as the longer one had different words behind it. Words are counted in
    hypothesis, state and action, above a uniform distribution over a fixed vocabulary;
    all are taken for small letters, and a sentence begins with a capital one. What is
    spelled otherwise, or not known at all, is spelled letter by letter, which has a
    small probability. So every text has a probability above 0, and those of all texts
    sum to at most 1.

    It is deterministic and needs no packages.
    """

    is_stand_in = True

    def __init__(
        self, *, order: int = 3, vocabulary: Iterable[Word] | None = None
    ) -> None:
        """Makes the statistician.

        Args:
            order: Longest n-grams, in words; at least 1. With 1 the order of words
                in a hypothesis does not matter.
            vocabulary: Words known from the beginning; by default those of the
                environments in words.

        Raises:
            ValueError: If `order` is below 1.
        """
        if order < 1:
            raise ValueError(f"order must be at least 1, got {order}.")
        words = _default_vocabulary() if vocabulary is None else vocabulary
        self._order = order
        self._vocabulary = frozenset(words) | {END}

    @property
    def name(self) -> str:
        """That it is a stand-in."""
        return f"n-gram stand-in ({self._order} words)"

    def log_probs(
        self, hypothesis: str | None, transitions: Sequence[TextTransition]
    ) -> FloatArray:
        """Returns `log p(change | state, action, hypothesis)`, `[N]`."""
        believed = _counts(hypothesis or "", self._order)
        return np.array(
            [self._log_prob(one, believed) for one in transitions], dtype=np.float64
        )

    def _log_prob(self, transition: TextTransition, believed: Counts) -> float:
        seen = _counts(transition.state, self._order)
        acted = _counts(transition.action, self._order)
        sources = ((believed, 1), (seen, 1), (acted, ACTION_WEIGHT))
        context: list[Word] = [START] * (self._order - 1)
        total = 0.0
        pieces = _PIECE.findall(transition.change)
        for place, piece in enumerate(pieces):
            word = piece.strip().lower()
            found = _log_spelled(piece)
            if piece == _usual(word, is_first=place == 0):
                chance = (1.0 - SPELLING) * self.next_word(word, context, sources)
                found = float(np.logaddexp(found, log(chance))) if chance else found
            total += found
            context.append(word)
        ends = (1.0 - SPELLING) * self.next_word(END, context, sources)
        return total + log(ends)

    def next_word(
        self,
        word: Word,
        context: Sequence[Word],
        sources: Sequence[tuple[Counts, int]],
    ) -> float:
        """Returns `p(word | context)`; over all words it sums to at most 1.

        Args:
            word: The next word, or `END`.
            context: Words before it, at least `order - 1`.
            sources: Counts of each text that words are copied from, with a weight.
        """
        chance = float(word in self._vocabulary) / len(self._vocabulary)
        for length in range(self._order):
            before = tuple(context[len(context) - length :])
            total, count = 0, 0
            followers: set[Word] = set()
            for counts, weight in sources:
                if before in counts:
                    number, following = counts[before]
                    total += weight * number
                    count += weight * following.get(word, 0)
                    followers |= following.keys()
            if not total:
                break
            chance = (count + len(followers) * chance) / (total + len(followers))
        return chance


@lru_cache(maxsize=4_096)
def _counts(text: str, order: int) -> Counts:
    counts: dict[tuple[Word, ...], dict[Word, int]] = {}
    for sentence in _SENTENCE.split(text):
        words = [*[START] * (order - 1), *_words(sentence), END]
        if words[order - 1] == END:
            continue
        for place in range(order - 1, len(words)):
            for length in range(order):
                before = counts.setdefault(tuple(words[place - length : place]), {})
                before[words[place]] = before.get(words[place], 0) + 1
    return {before: (sum(after.values()), after) for before, after in counts.items()}


def _words(text: str) -> Iterator[Word]:
    for piece in _PIECE.findall(text):
        word = piece.strip().lower()
        if word:
            yield word


def _usual(word: Word, *, is_first: bool) -> str:
    """Returns how a word is spelled in a sentence, with the blank before it."""
    if is_first:
        return word.capitalize()
    return f" {word}" if word[:1].isalnum() else word


def _log_spelled(piece: str) -> float:
    """Returns the log-probability that a word is spelled, and is this piece."""
    found = log(SPELLING) + log(1.0 - LONGER) + log(LONGER) * (len(piece) - 1)
    num_common = sum(ord(char) < COMMON_CHARS for char in piece)
    found += num_common * log((1.0 - RARE) / COMMON_CHARS)
    return found + (len(piece) - num_common) * log(RARE / (_MAX_CODE - COMMON_CHARS))
