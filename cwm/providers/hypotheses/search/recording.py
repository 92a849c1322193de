"""Keeping what was paid for, so that a run can be done over again for nothing."""

from collections.abc import Callable
from time import perf_counter
from typing import Any, Protocol

from cwm.core.errors import DataError
from cwm.core.journal import Journal


class Recorder(Protocol):
    """Keeps results, and gives them back in order when a run is done over again."""

    def obtain(self, kind: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Returns the next result: the recorded one, or a new one.

        Args:
            kind: What it is.
            make: Makes it, as plain data; not called if it is recorded.
        """
        ...

    def num_recorded(self, kind: str) -> int:
        """Returns how many results of a kind were there from the beginning."""
        ...


class NoRecorder:
    """Keeps nothing."""

    def obtain(self, kind: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Returns a new result."""
        return make()

    def num_recorded(self, kind: str) -> int:
        """Returns 0."""
        return 0


class JournalRecorder:
    """Keeps results in a journal.

    A run that goes on makes the same decisions in the same order, and takes what they
    need from here until nothing more is recorded.

    Attributes:
        seconds: Time that the results took so far, those of earlier commands included.
    """

    def __init__(self, journal: Journal) -> None:
        """Makes it; results are taken from the journal's first record on."""
        self._journal = journal
        self._num_taken = 0
        self.seconds = 0.0

    def obtain(self, kind: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Returns the next result; see `Recorder`.

        Raises:
            DataError: If the next record is of another kind: the journal is that of
                another run.
        """
        records = self._journal.records
        if self._num_taken < len(records):
            record = records[self._num_taken]
            if record.kind != kind:
                raise DataError(
                    f"Journal {str(self._journal.path)!r} must have a record "
                    f"{kind!r} in place {record.index}, got {record.kind!r}: it is "
                    "not of a run with these settings."
                )
            self._num_taken += 1
            self.seconds += float(record.clock.get("seconds", 0.0))
            return record.body
        start = perf_counter()
        made = make()
        seconds = perf_counter() - start
        self.seconds += seconds
        return self._journal.append(kind, made, {"seconds": round(seconds, 6)}).body

    def num_recorded(self, kind: str) -> int:
        """Returns how many records of a kind the journal had when it was opened."""
        return sum(record.kind == kind for record in self._journal.records)
