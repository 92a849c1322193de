"""Prompts and actions as tokens, and how they lie in rows."""

from typing import Any

import numpy as np
import pytest

from cwm.core.errors import ConfigError
from cwm.providers.policies.scoring.layouts import padded, targets_of, trees_of
from cwm.providers.policies.scoring.tokens import ActionTokenizer, TokenizedActions


class Letters:
    """Each letter is a token, but for a few pairs; blanks are 0."""

    def __init__(self, *pairs: str, end_id: int | None = 99) -> None:
        self._pairs = pairs
        self.end_id = end_id
        self.texts = list[str]()

    def encode(self, text: str) -> list[int]:
        self.texts.append(text)
        ids, place = list[int](), 0
        while place < len(text):
            pair = text[place : place + 2]
            size = 2 if pair in self._pairs else 1
            code = 50 + self._pairs.index(pair) if size == 2 else ord(text[place]) - 96
            ids.append(0 if text[place] == " " and size == 1 else code)
            place += size
        return ids


def split(
    tokenizer: Letters,
    prompt: str,
    *actions: str,
    is_joined: bool = True,
    has_end: bool = False,
) -> TokenizedActions:
    made = ActionTokenizer(tokenizer, is_joined=is_joined, has_end=has_end)
    return made.split(prompt, actions)


def test_actions_follow_the_prompt() -> None:
    assert split(Letters(), "ab", "c", "cd") == ((1, 2), ((3,), (3, 4)))


def test_a_blank_at_the_end_goes_to_the_actions() -> None:
    found = split(Letters(" c"), "ab ", "c", "dc")
    assert found == ((1, 2), ((50,), (0, 4, 3)))
    made = ActionTokenizer(Letters(), is_joined=True, has_end=False)
    assert made.split("ab  ", ["c"]) == ((1, 2), ((0, 0, 3),))
    assert made.prompt("ab  ") == (1, 2)


def test_a_merging_action_takes_the_last_token_from_all() -> None:
    found = split(Letters("bc"), "ab", "c", "d", "cd")
    assert found == ((1,), ((50,), (2, 4), (50, 4)))


def test_an_encoder_reads_the_prompt_as_it_is() -> None:
    found = split(Letters("bc"), "ab ", "c", "d", is_joined=False)
    assert found == ((1, 2, 0), ((3,), (4,)))


@pytest.mark.parametrize("is_joined", [True, False])
def test_the_end_token_comes_last(is_joined: bool) -> None:
    found = split(Letters(), "a", "b", "bc", is_joined=is_joined, has_end=True)
    assert found.actions == ((2, 99), (2, 3, 99))


@pytest.mark.parametrize("is_joined", [True, False])
@pytest.mark.parametrize("has_end", [True, False])
def test_what_has_no_tokens_is_refused(is_joined: bool, has_end: bool) -> None:
    settings = {"is_joined": is_joined, "has_end": has_end}
    with pytest.raises(ValueError, match=r"Every action must have .* got ''"):
        split(Letters(), "a", "b", "", **settings)
    with pytest.raises(ValueError, match=r"Every prompt must have .* got ''"):
        split(Letters(), "", "b", **settings)


def test_a_prompt_that_merges_whole_is_refused() -> None:
    with pytest.raises(ValueError, match="Every prompt must have at least one token"):
        split(Letters("ab"), "a", "b")


def test_a_missing_end_token_is_refused() -> None:
    with pytest.raises(ConfigError, match="append_end, or the rule relative-probs"):
        split(Letters(end_id=None), "a", "b", has_end=True)


def test_known_texts_are_not_cut_again() -> None:
    letters = Letters()
    made = ActionTokenizer(letters, is_joined=True, has_end=False)
    first = made.split("ab", ["c", "d"])
    num_texts = len(letters.texts)
    assert made.split("ab", ["c", "d"]) == first
    assert made.prompt("ab") == (1, 2)
    assert len(letters.texts) == num_texts


@pytest.mark.local
@pytest.mark.parametrize("is_joined", [True, False])
def test_the_first_token_of_a_tokenizer_comes_first_in_one_text(
    is_joined: bool,
) -> None:
    tokenizers: Any = pytest.importorskip("tokenizers")
    transformers: Any = pytest.importorskip("transformers")
    words = {"<s>": 0, "</s>": 1, "go": 2, "left": 3, "?": 4}
    inner = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="?"))
    inner.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    inner.post_processor = tokenizers.processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 1)]
    )
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner, bos_token="<s>", eos_token="</s>", unk_token="?"
    )
    made = ActionTokenizer(tokenizer, is_joined=is_joined, has_end=True)
    begin = (0,) if is_joined else ()
    assert made.prompt("go ") == (*begin, 2)
    assert made.split("go ", ["left", "go left"]) == (
        (*begin, 2),
        ((3, 1), (2, 3, 1)),
    )


def test_rows_are_padded_by_their_length() -> None:
    found = padded([(0, 7), (), (5, 0, 0)], left=True)
    assert found.ids.tolist() == [[0, 0, 7], [0, 0, 0], [5, 0, 0]]
    real = [[False, True, True], [False] * 3, [True] * 3]
    assert found.is_real.tolist() == real
    found = padded([(0, 7), (5, 0, 0)], left=False)
    assert found.is_real.tolist() == [[True, True, False], [True] * 3]


def test_targets_know_their_lengths() -> None:
    items = [TokenizedActions((1,), ((0,), (0, 0, 2))) for _ in range(2)]
    found = targets_of(items)
    assert found.lengths.tolist() == [[1, 3], [1, 3]]
    assert found.ids.shape == (2, 2, 3)


def test_a_tree_holds_each_beginning_once() -> None:
    items = [
        TokenizedActions((9,), ((1, 2, 3), (1, 2, 4), (1,), (5, 6))),
        TokenizedActions((8,), ((1,), (2,), (3,), (4,))),
    ]
    trees = trees_of(items, [9, 8])
    assert trees.ids.tolist() == [[9, 1, 2, 5], [8, 0, 0, 0]]
    assert trees.depths[0].tolist() == [0, 1, 2, 1]
    assert trees.nodes[0].tolist() == [[0, 1, 2], [0, 1, 2], [0, 0, 0], [0, 3, 0]]
    assert np.flatnonzero(trees.sees[0, 3]).tolist() == [0, 3]
    assert np.flatnonzero(trees.sees[0, 2]).tolist() == [0, 1, 2]
    assert trees.sees[1].sum() == 1
