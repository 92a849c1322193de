"""Writing a file so that a reader sees the old content or the new, never half."""

import os
from pathlib import Path


def write_atomically(path: Path, content: str | bytes) -> None:
    """Replaces the content of `path` in one step, durably; a text is UTF-8.

    A process killed at any moment leaves the old file or the new one.

    Raises:
        OSError: If the folder cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        data = content.encode("utf-8") if isinstance(content, str) else content
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
