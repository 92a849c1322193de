"""The text of a completion's tokens, cut off where it has to end."""

from collections.abc import Sequence
from typing import Any

_MARGIN_TOKENS = 4
"""A tail of tokens may begin inside a character; these are looked at beside it."""


class CompletionReader:
    """Reads the tokens of one call's completions. Safe for threads."""

    def __init__(
        self, tokenizer: Any, *, before: Sequence[int] = (), stop: Sequence[str] = ()
    ) -> None:
        """Makes the reader.

        Args:
            tokenizer: A tokenizer of transformers.
            before: The last tokens before the completion, if it goes on within a
                text; some tokenizers drop a blank where a text begins.
            stop: Texts that end a completion; they are not part of it.

        Raises:
            ValueError: If a stop text is empty.
        """
        if not all(stop):
            raise ValueError("stop must hold texts that are not empty, got ''.")
        self._tokenizer = tokenizer
        self._before = list(before[-_MARGIN_TOKENS:])
        self._stop = tuple(stop)
        longest = max((len(text.encode()) for text in stop), default=0)
        self._tail_tokens = longest + _MARGIN_TOKENS

    def has_stopped(self, token_ids: Sequence[int]) -> bool:
        """Returns whether a stop text has just come."""
        if not self._stop:
            return False
        # No token stands for less than a byte.
        tail = self._decoded(token_ids[-self._tail_tokens :])
        return any(text in tail for text in self._stop)

    def text(self, token_ids: Sequence[int]) -> tuple[str, bool]:
        """Returns the text up to the first stop text, and whether there is one."""
        text = self._decoded(token_ids)
        if self._before:
            known = self._decoded(self._before)
            whole = self._decoded([*self._before, *token_ids])
            if whole.startswith(known):
                text = whole[len(known) :]
        places = [text.find(end) for end in self._stop if end in text]
        return (text[: min(places)], True) if places else (text, False)

    def _decoded(self, token_ids: Sequence[int]) -> str:
        decoded = self._tokenizer.decode(
            list(token_ids),
            skip_special_tokens=True,
            clean_up_tokenization_spaces=False,
        )
        return str(decoded)
