"""Results of `cwm.plan` on a page: rows, episodes, and a video of real beside model."""

import base64
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cwm.core.errors import ConfigError, DataError

MEDIA_TYPES = {".mp4": "video/mp4", ".gif": "image/gif"}
"""What `cwm.plan --video` writes."""

MAX_VIDEO_MIB = 16
MAX_EPISODES = 12
"""Episodes of a row that are drawn step by step; the figures are of all."""

MAX_POINTS = 500
"""Longer series are thinned out evenly."""

_ROW_KEYS = {"model", "planner", "summary", "episodes"}


def find_plans(folder: Path, given: Sequence[Path]) -> tuple[Path, ...]:
    """Returns the files of `cwm.plan` that belong to a run's page.

    Those are the files `--plans` names, what lies in the folders that it names, and
    what lies in the run's own folder: results (`--out`) and videos (`--video`).

    Raises:
        ConfigError: If a given file or folder is not there, or has nothing of cwm.plan.
    """
    found = list(_in_folder(folder))
    for path in given:
        files = list(_in_folder(path)) if path.is_dir() else [path]
        if not path.exists() or not files:
            raise ConfigError(
                f"plans must be a file or folder that cwm.plan --out or --video wrote, "
                f"got {str(path)!r}."
            )
        found += files
    return tuple(dict.fromkeys(found))


def _in_folder(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in MEDIA_TYPES or (
            path.suffix == ".json" and is_plan(path)
        ):
            yield path


def is_plan(path: Path) -> bool:
    """Returns whether a file is a result of `cwm.plan`."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    rows = data.get("rows") if isinstance(data, dict) else None
    return (
        isinstance(rows, list)
        and bool(rows)
        and all(isinstance(row, dict) and set(row) >= _ROW_KEYS for row in rows)
    )


def plan_views(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """Returns results and videos as plain data.

    Raises:
        DataError: If a file cannot be read, is nothing of cwm.plan, or is too large.
    """
    return [
        _video(path) if path.suffix.lower() in MEDIA_TYPES else _result(path)
        for path in paths
    ]


def _video(path: Path) -> dict[str, Any]:
    data = _read(path)
    if len(data) > MAX_VIDEO_MIB << 20:
        raise DataError(
            f"Video {str(path)!r} must have at most {MAX_VIDEO_MIB} MiB to fit into a "
            f"page, got {len(data) / (1 << 20):.1f} MiB. Make a shorter one with "
            "--video-steps."
        )
    media = MEDIA_TYPES[path.suffix.lower()]
    text = base64.b64encode(data).decode("ascii")
    return {
        "name": path.name,
        "media_type": media,
        "url": f"data:{media};base64,{text}",
    }


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{str(path)!r} cannot be read: {error}.") from error


def _result(path: Path) -> dict[str, Any]:
    if not is_plan(path):
        raise DataError(f"{str(path)!r} must be a result of cwm.plan --out.")
    data = json.loads(_read(path))
    return {
        "name": path.name,
        "environment": data["environment"],
        "seed": data["seed"],
        "max_steps": data["max_steps"],
        "success": data["success"],
        "rows": [_row(row) for row in data["rows"]],
    }


def _row(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "model": row["model"],
        "planner": row["planner"],
        "summary": row["summary"],
        "normalised": row.get("normalised"),
        "note": row.get("note", ""),
        "episodes": [_episode(one) for one in row["episodes"][:MAX_EPISODES]],
    }


def _episode(episode: dict[str, Any]) -> dict[str, Any]:
    """Returns an episode's return so far and errors, thinned out alike."""
    rewards, errors = episode["rewards"], episode.get("prediction_error", [])
    total = 0.0
    so_far = []
    for reward in rewards:
        total += reward
        so_far.append(round(total, 6))
    every = max(1, -(-len(rewards) // MAX_POINTS))
    kept = sorted({*range(0, len(rewards), every), len(rewards) - 1})
    return {
        "episode": episode["episode"],
        "return": episode["return"],
        "num_steps": episode["num_steps"],
        "steps": [step + 1 for step in kept],
        "return_so_far": [so_far[step] for step in kept],
        "prediction_error": [errors[step] for step in kept if step < len(errors)],
        "wrong_parts": episode.get("wrong_parts", {}),
    }
