"""Calling a service again after a passing failure, with growing pauses."""

import email.utils
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

import numpy as np

from cwm.core.errors import LLMError
from cwm.llm.deadlines import Deadline

Result = TypeVar("Result")


class ServiceError(LLMError):
    """A failed call, before it is known whether another attempt follows.

    Attributes:
        retry_after_s: How long the service asks to wait, in seconds, if it does.
        status: The HTTP status, if there was an answer.
    """

    def __init__(
        self,
        message: str,
        *,
        retryable: bool,
        is_about_prompt: bool = False,
        retry_after_s: float | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(message, retryable=retryable, is_about_prompt=is_about_prompt)
        self.retry_after_s = retry_after_s
        self.status = status


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
    deadline: Deadline,
) -> Result:
    """Returns the result of `call`, repeating it after passing failures.

    Args:
        call: Raises `ServiceError` if it fails.
        config: How often and how patiently.
        sleep: Waits that many seconds.
        rng: Spreads the pauses, so that many clients do not come back at once.
        deadline: No further attempt begins after it.

    Raises:
        LLMError: What the last attempt raised, and why no other followed.
    """
    for attempt in range(1, config.max_attempts):
        try:
            return call()
        except ServiceError as error:
            if not error.retryable:
                raise
            delay = _delay(error, attempt, config, rng)
            if (reason := _reason_to_stop(error, delay, config, deadline)) is not None:
                raise ServiceError(
                    f"{error} {reason}",
                    retryable=True,
                    retry_after_s=error.retry_after_s,
                    status=error.status,
                ) from error
            sleep(delay)
    return call()


def _delay(
    error: ServiceError, attempt: int, config: RetryConfig, rng: np.random.Generator
) -> float:
    """Returns the pause before the next attempt, in seconds."""
    if error.retry_after_s:
        return error.retry_after_s  # A service that asks for 0 s asks for nothing.
    longest = min(config.max_delay_s, config.base_delay_s * 2.0 ** (attempt - 1))
    return float(longest * rng.uniform(0.5, 1.0))


def _reason_to_stop(
    error: ServiceError, delay: float, config: RetryConfig, deadline: Deadline
) -> str | None:
    """Returns why there is no attempt after such a pause; `None` if there is one."""
    if error.retry_after_s and delay > config.max_delay_s:
        return (
            f"It asks for a pause of {delay:g} s, and max_delay_s is "
            f"{config.max_delay_s:g} s."
        )
    if delay >= deadline.remaining_s:
        return f"The {deadline.total_s:g} s of the whole call are used up."
    return None


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Returns the wait that HTTP headers ask for, in seconds; at least 0.

    `Retry-After` is a number of seconds or a date; what is neither is ignored.
    `Retry-After-Ms`, which OpenAI's service sends as well, is more exact.
    """
    exact = _seconds(headers.get("retry-after-ms"))
    if exact is not None:
        return exact / 1000.0
    text = headers.get("retry-after")
    seconds = _seconds(text)
    return _seconds_until(text) if seconds is None else seconds


def _seconds(text: str | None) -> float | None:
    try:
        seconds = float(text or "")
    except ValueError:
        return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _seconds_until(text: str | None) -> float | None:
    """Returns the time until an HTTP date."""
    try:
        date = email.utils.parsedate_to_datetime(text or "")
    except (ValueError, OverflowError):
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return max(0.0, (date - datetime.now(UTC)).total_seconds())
