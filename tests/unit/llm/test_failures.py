"""What a failed call means, beyond what a server can be made to do."""

import openai
import pytest

from cwm.core.errors import LLMError
from cwm.llm.failures import service_error
from cwm.llm.openai_compatible import OpenAICompatibleModel
from tests.support.openai_server import OpenAIServer, Reply


def describe(error: Exception) -> LLMError:
    return service_error(
        error, model="tiny", endpoint="http://x/v1", secret="k", timeout_s=1.0
    )


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
