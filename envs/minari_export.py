"""Recorded transitions as Minari data sets (https://minari.farama.org).

Covers: data sets whose spaces Gymnasium has; every split, or some. Does not cover:
legal actions, hidden states and instructions, for which Minari has no place.
"""

import importlib
from pathlib import Path
from typing import Any

import numpy as np

from cwm.core.codec import Columns, subcolumns
from cwm.core.errors import ConfigError, DataError, PrerequisiteError
from cwm.core.spaces import DictSpec, SpaceSpec, TupleSpec, space_to_json
from cwm.core.trajectories import Dataset
from envs.world_model_env import make_space


def export_minari(dataset: Dataset, folder: Path, *, name: str) -> int:
    """Writes a data set in Minari's form; returns how many episodes it has.

    Each episode carries its split, who chose its actions and the seed of its reset,
    where that is known. A piece of an episode that was not recorded to its end is
    marked as truncated: Minari takes the last step of an episode for its end.

    Args:
        dataset: What to write.
        folder: Where to; must not exist, or be empty. `minari.MinariDataset(folder /
            "data")` reads it, and so does `cwm.synthesize --data`.
        name: Its id, such as `"cwm/CartPole-v0"`.

    Raises:
        PrerequisiteError: If Minari is not installed.
        ConfigError: If the folder has something in it, or Gymnasium has no such space.
        DataError: If Minari refuses the name, or the files cannot be written.
    """
    try:
        minari = importlib.import_module("minari")
        storages = importlib.import_module("minari.dataset.minari_storage")
        importlib.import_module("h5py")
    except ImportError as error:
        raise PrerequisiteError(
            "Minari data need the extra [minari]. Run: "
            "pip install 'code-world-models[minari]'"
        ) from error
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError(f"out must be an empty folder, got {str(folder)!r}.")
    observation_space, action_space = (
        _space(space) for space in (dataset.observation_space, dataset.action_space)
    )
    data = folder.resolve() / "data"
    try:
        data.mkdir(parents=True, exist_ok=True)
        storage = storages.MinariStorage.new(
            data,
            observation_space=observation_space,
            action_space=action_space,
            jpeg_encoding=False,  # It would change what was recorded.
        )
        storage.update_metadata(_metadata(dataset, name, minari.__version__))
        storage.update_episodes(_episodes(minari, dataset))
        storage.update_episode_metadata(
            [
                {"split": split, "policy": trajectory.policy}
                for split, trajectory in zip(
                    dataset.splits, dataset.trajectories, strict=True
                )
            ]
        )
    except (OSError, ValueError) as error:
        raise DataError(f"{str(folder)!r} cannot be written: {error}.") from error
    return len(dataset.trajectories)


def _space(space: SpaceSpec) -> Any:
    try:
        return make_space(space_to_json(space))
    except ValueError as error:
        raise ConfigError(f"The transitions cannot be exported: {error}") from error


def _metadata(dataset: Dataset, name: str, version: str) -> dict[str, Any]:
    return {
        "dataset_id": name,
        "minari_version": version,
        "description": dataset.description,
        "algorithm_name": str(dataset.collection.get("collector", "")),
        "environment": dataset.environment_id,
    }


def _episodes(minari: Any, dataset: Dataset) -> list[Any]:
    buffer = importlib.import_module("minari.data_collector.episode_buffer")
    return [
        buffer.EpisodeBuffer(
            id=number,
            seed=one.seed,
            observations=_stacked(dataset.observation_space, one.observations),
            actions=_stacked(dataset.action_space, one.actions),
            rewards=one.rewards.tolist(),
            terminations=one.terminated.tolist(),
            truncations=_ended(one.terminated, one.truncated),
        )
        for number, one in enumerate(dataset.trajectories)
    ]


def _ended(terminated: Any, truncated: Any) -> list[bool]:
    ended = np.array(truncated)
    ended[-1] |= not terminated[-1]
    found: list[bool] = ended.tolist()
    return found


def _stacked(space: SpaceSpec, columns: Columns) -> Any:
    """Returns the columns as Minari has them: nested as the space is."""
    match space:
        case TupleSpec(members=members):
            return tuple(
                _stacked(member, subcolumns(columns, str(index)))
                for index, member in enumerate(members)
            )
        case DictSpec(members=named):
            return {key: _stacked(m, subcolumns(columns, key)) for key, m in named}
        case _:
            column = columns[""]
            return column if isinstance(column, np.ndarray) else list(column)
