"""What a server keeps of the programs that it was given: all of them, and the best."""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cwm.core.dataset_file import check_writable
from cwm.core.errors import ConfigError, DataError
from cwm.core.files import write_atomically
from cwm.execution.locks import locked

FOLDER = "mcp"
FINISH = "finish"


@dataclass(frozen=True, slots=True)
class Kept:
    """What a log says.

    Attributes:
        sources: Digests of the programs in it.
        best: Rank of the best of them; `None` without one that runs.
        is_finished: Whether the held-out transitions were looked at.
    """

    sources: frozenset[str] = frozenset()
    best: tuple[float, float] | None = None
    is_finished: bool = False


class SourceLog:
    """The log of a folder: a line for each call, with its program the first time.

    Several servers may write one folder. A line is written by one `write`; what a
    kill left of one is dropped by the next.

    Args:
        folder: Where it is; made when it is checked, or the first line is written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()

    @property
    def path(self) -> Path:
        """The lines."""
        return self._folder / "log.jsonl"

    @property
    def best(self) -> Path:
        """The best program."""
        return self._folder / "best.py"

    def check(self) -> None:
        """Makes sure, before the work, that lines can be written.

        Raises:
            DataError: If they cannot; the message names the file and the reason.
        """
        try:
            with locked(self._folder / ".lock"):
                check_writable(self.path)
                if self.path.exists():
                    self.path.open("ab").close()
        except OSError as error:
            raise DataError(
                f"'{self.path}' must be writable, got {error.strerror or error}."
            ) from error

    def read(self) -> Kept:
        """Returns what the log says.

        Raises:
            DataError: If it cannot be read.
        """
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return Kept()
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{self.path.name} cannot be read: {error}.") from error
        sources, best, is_finished = set(), None, False
        for number, line in enumerate(text.split("\n")[:-1], start=1):
            try:
                record = json.loads(line)
                sources.add(record["sha256"])
                is_finished |= record["tool"] == FINISH
                rank = record.get("rank")
            except (ValueError, KeyError, TypeError) as error:
                raise DataError(
                    f"{self.path.name} is damaged in line {number}."
                ) from error
            if rank is not None and rank[0] >= 0:
                best = max(best or (-1.0, -1.0), (rank[0], rank[1]))
        return Kept(frozenset(sources), best, is_finished)

    def add(
        self,
        tool: str,
        source: str,
        *,
        sha256: str,
        rank: tuple[float, float] | None,
        found: Mapping[str, Any],
    ) -> bool:
        """Appends a line, and keeps the program if it is the best.

        Args:
            tool: Which tool was called.
            source: The program.
            sha256: Its digest.
            rank: How good it is, if that was asked.
            found: What else came of the call; JSON-able.

        Returns:
            Whether it is the best, or as good.

        Raises:
            ConfigError: If the folder cannot be written.
            DataError: If the log cannot be read.
        """
        try:
            with self._lock, locked(self._folder / ".lock"):
                known = self.read()
                record = {
                    "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
                    "tool": tool,
                    "sha256": sha256,
                    "rank": rank,
                    **found,
                }
                if sha256 not in known.sources:
                    record["source"] = source
                self._append(json.dumps(record) + "\n")
                is_best = (
                    rank is not None and rank[0] >= 0 and rank >= (known.best or rank)
                )
                if is_best and rank != known.best:
                    write_atomically(self.best, source)
        except OSError as error:
            raise ConfigError(f"The log cannot be written: {error}.") from error
        return is_best

    def _append(self, line: str) -> None:
        with self.path.open("ab+") as file:
            file.seek(0)
            data = file.read()
            whole = data.rfind(b"\n") + 1
            if whole < len(data):
                file.truncate(whole)
            file.write(line.encode("utf-8"))
