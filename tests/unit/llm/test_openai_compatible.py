"""The client against a real local server that misbehaves in every known way."""

import socket
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from cwm.core.errors import ConfigError, LLMError, PrerequisiteError
from cwm.llm.chat import ChatCompletion, ChatMessage
from cwm.llm.openai_compatible import OpenAICompatibleModel
from cwm.llm.retrying import RetryConfig
from tests.support.openai_server import OpenAIServer, Reply, answer, failure

MESSAGES = [ChatMessage("system", "Be brief."), ChatMessage("user", "Hello?")]


class Waits(list[float]):
    """Remembers how long somebody wanted to sleep, and does not."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


def new_model(server: OpenAIServer, **settings: Any) -> OpenAICompatibleModel:
    return OpenAICompatibleModel(
        model="tiny",
        base_url=server.base_url,
        **{"sleep": Waits(), "rng": np.random.default_rng(0), **settings},
    )


def waits(model: OpenAICompatibleModel) -> list[float]:
    assert isinstance(model.sleep, Waits)
    return list(model.sleep)


def error_of(call: Callable[[], object], *, retryable: bool, contains: str) -> LLMError:
    with pytest.raises(LLMError) as caught:
        call()
    assert caught.value.retryable is retryable
    assert contains in str(caught.value)
    return caught.value


def test_answer_comes_with_its_tokens_and_reason() -> None:
    with OpenAIServer([answer("Hi.", finish_reason="length")]) as server:
        completions = new_model(server).complete(MESSAGES)
    assert completions == [
        ChatCompletion(
            text="Hi.", finish_reason="length", prompt_tokens=11, completion_tokens=7
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


def test_server_that_gives_more_than_asked_is_cut() -> None:
    with OpenAIServer([answer("a", "b")]) as server:
        assert len(new_model(server).complete(MESSAGES)) == 1


def test_rate_limit_is_waited_out_as_long_as_the_server_says() -> None:
    limit = failure(429, "Slow down", headers={"Retry-After": "7"})
    with OpenAIServer([limit, limit, answer("Hi.")]) as server:
        model = new_model(server)
        assert model.complete(MESSAGES)[0].text == "Hi."
    assert waits(model) == [7.0, 7.0]


def test_server_that_asks_for_too_long_a_wait_is_left() -> None:
    limit = failure(429, "Tomorrow", headers={"Retry-After": "86400"})
    with OpenAIServer([limit]) as server:
        model = new_model(server)
        error_of(lambda: model.complete(MESSAGES), retryable=True, contains="429")
    assert waits(model) == []
    assert len(server.requests) == 1


def test_server_faults_are_retried_with_growing_pauses() -> None:
    fault = failure(500, "Oops")
    with OpenAIServer([fault, failure(503, "Busy"), fault, answer("Hi.")]) as server:
        model = new_model(server)
        assert model.complete(MESSAGES)[0].text == "Hi."
    first, second, third = waits(model)
    assert 0.5 <= first <= 1.0 <= second <= 2.0 <= third <= 4.0


def test_last_attempt_that_fails_is_a_retryable_error() -> None:
    with OpenAIServer([failure(500, "Oops")]) as server:
        model = new_model(server, retry=RetryConfig(max_attempts=3))
        error = error_of(
            lambda: model.complete(MESSAGES), retryable=True, contains="status 500"
        )
    assert str(error).endswith("for 'tiny': Oops.")
    assert len(server.requests) == 3


def test_wrong_key_is_refused_at_once_and_never_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-123")
    refusal = failure(401, "Incorrect API key provided: sk-secret-123.")
    with OpenAIServer([refusal]) as server:
        model = new_model(server)
        error = error_of(
            lambda: model.complete(MESSAGES),
            retryable=False,
            contains="refused the key",
        )
    assert "sk-secret" not in str(error)
    assert "***" in str(error)
    assert "OPENAI_API_KEY" in str(error)
    assert server.authorizations == ["Bearer sk-secret-123"]
    assert "sk-secret" not in repr(model)


def test_unknown_model_is_named() -> None:
    with OpenAIServer([failure(404, "The model `tiny` does not exist")]) as server:
        model = new_model(server)
        error_of(
            lambda: model.complete(MESSAGES),
            retryable=False,
            contains="does not know the model 'tiny'",
        )


@pytest.mark.parametrize(
    "reply",
    [
        failure(400, "Too long", code="context_length_exceeded"),
        failure(400, "This model's maximum context length is 4096 tokens."),
        failure(413, "The request exceeds the context window"),
    ],
    ids=["code", "message", "status"],
)
def test_context_overflow_says_what_does_not_fit(reply: Reply) -> None:
    with OpenAIServer([reply]) as server:
        model = new_model(server)
        error_of(
            lambda: model.complete(MESSAGES),
            retryable=False,
            contains="do not fit into the context of 'tiny'",
        )


def test_used_up_quota_is_not_retried() -> None:
    reply = failure(429, "You exceeded your quota", code="insufficient_quota")
    with OpenAIServer([reply]) as server:
        model = new_model(server)
        error_of(lambda: model.complete(MESSAGES), retryable=False, contains="quota")
    assert len(server.requests) == 1


def test_other_bad_request_carries_what_the_server_says() -> None:
    with OpenAIServer([failure(400, "x" * 1_000)]) as server:
        model = new_model(server)
        error = error_of(
            lambda: model.complete(MESSAGES), retryable=False, contains="status 400"
        )
    assert len(str(error)) < 500


@pytest.mark.parametrize(
    "body",
    [
        b"<html>proxy</html>",
        b'{"choices": ',
        {"choices": []},
        {"choices": None},
        {"choices": [{"message": None, "finish_reason": "stop"}]},
        {"unexpected": True},
        [],
    ],
    ids=["html", "half", "none", "null", "no message", "other", "list"],
)
def test_malformed_answer_is_retried_and_then_named(body: object) -> None:
    with OpenAIServer([Reply(body=body)]) as server:
        model = new_model(server, retry=RetryConfig(max_attempts=2))
        error_of(
            lambda: model.complete(MESSAGES), retryable=True, contains="gave an answer"
        )
    assert len(server.requests) == 2


def test_html_page_with_its_own_content_type_is_malformed_too() -> None:
    page = Reply(body=b"<html></html>", headers={"Content-Type": "text/html"})
    with OpenAIServer([page, answer("Hi.")]) as server:
        assert new_model(server).complete(MESSAGES)[0].text == "Hi."


def test_completion_without_content_is_empty_text() -> None:
    reply = answer("x")
    reply.body["choices"][0]["message"]["content"] = None
    reply.body["choices"][0]["finish_reason"] = "content_filter"
    del reply.body["usage"]
    with OpenAIServer([reply]) as server:
        (completion,) = new_model(server).complete(MESSAGES)
    assert completion == ChatCompletion(text="", finish_reason="other")


def test_dropped_connection_is_retried() -> None:
    with OpenAIServer([Reply(drops=True), answer("Hi.")]) as server:
        assert new_model(server).complete(MESSAGES)[0].text == "Hi."


def test_answer_that_does_not_come_is_a_timeout() -> None:
    with OpenAIServer([Reply(hangs=True)]) as server:
        model = new_model(
            server, request_timeout_s=0.05, retry=RetryConfig(max_attempts=2)
        )
        error_of(
            lambda: model.complete(MESSAGES),
            retryable=True,
            contains="gave no answer within 0.05 s",
        )
    assert len(waits(model)) == 1


def test_refused_connection_names_the_address_and_is_not_retried() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{reserved.getsockname()[1]}/v1"
        model = OpenAICompatibleModel(model="tiny", base_url=url, sleep=Waits())
        error_of(
            lambda: model.complete(MESSAGES),
            retryable=False,
            contains=f"{url} refused the connection. Start the server",
        )
    assert waits(model) == []


def test_parameter_that_a_model_refuses_is_left_out_from_then_on() -> None:
    def picky(request: dict[str, Any]) -> Reply:
        for name in ("max_tokens", "temperature"):
            if name in request:
                return failure(400, f"Unsupported: {name}", param=name)
        return answer("Hi.")

    with OpenAIServer(picky) as server:
        model = new_model(server)
        assert model.complete(MESSAGES)[0].text == "Hi."
        assert server.requests[-1]["max_completion_tokens"] == 4096
        assert len(server.requests) == 3
        model.complete(MESSAGES)
        assert len(server.requests) == 4


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
        ({"request_timeout_s": 0.0}, r"must be positive, got 0\.0 \(seconds\)"),
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
