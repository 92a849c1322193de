import pytest

from cwm.core.errors import BudgetExhausted, ConfigError
from cwm.mcp.limits import Allowance, ServiceLimits


class Clock:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_calls_are_counted_in_all() -> None:
    allowance = Allowance(ServiceLimits(max_calls=2), Clock())
    allowance.take_call()
    allowance.take_call()
    assert allowance.calls_left == 0
    with pytest.raises(BudgetExhausted, match=r"All 2 calls are used \(max_calls\)"):
        allowance.take_call()


def test_calls_are_counted_in_any_minute() -> None:
    clock = Clock()
    allowance = Allowance(ServiceLimits(calls_per_minute=2), clock)
    allowance.take_call()
    clock.now += 50.0
    allowance.take_call()
    clock.now += 9.5
    with pytest.raises(BudgetExhausted, match=r"calls_per_minute\). Wait 0 s"):
        allowance.take_call()
    clock.now += 0.5
    allowance.take_call()
    # The refused one did not count.
    assert allowance.calls_left == 500 - 3
    with pytest.raises(BudgetExhausted, match="Wait 50 s"):
        allowance.take_call()


def test_after_its_time_nothing_is_run() -> None:
    clock = Clock()
    allowance = Allowance(ServiceLimits(max_seconds=10.0), clock)
    clock.now += 9.9
    allowance.take_call()
    clock.now += 0.1
    with pytest.raises(BudgetExhausted, match=r"10 s \(max_seconds\)"):
        allowance.take_call()


def test_real_steps_are_reserved_and_given_back() -> None:
    allowance = Allowance(ServiceLimits(max_real_steps=100), Clock())
    allowance.take_real_steps(60)
    with pytest.raises(BudgetExhausted, match=r"60 real steps at most .* 40 of 100"):
        allowance.take_real_steps(60)
    allowance.give_back_real_steps(50)
    allowance.take_real_steps(60)
    assert allowance.real_steps_left == 30


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x" * 1025, "at most 1 KiB .*max_source_kib.*, got 1.0 KiB"),
        ("é" * 513, "at most 1 KiB"),
        ("\ud800", "must be text"),
        (" \n", "must be a Python program, got nothing"),
    ],
)
def test_a_source_that_breaks_its_rule_is_named(source: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ServiceLimits(max_source_kib=1).check_source(source)


def test_a_source_of_the_longest_length_is_taken() -> None:
    ServiceLimits(max_source_kib=1).check_source("x" * 1024)


@pytest.mark.parametrize("name", ServiceLimits.__slots__)
def test_limits_that_break_their_rule_are_named(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} must be .*, got 0"):
        ServiceLimits(**{name: 0})  # type: ignore[arg-type]
