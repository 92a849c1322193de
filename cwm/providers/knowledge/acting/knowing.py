"""Where knowledge comes from while an episode is played: a model, notes, or rules.

A knower is told what an agent was told, did and saw, and says what it knows of the task
(before the first action) and of each later moment.

Covers: the dialogue with a knowledge model (Qiao et al., 2024,
https://arxiv.org/abs/2405.14205, section 3.4), notes that were written before, and the
deterministic writer. Does not cover: what an agent makes of it (`deciding`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from cwm.core.errors import DataError, LLMError
from cwm.llm.chat import ChatMessage, ChatModel
from cwm.providers.knowledge.acting.players import OutOfContext, Start, Usage
from cwm.providers.knowledge.conversations import (
    opening,
    parse_answer,
    report_text,
    task_text,
)
from cwm.providers.knowledge.reading.progress import Progress
from prompts.knowledge import KnowledgePrompts

TASK_TOKENS, STATE_TOKENS = 512, 128
"""Longest task and state knowledge that a model gives, as published."""


class KnowerSession(Protocol):
    """Who knows something, in one episode."""

    @property
    def usage(self) -> Usage:
        """What it has asked of language models so far."""
        ...

    def task(self) -> str:
        """Returns task knowledge; asked once, before anything else.

        Raises:
            OutOfContext: If the episode has become too long to be read.
        """
        ...

    def state(self, answer: str, observation: str, *, is_legal: bool) -> str:
        """Returns state knowledge after an action; asked after each one.

        Args:
            answer: What the agent said, thought and action.
            observation: What was seen then.
            is_legal: Whether the game understood the action.

        Raises:
            OutOfContext: If the episode has become too long to be read.
        """
        ...


class Knower(Protocol):
    """Who knows something about tasks and where episodes stand."""

    @property
    def name(self) -> str:
        """Who it is, for tables."""
        ...

    def begin(self, start: Start) -> KnowerSession:
        """Returns it in a new episode."""
        ...


def ask(
    model: ChatModel,
    messages: list[ChatMessage],
    *,
    max_tokens: int,
    stop: tuple[str, ...] = (),
) -> tuple[str, Usage]:
    """Returns the likeliest answer of a model, and what it cost.

    Raises:
        OutOfContext: If the messages do not fit into its context.
        LLMError: If there is no answer.
    """
    try:
        (completion,) = model.complete(
            messages, temperature=0.0, top_p=1.0, max_tokens=max_tokens, stop=stop
        )
    except LLMError as error:
        if error.is_about_prompt:
            raise OutOfContext(str(error)) from error
        raise
    usage = Usage(
        num_calls=1,
        prompt_tokens=completion.prompt_tokens,
        completion_tokens=completion.completion_tokens,
    )
    return completion.text, usage


class KnowledgeModel:
    """A language model that was trained to know.

    Args:
        model: It.
        prompts: Those it was trained with.
    """

    def __init__(self, model: ChatModel, prompts: KnowledgePrompts) -> None:
        self._model, self._prompts = model, prompts

    @property
    def name(self) -> str:
        """The model's name."""
        return self._model.name

    def begin(self, start: Start) -> KnowerSession:
        """Returns the model in a new episode."""
        first = task_text(start.instruction, start.observation)
        opened = opening(self._prompts.knowledge_model())
        return _Dialogue(self._model, [*opened, ChatMessage("user", first)])


class _Dialogue:
    def __init__(self, model: ChatModel, messages: list[ChatMessage]) -> None:
        self._model, self._messages = model, messages
        self.usage = Usage()

    def task(self) -> str:
        return self._answer(TASK_TOKENS)

    def state(self, answer: str, observation: str, *, is_legal: bool) -> str:
        report = report_text(answer, observation)
        self._messages.append(ChatMessage("user", report))
        return self._answer(STATE_TOKENS, ("\n",))

    def _answer(self, max_tokens: int, stop: tuple[str, ...] = ()) -> str:
        text, usage = ask(self._model, self._messages, max_tokens=max_tokens, stop=stop)
        self.usage += usage
        self._messages.append(ChatMessage("assistant", text.strip()))
        return text.strip()


Lookup: TypeAlias = Literal["game", "task"]
"""What written task knowledge belongs to: one game, or all of one kind."""


@dataclass(frozen=True, kw_only=True)
class WrittenKnowledge:
    """Task knowledge that was written before, states by the deterministic writer.

    With notes of the very games that are played it is an oracle: their experts were
    asked.

    Attributes:
        name: Who wrote it.
        texts: What is known, by `Start.key` or by kind of task.
        of: Which of these.
    """

    name: str
    texts: Mapping[str, str]
    of: Lookup = "game"

    def begin(self, start: Start) -> KnowerSession:
        """Returns what is known of a game.

        Raises:
            DataError: If nothing is.
        """
        key = start.key if self.of == "game" else start.task
        if key not in self.texts:
            raise DataError(
                f"Task knowledge of {key!r} must be written before, got none. Learn "
                "from more games, so that each kind of task is among them."
            )
        progress = Progress.begin(start.instruction, start.observation)
        return _Followed(self.texts[key], progress)


class _Followed:
    """Given task knowledge; states followed by rules."""

    usage = Usage()

    def __init__(self, text: str, progress: Progress) -> None:
        self._text, self._progress = text, progress

    def task(self) -> str:
        return self._text

    def state(self, answer: str, observation: str, *, is_legal: bool) -> str:
        action = parse_answer(answer).action
        self._progress = self._progress.after(action, observation, is_legal=is_legal)
        return self._progress.note()
