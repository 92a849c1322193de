"""A chat model that asks another one only for what is not stored yet."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from cwm.core.errors import LLMError
from cwm.llm.chat import (
    DEFAULT_SAMPLING,
    ChatCompletion,
    ChatMessage,
    ChatModel,
    Positioned,
)
from cwm.llm.completion_store import CompletionStore, StoreClosed
from cwm.llm.delegating import DelegatingChatModel
from cwm.llm.notices import warn
from cwm.llm.requests import request_to


class CachedChatModel(DelegatingChatModel):
    """Answers from a folder that any number of runs share, and fills it.

    A completion is on the disk before it is returned. Of several processes that ask
    for the same at once, one asks the model and the others wait for its answer.

    Not stored are errors; completions that a filter or the server broke off; and
    requests without a seed at a temperature above 0, which are meant to have another
    answer each time.
    """

    def __init__(
        self, inner: ChatModel, folder: Path, *, warn: Callable[[str], None] = warn
    ) -> None:
        """Makes the model; of a `Positioned` one make a `PositionedCachedChatModel`.

        Args:
            inner: Who is asked for what is not stored.
            folder: Where completions are stored; made if it is not there.
            warn: Told of stored completions that are damaged.

        Raises:
            ConfigError: If the folder cannot be written.
        """
        super().__init__(inner)
        self._store = CompletionStore(folder, warn)
        self._closed = threading.Event()
        self._store.open()

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
        """Returns `num_completions` answers; see `ChatModel.complete`.

        Raises:
            LLMError: If there is neither a stored answer nor another.
        """

        def ask() -> list[ChatCompletion]:
            return self._inner.complete(
                messages,
                num_completions=num_completions,
                temperature=temperature,
                top_p=top_p,
                max_tokens=max_tokens,
                stop=stop,
                seed=seed,
            )

        request = request_to(
            self._inner,
            messages,
            num_completions=num_completions,
            temperature=temperature,
            top_p=top_p,
            max_tokens=max_tokens,
            stop=stop,
            seed=seed,
        )
        if not request.is_repeatable:
            return ask()
        found = self._store.read(request)
        if found is not None:
            return [without_cost(completion) for completion in found]
        try:
            with self._store.locked(request, self._closed):
                # Somebody else may have stored it while we waited.
                found = self._store.read(request)
                if found is not None:
                    return [without_cost(completion) for completion in found]
                answers = ask()
                if all(answer.finish_reason != "other" for answer in answers):
                    self._store.write(request, answers)
                return answers
        except StoreClosed as error:
            raise LLMError(
                f"The call to {self.name!r} was given up: the model was closed.",
                retryable=True,
            ) from error

    def close(self) -> None:
        """Ends the calls in flight and refuses later ones; see `Closable`."""
        self._closed.set()
        super().close()


class PositionedCachedChatModel(CachedChatModel):
    """The same, of a model whose answers depend on how many calls came before."""

    def move_to(self, call_index: int) -> None:
        """Tells the other model."""
        assert isinstance(self._inner, Positioned), "it was made of such a model"
        self._inner.move_to(call_index)


def cached(inner: ChatModel, folder: Path) -> CachedChatModel:
    """Returns a model that asks `inner` only for what is not stored in `folder`.

    Raises:
        ConfigError: If the folder cannot be written.
    """
    if isinstance(inner, Positioned):
        return PositionedCachedChatModel(inner, folder)
    return CachedChatModel(inner, folder)


def without_cost(completion: ChatCompletion) -> ChatCompletion:
    """Returns a stored completion: nothing is spent, and what it had cost is saved."""
    return replace(
        completion,
        prompt_tokens=0,
        completion_tokens=0,
        reused_prompt_tokens=0,
        is_cached=True,
        saved_prompt_tokens=completion.prompt_tokens,
        saved_completion_tokens=completion.completion_tokens,
    )
