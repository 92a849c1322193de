"""The data of a benchmark's tasks: made once from a seed, and known by their digest.

Covers: training, validation and held-out trajectories (`envs.collect`, with a planner
for the high end of returns), and the split `planner`. Does not cover: downloads; there
is nothing to download.
"""

import hashlib
import json
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cwm.core.codec import Columns
from cwm.core.dataset_file import load_dataset, save_dataset
from cwm.core.errors import ConfigError
from cwm.core.seeding import child_seed
from cwm.core.spaces import space_to_json
from cwm.core.trajectories import Dataset, Split, Trajectory
from cwm.suites.benchmark_task import BenchmarkTask
from cwm.suites.planner_visited import PlannerWalker, VisitConfig, Visits
from envs.actions import is_table_like
from envs.collect import collect, versions
from planners.registry import planner_config_to_json

DATA_VERSION = 1
"""Counts changes of how data are made, so that old files are not taken for new ones."""

Report = Callable[[Split, Trajectory], None]
"""Is told of each trajectory as it is recorded."""


def task_data(
    task: BenchmarkTask, seed: int, folder: Path, report: Report | None = None
) -> Path:
    """Returns the file with a task's data, made now if it is not there.

    Several processes may ask for the same file; each sees a whole one.

    Args:
        task: The task.
        seed: Fixes all of the data.
        folder: Where data sets are kept.
        report: Is told of each trajectory as it is recorded.

    Raises:
        CwmError: If the environment cannot be made, breaks a rule of its own, or the
            file cannot be written.
    """
    path = data_path(task, seed, folder)
    if not path.exists():
        dataset = make_data(task, seed, report)
        # Under a name of this process's own until it is whole.
        own = path.with_name(f".{os.getpid()}-{path.name}")
        save_dataset(dataset, own)
        own.replace(path)
    return path


def data_path(task: BenchmarkTask, seed: int, folder: Path) -> Path:
    """Returns where a task's data are.

    The file's name has a digest of everything that decides them.
    """
    text = json.dumps(_recipe(task, seed), sort_keys=True, default=str)
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return folder / f"{task.slug}-{seed}-{digest}.npz"


def _recipe(task: BenchmarkTask, seed: int) -> dict[str, Any]:
    """Returns all that decides a task's data, as plain data."""
    planner = task.planner
    return {
        "version": DATA_VERSION,
        "env": task.env,
        "env_kwargs": dict(task.env_kwargs),
        "changes": dict(task.changes),
        "description": task.description,
        "collect": asdict(task.collect),
        "planner": None if planner is None else planner_config_to_json(planner),
        "visits": asdict(_visit_config(task)),
        "seed": seed,
        "versions": versions(),
    }


def _visit_config(task: BenchmarkTask) -> VisitConfig:
    return VisitConfig(num_transitions=task.collect.min_transitions)


def make_data(task: BenchmarkTask, seed: int, report: Report | None = None) -> Dataset:
    """Returns a task's data, made now; see `task_data`."""
    spec = task.spec()
    tell = report or (lambda split, trajectory: None)
    steps = task.collect.planning_steps
    try:
        walker = PlannerWalker(spec, task.planner, planning_steps=steps, seed=seed)
    except (ConfigError, ValueError) as error:
        dataset = collect(spec, task.collect, seed, report=tell)
        return _noted(dataset, task, {"missing": str(error)})
    with walker:
        # Tables find the best way by themselves.
        is_needed = steps > 0 and not is_table_like(spec.observation_space)
        expert = walker if is_needed else None
        dataset = collect(spec, task.collect, seed, expert=expert, report=tell)
        visits = walker.visit(
            _visit_config(task),
            child_seed(seed, "planner visited"),
            report=lambda trajectory: tell("planner", trajectory),
        )
        note = {
            "planner": planner_config_to_json(walker.planner),
            "num_rollouts": visits.num_rollouts,
        }
    return _noted(_with_visits(dataset, visits), task, note)


def _with_visits(dataset: Dataset, visits: Visits) -> Dataset:
    new = (*visits.walks, *visits.queries)
    split: Split = "planner"
    return replace(
        dataset,
        trajectories=(*dataset.trajectories, *new),
        splits=(*dataset.splits, *([split] * len(new))),
    )


