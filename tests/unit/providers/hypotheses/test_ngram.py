"""The n-gram stand-in: a proper distribution that follows what it reads."""

from math import exp, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cwm.providers.hypotheses.statisticians.ngram import (
    COMMON_CHARS,
    END,
    RARE,
    SPELLING,
    START,
    NGramStatistician,
    _counts,
    _log_spelled,
    _words,
)
from cwm.providers.hypotheses.texts import TextTransition, transitions_of
from cwm.providers.hypotheses.worlds import WORLDS

TEST_SET = transitions_of(WORLDS["playground"].test_set())
GOOD = """When you go to an object, the change is: You are standing on the object.
You are standing on the water. You are standing on the pea seed.
In your inventory, there is the water. In your inventory, there are the pea and the pig.
The objects transform into the pea. The objects transform into the pig."""
WORDS = ["pea", "water", "you", "grow", "zebra"]
texts = st.lists(st.sampled_from([*WORDS, "The", "pea."]), max_size=12).map(" ".join)


def total(hypothesis: str | None, *, order: int = 3) -> float:
    return float(NGramStatistician(order=order).log_probs(hypothesis, TEST_SET).sum())


def shuffled(text: str, seed: int) -> str:
    words = text.split()
    np.random.default_rng(seed).shuffle(words)
    return " ".join(words)


def test_sentences_like_the_changes_raise_the_likelihood() -> None:
    assert total(GOOD) > total(None) + 1_000.0


@pytest.mark.parametrize("seed", range(5))
def test_their_words_in_another_order_raise_it_less(seed: int) -> None:
    assert total(shuffled(GOOD, seed)) < total(GOOD) - 1_000.0


def test_without_contexts_the_order_of_words_says_nothing() -> None:
    one = "the pea you water"
    assert total(one, order=1) == pytest.approx(total("you the water pea", order=1))


def test_sentences_about_something_else_do_not_help() -> None:
    other = "It rains a lot in spring. Nobody knows why this is so."
    assert total(other) < total(None) + 10.0


def test_no_hypothesis_and_an_empty_one_are_the_same() -> None:
    assert total("") == total(None)


def test_a_hand_computed_probability() -> None:
    # Vocabulary: pea, END. Only the action has words: "pea", with weight 4.
    statistician = NGramStatistician(order=2, vocabulary=["pea"])
    (found,) = statistician.log_probs(None, [TextTransition("", "pea", "Pea")])
    # Unigrams: 8 counts, 2 kinds; P = (4 + 2 * 1/2) / (8 + 2) for both words.
    # After START: 4 counts of pea, 1 kind; P(pea) = (4 + 1 * 0.5) / (4 + 1) = 0.9.
    # After pea: likewise, END.
    spelled = exp(_log_spelled("Pea"))
    assert spelled < 1e-8
    expected = log(0.999 * 0.9 + spelled) + log(0.999 * 0.9)
    assert found == pytest.approx(expected, abs=1e-12)


@given(texts, texts, texts, st.lists(st.sampled_from(WORDS), max_size=3))
@settings(max_examples=60, deadline=None)
def test_the_probabilities_of_all_next_words_sum_to_1(
    hypothesis: str, state: str, action: str, before: list[str]
) -> None:
    statistician = NGramStatistician(vocabulary=WORDS)
    sources = [(_counts(text, 3), 1) for text in (hypothesis, state)]
    sources.append((_counts(action, 3), 4))
    known = {END, *WORDS, *_words(" ".join((hypothesis, state, action)))}
    context = [START, START, *before]
    found = sum(statistician.next_word(word, context, sources) for word in known)
    assert found == pytest.approx(1.0, abs=1e-9)


@given(texts, st.text(max_size=60))
@settings(max_examples=150, deadline=None)
def test_every_text_has_a_probability(hypothesis: str, change: str) -> None:
    one = TextTransition("You see the pea.", "You go to the pea.", change)
    (found,) = NGramStatistician().log_probs(hypothesis, [one])
    assert np.isfinite(found)
    assert found < 0.0


def test_a_long_word_has_one_too() -> None:
    one = TextTransition("s", "a", "\u4e16" * 5_000)
    assert np.isfinite(NGramStatistician().log_probs(None, [one])[0])


def test_the_probabilities_of_all_spellings_sum_to_the_chance_of_spelling() -> None:
    common = COMMON_CHARS / (1.0 - RARE)
    found = sum(exp(_log_spelled("a" * n) + n * log(common)) for n in range(1, 100))
    assert found == pytest.approx(SPELLING, rel=1e-6)
    rare = (0x110000 - COMMON_CHARS) * exp(_log_spelled("\u4e16"))
    assert rare / (COMMON_CHARS * exp(_log_spelled("a"))) == pytest.approx(
        RARE / (1.0 - RARE)
    )


def test_different_texts_share_one_probability() -> None:
    """Spellings that mean the same words do not each have their probability."""
    heads = ["", "y", "Y", " y", "  y"]
    changes = [f"{a}ou{b}pea{c}" for a in heads for b in " \n" for c in ("", ".", " .")]
    rows = [TextTransition("You pea.", "You pea.", change) for change in changes]
    found = NGramStatistician(vocabulary=["you", "pea"]).log_probs(None, rows)
    assert np.exp(found).sum() < 1.0
    assert np.exp(found).max() > 0.3


def test_it_says_that_it_is_a_stand_in() -> None:
    statistician = NGramStatistician(order=2)
    assert statistician.is_stand_in
    assert statistician.name == "n-gram stand-in (2 words)"


def test_contexts_need_at_least_a_word() -> None:
    with pytest.raises(ValueError, match="order must be at least 1, got 0"):
        NGramStatistician(order=0)
