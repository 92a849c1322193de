"""Language models by the text after --llm."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from cwm.core.errors import ConfigError, PrerequisiteError
from cwm.llm.caching import CachedChatModel
from cwm.llm.chat import ChatMessage
from cwm.llm.continuation import continues_assistant
from cwm.llm.openai_compatible import OpenAICompatibleModel
from cwm.llm.registry import make_chat_model, make_scoring_model
from cwm.llm.scripted import ScriptedChatModel
from cwm.llm.service_config import ServiceConfig
from tests.support.openai_server import OpenAIServer, answer, models
from tests.support.recorded_answers import record_answers
from tests.support.scoring_server import END, ScoringServer


def test_openai_scheme_takes_model_and_address() -> None:
    model = make_chat_model("openai:org/model:7b", base_url="http://localhost:1/v1")
    assert isinstance(model, OpenAICompatibleModel)
    assert (model.name, model.endpoint) == ("org/model:7b", "http://localhost:1/v1")


def test_scripted_scheme_takes_a_file(tmp_path: Path) -> None:
    path = tmp_path / "script.json"
    path.write_text(json.dumps(["a"]), encoding="utf-8")
    assert isinstance(make_chat_model(f"scripted:{path}"), ScriptedChatModel)


def test_settings_of_a_service_reach_it() -> None:
    service = ServiceConfig(
        extra_body='{"top_k": 100}',
        request_timeout_s=5.0,
        call_timeout_s=9.0,
        max_attempts=2,
        reject_other_model=True,
    )
    model = make_chat_model(
        "openai:m", base_url="http://localhost", continue_prefix="on", service=service
    )
    assert isinstance(model, OpenAICompatibleModel)
    assert (model.request_timeout_s, model.call_timeout_s) == (5.0, 9.0)
    assert model.retry.max_attempts == 2
    assert model.extra_body == {"top_k": 100}
    assert model.rejects_other_model
    assert model.continues_assistant


def test_replay_scheme_takes_a_run(tmp_path: Path) -> None:
    prompts = [[ChatMessage("user", "Hello?")]]
    record_answers(tmp_path / "run", ScriptedChatModel(["a"]), prompts)
    model = make_chat_model(f"replay:{tmp_path / 'run'}")
    assert model.complete(prompts[0], seed=0)[0].text == "a"


def test_local_schemes_are_refused_with_their_reason(tmp_path: Path) -> None:
    # Without the packages of the extra [local] that is the reason.
    with pytest.raises((ConfigError, PrerequisiteError)):
        make_chat_model(f"gguf:{tmp_path / 'none.gguf'}")
    with pytest.raises((ConfigError, PrerequisiteError)):
        make_chat_model(f"hf:{tmp_path / 'none'}")


def test_cache_is_around_the_model(tmp_path: Path) -> None:
    model = make_chat_model(
        "openai:m", base_url="http://localhost", cache=tmp_path / "cache"
    )
    assert isinstance(model, CachedChatModel)
    assert model.name == "m"


def test_endpoint_is_made_a_scoring_model() -> None:
    with ScoringServer() as server:
        model = make_scoring_model("openai:tiny", base_url=server.base_url)
        (found,) = model.log_probs([ChatMessage("user", "Hm?")], ["ab"])
    assert found.tokens == ("a", "b", END)


def test_model_without_probabilities_is_no_scoring_model(tmp_path: Path) -> None:
    path = tmp_path / "script.json"
    path.write_text(json.dumps(["a"]), encoding="utf-8")
    with pytest.raises(ConfigError, match="that gives log-probabilities, got 'script"):
        make_scoring_model(f"scripted:{path}")


def test_model_that_may_not_continue_messages_says_so(tmp_path: Path) -> None:
    listed = models("tiny", owned_by="vllm")
    begun = [ChatMessage("user", "Hello?"), ChatMessage("assistant", "Well, ")]
    with OpenAIServer([answer("yes.")], models=listed) as server:
        recorded = make_chat_model("openai:tiny", base_url=server.base_url)
        record_answers(tmp_path / "run", recorded, [begun])
    text = f"replay:{tmp_path / 'run'}"
    assert continues_assistant(make_chat_model(text))
    told = make_chat_model(text, continue_prefix="off")
    assert not continues_assistant(told)
    assert told.name == "replay of tiny"
    assert told.complete(begun, seed=0)[0].text == "yes."


def test_unknown_scheme_names_the_nearest_and_the_known_ones() -> None:
    with pytest.raises(ConfigError) as caught:
        make_chat_model("opnai:gpt")
    assert str(caught.value) == (
        "No kind of language model called 'opnai'. Did you mean 'openai'? Known: "
        "gguf:FILE, hf:ID_OR_FOLDER, openai:MODEL, replay:RUN, scripted:FILE."
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("zzz", "called 'zzz'. Known:"),
        ("openai:", "as in openai:MODEL"),
        ("scripted", "as in scripted:FILE"),
        ("replay:", "as in replay:RUN"),
        ("hf:", "as in hf:ID_OR_FOLDER"),
        ("gguf", "as in gguf:FILE"),
    ],
)
def test_incomplete_text_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_chat_model(text)
    assert message in str(caught.value)


@pytest.mark.parametrize("scheme", ["scripted", "replay", "hf", "gguf"])
def test_address_of_what_has_none_is_refused(scheme: str) -> None:
    with pytest.raises(ConfigError, match=f"base_url has no meaning for {scheme}:x"):
        make_chat_model(f"{scheme}:x", base_url="http://localhost")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"extra_body": "[1]"}, r"extra_body must be a JSON object, got '\[1\]'"),
        ({"extra_body": "{"}, "extra_body must be a JSON object, got '{'"),
        ({"request_timeout_s": 0.0}, r"request_timeout_s must be positive .* got 0\.0"),
        ({"call_timeout_s": math.inf}, "call_timeout_s must be positive and finite"),
        ({"max_attempts": 0}, "max_attempts must be at least 1, got 0"),
    ],
)
def test_setting_of_a_service_that_breaks_its_rule_is_refused(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        ServiceConfig(**settings)
