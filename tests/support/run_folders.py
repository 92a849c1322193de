"""Folders of runs as commands leave them, small and written by hand."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cwm.config import RunConfig, config_to_json
from cwm.core.dataset_file import save_dataset
from cwm.core.journal import Journal
from cwm.core.trajectories import Dataset
from tests.support.corridor import EXACT, corridor_dataset


def score(strict: float) -> dict[str, Any]:
    """Returns the score of a split as a result has it."""
    return {
        "num_transitions": 10,
        "strict": strict,
        "paper": strict,
        "reference": strict,
        "score": strict,
        "part_accuracy": {"reward": strict},
        "num_draws": 1,
        "log_likelihood": None,
    }


def synthesize_run(
    path: Path,
    *,
    held_out: float | None = 1.0,
    llm: tuple[str, ...] = (),
    seed: int = 0,
    made_at: datetime | None = None,
    is_finished: bool = True,
    dataset: Dataset | None = None,
) -> Path:
    """Writes what a run of `cwm.synthesize` on the corridor leaves; returns its path.

    `held_out=None` is a run that found no program.
    """
    path.mkdir(parents=True)
    config = config_to_json(RunConfig(seed=seed))
    config["source"]["data"] = "corridor.npz"
    config["models"]["llm"] = list(llm)
    save_dataset(dataset or corridor_dataset(), path / "dataset.npz")
    (path / "environment.json").write_text("{}")
    (path / "config.json").write_text(json.dumps(config))
    with Journal(path / "journal.jsonl") as journal:
        journal.append("run_started", {"environment": "Corridor", "proposer": "walk"})
        journal.append("completion", {"call": 0, "usage": _USAGE | {"calls": 1}})
        journal.append(
            "evaluation",
            {"call": 0, "evaluation": {"score": 0.5, "train": score(0.25)}},
        )
        journal.append("tree_update", {"call": 0, "best_call": 0})
    if is_finished:
        (path / "result.json").write_text(json.dumps(_result(held_out, seed)))
        if held_out is not None:
            (path / "world_model.py").write_text(EXACT)
    if made_at is not None:
        stamp = made_at.replace(tzinfo=UTC).timestamp()
        os.utime(path / "environment.json", (stamp, stamp))
    return path


_USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "usd": 0.25, "saved_tokens": 0}


def _result(held_out: float | None, seed: int) -> dict[str, Any]:
    rows: list[dict[str, Any]] = [
        {
            "name": "do nothing",
            "scores": {"train": score(0.2), "held_out": score(0.1)},
            "audit": None,
        }
    ]
    if held_out is not None:
        scores = {"train": score(1.0), "held_out": score(held_out)}
        rows.insert(0, {"name": "program", "scores": scores, "audit": None})
    return {
        "environment": "Corridor",
        "made_by": "walk",
        "seed": seed,
        "search": "gif-mcts",
        "num_calls": 4,
        "usage": {"calls": 4, **_USAGE},
        "best": None if held_out is None else {"score": 0.875},
        "rows": rows,
        "next": ["python -m cwm.replay somewhere"],
    }
