"""Locks between processes, on files.

Does not cover: network file systems that ignore `flock`.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cwm.core.errors import ConfigError


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Waits until no other process is in here with this path.

    Args:
        path: The lock; made if it is not there, and left.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX)
        yield


@contextmanager
def only_one(path: Path, *, name: str) -> Iterator[None]:
    """Makes sure that no other process is in here with this path.

    Args:
        path: The lock; made if it is not there, and left.
        name: What only one may have, for people.

    Raises:
        ConfigError: If another process is, or the lock cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
    except OSError as error:
        raise ConfigError(f"{name} cannot be written: {error}.") from error
    with file:
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigError(f"{name} is in use by another process.") from error
        yield
