"""Tokens of a completion as its text, with a tokenizer of bytes."""

from collections.abc import Sequence

import pytest

from cwm.llm.local.texts import CompletionReader

END = 256


class ByteTokenizer:
    """One token for each byte, and one that ends a turn."""

    def decode(
        self,
        token_ids: Sequence[int],
        *,
        skip_special_tokens: bool,
        clean_up_tokenization_spaces: bool,
    ) -> str:
        assert skip_special_tokens
        assert not clean_up_tokenization_spaces
        return bytes(token for token in token_ids if token < END).decode(
            errors="replace"
        )


class DroppingTokenizer(ByteTokenizer):
    """Drops a blank at the beginning of every text, as SentencePiece does."""

    def decode(self, token_ids: Sequence[int], **options: bool) -> str:
        return super().decode(token_ids, **options).removeprefix(" ")


def reader(*stop: str) -> CompletionReader:
    return CompletionReader(ByteTokenizer(), stop=stop)


def test_the_token_that_ends_the_turn_is_not_part_of_the_text() -> None:
    assert reader().text([*b"done", END]) == ("done", False)


def test_a_stop_text_is_noticed_at_its_last_token_and_cut_off() -> None:
    tokens = list("α = 1\n```\n# end".encode())
    stopping = reader("```\n", "never")
    noticed = [
        end for end in range(1, len(tokens) + 1) if stopping.has_stopped(tokens[:end])
    ]
    first = len("α = 1\n```\n".encode())
    assert noticed[0] == first
    assert stopping.text(tokens[:first]) == ("α = 1\n", True)


def test_the_first_of_several_stop_texts_counts() -> None:
    assert reader("later", "now")._stop == ("later", "now")
    assert reader("later", "now").text(list(b"a now b later")) == ("a ", True)


def test_a_long_stop_text_after_a_long_completion_is_noticed() -> None:
    end = "=" * 200
    tokens = list(("x" * 1_000 + end).encode())
    assert not reader(end).has_stopped(tokens[:-1])
    assert reader(end).has_stopped(tokens)


def test_a_character_of_several_tokens_stops_when_it_is_complete() -> None:
    tokens = list("ok →".encode())
    assert not reader("→").has_stopped(tokens[:-1])
    assert reader("→").has_stopped(tokens)


def test_a_continued_text_keeps_the_blank_it_begins_with() -> None:
    tokens = list(b" x: int")
    alone = CompletionReader(DroppingTokenizer())
    assert alone.text(tokens)[0] == "x: int"
    within = CompletionReader(DroppingTokenizer(), before=list(b"def f(self,"))
    assert within.text(tokens)[0] == " x: int"


def test_an_empty_stop_text_is_refused() -> None:
    with pytest.raises(ValueError, match="stop must hold texts that are not empty"):
        reader("")
