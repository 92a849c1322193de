"""A language model as writer, with the published prompts' structure and settings.

Qiao et al., 2024, https://arxiv.org/abs/2405.14205, and its code: temperature 0.5, at
most 512 tokens of task knowledge and 128 of state knowledge, which ends with its line.
The model has not been trained for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cwm.core.errors import LLMError
from cwm.core.seeding import child_seed
from cwm.llm.chat import ChatMessage, ChatModel
from cwm.providers.knowledge.conversations import Thoughts, agent_conversation
from cwm.providers.knowledge.records import Episode
from prompts.knowledge import STATE_LABEL, TASK_LABEL, KnowledgePrompts

TASK_TOKENS: Final = 512
STATE_TOKENS: Final = 128
TEMPERATURE: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class WritingConfig:
    """How a language model writes; the defaults are the published ones.

    Attributes:
        temperature: Spread of what is written; at least 0.
        task_tokens: Longest task knowledge; at least 1.
        state_tokens: Longest state knowledge; at least 1.
        max_attempts: How often an answer that is empty is asked for again, the first
            time included; at least 1. Each attempt has a seed of its own.
        thoughts: What stands before each action where attempts are shown.
        seed: Of everything that is drawn.
    """

    temperature: float = TEMPERATURE
    task_tokens: int = TASK_TOKENS
    state_tokens: int = STATE_TOKENS
    max_attempts: int = 3
    thoughts: Thoughts = "none"
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("task_tokens", "state_tokens", "max_attempts"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"{name} must be at least 1, got {getattr(self, name)}."
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class WritingUsage:
    """What a writer has asked of its model.

    Attributes:
        num_calls: Answers, empty ones included.
        prompt_tokens: Tokens read.
        completion_tokens: Tokens written.
    """

    num_calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Writer:
    """Asks one question at a time, again where nothing is answered."""

    def __init__(
        self,
        model: ChatModel,
        prompts: KnowledgePrompts,
        config: WritingConfig | None = None,
    ) -> None:
        """Makes the writer.

        Args:
            model: Who writes.
            prompts: Of the environment.
            config: Settings; by default the published ones.
        """
        self._model = model
        self._prompts = prompts
        self._config = config or WritingConfig()
        self._usage = WritingUsage()

    @property
    def made_by(self) -> str:
        """The model's name."""
        return self._model.name

    @property
    def usage(self) -> WritingUsage:
        """What was asked so far."""
        return self._usage

    def _ask(
        self,
        prompt: str,
        label: str,
        *,
        max_tokens: int,
        stop: Sequence[str],
        key: tuple[str | int, ...],
    ) -> str:
        """Returns the answer without its label.

        Raises:
            LLMError: If all answers are empty.
        """
        config = self._config
        for attempt in range(config.max_attempts):
            (completion,) = self._model.complete(
                [ChatMessage("user", prompt)],
                temperature=config.temperature,
                top_p=1.0,
                max_tokens=max_tokens,
                stop=stop,
                seed=child_seed(config.seed, *key, attempt),
            )
            self._usage = WritingUsage(
                num_calls=self._usage.num_calls + 1,
                prompt_tokens=self._usage.prompt_tokens + completion.prompt_tokens,
                completion_tokens=self._usage.completion_tokens
                + completion.completion_tokens,
            )
            text = completion.text.strip().removeprefix(label).strip()
            if text:
                return text
        raise LLMError(
            f"{self.made_by} must answer with {label.rstrip(':').lower()}, got nothing "
            f"in {config.max_attempts} attempts. Use another model, or the "
            "deterministic writer.",
            retryable=False,
        )


class LanguageModelTaskWriter(_Writer):
    """Task knowledge as a language model writes it; see `TaskWriter`.

    One message with both attempts, each turn after the other, long observations cut;
    what is answered is the knowledge as it stands.
    """

    def write(self, chosen: Episode, rejected: Episode | None) -> str:
        """Returns the task knowledge of one game; one call of the model.

        Raises:
            LLMError: If there is no answer.
        """
        prompt = self._prompts.task(
            self._turns(chosen), [] if rejected is None else self._turns(rejected)
        )
        return self._ask(
            prompt,
            TASK_LABEL,
            max_tokens=self._config.task_tokens,
            stop=(),
            key=("task", chosen.id),
        )

    def _turns(self, episode: Episode) -> list[str]:
        return _turns(episode, self._prompts, self._config.thoughts)


class LanguageModelStateWriter(_Writer):
    """State knowledge as a language model writes it; see `StateWriter`.

    The episode is shown as far as it has gone, with what was said about the moments
    before.
    """

    def write(self, episode: Episode) -> tuple[str, ...]:
        """Returns a text for each observation; one call of the model each.

        Raises:
            LLMError: If there is no answer.
        """
        turns = _turns(episode, self._prompts, self._config.thoughts)
        shown: list[str] = []
        texts: list[str] = []
        for place, turn in enumerate(turns):
            shown.append(turn)
            if place >= _FIRST_TASK and (place - _FIRST_TASK) % 2 == 0:
                texts.append(self._state(episode, shown, len(texts)))
                shown.append(f"{STATE_LABEL} {texts[-1]}")
        return tuple(texts)

    def _state(self, episode: Episode, shown: Sequence[str], index: int) -> str:
        return self._ask(
            self._prompts.state("\n".join(shown)),
            STATE_LABEL,
            max_tokens=self._config.state_tokens,
            stop=("\n",),
            key=("state", episode.id, index),
        )


_FIRST_TASK: Final = 2
"""Place of the turn that has the task, after what can be done and `OK`."""


def _turns(
    episode: Episode, prompts: KnowledgePrompts, thoughts: Thoughts
) -> list[str]:
    """Returns all turns of an episode, with what was seen at its end."""
    conversation = agent_conversation(episode, prompts, thoughts=thoughts)
    last = f"Observation: {episode.steps[-1].observation}"
    return [*(turn.message.content for turn in conversation), last]
