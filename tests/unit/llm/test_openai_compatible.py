"""The client against a real local server that answers, each in its own way."""

import asyncio
import sys
from typing import Any

import pytest

from cwm.core.errors import ConfigError, PrerequisiteError
from cwm.llm.chat import ChatCompletion, ChatMessage
from cwm.llm.notices import LLMWarning
from cwm.llm.openai_compatible import OpenAICompatibleModel
from tests.support.openai_client import MESSAGES, error_of, new_model
from tests.support.openai_server import OpenAIServer, Reply, answer, failure, models


def test_answer_comes_with_its_tokens_and_reason() -> None:
    with OpenAIServer([answer("Hi.", finish_reason="length")]) as server:
        completions = new_model(server).complete(MESSAGES)
    assert completions == [
        ChatCompletion(
            text="Hi.",
            finish_reason="length",
            prompt_tokens=11,
            completion_tokens=7,
            model="tiny",
        )
    ]


def test_request_carries_messages_sampling_and_seed() -> None:
    with OpenAIServer([answer("Hi.")]) as server:
        new_model(server).complete(
            MESSAGES, temperature=0.1, top_p=0.9, max_tokens=5, stop=["END"], seed=3
        )
    assert server.requests == [
        {
            "model": "tiny",
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "Hello?"},
            ],
            "temperature": 0.1,
            "top_p": 0.9,
            "max_tokens": 5,
            "stop": ["END"],
            "seed": 3,
        }
    ]


def test_sampling_is_the_papers_unless_said_otherwise() -> None:
    with OpenAIServer([answer("Hi.")]) as server:
        new_model(server).complete(MESSAGES)
    (request,) = server.requests
    assert (request["temperature"], request["top_p"], request["max_tokens"]) == (
        0.6,
        0.8,
        4096,
    )
    assert "seed" not in request


def test_several_completions_share_what_the_call_has_cost() -> None:
    with OpenAIServer([answer("a", "b", "c", completion_tokens=8)]) as server:
        completions = new_model(server).complete(MESSAGES, num_completions=3)
    assert [c.text for c in completions] == ["a", "b", "c"]
    assert [c.prompt_tokens for c in completions] == [11, 0, 0]
    assert [c.completion_tokens for c in completions] == [4, 2, 2]
    assert server.requests[0]["n"] == 3


def test_server_that_ignores_n_is_asked_for_the_rest_with_other_seeds() -> None:
    replies = [answer("a"), answer("b"), answer("c")]
    with OpenAIServer(replies) as server:
        completions = new_model(server).complete(MESSAGES, num_completions=3, seed=10)
    assert [c.text for c in completions] == ["a", "b", "c"]
    assert [r["seed"] for r in server.requests] == [10, 11, 12]
    assert [r.get("n") for r in server.requests] == [3, 2, None]


def test_server_that_gives_more_than_asked_is_cut_and_its_tokens_are_not() -> None:
    with OpenAIServer([answer("a", "b", completion_tokens=9)]) as server:
        (completion,) = new_model(server).complete(MESSAGES)
    assert (completion.text, completion.completion_tokens) == ("a", 9)


def test_stop_text_that_the_server_leaves_in_is_cut() -> None:
    with OpenAIServer([answer("one END two STOP", finish_reason="length")]) as server:
        (completion,) = new_model(server).complete(MESSAGES, stop=["STOP", "END"])
    assert (completion.text, completion.finish_reason) == ("one ", "stop")
    assert completion.completion_tokens == 7


def test_completion_without_content_or_usage_is_empty_and_estimated() -> None:
    reply = answer("x")
    reply.body["choices"][0]["message"]["content"] = None
    reply.body["choices"][0]["finish_reason"] = "content_filter"
    del reply.body["usage"], reply.body["model"]
    with OpenAIServer([reply]) as server:
        (completion,) = new_model(server).complete(MESSAGES)
    # (9 bytes + 6 bytes) / 3, and 4 for each message.
    assert completion == ChatCompletion(
        text="",
        finish_reason="other",
        prompt_tokens=3 + 2 + 8,
        has_estimated_tokens=True,
    )


