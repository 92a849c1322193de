"""Files beside the journal: trajectories, hypotheses, what an experimenter learned."""

import gzip
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cwm.core.errors import ConfigError, DataError
from cwm.core.files import write_atomically
from cwm.providers.hypotheses.roles import LearningExperimenter
from cwm.providers.hypotheses.texts import TextTrajectory

HYPOTHESES = "hypotheses.json"
"""File with the best hypothesis of each phase, and who found it."""


class RunFiles:
    """The files of a run that are too large for its journal."""

    def __init__(self, folder: Path) -> None:
        """Makes it; nothing is written yet."""
        self._folder = folder

    def trajectories(self, phase: int) -> Path:
        """Returns the file with what was collected in a phase."""
        return self._folder / "trajectories" / f"{phase:04d}.json.gz"

    def policy(self, phase: int) -> Path:
        """Returns the file with what was learned up to the end of a phase."""
        return self._folder / "policies" / f"{phase:04d}.npz"

    def keep(self, phase: int, trajectories: Sequence[TextTrajectory]) -> str:
        """Writes what was collected in a phase, and returns its digest.

        Raises:
            ConfigError: If the file cannot be written.
        """
        text = json.dumps([one.to_json() for one in trajectories])
        # Without a time in it, the same trajectories are the same file.
        data = gzip.compress(text.encode("utf-8"), mtime=0)
        path = self.trajectories(phase)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, data)
        except OSError as error:
            raise ConfigError(f"{str(path)!r} cannot be written: {error}.") from error
        return digest_of(trajectories)

    def read(self, phase: int, digest: str) -> tuple[TextTrajectory, ...]:
        """Returns what was collected in a phase.

        Raises:
            DataError: If the file cannot be read, or is not what was written.
        """
        path = self.trajectories(phase)
        found = read_trajectories(path)
        if digest_of(found) != digest:
            raise DataError(f"{str(path)!r} is not what the run has written.")
        return found

    def save_policy(self, phase: int, experimenter: LearningExperimenter) -> None:
        """Writes what was learned; of earlier phases only the last one is kept.

        Raises:
            ConfigError: If the file cannot be written.
        """
        path = self.policy(phase)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            experimenter.save(path)
            for old in path.parent.iterdir():
                if old.name < self.policy(phase - 1).name:
                    old.unlink()
        except OSError as error:
            raise ConfigError(f"{str(path)!r} cannot be written: {error}.") from error


def digest_of(trajectories: Sequence[TextTrajectory]) -> str:
    """Returns a digest of trajectories, the same for equal ones."""
    text = json.dumps([one.to_json() for one in trajectories], sort_keys=True)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def read_trajectories(path: Path) -> tuple[TextTrajectory, ...]:
    """Returns the trajectories of a file that `RunFiles.keep` wrote.

    Raises:
        DataError: If it cannot be read.
    """
    try:
        data = json.loads(gzip.decompress(path.read_bytes()))
    except (OSError, EOFError, ValueError) as error:
        raise DataError(f"{str(path)!r} cannot be read: {error}.") from error
    if not isinstance(data, list):
        raise DataError(f"{str(path)!r} must hold a JSON list.")
    return tuple(map(TextTrajectory.from_json, data))


def all_trajectories(folder: Path) -> tuple[TextTrajectory, ...]:
    """Returns all that a run has collected, in the order of its phases.

    Raises:
        DataError: If there is none, or a file cannot be read.
    """
    paths = sorted((folder / "trajectories").glob("*.json.gz"))
    if not paths:
        raise DataError(f"{str(folder)!r} must be the folder of an induction run.")
    return tuple(one for path in paths for one in read_trajectories(path))


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundRules:
    """What a run has found.

    Attributes:
        text: The best hypothesis.
        environment: Id of the environment that it is about.
    """

    text: str
    environment: str

    def check(self, environment: str) -> None:
        """Refuses another environment; all variants of the Playground are one.

        Raises:
            ConfigError: If it is another one.
        """
        both = {self.environment, environment}
        are_playgrounds = all(name.startswith(_PLAYGROUND) for name in both)
        if len(both) > 1 and not are_playgrounds:
            raise ConfigError(
                f"hypotheses must be about {environment}, got some about "
                f"{self.environment}."
            )


_PLAYGROUND = "cwm/Playground"


def read_rules(folder: Path) -> FoundRules:
    """Returns what a run has found.

    Raises:
        DataError: If there is no such run, its file cannot be read, or it has found
            nothing.
    """
    path = folder / HYPOTHESES
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        found, environment = data["best"], str(data["environment"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{str(folder)!r} must be the folder of a run of cwm.induce that is "
            f"done, but {HYPOTHESES} cannot be read: {error!r}."
        ) from error
    if not isinstance(found, str) or not found.strip():
        raise DataError(f"{str(folder)!r} has found no hypothesis.")
    return FoundRules(text=found, environment=environment)
