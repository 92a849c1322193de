"""What a failed call means, beyond what a server can be made to do."""

import openai
import pytest

from cwm.core.errors import LLMError
from cwm.llm.failures import Asked, refused_parameter, service_error, status_error
from cwm.llm.openai_compatible import OpenAICompatibleModel
from tests.support.openai_server import OpenAIServer, Reply

ASKED = Asked(model="tiny", endpoint="http://x/v1", secret="sk-1", timeout_s=1.0)


def describe(error: Exception) -> LLMError:
    return service_error(error, ASKED)


def status(code: int, body: object) -> LLMError:
    return status_error(code, body, headers={}, asked=ASKED)


def test_unknown_reason_of_a_broken_connection_is_quoted_and_passing() -> None:
    error = openai.APIConnectionError(request=None)  # type: ignore[arg-type]
    error.__cause__ = OSError("no route to host")
    described = describe(error)
    assert described.retryable
    assert str(described) == "http://x/v1 could not be reached: no route to host."


def test_error_that_is_its_own_cause_is_described_all_the_same() -> None:
    error = openai.APIConnectionError(message="gone", request=None)  # type: ignore[arg-type]
    error.__cause__ = error
    assert str(describe(error)) == "http://x/v1 could not be reached: gone."


def test_status_without_any_message_ends_with_a_full_stop() -> None:
    with OpenAIServer([Reply(status=418, body=b"")]) as server:
        model = OpenAICompatibleModel(model="tiny", base_url=server.base_url)
        with pytest.raises(LLMError, match=r"failed with status 418 for 'tiny'\.$"):
            model.complete([])


def test_reasons_of_several_addresses_are_looked_through() -> None:
    error = openai.APIConnectionError(message="gone", request=None)  # type: ignore[arg-type]
    refused = ConnectionRefusedError(111, "Connect call failed")
    error.__cause__ = ExceptionGroup("all", [OSError("unreachable"), refused])
    described = describe(error)
    assert not described.retryable
    assert "refused the connection" in str(described)


def test_connection_that_takes_too_long_is_named() -> None:
    error = openai.APITimeoutError(request=None)  # type: ignore[arg-type]
    error.__cause__ = type("ConnectTimeout", (Exception,), {})()
    assert str(describe(error)) == "http://x/v1 could not be connected to in time."


def test_asked_shows_no_secret() -> None:
    assert "sk-1" not in repr(ASKED)


@pytest.mark.parametrize(
    ("code", "body", "said"),
    [
        (401, {"message": "No"}, "refused the key (401): No. Set OPENAI_API_KEY"),
        (403, "No", "refused the key (403): No. Set"),
        (400, {"message": "API key not valid."}, "refused the key (400)"),
        (400, {"message": "Invalid API key"}, "refused the key (400)"),
        (402, {"message": "Insufficient Balance"}, "quota is used up (402)"),
        (429, {"code": "insufficient_quota"}, "quota is used up (429)."),
        (404, {"detail": "Not Found"}, "does not know the model 'tiny'"),
        (400, {"message": "model tiny not found"}, "does not know the model 'tiny'"),
        (400, {"message": "Unknown model"}, "does not know the model 'tiny'"),
        (
            400,
            {"type": "exceed_context_size_error", "message": "x"},
            "do not fit into the context of 'tiny' (400): x. Take a model",
        ),
        (
            400,
            {"message": "This model's maximum context length is 4096 tokens."},
            "do not fit",
        ),
        (400, {"message": "prompt is too long: 9 > 8"}, "do not fit"),
        (400, {"message": "max_tokens=9 is above max_model_len=8."}, "do not fit"),
        (
            422,
            {"error": "`inputs` tokens + `max_new_tokens` must be <= 4096"},
            "do not fit",
        ),
        (
            400,
            {"message": "input token count exceeds the maximum number of tokens"},
            "do not fit",
        ),
    ],
)
def test_lasting_failures_are_told_apart(code: int, body: object, said: str) -> None:
    error = status(code, body)
    assert said in str(error)
    assert not error.retryable


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"detail": "Loading"}, ": Loading."),
        ({"error": {"message": "Loading"}}, ": Loading."),
        ({"detail": [{"loc": ["body"]}]}, ": [{'loc': ['body']}]."),
        ("Loading ...", ": Loading ..."),
        ("<html><body>502</body></html>", "."),
        (None, "."),
        (7, "."),
        ({"message": "key sk-1 is busy"}, ": key *** is busy."),
    ],
)
def test_what_the_service_says_is_quoted_in_every_form(body: object, said: str) -> None:
    error = status(503, body)
    assert str(error) == f"http://x/v1 failed with status 503 for 'tiny'{said}"
    assert error.retryable


def test_rate_limit_about_tokens_is_no_overflow() -> None:
    error = status(429, {"message": "Limit 30000 tokens per min, maximum context 1"})
    assert error.retryable


@pytest.mark.parametrize(
    ("code", "body", "parameter"),
    [
        (
            400,
            {
                "message": "Unsupported parameter: 'max_tokens' is not supported.",
                "param": "max_tokens",
                "code": "unsupported_parameter",
            },
            "max_tokens",
        ),
        (
            400,
            {
                "message": "temperature does not support 0.2 with this model.",
                "param": "temperature",
                "code": "unsupported_value",
            },
            "temperature",
        ),
        (400, {"message": "Unrecognized request argument supplied: seed"}, "seed"),
        (
            422,
            {"detail": [{"type": "extra_forbidden", "loc": ["body", "seed"]}]},
            "seed",
        ),
        (
            422,
            {"detail": [{"msg": "Extra inputs are not permitted", "loc": ["seed"]}]},
            "seed",
        ),
        (
            400,
            {"message": "`temperature` and `top_p` cannot both be specified."},
            "top_p",
        ),
        (400, {"message": "Unknown parameter: 'top_k'."}, None),
        (
            400,
            {
                "message": "Invalid value for 'temperature'. Expected a value <= 2.",
                "param": "temperature",
                "code": "decimal_above_max_value",
            },
            None,
        ),
        (
            400,
            {"message": "max_tokens is too large: 9. Unsupported", "param": "x"},
            None,
        ),
        (400, {"message": "You must not say n."}, None),
        (500, {"message": "Unsupported: seed", "param": "seed"}, None),
        (400, "Unsupported: stop", "stop"),
        (400, None, None),
    ],
)
def test_parameter_that_is_refused_is_found(
    code: int, body: object, parameter: str | None
) -> None:
    assert refused_parameter(code, body) == parameter


def test_longest_completion_that_is_too_long_is_an_overflow() -> None:
    said = "max_tokens is too large: 9. This model supports at most 8 completion tokens"
    error = status(400, {"message": said, "param": "max_tokens"})
    assert "lower --sampling.max-tokens" in str(error)
