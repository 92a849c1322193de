"""The folder of a run: which file holds what."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from cwm.core.errors import ConfigError, DataError
from cwm.core.files import write_atomically
from cwm.core.names import slug


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The files of one run.

    Attributes:
        path: The folder.
    """

    path: Path

    @property
    def config(self) -> Path:
        """The complete settings."""
        return self.path / "config.json"

    @property
    def environment(self) -> Path:
        """Versions, commit and machine."""
        return self.path / "environment.json"

    @property
    def dataset(self) -> Path:
        """The transitions that the run used."""
        return self.path / "dataset.npz"

    @property
    def tests(self) -> Path:
        """The user's unit tests, as they were when the run began."""
        return self.path / "tests.py"

    @property
    def start(self) -> Path:
        """The program to begin with, as it was when the run began."""
        return self.path / "start.py"

    @property
    def journal(self) -> Path:
        """Every event of the run."""
        return self.path / "journal.jsonl"

    @property
    def world_model(self) -> Path:
        """The best program so far."""
        return self.path / "world_model.py"

    @property
    def tree(self) -> Path:
        """The search tree at the end."""
        return self.path / "tree.json"

    @property
    def graph(self) -> Path:
        """The search tree for graph tools."""
        return self.path / "tree.graphml"

    @property
    def result(self) -> Path:
        """The final figures."""
        return self.path / "result.json"

    def write_json(self, path: Path, data: Mapping[str, Any]) -> None:
        """Writes one of the JSON files, in one step.

        Raises:
            ConfigError: If the folder cannot be written.
        """
        self.write_text(path, json.dumps(data, indent=2) + "\n")

    def write_text(self, path: Path, text: str) -> None:
        """Writes one of the text files, in one step.

        Raises:
            ConfigError: If the folder cannot be written.
        """
        try:
            write_atomically(path, text)
        except OSError as error:
            raise ConfigError(f"{str(path)!r} cannot be written: {error}.") from error

    def read_json(self, path: Path) -> dict[str, Any]:
        """Returns the content of one of the JSON files.

        Raises:
            DataError: If it cannot be read or is not a JSON object.
        """
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DataError(f"{str(path)!r} cannot be read: {error}.") from error
        if not isinstance(data, dict):
            raise DataError(f"{str(path)!r} must hold a JSON object.")
        return data


def create_run_folder(
    environment_id: str, *, out: Path | None, runs: Path, today: date
) -> RunFolder:
    """Makes the folder of a new run.

    Args:
        environment_id: For its name.
        out: The folder itself; must not hold a run already. `None` makes
            `runs/<date>-<environment>-<n>` with the first free `n` from 1.
        runs: Where runs go that have no folder of their own.
        today: For its name.

    Raises:
        ConfigError: If the folder holds a run, or cannot be written.
    """
    try:
        path = _new_folder(environment_id, runs, today) if out is None else out
        path.mkdir(parents=True, exist_ok=True)
        probe = path / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ConfigError(f"The run's folder cannot be written: {error}.") from error
    folder = RunFolder(path)
    if folder.config.exists() or folder.journal.exists():
        raise ConfigError(
            f"out must be a folder without a run, got {str(path)!r}. "
            f"Continue that run with --resume {path}."
        )
    return folder


def _new_folder(environment_id: str, runs: Path, today: date) -> Path:
    name = slug(environment_id) or "data"
    number = 1
    while True:
        path = runs / f"{today.isoformat()}-{name}-{number}"
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            number += 1
        else:
            return path


def open_run_folder(path: Path) -> RunFolder:
    """Returns the folder of an existing run.

    A run that was killed before its first call may have no journal yet.

    Raises:
        ConfigError: If there is no run in `path`.
    """
    folder = RunFolder(path)
    # The settings are written last, when everything else that a run needs is there.
    missing = [f.name for f in (folder.config, folder.dataset) if not f.is_file()]
    if missing and (path / "trajectories").is_dir():
        raise ConfigError(
            f"{str(path)!r} is a run of cwm.induce. Continue it, or show it again, "
            f"with: python -m cwm.induce --resume {path}"
        )
    if missing:
        raise ConfigError(
            f"{str(path)!r} must be the folder of a run, but it has no "
            f"{' and no '.join(missing)}."
        )
    return folder
