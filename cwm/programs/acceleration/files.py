"""Where the fast form of a program lies: beside it, with the hash of what it is of."""

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cwm.core.errors import ConfigError, DataError
from cwm.core.files import write_atomically

RUN_STEM = "fast_model"
PROGRAM_OF_RUN = "world_model.py"


@dataclass(frozen=True, slots=True)
class FastFiles:
    """The two files of a fast form.

    Attributes:
        program: Its text: the original with `step_batch` behind it.
        record: What it is of, and how it was found to be equal.
    """

    program: Path
    record: Path

    @classmethod
    def beside(cls, original: Path) -> "FastFiles":
        """Returns the files of a program, which is that of a run or any other."""
        stem = RUN_STEM if original.name == PROGRAM_OF_RUN else f"{original.stem}.fast"
        folder = original.parent
        return cls(folder / f"{stem}.py", folder / f"{stem}.json")

    def write(self, source: str, fast: str, record: Mapping[str, Any]) -> None:
        """Writes both; the record last, so that a form without one is not used.

        Args:
            source: The original.
            fast: Its fast form.
            record: What else to note.

        Raises:
            ConfigError: If the folder cannot be written.
        """
        marks = {"original_sha256": digest(source), "fast_sha256": digest(fast)}
        try:
            self.record.unlink(missing_ok=True)
            write_atomically(self.program, fast)
            text = json.dumps({**marks, **record}, indent=2) + "\n"
            write_atomically(self.record, text)
        except OSError as error:
            raise ConfigError(
                f"{str(self.program)!r} cannot be written: {error}."
            ) from error

    def remove(self) -> None:
        """Deletes both, if they are there.

        Raises:
            ConfigError: If the folder cannot be written.
        """
        try:
            self.record.unlink(missing_ok=True)
            self.program.unlink(missing_ok=True)
        except OSError as error:
            raise ConfigError(
                f"{str(self.program)!r} cannot be deleted: {error}."
            ) from error

    def remove_stale(self, source: str) -> None:
        """Deletes both, unless they are of this program: for whoever writes it.

        Args:
            source: The original, as it is about to be.

        Raises:
            ConfigError: If the folder cannot be written.
        """
        with suppress(DataError):
            if self.read(source) is not None:
                return
        self.remove()

    def read(self, source: str) -> str | None:
        """Returns the fast form of a program; `None` if there is none.

        Args:
            source: The original, as it is now.

        Raises:
            DataError: If it is of another program, or was changed since.
        """
        if not (self.program.is_file() or self.record.is_file()):
            return None
        try:
            fast = self.program.read_text(encoding="utf-8")
            record = json.loads(self.record.read_text(encoding="utf-8"))
            found = record["original_sha256"], record["fast_sha256"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise self._unusable("cannot be read") from error
        if found[0] != digest(source):
            raise self._unusable("was made from another program")
        if found[1] != digest(fast):
            raise self._unusable("was changed since it was compared")
        return fast

    def _unusable(self, reason: str) -> DataError:
        return DataError(
            f"{str(self.program)!r} {reason}. Run python -m cwm.accelerate again, or "
            f"delete it and {self.record.name!r}."
        )


def digest(source: str) -> str:
    """Returns what stands for a text: equal texts have equal ones."""
    return hashlib.sha256(source.encode("utf-8", "backslashreplace")).hexdigest()
