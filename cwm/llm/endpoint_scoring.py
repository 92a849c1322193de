"""Log-probabilities from an endpoint, where it gives the right ones.

An endpoint that repeats the prompt (`echo`) with log-probabilities can score texts.
Not all do it right: some shift the numbers by one token, some leave them out. So
`check`, or else the first use, compares: a token that the endpoint writes itself, with
the log-probability that it states then, must get the same when it is part of the
prompt, and the tokens beside it must not.

Covers: vLLM, which also says which tokens its chat template makes of messages.
Does not cover: servers without `/tokenize` for messages; the hosted ones, which give no
    log-probabilities of prompts.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from cwm.core.errors import ConfigError, LLMError
from cwm.llm.chat import ChatMessage
from cwm.llm.deadlines import BoundedCalls
from cwm.llm.failures import Asked
from cwm.llm.openai_compatible import OpenAICompatibleModel
from cwm.llm.requests import ends_with_assistant
from cwm.llm.retrying import ServiceError
from cwm.llm.scoring import TokenLogProbs
from cwm.llm.servers import is_other_model

PROBES: Final = (
    "cat cat, dog dog, bird bird, fish",
    "yes yes, no no, up up, down",
    "one one, two two, three three, four",
)
"""Texts whose last word nobody expects, and whose next token every language model is
nearly sure of: numbers that are shifted by one token cannot be the same."""

TAIL: Final = " seventeen"
"""What nobody expects after that, for the same reason."""

TOLERANCE: Final = 0.3
"""Largest difference, in nats, between a token written and the same token read: 16-bit
numbers and batches of other sizes give some 0.05."""

_MISSING: Final = (404, 405, 501)
"""Status of an address that a server does not have."""

_REFUSED: Final = (400, 422)
"""Status of a request in a form that a server does not know."""

_BLANKS: Final = " ▁Ġ"
"""How vocabularies write the blank before a word."""

_HINT: Final = "Take hf:ID_OR_FOLDER, gguf:FILE, or openai:MODEL at a server of vLLM's."


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

    def check(self) -> None:
        """Makes sure that the endpoint gives the right log-probabilities.

        Makes three requests, rarely up to seven, and none once it has succeeded. Not
        looked at: whether the model's template takes all kinds of messages.

        Raises:
            ConfigError: If it gives none or wrong ones, or cannot say which tokens a
                conversation has.
            LLMError: If the endpoint fails.
        """
        with self._lock:
            if self._is_checked:
                return
            if not any(map(self._is_right, PROBES)):
                raise ConfigError(
                    f"{self._model.endpoint} gives log-probabilities of prompts that "
                    "cannot be compared with those of the tokens that it writes. "
                    f"{_HINT}"
                )
            self._tokens(
                [ChatMessage("user", PROBES[0])],
                is_open=False,
                begins_turn=True,
                unknown=(*_MISSING, *_REFUSED),
            )
            self._is_checked = True

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
        self.check()
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
        self,
        messages: Sequence[ChatMessage],
        *,
        is_open: bool,
        begins_turn: bool,
        unknown: Sequence[int] = _MISSING,
    ) -> tuple[tuple[int, ...], tuple[str, ...]]:
        """Returns the tokens of a conversation and how they read.

        Args:
            messages: The conversation.
            is_open: Whether the last message goes on.
            begins_turn: Whether the assistant's turn is begun after it.
            unknown: Statuses that say that the endpoint does not know such a request.

        Raises:
            ConfigError: If the endpoint cannot say it.
        """
        service = self._model.service
        parameters = {
            "model": self._model.model,
            "messages": [{"role": m.role, "content": m.content} for m in messages],
            "add_generation_prompt": begins_turn,
            "continue_final_message": is_open,
            "return_token_strs": True,
        }
        body = self._body(
            lambda asked, calls: service.endpoint.beside(
                "/tokenize", parameters, asked=asked, calls=calls
            ),
            unknown,
        )
        found = body if isinstance(body, Mapping) else {}
        ids, tokens = found.get("tokens"), found.get("token_strs")
        if not isinstance(ids, list) or not isinstance(tokens, list):
            raise ConfigError(
                f"{self._model.endpoint} must say which tokens a conversation has "
                f"(/tokenize, as vLLM does) to give log-probabilities. {_HINT}"
            )
        return tuple(map(int, ids)), tuple(map(str, tokens))

    def _read(self, prompt: str | list[int]) -> list[float | None]:
        """Returns the log-probability of each token of a prompt; the first has none."""
        choice = self._complete(prompt, echo=True)
        values = choice["logprobs"]["token_logprobs"]
        return list(values)

    def _is_right(self, probe: str) -> bool:
        """Compares a token written with the same token read.

        Returns:
            Whether it has the same log-probability, and the tokens beside it have
            not; `False` if that cannot be told with this text.

        Raises:
            ConfigError: If it has another.
        """
        written = self._complete(probe, echo=False)["logprobs"]
        token, expected = written["tokens"][0], written["token_logprobs"][0]
        read = self._complete(probe + token + TAIL, echo=True)["logprobs"]
        tokens, values = read["tokens"], read["token_logprobs"]
        place = _place_before_tail(tokens, token)
        if expected is None or place is None or not 0 < place < len(values) - 1:
            return False
        before, found, after = values[place - 1 : place + 2]
        if found is None or abs(found - expected) > TOLERANCE:
            raise ConfigError(
                f"{self._model.endpoint} gives wrong log-probabilities of prompts: "
                f"{token!r} after {probe!r} has {expected:.2f} when it is written "
                f"and {found} when it is read, as with llama-cpp-python's server, "
                f"which shifts them by one token. {_HINT}"
            )
        return all(
            beside is not None and abs(beside - expected) > TOLERANCE
            for beside in (before, after)
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
        body = self._body(
            lambda asked, calls: service.endpoint.complete_text(
                parameters, asked=asked, calls=calls
            ),
            _MISSING,
        )
        try:
            choice = body["choices"][0]
            if choice["logprobs"]["token_logprobs"] and choice["logprobs"]["tokens"]:
                return choice
        except (KeyError, IndexError, TypeError):
            pass
        raise ConfigError(
            f"{self._model.endpoint} gives no log-probabilities of prompts. {_HINT}"
        )

    def _body(
        self, ask: Callable[[Asked, BoundedCalls], Any], unknown: Sequence[int]
    ) -> Any:
        """Returns an answer; `None` if the endpoint does not know such a request."""
        try:
            return self._model.service.call(ask)
        except ServiceError as error:
            if error.status not in unknown or self._lacks_model():
                raise
            return None

    def _lacks_model(self) -> bool:
        """Whether the endpoint's list of models has not this one."""
        server = self._model.service.server()
        listed = () if server is None else server.model_ids
        return bool(listed) and all(
            is_other_model(self._model.model, one) for one in listed
        )


def _place_before_tail(tokens: Sequence[str], token: str) -> int | None:
    """Returns where a token stands with `TAIL` after it; `None` if nowhere.

    The text may have been divided into tokens in another way than it was written.
    """
    for place, one in enumerate(tokens):
        rest = "".join(tokens[place + 1 :]).lstrip(_BLANKS)
        if one == token and rest.startswith(TAIL.strip()):
            return place
    return None
