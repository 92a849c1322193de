"""Prompts and actions as tokens."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple, Protocol, runtime_checkable

from cwm.core.errors import ConfigError

_KEPT_PROMPTS = 8_192


@runtime_checkable
class TextTokens(Protocol):
    """Cuts texts into tokens.

    Attributes:
        end_id: The token that ends a text; `None` if there is none.
    """

    end_id: int | None

    def encode(self, text: str) -> list[int]:
        """Returns the tokens of a text, and none that stand for no text."""
        ...


class TransformersTokens:
    """A tokenizer of transformers."""

    def __init__(self, tokenizer: Any) -> None:
        """Wraps it.

        Args:
            tokenizer: Fast or slow.
        """
        self._tokenizer = tokenizer
        self.end_id: int | None = tokenizer.eos_token_id

    def encode(self, text: str) -> list[int]:
        """Returns the tokens of a text, and none that stand for no text."""
        found = self._tokenizer.encode(text, add_special_tokens=False, verbose=False)
        return [int(token) for token in found]

    def begin_ids(self) -> tuple[int, ...]:
        """Returns the token that it puts before every text, if there is one."""
        first = self._tokenizer.encode("", add_special_tokens=True)[:1]
        is_begin = first and first[0] == self._tokenizer.bos_token_id
        # Some models have one token for both ends; T5's tokenizers have no first one.
        return (int(first[0]),) if is_begin else ()


class TokenizedActions(NamedTuple):
    """A prompt and the actions after it.

    Attributes:
        prompt: What all actions follow; at least one token.
        actions: The tokens of each action after that; at least one each.
    """

    prompt: tuple[int, ...]
    actions: tuple[tuple[int, ...], ...]


class ActionTokenizer:
    """Cuts prompts with their actions into tokens, and keeps the last ones.

    After a decoder's prompt stands an action in the same text. Tokens of two texts
    are not those of the texts joined, so the joined one is cut: blanks at the prompt's
    end go to the action, as most tokenizers have words with the blank before them, and
    the prompt ends where the joined texts first part. Where an action merges with the
    prompt's last token, that token belongs to all actions, since only then are their
    probabilities given the same thing.
    """

    def __init__(self, tokenizer: Any, *, is_joined: bool, has_end: bool) -> None:
        """Makes it.

        Args:
            tokenizer: `TextTokens`, or a tokenizer of transformers.
            is_joined: Whether prompt and action are one text, as for decoder-only
                models, or the encoder's and the decoder's.
            has_end: Whether actions end with the end token.

        Raises:
            ConfigError: If there is no end token and `has_end`.
        """
        is_ours = isinstance(tokenizer, TextTokens)
        tokens = tokenizer if is_ours else TransformersTokens(tokenizer)
        self._tokens: TextTokens = tokens
        if has_end and tokens.end_id is None:
            raise ConfigError(
                "append_end, or the rule relative-probs, needs a tokenizer with an end "
                "token, got none."
            )
        self._end = (tokens.end_id,) if has_end else ()
        self._begin = () if is_ours or not is_joined else tokens.begin_ids()
        split = self._joined if is_joined else self._apart
        self._split = lru_cache(_KEPT_PROMPTS)(split)
        self._prompt_ids = lru_cache(_KEPT_PROMPTS)(self._prompt)
        self._is_joined = is_joined

    def prompt(self, prompt: str) -> tuple[int, ...]:
        """Returns a prompt alone.

        Raises:
            ValueError: If it has no tokens.
        """
        return self._prompt_ids(prompt)

    def split(self, prompt: str, actions: Sequence[str]) -> TokenizedActions:
        """Returns a prompt with actions.

        Raises:
            ValueError: If the prompt, or an action, has no tokens.
        """
        return self._split(prompt, tuple(actions))

    def _prompt(self, prompt: str) -> tuple[int, ...]:
        text = prompt.rstrip(" ") if self._is_joined else prompt
        return _with_tokens(
            (*self._begin, *self._tokens.encode(text)), "prompt", prompt
        )

    def _apart(self, prompt: str, actions: tuple[str, ...]) -> TokenizedActions:
        found = tuple((*self._tokens.encode(action), *self._end) for action in actions)
        return self._checked(prompt, actions, self._prompt_ids(prompt), found)

    def _joined(self, prompt: str, actions: tuple[str, ...]) -> TokenizedActions:
        prompt_ids = self._prompt_ids(prompt)
        texts = [
            (*self._begin, *self._tokens.encode(prompt + action)) for action in actions
        ]
        start = min(_num_common(prompt_ids, text) for text in texts)
        found = tuple((*text[start:], *self._end) for text in texts)
        return self._checked(prompt, actions, prompt_ids[:start], found)

    def _checked(
        self,
        prompt: str,
        actions: tuple[str, ...],
        prompt_ids: tuple[int, ...],
        found: tuple[tuple[int, ...], ...],
    ) -> TokenizedActions:
        for action, ids in zip(actions, found, strict=True):
            _with_tokens(ids[: len(ids) - len(self._end)], "action", action)
        return TokenizedActions(_with_tokens(prompt_ids, "prompt", prompt), found)


def _num_common(one: Sequence[int], other: Sequence[int]) -> int:
    for index, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return index
    return min(len(one), len(other))


def _with_tokens(ids: tuple[int, ...], name: str, text: str) -> tuple[int, ...]:
    if not ids:
        raise ValueError(f"Every {name} must have at least one token, got {text!r}.")
    return ids
