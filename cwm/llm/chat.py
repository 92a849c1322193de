"""The protocol of a chat model: messages in, completions with token usage out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias, runtime_checkable

Role: TypeAlias = Literal["system", "user", "assistant"]

FinishReason: TypeAlias = Literal["stop", "length", "other"]
"""Why a completion ended: of itself or at a stop text, at the token limit, or
otherwise (a filter, a server that broke it off, or one that does not say)."""


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatCompletion:
    """One answer of a chat model.

    Attributes:
        text: What it says; may be empty.
        finish_reason: Why it ended.
        prompt_tokens: Tokens sent. Of the completions of one call the first carries
            them all, so that sums over completions are what was billed.
        completion_tokens: Tokens received. Services state one number for a call; it
            is shared evenly among the completions.
        reused_prompt_tokens: Part of `prompt_tokens` that the service had read before
            and may bill at a lower price.
        has_estimated_tokens: Whether the service did not say how many tokens it took,
            so that the numbers are estimates from the length of the texts.
        model: Who answered, as the service says; `""` if it does not say. It is not
            always whom one asked.
        is_cached: Whether it was taken from a store instead of asked for. Nothing was
            spent then: the numbers above are 0.
        saved_prompt_tokens: What a stored completion had cost when it was asked for;
            else 0.
        saved_completion_tokens: As `saved_prompt_tokens`.
    """

    text: str
    finish_reason: FinishReason = "stop"
    prompt_tokens: int = 0
    completion_tokens: int = 0
    reused_prompt_tokens: int = 0
    has_estimated_tokens: bool = False
    model: str = ""
    is_cached: bool = False
    saved_prompt_tokens: int = 0
    saved_completion_tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingConfig:
    """How completions are drawn; the defaults are the paper's for API models.

    Attributes:
        temperature: Spread of the distribution; at least 0, where 0 always takes
            the likeliest token.
        top_p: Only the likeliest tokens of this total probability are drawn from;
            above 0 and at most 1.
        max_tokens: Longest completion, in tokens; at least 1.
        stop: Text that ends a completion where it appears, not itself part of it.
    """

    temperature: float = 0.6
    top_p: float = 0.8
    max_tokens: int = 4096
    stop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not (math.isfinite(self.temperature) and self.temperature >= 0.0):
            raise ValueError(
                f"temperature must be at least 0 and finite, got {self.temperature!r}."
            )
        if not 0.0 < self.top_p <= 1.0:
            raise ValueError(
                f"top_p must be above 0 and at most 1, got {self.top_p!r}."
            )
        if self.max_tokens < 1:
            raise ValueError(
                f"max_tokens must be at least 1, got {self.max_tokens} (tokens)."
            )


DEFAULT_SAMPLING = SamplingConfig()


class ChatModel(Protocol):
    """A language model that continues conversations."""

    @property
    def name(self) -> str:
        """The model's id, as shown beside every number."""
        ...

    def complete(
        self,
        messages: Sequence[ChatMessage],
        *,
        num_completions: int = 1,
        temperature: float = DEFAULT_SAMPLING.temperature,
        top_p: float = DEFAULT_SAMPLING.top_p,
        max_tokens: int = DEFAULT_SAMPLING.max_tokens,
        stop: Sequence[str] = (),
        seed: int | None = None,
    ) -> list[ChatCompletion]:
        """Returns `num_completions` answers to the conversation.

        Args:
            messages: The conversation; the last message is the user's. It may be
                the assistant's where the model is one that continues such a message
                (`cwm.llm.continuation`): the answer is then what follows it.
            num_completions: How many independent answers; at least 1.
            temperature: As in `SamplingConfig`.
            top_p: As in `SamplingConfig`.
            max_tokens: As in `SamplingConfig`.
            stop: As in `SamplingConfig`.
            seed: Makes the answer repeatable, as far as the model can do so.

        Raises:
            LLMError: If there is no answer.
        """
        ...


@runtime_checkable
class Positioned(Protocol):
    """A chat model whose answers depend on how many calls came before."""

    def move_to(self, call_index: int) -> None:
        """Makes the next call count as call `call_index` of the run, from 0.

        A resumed run goes on in the middle; without this such a model would start
        from its beginning.
        """
        ...


@runtime_checkable
class KnowsContext(Protocol):
    """A chat model that can say what fits into its context."""

    def room(self, messages: Sequence[ChatMessage]) -> int | None:
        """Returns how many tokens an answer to a conversation may have.

        Below 1 if the conversation itself is too long; `None` if nothing ever is.
        """
        ...


@runtime_checkable
class Closable(Protocol):
    """A chat model that can be told to give up."""

    def close(self) -> None:
        """Ends the calls in flight, with an `LLMError` each, and refuses later ones.

        May be called from any thread, and more than once.
        """
        ...
