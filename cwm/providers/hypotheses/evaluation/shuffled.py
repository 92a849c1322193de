"""The control of hypotheses: the same words, without what they say."""

import re

from cwm.core.seeding import child_rng

_WORD = re.compile(r"\S+")


def shuffled(hypothesis: str, seed: int) -> str:
    """Returns a hypothesis with its words in random order.

    Words keep the punctuation at them. Line breaks and spaces stay where they are, so
    that a list remains as long as it was.

    Args:
        hypothesis: The text.
        seed: Of the order; the same gives the same text.

    Returns:
        Another text, unless all words are the same.
    """
    words = _WORD.findall(hypothesis)
    if len(set(words)) < 2:
        return hypothesis
    rng = child_rng(seed, "shuffled words")
    order = words
    while order == words:
        order = [words[index] for index in rng.permutation(len(words))]
    found = iter(order)
    return _WORD.sub(lambda match: next(found), hypothesis)
