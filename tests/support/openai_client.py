"""A client of the test server that does not wait, and what its tests look at."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from cwm.core.errors import LLMError
from cwm.llm.chat import ChatMessage
from cwm.llm.openai_compatible import OpenAICompatibleModel
from tests.support.openai_server import OpenAIServer

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
    assert contains in str(caught.value)
    assert caught.value.retryable is retryable
    return caught.value
