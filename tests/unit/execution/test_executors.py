import threading

import pytest

from cwm.core.errors import ConfigError
from cwm.execution.executors import Executor, SerialExecutor, ThreadExecutor

EXECUTORS = [SerialExecutor(), ThreadExecutor(num_workers=3)]


@pytest.mark.parametrize("executor", EXECUTORS, ids=lambda e: type(e).__name__)
def test_results_come_in_the_order_of_the_items(executor: Executor) -> None:
    assert list(executor.map(lambda x: x * x, range(20))) == [x * x for x in range(20)]


@pytest.mark.parametrize("executor", EXECUTORS, ids=lambda e: type(e).__name__)
def test_the_first_failure_is_raised_when_its_turn_comes(executor: Executor) -> None:
    def invert(x: int) -> float:
        return 1 / x

    results = executor.map(invert, [1, 2, 0, 4])
    assert [next(results), next(results)] == [1.0, 0.5]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_as_many_pieces_run_at_a_time_as_there_are_workers() -> None:
    # A barrier that nobody passes alone.
    barrier = threading.Barrier(3, timeout=30)
    executor = ThreadExecutor(num_workers=3)
    assert sorted(executor.map(lambda _: barrier.wait(), range(3))) == [0, 1, 2]


def test_no_workers_is_a_setting_that_makes_no_sense() -> None:
    with pytest.raises(ConfigError, match="num_workers must be at least 1, got 0"):
        ThreadExecutor(num_workers=0)
