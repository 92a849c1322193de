"""What all readers of runs have in common."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

from cwm.execution.run_folder import RunFolder

UNFINISHED = {
    "state": "unfinished",
    "sentence": "not ended: it is still running, or it was interrupted",
}


class Reader(Protocol):
    """Reads the folder of a run, again and again while the run goes on."""

    @property
    def group(self) -> str:
        """Which runs it can be compared with: those of the same group."""
        ...

    def signature(self) -> str:
        """Returns a text that changes when the run's page does."""
        ...

    def read(self) -> dict[str, Any]:
        """Returns all that a page shows of the run, as plain data.

        Raises:
            CwmError: If the run cannot be read.
        """
        ...


def files_signature(paths: Iterable[Path]) -> str:
    """Returns a text that changes when one of some files does, or is new."""
    stats = [path.stat() for path in paths if path.exists()]
    text = repr([(one.st_size, one.st_mtime_ns) for one in stats])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def made_with(folder: RunFolder) -> dict[str, Any]:
    """Returns versions and machine; empty if the run does not say."""
    if not folder.environment.exists():
        return {}
    return folder.read_json(folder.environment)
