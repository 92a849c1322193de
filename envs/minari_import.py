"""Recorded transitions from Minari data sets (https://minari.farama.org).

Covers: data sets on this machine whose spaces have a fixed layout. Does not cover:
downloading; `minari download ID` does that.
"""

import importlib
from pathlib import Path
from typing import Any

import numpy as np

from cwm.core.codec import conform, encode_columns
from cwm.core.errors import DataError, PrerequisiteError
from cwm.core.spaces import DictSpec, SpaceSpec, TupleSpec, Value
from cwm.core.trajectories import SPLITS, Dataset, Split, Trajectory
from envs.spaces import space_spec

PREFIX = "minari:"
"""Marks a name as that of a local Minari data set."""

SPLIT_PATTERN: tuple[Split, ...] = (
    *("train", "train", "validation", "train", "held_out"),
    *("train", "train", "validation", "train", "held_out"),
)
"""Split of each episode in turn, where none is recorded: Minari has none."""


def import_minari(name: str | Path, *, max_transitions: int = 10_000) -> Dataset:
    """Returns the episodes of a local Minari data set.

    Args:
        name: Its id, such as `"D4RL/door/human-v2"`, or the folder of one.
        max_transitions: No further episode is read once there are as many.

    Raises:
        PrerequisiteError: If Minari is not installed.
        DataError: If there is no such data set here, or it cannot be read.
    """
    try:
        minari = importlib.import_module("minari")
    except ImportError as error:
        raise PrerequisiteError(
            "Minari data need the extra [minari]. Run: "
            "pip install 'code-world-models[minari]'"
        ) from error
    try:
        source = _open(minari, name)
        return _convert(str(name), source, max_transitions)
    except ImportError as error:
        raise PrerequisiteError(
            f"{str(name)!r} needs a package that is not installed ({error}). "
            "Run: pip install 'code-world-models[minari]'"
        ) from error
    except FileNotFoundError as error:
        raise DataError(
            f"No Minari data set called {str(name)!r} on this machine. "
            f"Run: minari download {name}"
        ) from error
    except (OSError, KeyError, ValueError) as error:
        raise DataError(
            f"{str(name)!r} must be a Minari data set on this machine: {error}"
        ) from error


def _open(minari: Any, name: str | Path) -> Any:
    if Path(name).is_dir():
        data = Path(name) / "data" if (Path(name) / "data").is_dir() else Path(name)
        return minari.MinariDataset(data)
    return minari.load_dataset(str(name))


def _convert(name: str, source: Any, max_transitions: int) -> Dataset:
    observation_space = space_spec(source.observation_space)
    action_space = space_spec(source.action_space)
    trajectories: list[Trajectory] = []
    total = 0
    for episode in source.iterate_episodes():
        if total >= max_transitions:
            break
        trajectories.append(_trajectory(episode, observation_space, action_space))
        total += len(trajectories[-1])
    if not trajectories:
        raise DataError(f"{name!r} must have at least 1 episode, got 0.")
    spec = source.env_spec
    description = getattr(source.storage, "metadata", {}).get("description") or ""
    return Dataset(
        environment_id=spec.id if spec is not None else name,
        description=str(description),
        observation_space=observation_space,
        action_space=action_space,
        trajectories=tuple(trajectories),
        splits=_splits(source, len(trajectories)),
        collection={"collector": "minari", "dataset": name},
    )


def _splits(source: Any, number: int) -> tuple[Split, ...]:
    """Returns the splits that a data set of ours carries; Minari itself has none."""
    told = source.storage.get_episode_metadata(range(number))
    found = tuple(episode.get("split") for episode in told)
    if all(split in SPLITS for split in found):
        return found
    return tuple(SPLIT_PATTERN[i % len(SPLIT_PATTERN)] for i in range(number))


def _trajectory(
    episode: Any, observation_space: SpaceSpec, action_space: SpaceSpec
) -> Trajectory:
    length = len(episode.rewards)
    observations = _rows(observation_space, episode.observations, length + 1)
    actions = _rows(action_space, episode.actions, length)
    return Trajectory(
        observations=encode_columns(observation_space, observations),
        actions=encode_columns(action_space, actions),
        rewards=np.asarray(episode.rewards, dtype=np.float64),
        terminated=np.asarray(episode.terminations, dtype=np.bool_),
        truncated=np.asarray(episode.truncations, dtype=np.bool_),
        policy="minari",
    )


def _rows(space: SpaceSpec, stacked: Any, length: int) -> list[Value]:
    """Returns the values that Minari keeps stacked by leaf."""
    match space:
        case TupleSpec(members=members):
            pairs = zip(members, stacked, strict=True)
            parts = [_rows(member, part, length) for member, part in pairs]
            return list(zip(*parts, strict=True))
        case DictSpec(members=named):
            columns = {key: _rows(m, stacked[key], length) for key, m in named}
            return [{k: c[i] for k, c in columns.items()} for i in range(length)]
        case _:
            return [conform(space, stacked[i]) for i in range(length)]
