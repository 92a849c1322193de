"""Chat models that pass a call on to another one: what they have in common."""

from collections.abc import Sequence
from typing import Any

from cwm.llm.chat import (
    DEFAULT_SAMPLING,
    ChatCompletion,
    ChatMessage,
    ChatModel,
    Closable,
)
from cwm.llm.continuation import continues_assistant
from cwm.llm.requests import identity_of


class DelegatingChatModel:
    """Is to the caller what another model is, and asks it."""

    def __init__(self, inner: ChatModel) -> None:
        """Makes the model.

        Args:
            inner: Who is asked.
        """
        self._inner = inner

    @property
    def name(self) -> str:
        """The other model's id."""
        return self._inner.name

    @property
    def identity(self) -> dict[str, Any]:
        """What the other model states about itself."""
        return identity_of(self._inner)

    @property
    def continues_assistant(self) -> bool:
        """Whether the other model does so."""
        return continues_assistant(self._inner)

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
        """Returns the other model's answers; see `ChatModel.complete`."""
        return self._inner.complete(
            messages,
            num_completions=num_completions,
            temperature=temperature,
            top_p=top_p,
            max_tokens=max_tokens,
            stop=stop,
            seed=seed,
        )

    def close(self) -> None:
        """Ends the calls in flight and refuses later ones; see `Closable`."""
        if isinstance(self._inner, Closable):
            self._inner.close()


class WholeAnswers(DelegatingChatModel):
    """A chat model that is never given the beginning of its answer."""

    @property
    def continues_assistant(self) -> bool:
        """No."""
        return False
