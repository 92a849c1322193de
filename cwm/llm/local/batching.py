"""Calls of several threads, answered together."""

import threading
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from cwm.core.errors import LLMError
from cwm.llm.local.rows import Row

T = TypeVar("T")


class Decoder(Protocol):
    """What writes the completions of a batch, token by token."""

    @property
    def rows(self) -> Sequence[Row]:
        """The completions that are not over."""
        ...

    def join(self, rows: Sequence[Row]) -> None:
        """Takes in completions of one prompt, and writes their first token."""
        ...

    def step(self) -> None:
        """Writes the next token of each completion, and drops those that are over."""
        ...

    def clear(self) -> None:
        """Drops everything."""
        ...


class Batcher:
    """Gathers the completions that several threads ask for into one batch.

    One of the waiting threads does the work for all; when its own completions are
    over, another one goes on. New completions join at the next token, in the order
    in which they were asked for. There is no thread besides the callers'.
    """

    def __init__(self, decoder: Decoder, *, max_batch: int) -> None:
        """Makes the batcher.

        Args:
            decoder: Who writes; used by one thread at a time.
            max_batch: Most completions at once.
        """
        self._decoder = decoder
        self._max_batch = max_batch
        self._condition = threading.Condition()
        self._waiting: list[Row] = []
        self._is_driven = False
        self._is_busy = False
        self._num_asking = 0
        self._is_closed = False

    def run(self, rows: Sequence[Row]) -> None:
        """Returns when all rows are finished.

        Raises:
            LLMError: If the work failed, in this thread or in another one's.
        """
        with self._condition:
            self._check_open()
            self._waiting.extend(rows)
        try:
            while self._becomes_driver(rows):
                self._drive(rows)
        finally:
            with self._condition:
                for row in rows:
                    row.is_abandoned = row.finish_reason is None
                    if row in self._waiting:
                        self._waiting.remove(row)
        for row in rows:
            if row.error is not None:
                raise _for_caller(row.error) from row.error

    def close(self) -> None:
        """Ends the rows in work and the waiting ones, and refuses later ones.

        Each call ends with an `LLMError`, after the token that is being written.
        """
        with self._condition:
            self._is_closed = True
            for row in self._waiting:
                row.error = _closed()
            self._waiting.clear()
            self._condition.notify_all()

    def alone(self, work: Callable[[], T]) -> T:
        """Returns what `work` returns, called while nothing is being written.

        It comes before the next token of the batch.

        Raises:
            LLMError: If the batcher is closed.
        """
        with self._condition:
            self._check_open()
            self._num_asking += 1
            try:
                self._condition.wait_for(lambda: not self._is_busy)
                self._is_busy = True
            finally:
                self._num_asking -= 1
        try:
            return work()
        finally:
            self._rest()

    def _becomes_driver(self, rows: Sequence[Row]) -> bool:
        """Waits until the rows are over, or nobody does the work."""
        with self._condition:
            self._condition.wait_for(lambda: _are_over(rows) or not self._is_driven)
            if _are_over(rows):
                return False
            self._is_driven = True
            return True

    def _drive(self, rows: Sequence[Row]) -> None:
        try:
            while not _are_over(rows):
                self._turn()
        finally:
            with self._condition:
                self._is_driven = False
                self._condition.notify_all()

    def _turn(self) -> None:
        with self._condition:
            self._condition.wait_for(lambda: not self._is_busy and not self._num_asking)
            self._is_busy = True
            groups = self._admitted()
        try:
            self._check_open()
            for group in groups:
                self._decoder.join(group)
            if self._decoder.rows:
                self._decoder.step()
        except BaseException as error:
            # The other threads' rows were in the same batch: none is left waiting.
            for row in [*self._decoder.rows, *(row for g in groups for row in g)]:
                if not row.is_over:
                    row.error = error
            self._decoder.clear()
            raise
        finally:
            self._rest()

    def _admitted(self) -> list[list[Row]]:
        """Takes the rows that have room, those of one prompt together."""
        free = self._max_batch - len(self._decoder.rows)
        groups: list[list[Row]] = []
        for row in self._waiting[:free]:
            if groups and groups[-1][0].prompt is row.prompt:
                groups[-1].append(row)
            else:
                groups.append([row])
        del self._waiting[:free]
        return groups

    def _check_open(self) -> None:
        if self._is_closed:
            raise _closed()

    def _rest(self) -> None:
        with self._condition:
            self._is_busy = False
            self._condition.notify_all()


def _are_over(rows: Sequence[Row]) -> bool:
    return all(row.is_over for row in rows)


def _closed() -> LLMError:
    return LLMError("The model was closed, so the call was given up.", retryable=False)


def _for_caller(error: BaseException) -> LLMError:
    """Returns what another thread's call is told of a failure."""
    if isinstance(error, LLMError):
        return LLMError(
            str(error),
            retryable=error.retryable,
            is_about_prompt=error.is_about_prompt,
        )
    return LLMError(
        f"The batch with this call failed: {type(error).__name__}: {error}",
        retryable=not isinstance(error, Exception),
    )
