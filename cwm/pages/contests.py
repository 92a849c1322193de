"""Results of `cwm.ppo evaluate` on a page: how often agents succeed."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cwm.core.errors import DataError
from cwm.pages.plans import MEDIA_TYPES, is_plan

_KEYS = {"seed", "trained", "rows", "published", "notes"}
_ROW_KEYS = {"agent", "test", "environment", "what", "rate"}


def is_evaluation(path: Path) -> bool:
    """Returns whether a file is a result of `cwm.ppo evaluate`."""
    if path.suffix != ".json":
        return False
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return (
        isinstance(data, dict)
        and set(data) >= _KEYS
        and isinstance(data["rows"], list)
        and all(isinstance(row, dict) and set(row) >= _ROW_KEYS for row in data["rows"])
    )


def split_given(given: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Returns the evaluations among files and folders, and what else was given.

    Args:
        given: Files, and folders with files; a folder with evaluations counts as the
            files in it.
    """
    evaluations: list[Path] = []
    others: list[Path] = []
    for path in given:
        found = list(_in_folder(path)) if path.is_dir() else []
        if found:
            evaluations += found
            others += [one for one in sorted(path.iterdir()) if _is_of_plan(one)]
        elif is_evaluation(path):
            evaluations.append(path)
        else:
            others.append(path)
    return evaluations, others


def find_evaluations(folder: Path, given: Sequence[Path]) -> tuple[Path, ...]:
    """Returns the evaluations of a run: those in its folder, and those given."""
    return tuple(dict.fromkeys([*_in_folder(folder), *given]))


def _in_folder(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.iterdir()) if is_evaluation(path))


def _is_of_plan(path: Path) -> bool:
    return path.suffix.lower() in MEDIA_TYPES or (
        path.suffix == ".json" and is_plan(path)
    )


def evaluation_view(path: Path, *, run: Path) -> dict[str, Any]:
    """Returns an evaluation as plain data.

    Args:
        path: The file.
        run: Folder of the run that the page is of, whose agent is marked.

    Raises:
        DataError: If it cannot be read.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        rows = [_row(row, trained=data["trained"], run=run) for row in data["rows"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{str(path)!r} cannot be read: {error!r}.") from error
    return {
        "name": path.name,
        "seed": data["seed"],
        "trained": dict(data["trained"]),
        "rows": rows,
        "published": data["published"],
        "notes": list(data["notes"]),
    }


def _row(row: dict[str, Any], *, trained: dict[str, str], run: Path) -> dict[str, Any]:
    agent = str(row["agent"])
    # The run may have been moved since, but not renamed.
    is_own = agent in trained and Path(agent).name == run.resolve().name
    return {
        "agent": Path(agent).name if agent in trained else agent,
        "is_own": is_own,
        "test": row["test"],
        "environment": row["environment"],
        "what": row["what"],
        **{
            name: row["rate"][name]
            for name in (
                *("rate", "low", "high", "num_episodes"),
                *("mean_length", "mean_return"),
            )
        },
    }
