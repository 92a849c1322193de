"""Calls that end."""

import asyncio
import threading
import time

import pytest

from cwm.llm.deadlines import BoundedCalls, CallClosed, Deadline


async def forever() -> None:
    await asyncio.Event().wait()


async def seven() -> int:
    return 7


def test_deadline_counts_down_to_nothing() -> None:
    times = iter([10.0, 12.0, 16.0])
    deadline = Deadline(5.0, clock=lambda: next(times))
    assert deadline.remaining_s == 3.0
    assert deadline.remaining_s == 0.0


def test_result_comes_back_with_and_without_an_event_loop() -> None:
    calls = BoundedCalls()
    assert calls.run(seven, timeout_s=5.0) == 7

    async def cell() -> int:
        return calls.run(seven, timeout_s=5.0)

    assert asyncio.run(cell()) == 7


def test_call_that_does_not_end_is_cancelled_at_its_deadline() -> None:
    cancelled = threading.Event()

    async def stubborn() -> None:
        try:
            await forever()
        finally:
            cancelled.set()

    start = time.perf_counter()
    with pytest.raises(TimeoutError):
        BoundedCalls().run(stubborn, timeout_s=0.05)
    assert time.perf_counter() - start < 2.0
    assert cancelled.is_set()


def test_closing_from_another_thread_ends_calls_and_pauses() -> None:
    calls = BoundedCalls()
    timer = threading.Timer(0.05, calls.close)
    timer.start()
    with pytest.raises(CallClosed):
        calls.run(forever, timeout_s=30.0)
    timer.join()
    with pytest.raises(CallClosed):
        calls.run(seven, timeout_s=30.0)
    with pytest.raises(CallClosed):
        calls.sleep(30.0)
    calls.close()


def test_pause_is_as_long_as_asked() -> None:
    start = time.perf_counter()
    BoundedCalls().sleep(0.05)
    assert time.perf_counter() - start >= 0.05


def test_cancelling_from_inside_is_not_taken_for_closing() -> None:
    async def cancelling() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        BoundedCalls().run(cancelling, timeout_s=5.0)
