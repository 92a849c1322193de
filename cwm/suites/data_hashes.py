"""Digests of data sets, kept in a file and compared with those made here.

`hashes/SUITE.json` in this package has those of the data sets that we made. They are
the same wherever `decided_by` is the same; elsewhere they may differ.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec

from cwm.core.errors import DataError
from cwm.core.files import write_atomically

FORMAT = "cwm-data-hashes"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataHash:
    """The digest of one data set.

    Attributes:
        task: Name of the task.
        seed: Seed of the data, and of the task's constants if it has any.
        quick: Whether it is the small variant.
        digest: See `cwm.suites.data_sets.content_digest`.
        num_transitions: By split.
        decided_by: Versions of packages, of our own way to make data, and this
            machine's arithmetic: what decides the digest beside the seed.
    """

    task: str
    seed: int
    quick: bool
    digest: str
    num_transitions: Mapping[str, int]
    decided_by: Mapping[str, str]

    @property
    def title(self) -> str:
        """What messages call it."""
        return f"{self.task}, seed {self.seed}{' (quick)' if self.quick else ''}"

    def is_of(self, other: "DataHash") -> bool:
        """Returns whether both are of the same data set."""
        mine, others = (self.task, self.seed), (other.task, other.seed)
        return mine == others and self.quick == other.quick


@dataclass(frozen=True, kw_only=True)
class _File:
    """What is in a file of digests."""

    format: str
    suite: str
    data_sets: list[DataHash] = field(default_factory=list)


def write_hashes(path: Path, suite: str, hashes: Iterable[DataHash]) -> None:
    """Writes a file of digests; what it had of other data sets is kept.

    Raises:
        DataError: If it cannot be written, or what is there is no such file.
    """
    new = list(hashes)
    kept = read_hashes(path, suite) if path.exists() else ()
    old = [one for one in kept if not any(one.is_of(other) for other in new)]
    content = _File(format=FORMAT, suite=suite, data_sets=[*old, *new])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(asdict(content), indent=1) + "\n")
    except OSError as error:
        raise DataError(
            f"'{path}' must be writable, got {error.strerror or error}."
        ) from error


def read_hashes(path: Path, suite: str) -> tuple[DataHash, ...]:
    """Returns the digests in a file.

    Raises:
        DataError: If it cannot be read, is of another form or of another suite.
    """
    try:
        content = msgspec.json.decode(path.read_bytes(), type=_File)
    except OSError as error:
        raise DataError(
            f"'{path}' must be a readable file, got {error.strerror or error}."
        ) from error
    except msgspec.DecodeError as error:
        raise DataError(f"'{path}' must be a file of digests: {error}.") from error
    if content.format != FORMAT or content.suite != suite:
        raise DataError(
            f"'{path}' must have digests of {suite}, got {content.suite!r} in the "
            f"format {content.format!r}."
        )
    return tuple(content.data_sets)


def shipped_hashes(suite: str) -> tuple[DataHash, ...]:
    """Returns the digests in this package; none for a suite that has no file."""
    with resources.as_file(resources.files("cwm.suites") / "hashes") as folder:
        path = folder / f"{suite}.json"
        return read_hashes(path, suite) if path.exists() else ()


def differences(
    found: Sequence[DataHash], expected: Sequence[DataHash]
) -> tuple[str, ...]:
    """Returns what differs, a line each; none if all that was found is as expected.

    Args:
        found: Digests of the data sets made here.
        expected: Digests to compare them with; may have others, too.
    """
    return tuple(_differences(found, expected))


def _differences(
    found: Sequence[DataHash], expected: Sequence[DataHash]
) -> Iterator[str]:
    for one in found:
        known = [other for other in expected if one.is_of(other)]
        if not known:
            yield f"{one.title}: not in the file"
        elif known[0].digest != one.digest:
            yield (
                f"{one.title}: {one.digest[:12]} in place of {known[0].digest[:12]}; "
                f"{_reason(one, known[0])}"
            )


def _reason(found: DataHash, expected: DataHash) -> str:
    names = sorted({*found.decided_by, *expected.decided_by})
    changed: list[str] = []
    for name in names:
        here, there = (one.decided_by.get(name, "none") for one in (found, expected))
        if here != there:
            changed.append(f"{name} {here} here, {there} there")
    if changed:
        return ", ".join(changed)
    return "packages and arithmetic are the same, so that our code made the difference"


def decided_by(
    all_versions: Mapping[str, str], collection: Mapping[str, Any]
) -> dict[str, str]:
    """Returns what decides the digest of one data set.

    Args:
        all_versions: See `cwm.suites.data_sets.deciding_versions`.
        collection: How the data set came about.
    """
    is_mujoco = collection.get("snapshots") == "MujocoSnapshots"
    return {n: v for n, v in all_versions.items() if n != "mujoco" or is_mujoco}
