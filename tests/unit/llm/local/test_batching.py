"""Calls of several threads in one batch, with a decoder that counts."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest

from cwm.core.errors import LLMError
from cwm.llm.local.batching import Batcher
from cwm.llm.local.rows import Prompt, Row


class CountingDecoder:
    """Writes 0, 1, 2, ...; notes the size of the batch at each step."""

    def __init__(self, before_step: Callable[[], None] = lambda: None) -> None:
        self.rows: list[Row] = []
        self.joins: list[int] = []
        self.sizes: list[int] = []
        self.before_step = before_step

    def join(self, rows: Sequence[Row]) -> None:
        self.joins.append(len(rows))
        self._write(rows)
        self.rows += [row for row in rows if not row.is_over]

    def step(self) -> None:
        self.before_step()
        self.rows = [row for row in self.rows if not row.is_over]
        self.sizes.append(len(self.rows))
        self._write(self.rows)
        self.rows = [row for row in self.rows if not row.is_over]

    def clear(self) -> None:
        self.rows = []

    def _write(self, rows: Sequence[Row]) -> None:
        for row in rows:
            row.add(len(row.token_ids))


def rows_of(num_rows: int, max_tokens: int) -> list[Row]:
    prompt = Prompt((1, 2))
    return [
        Row(
            prompt=prompt,
            temperature=1.0,
            top_p=1.0,
            top_k=0,
            max_tokens=max_tokens,
            end_ids=frozenset(),
            has_stopped=lambda token_ids: False,
            rng=np.random.default_rng(0),
        )
        for _ in range(num_rows)
    ]


def wait_until(condition: Callable[[], bool]) -> None:
    for _ in range(1_000):
        if condition():
            return
        time.sleep(0.005)
    raise AssertionError("It never came.")


def test_rows_of_one_prompt_join_together_and_are_finished() -> None:
    decoder = CountingDecoder()
    rows = rows_of(3, max_tokens=4)
    Batcher(decoder, max_batch=8).run(rows)
    assert decoder.joins == [3]
    assert [row.token_ids for row in rows] == [[0, 1, 2, 3]] * 3
    assert {row.finish_reason for row in rows} == {"length"}


def test_no_more_rows_than_allowed_are_in_work() -> None:
    decoder = CountingDecoder()
    rows = rows_of(5, max_tokens=3)
    Batcher(decoder, max_batch=2).run(rows)
    assert max(decoder.sizes) == 2
    assert decoder.joins == [2, 2, 1]
    assert all(len(row.token_ids) == 3 for row in rows)


def run_all(batcher: Batcher, calls: Sequence[Sequence[Row]]) -> list["Future[None]"]:
    with ThreadPoolExecutor(len(calls)) as pool:
        return [pool.submit(batcher.run, rows) for rows in calls]


def test_calls_of_several_threads_are_written_together() -> None:
    decoder = CountingDecoder(before_step=lambda: time.sleep(0.002))
    calls = [rows_of(1, max_tokens=50 + index) for index in range(6)]
    for done in run_all(Batcher(decoder, max_batch=8), calls):
        done.result()
    assert max(decoder.sizes) == 6
    # One after the other it would be about 300 steps.
    assert len(decoder.sizes) < 150
    assert [len(rows[0].token_ids) for rows in calls] == [50, 51, 52, 53, 54, 55]


def test_a_call_that_is_over_returns_while_longer_ones_go_on() -> None:
    decoder = CountingDecoder(before_step=lambda: time.sleep(0.002))
    batcher = Batcher(decoder, max_batch=8)
    (short,), (long,) = rows_of(1, max_tokens=5), rows_of(1, max_tokens=10**9)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(batcher.run, [short])
        second = pool.submit(batcher.run, [long])
        first.result(timeout=10)
        position = len(long.token_ids)
        # Whoever drove before, the other one does now.
        wait_until(lambda: len(long.token_ids) > position + 5)
        assert not second.done()
        batcher.close()
        with pytest.raises(LLMError, match="was closed"):
            second.result(timeout=10)


def test_a_failure_reaches_every_call_of_the_batch() -> None:
    def fail() -> None:
        if len(decoder.rows) == 3:
            raise RuntimeError("out of order")

    decoder = CountingDecoder(before_step=fail)
    batcher = Batcher(decoder, max_batch=8)
    ready = threading.Barrier(3)

    def call() -> None:
        ready.wait()
        batcher.run(rows_of(1, max_tokens=10**9))

    with ThreadPoolExecutor(3) as pool:
        calls = [pool.submit(call) for _ in range(3)]
        errors = [done.exception(timeout=10) for done in calls]
    assert sorted(type(error).__name__ for error in errors) == [
        "LLMError",
        "LLMError",
        "RuntimeError",
    ]
    told = next(error for error in errors if isinstance(error, LLMError))
    assert str(told) == "The batch with this call failed: RuntimeError: out of order"
    assert not told.retryable
    rows = rows_of(1, max_tokens=3)
    batcher.run(rows)
    assert rows[0].finish_reason == "length"


def test_an_interrupted_call_leaves_nothing_behind() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    decoder = CountingDecoder(before_step=interrupt)
    batcher = Batcher(decoder, max_batch=1)
    rows = rows_of(3, max_tokens=5)
    with pytest.raises(KeyboardInterrupt):
        batcher.run(rows)
    decoder.before_step = lambda: None
    others = rows_of(1, max_tokens=5)
    batcher.run(others)
    assert len(others[0].token_ids) == 5
    assert [len(row.token_ids) for row in rows] == [1, 0, 0]


class Impatient(Batcher):
    """Is interrupted while another thread writes for it."""

    def _becomes_driver(self, rows: Sequence[Row]) -> bool:
        if threading.current_thread() is threading.main_thread():
            wait_until(lambda: len(rows[0].token_ids) > 3)
            raise KeyboardInterrupt
        return super()._becomes_driver(rows)


def test_nothing_is_written_for_a_call_that_gave_up() -> None:
    decoder = CountingDecoder(before_step=lambda: time.sleep(0.002))
    batcher = Impatient(decoder, max_batch=8)
    rows = rows_of(1, max_tokens=10**9)
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(batcher.run, rows_of(1, max_tokens=10**9))
        try:
            with pytest.raises(KeyboardInterrupt):
                batcher.run(rows)
            wait_until(lambda: decoder.sizes[-1] == 1)
            assert rows[0] not in decoder.rows
        finally:
            batcher.close()
        assert isinstance(other.exception(timeout=10), LLMError)


def test_work_alone_comes_between_two_steps() -> None:
    inside = threading.Lock()

    def step() -> None:
        assert inside.acquire(blocking=False)
        time.sleep(0.002)
        inside.release()

    def work() -> str:
        assert inside.acquire(blocking=False)
        time.sleep(0.01)
        inside.release()
        return "done"

    decoder = CountingDecoder(before_step=step)
    batcher = Batcher(decoder, max_batch=8)
    with ThreadPoolExecutor(3) as pool:
        writing = pool.submit(batcher.run, rows_of(1, max_tokens=10**9))
        wait_until(lambda: len(decoder.sizes) > 3)
        works = [pool.submit(batcher.alone, work) for _ in range(20)]
        try:
            # The writing never ends, and has to make room.
            assert [done.result(timeout=10) for done in works] == ["done"] * 20
            assert not writing.done()
        finally:
            batcher.close()


def test_a_closed_batcher_refuses() -> None:
    batcher = Batcher(CountingDecoder(), max_batch=8)
    batcher.close()
    with pytest.raises(LLMError, match="was closed"):
        batcher.run(rows_of(1, max_tokens=3))
    with pytest.raises(LLMError, match="was closed"):
        batcher.alone(lambda: None)


def test_closing_ends_the_waiting_calls_too() -> None:
    decoder = CountingDecoder(before_step=lambda: time.sleep(0.002))
    batcher = Batcher(decoder, max_batch=1)
    with ThreadPoolExecutor(2) as pool:
        calls = [
            pool.submit(batcher.run, rows_of(1, max_tokens=10**9)) for _ in range(2)
        ]
        wait_until(lambda: len(decoder.sizes) > 3)
        batcher.close()
        for done in calls:
            error = done.exception(timeout=10)
            assert isinstance(error, LLMError)
            assert not error.retryable
    assert decoder.rows == []
