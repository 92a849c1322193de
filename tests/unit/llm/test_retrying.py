"""Pauses between attempts, without waiting for any."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cwm.core.errors import LLMError
from cwm.llm.deadlines import Deadline
from cwm.llm.retrying import (
    RetryConfig,
    ServiceError,
    call_with_retries,
    retry_after_s,
)


class Failing:
    """Fails with the errors in turn, then gives 42."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.num_calls = 0

    def __call__(self) -> int:
        self.num_calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return 42


def busy(retry_after: float | None = None) -> ServiceError:
    return ServiceError("busy", retryable=True, retry_after_s=retry_after)


class Clock:
    """Moves on when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


def run(
    call: Failing, config: RetryConfig, *, total_s: float = 1e9
) -> tuple[int, list[float]]:
    clock = Clock()
    result = call_with_retries(
        call,
        config=config,
        sleep=clock.sleep,
        rng=np.random.default_rng(0),
        deadline=Deadline(total_s, clock=clock),
    )
    return result, clock.pauses


def test_success_needs_no_pause() -> None:
    assert run(Failing(), RetryConfig()) == (42, [])


def test_pauses_double_within_their_spread_up_to_the_longest() -> None:
    config = RetryConfig(max_attempts=6, base_delay_s=1.0, max_delay_s=4.0)
    result, pauses = run(Failing(*[busy() for _ in range(5)]), config)
    assert result == 42
    for pause, longest in zip(pauses, [1.0, 2.0, 4.0, 4.0, 4.0], strict=True):
        assert 0.5 * longest <= pause <= longest


def test_last_failure_is_the_one_that_is_raised() -> None:
    call = Failing(busy(), ServiceError("still busy", retryable=True))
    with pytest.raises(LLMError, match="still busy"):
        run(call, RetryConfig(max_attempts=2))
    assert call.num_calls == 2


def test_single_attempt_is_never_repeated() -> None:
    call = Failing(busy())
    with pytest.raises(LLMError, match="busy"):
        run(call, RetryConfig(max_attempts=1))
    assert call.num_calls == 1


def test_lasting_failure_is_not_repeated() -> None:
    call = Failing(ServiceError("wrong key", retryable=False))
    with pytest.raises(LLMError, match="wrong key"):
        run(call, RetryConfig())
    assert call.num_calls == 1


def test_services_own_wait_is_kept_exactly_up_to_the_longest() -> None:
    assert run(Failing(busy(3.5)), RetryConfig(max_delay_s=4.0))[1] == [3.5]
    with pytest.raises(LLMError, match="busy"):
        run(Failing(busy(4.5)), RetryConfig(max_delay_s=4.0))


def test_service_that_asks_for_no_wait_gets_the_usual_one() -> None:
    (pause,) = run(Failing(busy(0.0)), RetryConfig(base_delay_s=1.0))[1]
    assert 0.5 <= pause <= 1.0


def test_no_attempt_begins_after_the_deadline() -> None:
    call = Failing(*[busy(3.0) for _ in range(5)])
    with pytest.raises(ServiceError) as caught:
        run(call, RetryConfig(), total_s=7.0)
    assert call.num_calls == 3
    assert str(caught.value) == "busy The 7 s of the whole call are used up."
    assert caught.value.retryable
    assert caught.value.retry_after_s == 3.0


def test_wait_in_milliseconds_is_more_exact() -> None:
    assert retry_after_s({"retry-after-ms": "250", "retry-after": "1"}) == 0.25
    assert retry_after_s({"retry-after-ms": "soon", "retry-after": "1"}) == 1.0


@given(st.text(max_size=40))
def test_any_header_is_a_wait_or_none(text: str) -> None:
    seconds = retry_after_s({"retry-after": text})
    assert seconds is None or seconds >= 0.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        ("-3", 0.0),
        ("soon", None),
        ("nan", None),
        ("1e999", None),
    ],
)
def test_wait_in_seconds_is_read(text: str, seconds: float | None) -> None:
    assert retry_after_s({"retry-after": text}) == seconds


def test_wait_until_a_date_is_read() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    seconds = retry_after_s({"retry-after": soon})
    assert seconds is not None
    assert 3_000 < seconds <= 3_600
    assert retry_after_s({"retry-after": "Wed, 21 Oct 2015 07:28:00 -0000"}) == 0.0


def test_missing_header_asks_for_no_wait() -> None:
    assert retry_after_s({}) is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_attempts": 0}, "max_attempts must be at least 1, got 0"),
        ({"base_delay_s": -1.0}, "base_delay_s must be between 0 and max_delay_s"),
        ({"base_delay_s": 61.0}, r"\(60\.0 seconds\), got 61\.0 \(seconds\)"),
    ],
)
def test_setting_that_breaks_its_rule_is_named(
    settings: dict[str, float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        RetryConfig(**settings)
