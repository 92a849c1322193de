"""Keeping what was paid for, so that a run can be done over again for nothing."""

from collections.abc import Callable
from typing import Any, Protocol


class Recorder(Protocol):
    """Keeps what was paid for, and gives it back when a run is done over again."""

    def obtain(self, kind: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Returns the next result of this kind: the recorded one, or a new one.

        Args:
            kind: What it is.
            make: Makes it, as plain data; not called if it is recorded.
        """
        ...


class NoRecorder:
    """Keeps nothing."""

    def obtain(self, kind: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Returns a new result."""
        return make()
