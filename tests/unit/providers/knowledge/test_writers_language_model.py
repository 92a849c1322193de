"""A language model as writer of knowledge."""

from collections.abc import Sequence

import pytest

from cwm.core.errors import LLMError
from cwm.llm.chat import ChatCompletion, ChatMessage
from cwm.llm.scripted import ScriptedChatModel
from cwm.providers.knowledge.writers.language_model import (
    LanguageModelStateWriter,
    LanguageModelTaskWriter,
    WritingConfig,
    WritingUsage,
)
from prompts.knowledge import KnowledgePrompts
from tests.support.knowledge_episodes import COLD_MUG, HOT_MUG, episode, step

PROMPTS = KnowledgePrompts("household")
SHORT = episode(step("open desk", "It is open."), step("take mug", "You take it."))


class Recorder:
    """Answers as a script, and keeps the settings of each call."""

    name = "recorder"

    def __init__(self, answers: Sequence[str]) -> None:
        self._script = ScriptedChatModel(answers)
        self.prompts: list[str] = []
        self.settings: list[dict[str, object]] = []

    def complete(
        self,
        messages: Sequence[ChatMessage],
        *,
        num_completions: int = 1,
        temperature: float = 0.6,
        top_p: float = 0.8,
        max_tokens: int = 4096,
        stop: Sequence[str] = (),
        seed: int | None = None,
    ) -> list[ChatCompletion]:
        (message,) = messages
        assert message.role == "user"
        self.prompts.append(message.content)
        self.settings.append(
            {
                "temperature": temperature,
                "top_p": top_p,
                "max_tokens": max_tokens,
                "stop": tuple(stop),
                "seed": seed,
            }
        )
        return self._script.complete(messages, num_completions=num_completions)


def test_task_knowledge_is_asked_for_with_both_attempts_as_published() -> None:
    model = Recorder(["Task Knowledge: When it is cold, you should heat it."])
    writer = LanguageModelTaskWriter(model, PROMPTS)
    assert writer.write(HOT_MUG, COLD_MUG) == "When it is cold, you should heat it."
    (prompt,), (settings,) = model.prompts, model.settings
    assert prompt.index("heat mug 2 with") < prompt.index("Nothing happens.")
    assert "\nOK\n" in prompt
    assert settings["temperature"] == 0.5
    assert settings["top_p"] == 1.0
    assert settings["max_tokens"] == 512
    assert settings["stop"] == ()
    assert writer.made_by == "recorder"


def test_without_an_explored_attempt_none_is_spoken_of() -> None:
    model = Recorder(["When."])
    LanguageModelTaskWriter(model, PROMPTS).write(HOT_MUG, None)
    assert "while exploring" not in model.prompts[0]


def test_state_knowledge_is_asked_for_with_what_was_said_before() -> None:
    model = Recorder([f"State Knowledge: s{number}" for number in range(3)])
    writer = LanguageModelStateWriter(model, PROMPTS)
    assert writer.write(SHORT) == ("s0", "s1", "s2")
    shown = [prompt.partition("in the present task:\n")[2] for prompt in model.prompts]
    begin = f"{PROMPTS.agent(with_thought=False)}\nOK\n{SHORT.instruction}\n"
    ask = (
        "\n\nDescribe the situation after the last line, in one line of at most 128 "
        "tokens, in this form:\nState Knowledge: ..."
    )
    first = f"{begin}{SHORT.observation}"
    second = (
        f"{first}\nState Knowledge: s0\nAction: open desk\nObservation: It is open."
    )
    third = (
        f"{second}\nState Knowledge: s1\nAction: take mug\nObservation: You take it."
    )
    assert shown == [first + ask, second + ask, third + ask]
    settings = [
        (one["temperature"], one["max_tokens"], one["stop"]) for one in model.settings
    ]
    assert settings == [(0.5, 128, ("\n",))] * 3


def test_nothing_is_asked_for_again_with_another_seed_and_counted() -> None:
    model = Recorder([" \n", "Task Knowledge:", "When two words"])
    writer = LanguageModelTaskWriter(model, PROMPTS)
    assert writer.write(SHORT, None) == "When two words"
    assert len({settings["seed"] for settings in model.settings}) == 3
    num_words = len(model.prompts[0].split())
    assert writer.usage == WritingUsage(
        num_calls=3, prompt_tokens=3 * num_words, completion_tokens=0 + 2 + 3
    )


def test_nothing_for_good_is_an_error_and_no_other_writer_takes_over() -> None:
    writer = LanguageModelStateWriter(
        Recorder(["", ""]), PROMPTS, WritingConfig(max_attempts=2)
    )
    expected = (
        r"^recorder must answer with state knowledge, got nothing in 2 attempts\."
    )
    with pytest.raises(LLMError, match=expected) as caught:
        writer.write(SHORT)
    assert not caught.value.retryable


def test_the_seed_decides_what_is_drawn() -> None:
    def seeds(seed: int) -> list[object]:
        model = Recorder(["s0", "s1", "s2"])
        LanguageModelStateWriter(model, PROMPTS, WritingConfig(seed=seed)).write(SHORT)
        return [settings["seed"] for settings in model.settings]

    assert seeds(0) == seeds(0)
    assert set(seeds(0)).isdisjoint(seeds(1))


def test_thoughts_are_shown_if_they_are_wanted() -> None:
    model = Recorder(["When."])
    config = WritingConfig(thoughts="template")
    LanguageModelTaskWriter(model, PROMPTS, config).write(SHORT, None)
    assert "Next I open desk.\nAction: open desk" in model.prompts[0]


@pytest.mark.parametrize("name", ["task_tokens", "state_tokens", "max_attempts"])
def test_limits_must_be_positive(name: str) -> None:
    with pytest.raises(ValueError, match=rf"^{name} must be at least 1, got 0\.$"):
        WritingConfig(**{name: 0})
