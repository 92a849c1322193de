"""Running independent pieces of work, one after another or several at a time."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, TypeVar

from cwm.core.errors import ConfigError

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


class Executor(Protocol):
    """Who runs the pieces."""

    def map(
        self, function: Callable[[ItemT], ResultT], items: Iterable[ItemT]
    ) -> Iterator[ResultT]:
        """Yields `function(item)` in the order of the items.

        The first exception that a piece raises is raised here, when its turn
        comes; pieces that have not begun are then dropped.
        """
        ...


class SerialExecutor:
    """Runs the pieces one after another, in the caller's thread."""

    def map(
        self, function: Callable[[ItemT], ResultT], items: Iterable[ItemT]
    ) -> Iterator[ResultT]:
        """Yields the results; each piece runs when its result is asked for."""
        for item in items:
            yield function(item)


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadExecutor:
    """Runs the pieces in threads of this process.

    For work that waits: on a sandbox's children, on a service. Work in Python
    itself gains nothing, since threads share one interpreter.

    Attributes:
        num_workers: Pieces running at a time; at least 1.
    """

    num_workers: int

    def __post_init__(self) -> None:
        if self.num_workers < 1:
            raise ConfigError(
                f"num_workers must be at least 1, got {self.num_workers} (threads)."
            )

    def map(
        self, function: Callable[[ItemT], ResultT], items: Iterable[ItemT]
    ) -> Iterator[ResultT]:
        """Yields the results in the order of the items; all begin at once."""
        pool = ThreadPoolExecutor(max_workers=self.num_workers)
        try:
            futures = [pool.submit(function, item) for item in items]
            for future in futures:
                yield future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