def test_prompt_tokens_that_the_service_had_read_before_are_told() -> None:
    reply = answer("Hi.", prompt_tokens=100)
    reply.body["usage"]["prompt_tokens_details"] = {"cached_tokens": 64}
    with OpenAIServer([reply]) as server:
        (completion,) = new_model(server).complete(MESSAGES)
    assert (completion.prompt_tokens, completion.reused_prompt_tokens) == (100, 64)


def test_parameter_that_a_model_refuses_is_left_out_and_told_once() -> None:
    def picky(request: dict[str, Any]) -> Reply:
        for name in ("max_tokens", "temperature"):
            if name in request:
                return failure(400, f"Unsupported: {name}", param=name)
        return answer("Hi.")

    with OpenAIServer(picky) as server:
        model = new_model(server)
        with pytest.warns(LLMWarning, match="refuses temperature for 'tiny'") as told:
            assert model.complete(MESSAGES)[0].text == "Hi."
        assert server.requests[-1]["max_completion_tokens"] == 4096
        assert len(server.requests) == 3
        model.complete(MESSAGES)
        assert len(server.requests) == 4
    assert len(told) == 1


def test_parameter_that_cannot_be_left_out_is_a_failure() -> None:
    with OpenAIServer([failure(400, "Bad messages", param="messages")]) as server:
        model = new_model(server)
        error_of(
            lambda: model.complete(MESSAGES), retryable=False, contains="Bad messages."
        )
    assert len(server.requests) == 1


def test_extra_parameters_are_sent_and_part_of_the_identity() -> None:
    with OpenAIServer([answer("Hi.")]) as server:
        model = new_model(server, extra_body={"top_k": 100})
        model.complete(MESSAGES)
        assert model.identity == {
            "endpoint": server.base_url,
            "extra_body": {"top_k": 100},
        }
    assert server.requests[0]["top_k"] == 100


def test_identity_holds_no_password() -> None:
    model = OpenAICompatibleModel(model="tiny", base_url="http://me:secret@host:1/v1/")
    assert model.identity == {"endpoint": "http://host:1/v1"}


@pytest.mark.parametrize("answered", ["tiny", "org/Tiny", "tiny-2024-08-06", ""])
def test_same_model_under_another_name_is_no_warning(answered: str) -> None:
    with OpenAIServer([answer("Hi.", model=answered)]) as server:
        (completion,) = new_model(server).complete(MESSAGES)
    assert completion.model == answered


def test_other_model_in_the_answer_is_a_warning_once_and_recorded() -> None:
    with OpenAIServer([answer("Hi.", model="large")]) as server:
        model = new_model(server)
        with pytest.warns(
            LLMWarning, match="answered with the model 'large', not with 'tiny'"
        ) as told:
            assert model.complete(MESSAGES)[0].model == "large"
        model.complete(MESSAGES)
    assert len(told) == 1


def test_other_model_in_the_answer_is_an_error_where_that_was_asked_for() -> None:
    with OpenAIServer([answer("Hi.", model="large")]) as server:
        model = new_model(server, rejects_other_model=True)
        error_of(
            lambda: model.complete(MESSAGES),
            retryable=False,
            contains="answered with the model 'large', not with 'tiny'.",
        )
    assert len(server.requests) == 1


def test_server_that_answers_to_any_name_is_told_by_its_list_of_models() -> None:
    listed = models("models/other-7b.gguf", owned_by="llamacpp")
    with OpenAIServer([answer("Hi.")], models=listed) as server:
        model = new_model(server)
        with pytest.warns(
            LLMWarning, match=r"has no model 'tiny' and answers with 'models/other-7b"
        ):
            model.complete(MESSAGES)
        model.complete(MESSAGES)
    assert server.num_model_lists == 1


def test_default_of_a_server_that_changes_the_text_is_undone() -> None:
    listed = models("tiny", owned_by="me")
    with OpenAIServer([answer("Hi.")], models=listed) as server:
        new_model(server).complete(MESSAGES)
        new_model(server, extra_body={"repeat_penalty": 1.2}).complete(MESSAGES)
    assert [r["repeat_penalty"] for r in server.requests] == [1.0, 1.2]


def test_list_of_models_that_does_not_come_is_asked_for_once() -> None:
    with OpenAIServer([answer("Hi.")], models=Reply(hangs=True)) as server:
        model = new_model(server, request_timeout_s=0.5)
        assert model.complete(MESSAGES)[0].text == "Hi."
        assert model.complete(MESSAGES)[0].text == "Hi."
        assert server.num_model_lists == 1


