"""Writing a file so that a reader sees the old content or the new, never half."""

import os
from pathlib import Path


def write_atomically(path: Path, text: str) -> None:
    """Replaces the content of `path` in one step, durably.

    A process killed at any moment leaves the old file or the new one.

    Raises:
        OSError: If the folder cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
