"""A run's world model as a package of its own, with a Gymnasium environment.

Covers: everything that the package needs besides NumPy and Gymnasium, so that it
depends on nothing of this project. Does not cover: a sandbox; whoever installs the
package runs the program as it is.
"""

import importlib.resources
import json
import re
import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from cwm.core.codec import concatenate_columns, num_rows, select_rows
from cwm.core.dataset_file import load_dataset
from cwm.core.errors import ConfigError
from cwm.core.names import slug
from cwm.core.spaces import NestedSpec, leaves, space_to_json
from cwm.core.trajectories import Dataset, Trajectory
from cwm.execution.run_folder import RunFolder
from cwm.programs.program import may_draw, uses_generator
from cwm.runs.package_texts import PackageTexts
from cwm.runs.summaries import RunSummary
from cwm.sources import environment_of, read_text
from envs.world_model_env import ABOUT, STARTS

NAMESPACE = "cwm"
"""Of the environments' ids: `cwm/NAME`."""

_WRAPPER = "world_model_env.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldModelPackage:
    """What goes into a package.

    Attributes:
        name: Name of the environment, without its namespace.
        module: Name of the Python package.
        source: The program.
        dataset: The transitions that it was made from.
        summary: The run that made it.
        max_episode_steps: Time limit of the episodes; `None` for none.
        libraries: What the program may import besides NumPy.
    """

    name: str
    module: str
    source: str
    dataset: Dataset
    summary: RunSummary
    max_episode_steps: int | None
    libraries: tuple[str, ...]

    def files(self) -> dict[str, str | bytes]:
        """Returns the files of the package by their names."""
        texts = PackageTexts(
            env_id=f"{NAMESPACE}/{self.name}",
            module=self.module,
            summary=self.summary,
            dataset=self.dataset,
            max_episode_steps=self.max_episode_steps,
            is_repeatable=not may_draw(self.source),
            libraries=self.libraries,
        )
        wrapper = importlib.resources.files("envs") / _WRAPPER
        folder = self.module
        return {
            "pyproject.toml": texts.pyproject(),
            "README.md": texts.readme(),
            f"{folder}/__init__.py": texts.init(),
            f"{folder}/environment.py": wrapper.read_text(encoding="utf-8"),
            f"{folder}/world_model.py": self.source,
            f"{folder}/py.typed": "",
            f"{folder}/{ABOUT}": json.dumps(self.about(), indent=2) + "\n",
            f"{folder}/{STARTS}": starts_file(self.dataset),
            "tests/test_environment.py": texts.test(),
        }

    def about(self) -> dict[str, Any]:
        """Returns what the environment reads of itself, and where it is from."""
        data = self.dataset
        return {
            "environment": data.environment_id,
            "made_by": self.summary.figures.made_by,
            "is_stand_in": self.summary.figures.is_stand_in,
            "run": self.summary.name,
            "data": self.summary.data,
            "held_out_strict": self.summary.figures.held_out,
            "observation_space": space_to_json(data.observation_space),
            "action_space": space_to_json(data.action_space),
            "characters": characters(data),
            "draws": uses_generator(self.source),
        }


def package_of(summary: RunSummary, *, name: str | None) -> WorldModelPackage:
    """Returns the package of a run of `cwm.synthesize`.

    Args:
        summary: The run.
        name: Of the environment; that of the run's folder by default.

    Raises:
        ConfigError: If the run has no program, Gymnasium has no space for its
            observations, or the name cannot be one.
        DataError: If its files cannot be read.
    """
    run = summary.run
    folder = RunFolder(run.path)
    if run.kind not in ("synthesize", "online") or not folder.world_model.is_file():
        raise ConfigError(
            f"{str(run.path)!r} must be the folder of a run of cwm.synthesize with a "
            "program, got none."
        )
    data_file = folder.dataset
    if run.kind == "online":
        data_file = max(run.path.glob("data-*.npz"), key=_round)
    dataset = load_dataset(data_file)
    for space in (dataset.observation_space, dataset.action_space):
        if any(isinstance(leaf, NestedSpec) for _, leaf in leaves(space)):
            raise ConfigError(
                "Gymnasium has no space for nested lists of texts, such as those of "
                f"{dataset.environment_id}."
            )
    wanted = slug(name or summary.name)
    module = re.sub(r"[^a-z0-9]+", "_", f"{NAMESPACE}_{wanted}".lower()).strip("_")
    if not wanted or wanted != (name or wanted):
        raise ConfigError(
            "name must be made of letters, digits, '.', '_' and '-', got "
            f"{name or summary.name!r}."
        )
    limit = dataset.collection.get("max_episode_steps")
    if limit is None:
        spec = environment_of(dataset)
        limit = None if spec is None else spec.max_episode_steps
    config = run.config["run"] if run.kind == "online" else run.config
    return WorldModelPackage(
        name=wanted,
        module=module,
        source=read_text(folder.world_model),
        dataset=dataset,
        summary=summary,
        max_episode_steps=limit,
        libraries=tuple(config.get("capabilities", ())),
    )


def _round(path: Path) -> int:
    return int(path.stem.removeprefix("data-"))


def write_files(folder: Path, files: Mapping[str, str | bytes]) -> None:
    """Writes files into a new folder.

    Raises:
        ConfigError: If the folder has something in it, or cannot be written.
    """
    try:
        if folder.exists() and any(folder.iterdir()):
            raise ConfigError(f"out must be an empty folder, got {str(folder)!r}.")
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            data = content.encode("utf-8") if isinstance(content, str) else content
            path.write_bytes(data)
    except OSError as error:
        raise ConfigError(f"out cannot be written: {error}.") from error


def starts_file(dataset: Dataset) -> bytes:
    """Returns the file of recorded first observations: an array for each leaf.

    Those of whole episodes, which have a seed, if any have one: a trajectory may be a
    piece of an episode.
    """
    starts = concatenate_columns(
        [
            select_rows(one.observations, np.asarray([0]))
            for one in _beginning(dataset.trajectories)
        ]
    )
    assert num_rows(starts), "a data set has trajectories"
    arrays = {
        f"leaf_{index}": np.asarray(starts[path])
        for index, (path, _) in enumerate(leaves(dataset.observation_space))
    }
    buffer = BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def _beginning(trajectories: Iterable[Trajectory]) -> list[Trajectory]:
    every = list(trajectories)
    return [one for one in every if one.seed is not None] or every


def characters(dataset: Dataset) -> str:
    """Returns characters of recorded texts that ASCII does not have."""
    found: set[str] = set()
    for one in dataset.trajectories:
        for columns in (one.observations, one.actions):
            for column in columns.values():
                if isinstance(column, list):
                    found.update(*column)
    return "".join(sorted(found - set(string.printable)))
