"""Which steps of a pipeline are done, and from what: what has changed is made again.

A step is done if its files are there and were made from what its inputs hold now. So a
run goes on where it stopped, and notes that somebody has changed by hand are learned
without asking for anything else again.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cwm.core.errors import DataError
from cwm.core.files import write_atomically


@dataclass(frozen=True, slots=True)
class Ledger:
    """A file that says from what each step was made.

    Attributes:
        path: The file.
    """

    path: Path

    def is_done(
        self, step: str, *, inputs: Sequence[Path], outputs: Sequence[Path]
    ) -> bool:
        """Returns whether a step's files are there and made from these inputs."""
        return all(output.exists() for output in outputs) and self._read().get(
            step
        ) == digest(inputs)

    def note(self, step: str, *, inputs: Sequence[Path]) -> None:
        """Says that a step was done from these inputs."""
        known = self._read() | {step: digest(inputs)}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self.path, json.dumps(known, indent=2) + "\n")

    def _read(self) -> dict[str, str]:
        if not self.path.exists():
            return {}
        try:
            found = json.loads(self.path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise DataError(
                f"{str(self.path)!r} cannot be read: {error}. Delete it: all steps are "
                "then made again."
            ) from error
        return {str(step): str(made_from) for step, made_from in found.items()}


def begin_file(path: Path, ledger: Ledger, *, inputs: Sequence[Path]) -> None:
    """Removes a file that was begun from other inputs, before it is gone on with."""
    step = f"begun {path.relative_to(ledger.path.parent)}"
    if not ledger.is_done(step, inputs=inputs, outputs=[]):
        path.unlink(missing_ok=True)
        ledger.note(step, inputs=inputs)


def digest(files: Sequence[Path]) -> str:
    """Returns a hash of files and folders, names included.

    Raises:
        DataError: If one is missing.
    """
    found = hashlib.sha256()
    for path in files:
        if not path.exists():
            raise DataError(
                f"{str(path)!r} is missing; it is made by an earlier step of "
                "cwm.knowledge. Run: python -m cwm.knowledge all --resume RUN"
            )
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                found.update(f"{path.name}/{file.name}\n".encode())
                found.update(hashlib.sha256(file.read_bytes()).digest())
    return found.hexdigest()
