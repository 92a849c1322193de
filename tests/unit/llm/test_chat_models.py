"""What every chat model of the registry promises, and that a breach is noticed."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from cwm.core.errors import LLMError
from cwm.llm.caching import cached
from cwm.llm.chat import ChatCompletion, ChatMessage, ChatModel
from cwm.llm.registry import SCHEMES, make_chat_model
from cwm.llm.scripted import ScriptedChatModel
from tests.support.openai_server import OpenAIServer, Reply, answer, failure

MESSAGES = [ChatMessage("user", "Write a world model.")]
TEXTS = ["first", "second", ""]


def check_chat_model(model: ChatModel) -> None:
    """Asks for one completion and then for two, the last of them empty."""
    assert model.name
    (first,) = model.complete(MESSAGES)
    assert first.text == TEXTS[0], f"expected {TEXTS[0]!r}, got {first.text!r}"
    assert first.prompt_tokens > 0, "prompt_tokens must be counted, got 0"
    assert first.completion_tokens > 0, "completion_tokens must be counted, got 0"
    rest = model.complete(MESSAGES, num_completions=2, seed=1)
    assert len(rest) == 2, f"num_completions must be kept, asked 2, got {len(rest)}"
    assert [c.text for c in rest] == TEXTS[1:]


def scripted(tmp_path: Path) -> Iterator[ChatModel]:
    path = tmp_path / "script.json"
    path.write_text(json.dumps(TEXTS), encoding="utf-8")
    yield make_chat_model(f"scripted:{path}")


def openai(tmp_path: Path) -> Iterator[ChatModel]:
    def serve(body: dict[str, Any]) -> Reply:
        return answer(*TEXTS[1:]) if "n" in body else answer(TEXTS[0])

    with OpenAIServer(serve) as server:
        yield make_chat_model("openai:tiny", base_url=server.base_url)


MODELS = {"openai": openai, "scripted": scripted}

ELSEWHERE = {
    "gguf": "a real model: local/test_smollm2.py",
    "hf": "a real model: local/test_*.py",
    "replay": "one recorded completion for each request: test_replaying.py",
}


@pytest.fixture(params=sorted(MODELS))
def model(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ChatModel]:
    yield from MODELS[request.param](tmp_path)


def test_every_kind_of_model_is_tested_here_or_elsewhere() -> None:
    assert set(SCHEMES) == set(MODELS) | set(ELSEWHERE)


def test_cached_model_keeps_the_promises_too(model: ChatModel, tmp_path: Path) -> None:
    check_chat_model(cached(model, tmp_path / "cache"))


def test_chat_model_keeps_number_order_and_tokens(model: ChatModel) -> None:
    check_chat_model(model)


class OneTooFew(ScriptedChatModel):
    def complete(
        self, messages: Sequence[ChatMessage], **settings: Any
    ) -> list[ChatCompletion]:
        return super().complete(messages, **settings)[:1]


class Uncounted(ScriptedChatModel):
    def complete(
        self, messages: Sequence[ChatMessage], **settings: Any
    ) -> list[ChatCompletion]:
        return [ChatCompletion(text=c.text) for c in super().complete(messages)]


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (OneTooFew(TEXTS), "num_completions must be kept, asked 2, got 1"),
        (Uncounted(TEXTS), "prompt_tokens must be counted, got 0"),
    ],
    ids=["one too few", "uncounted"],
)
def test_broken_chat_model_is_caught(broken: ChatModel, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_chat_model(broken)


def test_failure_says_whether_another_try_may_help() -> None:
    with OpenAIServer([failure(401, "No")]) as server:
        lasting = make_chat_model("openai:tiny", base_url=server.base_url)
        with pytest.raises(LLMError) as caught:
            lasting.complete(MESSAGES)
    assert not caught.value.retryable
