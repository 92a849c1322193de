"""Settings of a chat service, as a user states them."""

import json
from dataclasses import dataclass
from typing import Any

from cwm.core.errors import ConfigError
from cwm.llm.retrying import RetryConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceConfig:
    """How a service that speaks OpenAI's chat completions is called.

    Attributes:
        extra_body: Parameters sent with every request beside the usual ones, as
            JSON, such as '{"top_k": 100}'.
        request_timeout_s: Longest time of one attempt, in seconds, however slowly
            the answer comes in; positive.
        call_timeout_s: Longest time of one call with all its attempts and the
            pauses between them, in seconds; positive.
        max_attempts: Attempts in all after failures that may pass; at least 1.
        reject_other_model: Fail if another model answers than was asked for,
            instead of warning.
    """

    extra_body: str = "{}"
    request_timeout_s: float = 600.0
    call_timeout_s: float = 1800.0
    max_attempts: int = 6
    reject_other_model: bool = False

    def __post_init__(self) -> None:
        for name in ("request_timeout_s", "call_timeout_s"):
            value = getattr(self, name)
            if not 0.0 < value < float("inf"):
                raise ConfigError(
                    f"{name} must be positive and finite, got {value!r} (seconds)."
                )
        if self.max_attempts < 1:
            raise ConfigError(
                f"max_attempts must be at least 1, got {self.max_attempts}."
            )
        self.parameters()

    def parameters(self) -> dict[str, Any]:
        """Returns `extra_body` as plain data.

        Raises:
            ConfigError: If it is not a JSON object.
        """
        try:
            data = json.loads(self.extra_body)
        except ValueError:
            data = None
        if not isinstance(data, dict):
            raise ConfigError(
                f"extra_body must be a JSON object, got {self.extra_body!r}."
            )
        return data

    def retry(self) -> RetryConfig:
        """Returns how passing failures are repeated."""
        return RetryConfig(max_attempts=self.max_attempts)


DEFAULT_SERVICE_CONFIG = ServiceConfig()
