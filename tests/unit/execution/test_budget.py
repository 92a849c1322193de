import pytest

from cwm.core.errors import BudgetExhausted, ConfigError
from cwm.execution.budget import Budget


def calls(limit: int, used: int = 0) -> Budget:
    return Budget(name="call_budget", limit=limit, unit="calls", used=used)


def test_what_is_spent_is_no_longer_there() -> None:
    budget = calls(5)
    budget.spend()
    budget.spend(2)
    assert (budget.used, budget.remaining) == (3, 2)


def test_a_budget_is_spent_exactly_and_then_ends() -> None:
    budget = calls(2)
    budget.spend(2)
    with pytest.raises(
        BudgetExhausted, match=r"2 of 2 calls used \(call_budget\), 1 more"
    ):
        budget.spend()
    assert budget.used == 2


def test_an_amount_too_large_uses_nothing() -> None:
    budget = calls(5, used=3)
    with pytest.raises(BudgetExhausted):
        budget.spend(3)
    assert budget.remaining == 2


@pytest.mark.parametrize("limit", [0, -1])
def test_a_budget_of_nothing_is_a_setting_that_makes_no_sense(limit: int) -> None:
    with pytest.raises(
        ConfigError, match=rf"call_budget must be at least 1, got {limit} \(calls\)"
    ):
        calls(limit)


def test_a_limit_below_what_is_used_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"used already \(6 calls\), got 5"):
        calls(5, used=6)


def test_a_negative_amount_is_refused() -> None:
    with pytest.raises(ValueError, match="amount must be at least 0, got -1"):
        calls(5).spend(-1)