BEGUN = [*MESSAGES, ChatMessage("assistant", "Well, ")]


@pytest.mark.parametrize(
    ("owned_by", "flags"),
    [
        ("vllm", {"continue_final_message": True, "add_generation_prompt": False}),
        ("llamacpp", {}),
    ],
)
def test_message_is_continued_where_the_kind_of_server_does_so(
    owned_by: str, flags: dict[str, Any]
) -> None:
    listed = models("tiny", owned_by=owned_by)
    with OpenAIServer([answer("hi.")], models=listed) as server:
        model = new_model(server)
        assert model.continues_assistant
        assert model.complete(BEGUN)[0].text == "hi."
        model.complete(MESSAGES)
    begun, usual = server.requests
    assert begun["messages"][-1] == {"role": "assistant", "content": "Well, "}
    assert {key: begun[key] for key in flags} == flags
    assert set(begun) == {*usual, *flags}


def test_message_is_not_continued_by_an_unknown_server_unless_one_says_so() -> None:
    with OpenAIServer([answer("hi.")]) as server:
        model = new_model(server)
        assert not model.continues_assistant
        with pytest.raises(ValueError, match="say --continue-prefix on"):
            model.complete(BEGUN)
        told = new_model(server, continue_prefix="on")
        assert told.continues_assistant
        assert told.complete(BEGUN)[0].text == "hi."
    assert len(server.requests) == 1


def test_message_is_not_continued_where_one_says_so() -> None:
    with OpenAIServer([], models=models("tiny", owned_by="vllm")) as server:
        assert not new_model(server, continue_prefix="off").continues_assistant
    assert server.num_model_lists == 0


def test_openai_itself_is_known_without_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    model = OpenAICompatibleModel(model="tiny")
    assert not model.continues_assistant
    assert model.identity == {"endpoint": "https://api.openai.com/v1"}


def test_call_works_inside_an_event_loop_as_in_a_notebook() -> None:
    async def cell() -> str:
        return new_model(server).complete(MESSAGES)[0].text

    with OpenAIServer([answer("Hi.")]) as server:
        assert asyncio.run(cell()) == "Hi."


def test_local_server_needs_no_key() -> None:
    with OpenAIServer([answer("Hi.")]) as server:
        new_model(server).complete(MESSAGES)
    assert server.authorizations == ["Bearer no-key"]


def test_openai_itself_needs_a_key() -> None:
    with pytest.raises(ConfigError, match="OPENAI_API_KEY must be set"):
        OpenAICompatibleModel(model="tiny")


def test_openai_itself_is_the_endpoint_with_a_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    model = OpenAICompatibleModel(model="tiny")
    assert model.endpoint == "https://api.openai.com/v1"
    assert model.name == "tiny"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model": ""}, "model must be a model's id, got ''"),
        ({"base_url": "localhost:1"}, "base_url must begin with http:// or https://"),
        ({"base_url": "http://"}, "must be an address such as http://localhost"),
        ({"base_url": "http://localhost:99999/v1"}, "must be an address such as"),
        ({"request_timeout_s": 0.0}, r"must be positive, got 0\.0 \(seconds\)"),
        ({"call_timeout_s": -1.0}, r"call_timeout_s must be positive, got -1\.0"),
    ],
)
def test_setting_that_breaks_its_rule_is_refused(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        OpenAICompatibleModel(
            **{"model": "tiny", "base_url": "http://localhost", **settings}
        )


def test_no_completions_at_all_cannot_be_asked_for() -> None:
    model = OpenAICompatibleModel(model="tiny", base_url="http://localhost")
    with pytest.raises(ValueError, match="num_completions must be at least 1, got 0"):
        model.complete(MESSAGES, num_completions=0)


def test_missing_package_has_its_install_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    model = OpenAICompatibleModel(model="tiny", base_url="http://localhost")
    with pytest.raises(PrerequisiteError, match="pip install openai"):
        model.complete(MESSAGES)


def test_proxy_for_the_outside_world_is_not_asked_for_a_local_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with OpenAIServer([answer("Hi.")]) as server, OpenAIServer([]) as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.base_url.removesuffix("/v1"))
        assert new_model(server).complete(MESSAGES)[0].text == "Hi."
    assert proxy.requests == []
