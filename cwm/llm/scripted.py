"""A chat model that says what it was told to say, for tests and rehearsals."""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from cwm.core.errors import DataError, LLMError
from cwm.llm.chat import DEFAULT_SAMPLING, ChatCompletion, ChatMessage
from cwm.llm.requests import canonical_json

Answer: TypeAlias = Callable[[Sequence[ChatMessage], int], str]
"""Maps a conversation and the index of the answer, from 0, to the answer."""


class ScriptedChatModel:
    """Answers from a list, in order, or by a function.

    Token counts are the numbers of words, so that they are positive and stable.

    Attributes:
        requests: The conversations so far.
    """

    def __init__(
        self, answers: Sequence[str] | Answer, *, name: str = "scripted"
    ) -> None:
        """Makes the model.

        Args:
            answers: What it says. A list that is used up is an `LLMError`.
            name: The model's id.
        """
        self._answers = answers
        self._name = name
        self._position = 0
        self._hash = "" if callable(answers) else _hash_of(answers)
        self.requests: list[tuple[ChatMessage, ...]] = []

    @classmethod
    def from_file(cls, path: Path) -> "ScriptedChatModel":
        """Returns a model that answers with the texts of a JSON list.

        Raises:
            DataError: If the file cannot be read or holds something else.
        """
        try:
            answers = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DataError(f"{str(path)!r} cannot be read: {error}.") from error
        if not isinstance(answers, list) or not all(
            isinstance(answer, str) for answer in answers
        ):
            raise DataError(
                f"{str(path)!r} must hold a JSON list of texts, one for each call."
            )
        return cls(answers, name=f"scripted:{path.name}")

    @property
    def name(self) -> str:
        """The model's id."""
        return self._name

    @property
    def identity(self) -> dict[str, str]:
        """A hash of the list of answers; nothing of a function."""
        return {"answers_sha256": self._hash} if self._hash else {}

    def move_to(self, call_index: int) -> None:
        """Makes the next call count as call `call_index`, from 0."""
        self._position = call_index

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
        """Returns the next answers; see `ChatModel.complete`.

        Raises:
            LLMError: If the list of answers is used up.
        """
        self.requests.append(tuple(messages))
        num_words = sum(len(message.content.split()) for message in messages)
        completions = []
        for index in range(num_completions):
            text = self._next(messages)
            completions.append(
                ChatCompletion(
                    text=text,
                    prompt_tokens=num_words if index == 0 else 0,
                    completion_tokens=len(text.split()),
                )
            )
        return completions

    def _next(self, messages: Sequence[ChatMessage]) -> str:
        position = self._position
        if callable(self._answers):
            text = self._answers(messages, position)
        elif position < len(self._answers):
            text = self._answers[position]
        else:
            raise LLMError(
                f"{self._name} has {len(self._answers)} answers, got a request for "
                f"answer {position + 1}.",
                retryable=False,
            )
        self._position += 1
        return text


def _hash_of(answers: Sequence[str]) -> str:
    text = canonical_json(list(answers))
    return hashlib.sha256(text.encode("ascii")).hexdigest()
