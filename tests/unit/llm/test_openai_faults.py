"""The client against a real local server that fails in every known way.

Each test looks at the message, and at how many requests the server got.
"""

import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from cwm.llm.openai_compatible import OpenAICompatibleModel
from cwm.llm.retrying import RetryConfig
from tests.support.openai_client import MESSAGES, Waits, error_of, new_model, waits
from tests.support.openai_server import OpenAIServer, Reply, answer, failure

TWICE = RetryConfig(max_attempts=2)


def test_rate_limit_is_waited_out_as_long_as_the_server_says() -> None:
    limit = failure(429, "Slow down", headers={"Retry-After": "7"})
    with OpenAIServer([limit, limit, answer("Hi.")]) as server:
        model = new_model(server)
        assert model.complete(MESSAGES)[0].text == "Hi."
    assert waits(model) == [7.0, 7.0]


def test_wait_until_a_date_is_waited_out_too() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    limit = failure(429, "Slow down", headers={"Retry-After": soon})
    with OpenAIServer([limit, answer("Hi.")]) as server:
        model = new_model(server)
        assert model.complete(MESSAGES)[0].text == "Hi."
    assert len(server.requests) == 2
    (wait,) = waits(model)
    assert 25.0 < wait <= 30.0


def test_server_that_asks_for_too_long_a_wait_is_left() -> None:
    limit = failure(429, "Tomorrow", headers={"Retry-After": "86400"})
    with OpenAIServer([limit]) as server:
        model = new_model(server)
        error = error_of(
            lambda: model.complete(MESSAGES), retryable=True, contains="status 429"
        )
    assert str(error).endswith(
        "Tomorrow. It asks for a pause of 86400 s, and max_delay_s is 60 s."
    )
    assert waits(model) == []
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 529])
def test_passing_fault_is_repeated_six_times_in_all(status: int) -> None:
    with OpenAIServer([failure(status, "Busy")]) as server:
        model = new_model(server)
        error_of(
            lambda: model.complete(MESSAGES),
            retryable=True,
            contains=f"{server.base_url} failed with status {status} for 'tiny': Busy.",
        )
    assert len(server.requests) == 6


@pytest.mark.parametrize("status", [400, 422, 501, 505])
def test_lasting_fault_is_not_repeated(status: int) -> None:
    with OpenAIServer([failure(status, "No")]) as server:
        model = new_model(server)
        error_of(
            lambda: model.complete(MESSAGES),
            retryable=False,
            contains=f"failed with status {status} for 'tiny': No.",
        )
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
        error = error_of(
            lambda: model.complete(MESSAGES),
            retryable=False,
            contains="do not fit into the context of 'tiny'",
        )
    assert error.is_about_prompt


def test_prompt_that_a_filter_refuses_is_told_from_other_bad_requests() -> None:
    reply = failure(400, "Not allowed", code="content_filter")
    with OpenAIServer([reply, failure(400, "Bad")]) as server:
        model = new_model(server)
        error = error_of(
            lambda: model.complete(MESSAGES),
            retryable=False,
            contains="refuses the prompt by its filter (400): Not allowed.",
        )
        assert error.is_about_prompt
        error = error_of(
            lambda: model.complete(MESSAGES), retryable=False, contains="Bad"
        )
        assert not error.is_about_prompt


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
    ("body", "reason"),
    [
        (b'{"choices": ', "its JSON is cut off or wrong."),
        (b"", "its JSON is cut off or wrong."),
        (b"\xff\xfe\x00", "its JSON is cut off or wrong."),
        ({"choices": []}, "it has no choices."),
        ({"choices": None}, "it has no choices."),
        ({"unexpected": True}, "it has no choices."),
        ([], "it has no choices."),
        ("text", "it has no choices."),
        (
            {"choices": [{"message": None, "finish_reason": "stop"}]},
            "a choice has no message.",
        ),
        ({"choices": ["text"]}, "a choice has no message."),
        (
            {"choices": [{"message": {"content": 7}}]},
            "the content of a message is int.",
        ),
    ],
)
def test_malformed_answer_is_retried_and_then_named(body: object, reason: str) -> None:
    with OpenAIServer([Reply(body=body)]) as server:
        model = new_model(server, retry=TWICE)
        error_of(
            lambda: model.complete(MESSAGES),
            retryable=True,
            contains="gave an answer that is not a chat completion of 'tiny': "
            + reason,
        )
    assert len(server.requests) == 2


def test_page_with_another_content_type_is_named() -> None:
    page = Reply(body=b"<html></html>", headers={"Content-Type": "text/html"})
    with OpenAIServer([page]) as server:
        model = new_model(server, retry=TWICE)
        error_of(
            lambda: model.complete(MESSAGES),
            retryable=True,
            contains="is not a chat completion of 'tiny': it is text/html.",
        )
    assert len(server.requests) == 2


