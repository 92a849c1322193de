import pytest
from hypothesis import given
from hypothesis import strategies as st

from cwm.core.errors import ConfigError
from cwm.execution.budget import Budget, Limits, Spending


def cost(calls: int = 1, tokens: int = 0, usd: float = 0.0) -> Spending:
    return Spending(calls=calls, tokens=tokens, usd=usd)


def test_calls_are_allowed_up_to_the_cap_exactly() -> None:
    budget = Budget(Limits(calls=2))
    assert budget.reserve(cost())
    assert budget.reserve(cost())
    assert not budget.reserve(cost())
    assert budget.exhausted == "calls"


def test_a_failed_call_gives_its_share_back() -> None:
    budget = Budget(Limits(calls=1))
    assert budget.reserve(cost())
    budget.release(cost())
    assert budget.reserve(cost())
    assert budget.spent == Spending()


def test_what_runs_counts_at_its_highest_and_what_is_paid_as_it_was() -> None:
    budget = Budget(Limits(calls=9, tokens=100))
    assert budget.reserve(cost(tokens=60))
    # 60 + 60 could exceed 100, though the first may turn out to cost 10.
    assert not budget.reserve(cost(tokens=60))
    assert budget.exhausted == "tokens"
    budget.settle(cost(tokens=60), cost(tokens=10))
    assert budget.spent == cost(tokens=10)
    assert budget.reserve(cost(tokens=60))
    assert budget.exhausted is None


def test_money_and_time_are_caps_too() -> None:
    now = [5.0]
    budget = Budget(Limits(calls=9, usd=1.0, seconds=3.0), clock=lambda: now[0])
    assert budget.reserve(cost(usd=0.75))
    assert not budget.reserve(cost(usd=0.5))
    assert budget.exhausted == "usd"
    assert budget.reserve(cost(usd=0.25))
    now[0] = 8.0
    assert budget.seconds == 3.0
    assert not budget.reserve(cost())
    assert budget.exhausted == "seconds"


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"calls": 0}, "call_budget must be at least 1, got 0 (calls)."),
        ({"calls": 1, "tokens": 0}, "token_budget must be at least 1, got 0 (tokens)."),
        ({"calls": 1, "usd": 0.0}, "cost_budget must be positive, got 0.0 (usd)."),
        ({"calls": 1, "seconds": -1.0}, "time_budget must be positive, got -1.0 (seco"),
        ({"calls": 1, "usd": float("nan")}, "cost_budget must be positive, got nan"),
    ],
)
def test_a_cap_of_nothing_is_refused(limits: dict, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Limits(**limits)
    assert message in str(caught.value)


@given(
    st.lists(
        st.tuples(st.integers(0, 50), st.integers(0, 50), st.booleans()), max_size=30
    ),
    st.integers(1, 200),
)
def test_no_order_of_calls_exceeds_a_cap(
    calls: list[tuple[int, int, bool]], cap: int
) -> None:
    budget = Budget(Limits(calls=1_000, tokens=cap))
    flying: list[tuple[int, int]] = []
    for highest, less, lands_first in calls:
        if lands_first and flying:
            reserved, actual = flying.pop(0)
            budget.settle(cost(tokens=reserved), cost(tokens=actual))
        if budget.reserve(cost(tokens=highest)):
            flying.append((highest, max(0, highest - less)))
        worst = budget.spent.tokens + sum(actual for _, actual in flying)
        assert worst <= budget.spent.tokens + budget.reserved.tokens <= cap
    for reserved, actual in flying:
        budget.settle(cost(tokens=reserved), cost(tokens=actual))
    assert budget.reserved == Spending()
    assert budget.spent.tokens <= cap
