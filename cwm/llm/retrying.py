"""Calling a service again after a passing failure, with growing pauses."""

import email.utils
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

import numpy as np

from cwm.core.errors import LLMError

Result = TypeVar("Result")


class ServiceError(LLMError):
    """A failed call, before it is known whether another attempt follows.

    Attributes:
        retry_after_s: How long the service asks to wait, in seconds, if it does.
    """

    def __init__(
        self, message: str, *, retryable: bool, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message, retryable=retryable)
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryConfig:
    """How often and how patiently a call is repeated.

    The pause before attempt `k` is drawn evenly from `0.5 .. 1` times
    `base_delay_s * 2 ** (k - 2)`, at most `max_delay_s`; a service that says how long
    to wait is believed instead.

    Attributes:
        max_attempts: Attempts in all; 1 never repeats.
        base_delay_s: First pause, in seconds.
        max_delay_s: Longest pause, in seconds. A service that asks for more gets no
            further attempt.
    """

    max_attempts: int = 6
    base_delay_s: float = 1.0
    max_delay_s: float = 60.0

    def __post_init__(self) -> None:
        if self.max_attempts < 1:
            raise ValueError(
                f"max_attempts must be at least 1, got {self.max_attempts}."
            )
        if not 0.0 <= self.base_delay_s <= self.max_delay_s < math.inf:
            raise ValueError(
                "base_delay_s must be between 0 and max_delay_s "
                f"({self.max_delay_s!r} seconds), got {self.base_delay_s!r} (seconds)."
            )


def call_with_retries(
    call: Callable[[], Result],
    *,
    config: RetryConfig,
    sleep: Callable[[float], None],
    rng: np.random.Generator,
) -> Result:
    """Returns the result of `call`, repeating it after passing failures.

    Args:
        call: Raises `ServiceError` if it fails.
        config: How often and how patiently.
        sleep: Waits that many seconds.
        rng: Spreads the pauses, so that many clients do not come back at once.

    Raises:
        LLMError: What the last attempt raised.
    """
    for attempt in range(1, config.max_attempts):
        try:
            return call()
        except ServiceError as error:
            delay = _delay(error, attempt, config, rng)
            if delay is None:
                raise
            sleep(delay)
    return call()


def _delay(
    error: ServiceError, attempt: int, config: RetryConfig, rng: np.random.Generator
) -> float | None:
    """Returns the pause before the next attempt; `None` if there is none."""
    if not error.retryable:
        return None
    if error.retry_after_s is not None:
        asked = error.retry_after_s
        return asked if asked <= config.max_delay_s else None
    longest = min(config.max_delay_s, config.base_delay_s * 2.0 ** (attempt - 1))
    return float(longest * rng.uniform(0.5, 1.0))


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Returns the wait that HTTP headers ask for, in seconds; at least 0.

    `Retry-After` is a number of seconds or a date; what is neither is ignored.
    """
    text = headers.get("retry-after")
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            date = email.utils.parsedate_to_datetime(text)
        except ValueError:
            return None
        if date.tzinfo is None:
            date = date.replace(tzinfo=UTC)
        seconds = (date - datetime.now(UTC)).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None