def _noted(dataset: Dataset, task: BenchmarkTask, visits: dict[str, Any]) -> Dataset:
    collection = dataset.collection | {
        "task": task.name,
        "suite": task.suite,
        "planner_visited": visits,
    }
    return replace(dataset, collection=collection)


def content_digest(dataset: Dataset) -> str:
    """Returns a digest of what a data set says, as 64 hexadecimal digits.

    Of the environment's id, the spaces, whether outcomes vary, and for each trajectory
    its split, seed, instruction and transitions. Not of descriptions, of how the data
    came about, of who chose the actions, of hidden states, nor of the form of the file.
    """
    digest = hashlib.sha256()
    for part in _content(dataset):
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()


def _content(dataset: Dataset) -> Iterator[bytes]:
    yield _json(
        {
            "environment_id": dataset.environment_id,
            "observation_space": space_to_json(dataset.observation_space),
            "action_space": space_to_json(dataset.action_space),
            "is_stochastic": dataset.is_stochastic,
        }
    )
    for trajectory, split in zip(dataset.trajectories, dataset.splits, strict=True):
        yield _json([split, trajectory.seed, trajectory.instruction])
        yield from _columns(trajectory.observations)
        yield from _columns(trajectory.actions)
        for array in (trajectory.rewards, trajectory.terminated, trajectory.truncated):
            yield _bytes(array)
        yield _json(trajectory.legal_actions)


def _columns(columns: Columns) -> Iterator[bytes]:
    for path in sorted(columns):
        column = columns[path]
        yield path.encode()
        is_array = isinstance(column, np.ndarray)
        yield _bytes(column) if is_array else _json(column)


def _bytes(array: Any) -> bytes:
    """Returns type, shape and elements, the same on every machine."""
    plain = np.ascontiguousarray(array)
    little = plain.astype(plain.dtype.newbyteorder("<"), copy=False)
    return f"{little.dtype.str}{little.shape}".encode() + little.tobytes()


def _json(value: Any) -> bytes:
    return json.dumps(
        value, sort_keys=True, ensure_ascii=False, default=_plain
    ).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"A data set must hold plain values, got {type(value).__name__}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSummary:
    """What is in a task's data.

    Attributes:
        digest: See `content_digest`.
        num_transitions: By split.
        num_trajectories: By split.
        lowest_return: Of the training and validation trajectories.
        highest_return: Likewise.
    """

    digest: str
    num_transitions: dict[str, int]
    num_trajectories: dict[str, int]
    lowest_return: float
    highest_return: float


def summarise(path: Path) -> DataSummary:
    """Returns what is in a file of `task_data`.

    Raises:
        DataError: If it cannot be read.
    """
    dataset = load_dataset(path)
    counts = dataset.num_transitions
    seen = [*dataset.in_split("train"), *dataset.in_split("validation")]
    returns = [trajectory.episode_return for trajectory in seen]
    return DataSummary(
        digest=content_digest(dataset),
        num_transitions={split: number for split, number in counts.items()},
        num_trajectories={split: len(dataset.in_split(split)) for split in counts},
        lowest_return=min(returns),
        highest_return=max(returns),
    )


def arithmetic() -> str:
    """Returns a digest of this machine's arithmetic, as 8 hexadecimal digits.

    Sines and exponentials differ in their last bit between processors and builds of
    NumPy; then simulations drift apart, and their data with them.
    """
    points = np.linspace(-8.0, 8.0, 1_001)
    functions = (np.sin, np.cos, np.tanh, np.exp, np.arctan)
    parts = [function(points.astype(t)) for t in ("f4", "f8") for function in functions]
    # One at a time is another way through NumPy, and the system's library a third.
    parts.append(np.asarray([float(np.sin(point)) for point in points]))
    parts.append(np.asarray([math.sin(p) + math.exp(p) for p in points.tolist()]))
    return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()[:8]


def deciding_versions() -> dict[str, str]:
    """Returns what decides the digests of data sets beside their seed."""
    return versions() | {"data": str(DATA_VERSION), "arithmetic": arithmetic()}
