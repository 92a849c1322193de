"""The model that says what it was told to say."""

import json
from pathlib import Path

import pytest

from cwm.core.errors import DataError, LLMError
from cwm.llm.chat import ChatMessage, Positioned, SamplingConfig
from cwm.llm.scripted import ScriptedChatModel

MESSAGES = [ChatMessage("user", "one two three")]


def test_answers_come_in_order_with_words_as_tokens() -> None:
    model = ScriptedChatModel(["first answer", "second"])
    (first,) = model.complete(MESSAGES)
    assert (first.text, first.prompt_tokens, first.completion_tokens) == (
        "first answer",
        3,
        2,
    )
    assert model.complete(MESSAGES)[0].text == "second"
    assert model.requests == [tuple(MESSAGES)] * 2


def test_several_completions_are_the_next_answers() -> None:
    model = ScriptedChatModel(["a", "b"])
    completions = model.complete(MESSAGES, num_completions=2)
    assert [c.text for c in completions] == ["a", "b"]
    assert [c.prompt_tokens for c in completions] == [3, 0]


def test_used_up_script_is_an_error_that_no_retry_helps() -> None:
    model = ScriptedChatModel(["a"])
    model.complete(MESSAGES)
    with pytest.raises(LLMError, match="has 1 answers, got a request for answer 2"):
        model.complete(MESSAGES)


def test_function_sees_the_conversation_and_the_index() -> None:
    model = ScriptedChatModel(lambda messages, i: f"{i}: {messages[-1].content}")
    model.complete(MESSAGES)
    assert model.complete(MESSAGES)[0].text == "1: one two three"


def test_script_can_be_entered_in_the_middle() -> None:
    model = ScriptedChatModel(["a", "b", "c"])
    assert isinstance(model, Positioned)
    model.move_to(2)
    assert model.complete(MESSAGES)[0].text == "c"


def test_script_is_read_from_a_json_list(tmp_path: Path) -> None:
    path = tmp_path / "script.json"
    path.write_text(json.dumps(["a"]), encoding="utf-8")
    model = ScriptedChatModel.from_file(path)
    assert model.name == "scripted:script.json"
    assert model.complete(MESSAGES)[0].text == "a"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"a": 1}', "must hold a JSON list of texts"),
        ("[1]", "must hold a JSON list of texts"),
        ("[", "cannot be read"),
        (None, "cannot be read"),
    ],
)
def test_file_without_a_script_is_refused(
    tmp_path: Path, content: str | None, message: str
) -> None:
    path = tmp_path / "script.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        ScriptedChatModel.from_file(path)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": -0.1}, r"temperature must be at least 0 .*, got -0\.1"),
        ({"temperature": float("nan")}, "temperature must be at least 0 .*, got nan"),
        ({"top_p": 0.0}, r"top_p must be above 0 and at most 1, got 0\.0"),
        ({"max_tokens": 0}, r"max_tokens must be at least 1, got 0 \(tokens\)"),
    ],
)
def test_sampling_that_breaks_its_rule_is_named(
    settings: dict[str, float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        SamplingConfig(**settings)