def test_right_answer_with_a_wrong_content_type_is_taken() -> None:
    reply = answer("Hi.")
    plain = Reply(body=reply.body, headers={"Content-Type": "text/plain"})
    with OpenAIServer([plain]) as server:
        assert new_model(server).complete(MESSAGES)[0].text == "Hi."


def test_failure_inside_an_answer_of_success_is_a_failure() -> None:
    limit = Reply(body={"error": {"code": 429, "message": "Upstream is busy"}})
    with OpenAIServer([limit, answer("Hi.")]) as server:
        assert new_model(server).complete(MESSAGES)[0].text == "Hi."
    refusal = Reply(body={"error": {"code": 401, "message": "Who are you?"}})
    with OpenAIServer([refusal]) as server:
        model = new_model(server)
        error_of(
            lambda: model.complete(MESSAGES),
            retryable=False,
            contains="refused the key (401): Who are you?",
        )
    assert len(server.requests) == 1


def test_answer_that_breaks_off_is_retried_and_then_named() -> None:
    cut = Reply(body=b'{"choices": [', headers={"Content-Length": "5000"})
    with OpenAIServer([cut]) as server:
        model = new_model(server, retry=TWICE)
        error_of(
            lambda: model.complete(MESSAGES),
            retryable=True,
            contains="broke off its answer",
        )
    assert len(server.requests) == 2


def test_dropped_connection_is_retried() -> None:
    with OpenAIServer([Reply(drops=True), answer("Hi.")]) as server:
        assert new_model(server).complete(MESSAGES)[0].text == "Hi."


SLOW = [
    pytest.param(Reply(hangs=True), id="hangs"),
    pytest.param(Reply(dribbles="headers"), id="headers"),
    pytest.param(
        Reply(body=b"{", headers={"Content-Length": "1000000"}, dribbles="body"),
        id="body",
    ),
]


@pytest.mark.parametrize("reply", SLOW)
def test_answer_that_does_not_come_is_a_timeout(reply: Reply) -> None:
    with OpenAIServer([reply]) as server:
        model = new_model(server, request_timeout_s=0.5, retry=TWICE)
        start = time.perf_counter()
        error_of(
            lambda: model.complete(MESSAGES),
            retryable=True,
            contains="gave no answer within 0.5 s.",
        )
        assert time.perf_counter() - start < 10.0
        assert len(server.requests) == 2
    assert len(waits(model)) == 1


def test_time_of_the_whole_call_bounds_the_attempts() -> None:
    with OpenAIServer([Reply(hangs=True)]) as server:
        model = new_model(
            server, call_timeout_s=0.3, retry=RetryConfig(base_delay_s=10.0)
        )
        error = error_of(
            lambda: model.complete(MESSAGES), retryable=True, contains="gave no answer"
        )
    assert str(error).endswith("The 0.3 s of the whole call are used up.")
    assert len(server.requests) == 1


def test_completions_that_come_one_by_one_share_the_time_of_the_call() -> None:
    times = iter([0.0, 0.0, 100.0, 100.0, 100.0])
    with OpenAIServer([answer("a"), failure(503, "Busy")]) as server:
        model = new_model(server, call_timeout_s=50.0, clock=lambda: next(times, 100.0))
        error_of(
            lambda: model.complete(MESSAGES, num_completions=2),
            retryable=True,
            contains="was not asked again for 'tiny'. The 50 s of the whole call are",
        )
    assert len(server.requests) == 1


def test_closing_ends_the_calls_in_flight_and_refuses_later_ones() -> None:
    with OpenAIServer([Reply(hangs=True)]) as server:
        model = new_model(server)
        errors: list[str] = []

        def call() -> None:
            error = error_of(
                lambda: model.complete(MESSAGES), retryable=True, contains="given up"
            )
            errors.append(str(error))

        threads = [threading.Thread(target=call) for _ in range(3)]
        for thread in threads:
            thread.start()
        server.wait_for_requests(3)
        model.close()
        for thread in threads:
            thread.join(timeout=5.0)
        call()
        assert len(server.requests) == 3
    assert errors == ["The call to 'tiny' was given up: the model was closed."] * 4


def test_closing_ends_a_pause_between_attempts() -> None:
    limit = failure(429, "Slow down", headers={"Retry-After": "60"})
    with OpenAIServer([limit]) as server:
        model = new_model(server, sleep=None)
        closing = threading.Timer(0.3, model.close)
        closing.start()
        error_of(lambda: model.complete(MESSAGES), retryable=True, contains="given up")
        closing.join()
    assert len(server.requests) == 1


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
