"""Log-probabilities from an endpoint, where it gives the right ones.

An endpoint that repeats the prompt (`echo`) with log-probabilities can score texts.
Not all do it right: some shift the numbers by one token, some leave them out. So the
first use compares: a token that the endpoint writes itself, with the log-probability
that it states then, must get the same when it is part of the prompt.

Covers: vLLM, which also says which tokens its chat template makes of messages.
Does not cover: servers without `/tokenize` for messages; the hosted ones, which give no
    log-probabilities of prompts.
"""

import threading
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from cwm.core.errors import ConfigError, LLMError
from cwm.llm.chat import ChatMessage
from cwm.llm.openai_compatible import OpenAICompatibleModel
from cwm.llm.requests import ends_with_assistant
from cwm.llm.retrying import ServiceError
from cwm.llm.scoring import TokenLogProbs

PROBES: Final = (
    "1, 2, 3, 4, 5, 6, 7, 8, 9,",
    "Monday, Tuesday, Wednesday, Thursday,",
    "one two three one two three one two three one two",
)
"""Texts whose next token every language model is nearly sure of."""

TOLERANCE: Final = 0.3
"""Largest difference, in nats, between a token written and the same token read: 16-bit
numbers and batches of other sizes give some 0.05."""

_MISSING: Final = (404, 405, 501)
"""Status of an address that a server does not have."""


class EndpointScoringModel:
    """Scores texts with the model of an endpoint; see `ScoringModel`."""

    def __init__(self, model: OpenAICompatibleModel) -> None:
        """Makes the model; nothing is asked yet.

        Args:
            model: The endpoint's chat model, which does the asking.
        """
        self._model = model
        self._lock = threading.Lock()
        self._is_checked = False

    @property
    def name(self) -> str:
        """The model's id."""
        return self._model.name

    def log_probs(
        self,
        messages: Sequence[ChatMessage],
        continuations: Sequence[str],
        *,
        end_of_turn: bool = True,
    ) -> list[TokenLogProbs]:
        """Returns the log-probabilities of each continuation's tokens.

        Makes two requests for each continuation, and one for the conversation. The
        server keeps the prefix that they share, if it does so at all.

        Raises:
            ConfigError: If the endpoint does not give the right log-probabilities, or
                cannot say which tokens a conversation has.
            ValueError: If a continuation merges with the conversation's last token.
            LLMError: If the endpoint fails, or a text does not fit into its context.
        """
        with self._lock:
            if not self._is_checked:
                self._check()
                self._is_checked = True
        begun = ends_with_assistant(messages)
        prompt, _ = self._tokens(messages, is_open=begun, begins_turn=not begun)
        return [
            self._score(messages, text, prompt=prompt, end_of_turn=end_of_turn)
            for text in continuations
        ]

    def _score(
        self,
        messages: Sequence[ChatMessage],
        continuation: str,
        *,
        prompt: tuple[int, ...],
        end_of_turn: bool,
    ) -> TokenLogProbs:
        before, begun = list(messages), ""
        if ends_with_assistant(messages):
            begun = before.pop().content
        turn = [*before, ChatMessage("assistant", begun + continuation)]
        ids, tokens = self._tokens(turn, is_open=not end_of_turn, begins_turn=False)
        if ids[: len(prompt)] != prompt:
            raise ValueError(
                "The continuation must begin where a token of the prompt ends, got "
                f"{continuation[:20]!r}."
            )
        if end_of_turn:
            # A template writes a line break after the token that ends the turn; the
            # model stops before it.
            while len(ids) > len(prompt) and not tokens[len(ids) - 1].strip("Ċ▁\n "):
                ids = ids[:-1]
        start = len(prompt)
        if len(ids) == start:
            return TokenLogProbs(
                token_ids=(), tokens=(), log_probs=np.zeros(0, dtype=np.float32)
            )
        found = self._read(list(ids))[start : len(ids)]
        if len(found) != len(ids) - start or any(value is None for value in found):
            raise LLMError(
                f"{self._model.endpoint} gave no log-probability of a token.",
                retryable=True,
            )
        return TokenLogProbs(
            token_ids=ids[start:],
            tokens=tokens[start : len(ids)],
            log_probs=np.asarray(found, dtype=np.float32),
        )

    def _tokens(
        self, messages: Sequence[ChatMessage], *, is_open: bool, begins_turn: bool
    ) -> tuple[tuple[int, ...], tuple[str, ...]]:
        """Returns the tokens of a conversation and how they read.

        Args:
            messages: The conversation.
            is_open: Whether the last message goes on.
            begins_turn: Whether the assistant's turn is begun after it.
        """
        service = self._model.service
        parameters = {
            "model": self._model.model,
            "messages": [{"role": m.role, "content": m.content} for m in messages],
            "add_generation_prompt": begins_turn,
            "continue_final_message": is_open,
            "return_token_strs": True,
        }
        try:
            body = service.call(
                lambda asked, calls: service.endpoint.beside(
                    "/tokenize", parameters, asked=asked, calls=calls
                )
            )
        except ServiceError as error:
            if error.status not in _MISSING:
                raise
            body = None
        found = body if isinstance(body, Mapping) else {}
        ids, tokens = found.get("tokens"), found.get("token_strs")
        if not isinstance(ids, list) or not isinstance(tokens, list):
            raise ConfigError(
                f"{self._model.endpoint} must say which tokens a conversation has "
                "(/tokenize, as vLLM does) to give log-probabilities."
            )
        return tuple(map(int, ids)), tuple(map(str, tokens))

    def _read(self, prompt: str | list[int]) -> list[float | None]:
        """Returns the log-probability of each token of a prompt; the first has none."""
        choice = self._complete(prompt, echo=True)
        values = choice["logprobs"]["token_logprobs"]
        return list(values)

    def _check(self) -> None:
        """Compares a token written with the same token read.

        Raises:
            ConfigError: If they differ, or there is nothing to compare.
        """
        for probe in PROBES:
            written = self._complete(probe, echo=False)["logprobs"]
            token, expected = written["tokens"][0], written["token_logprobs"][0]
            read = self._complete(probe + token, echo=True)["logprobs"]
            places = [i for i, t in enumerate(read["tokens"][:-1]) if t == token]
            if not places:
                continue
            found = read["token_logprobs"][places[-1]]
            if found is None or abs(found - expected) > TOLERANCE:
                raise ConfigError(
                    f"{self._model.endpoint} gives wrong log-probabilities of prompts: "
                    f"{token!r} after {probe!r} has {expected:.2f} when it is written "
                    f"and {found} when it is read, as with llama-cpp-python's server, "
                    "which shifts them by one token. Use vLLM, or hf:ID_OR_FOLDER."
                )

    def _complete(self, prompt: str | list[int], *, echo: bool) -> Any:
        """Returns the one choice of a completion with log-probabilities.

        Raises:
            ConfigError: If the endpoint gives none.
        """
        service = self._model.service
        parameters = {
            "model": self._model.model,
            "prompt": prompt,
            "max_tokens": 1,
            "temperature": 0.0,
            "logprobs": 1,
            "echo": echo,
        }
        body = service.call(
            lambda asked, calls: service.endpoint.complete_text(
                parameters, asked=asked, calls=calls
            )
        )
        try:
            choice = body["choices"][0]
            if choice["logprobs"]["token_logprobs"] and choice["logprobs"]["tokens"]:
                return choice
        except (KeyError, IndexError, TypeError):
            pass
        raise ConfigError(
            f"{self._model.endpoint} gives no log-probabilities of prompts. Use vLLM, "
            "or hf:ID_OR_FOLDER."
        )
