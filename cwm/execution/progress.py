"""How long work reports where it stands, without knowing who shows it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, kw_only=True)
class Status:
    """Where a piece of work stands.

    Attributes:
        completed: Units done, of `total`.
        total: Units allowed; the work may end before.
        unit: What is counted, in the plural: `"calls"`.
        activity: What is being done now; empty when nothing is.
        measures: Named figures, in the order in which they are to be shown.
    """

    completed: int
    total: int
    unit: str
    activity: str = ""
    measures: Mapping[str, str] = field(default_factory=dict)


class Progress(Protocol):
    """Who shows progress; every method returns at once."""

    def phase(self, title: str) -> None:
        """Says that another part of the work begins."""
        ...

    def update(self, status: Status) -> None:
        """Replaces the status shown."""
        ...

    def event(self, line: str) -> None:
        """Says, on a line that stays, what has happened."""
        ...

    def close(self) -> None:
        """Ends the display; a second call does nothing."""
        ...


class SilentProgress:
    """Shows nothing."""

    def phase(self, title: str) -> None:
        """Does nothing."""

    def update(self, status: Status) -> None:
        """Does nothing."""

    def event(self, line: str) -> None:
        """Does nothing."""

    def close(self) -> None:
        """Does nothing."""
