import pytest
from hypothesis import given
from hypothesis import strategies as st

from planners.allotment import Allotment


def allot(max_steps, *, min_population=16, **settings):
    settings = {"horizon": 10, "num_iterations": 4, **settings}
    return Allotment(**settings).within(max_steps, min_population=min_population)


def test_plans_follow_from_the_budget():
    plan = allot(4_000)
    assert (plan.horizon, plan.num_iterations) == (10, 4)
    assert plan.plans_of(0, 4_000) == 100


def test_what_early_ends_saved_is_shared_out():
    assert allot(4_000).plans_of(2, 3_000) == 150


def test_rounds_become_smaller_by_the_decay():
    plan = allot(7_000, num_iterations=3, decay=2.0)
    assert [plan.plans_of(0, 7_000), plan.plans_of(1, 3_000)] == [400, 200]


def test_a_set_population_is_not_exceeded():
    assert allot(4_000, population=30).plans_of(0, 4_000) == 30
    assert allot(4_000, population=30, decay=2.0).plans_of(1, 4_000) == 15


@pytest.mark.parametrize(
    ("max_steps", "horizon", "num_iterations"),
    [(640, 10, 4), (500, 10, 3), (160, 10, 1), (159, 9, 1), (16, 1, 1), (1, 1, 1)],
)
def test_a_small_budget_first_costs_rounds_and_then_the_look_ahead(
    max_steps, horizon, num_iterations
):
    plan = allot(max_steps)
    assert (plan.horizon, plan.num_iterations) == (horizon, num_iterations)


def test_a_plan_is_reserved():
    plan = allot(170, num_reserved=1)
    assert plan.horizon == 10
    assert plan.plans_of(0, 170) == 16


@given(
    max_steps=st.integers(1, 3_000),
    horizon=st.integers(1, 60),
    num_iterations=st.integers(1, 8),
    population=st.none() | st.integers(1, 100),
    decay=st.floats(1.0, 3.0),
    num_reserved=st.integers(0, 1),
)
def test_the_budget_is_never_exceeded_and_something_is_always_tried(
    max_steps, horizon, num_iterations, population, decay, num_reserved
):
    plan = allot(
        max_steps,
        horizon=horizon,
        num_iterations=num_iterations,
        population=population,
        decay=decay,
        num_reserved=num_reserved,
    )
    remaining = max_steps
    for iteration in range(plan.num_iterations):
        number = plan.plans_of(iteration, remaining)
        assert number >= (1 if iteration == 0 else 0)
        remaining -= number * plan.horizon
    assert remaining >= 0
    if max_steps >= 2:
        assert remaining >= num_reserved * plan.horizon


def test_plans_that_end_early_make_room_for_more():
    plan = allot(4_000)
    assert plan.steps_of(0, 4_000) == 1_000
    assert plan.further_plans(600, 3_600, mean_length=4.0) == 150
    assert plan.further_plans(600, 450, mean_length=4.0) == 45  # They might not end.
    assert plan.further_plans(3, 3_600, mean_length=4.0) == 0


def test_a_set_population_is_not_added_to():
    plan = allot(4_000, population=30)
    assert plan.further_plans(600, 3_600, mean_length=4.0) == 0


def test_further_plans_leave_the_reserved_one_its_steps():
    plan = allot(4_000, num_reserved=1)
    assert plan.further_plans(600, 30, mean_length=1.0) == 2
