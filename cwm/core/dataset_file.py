"""One file per data set: a zip archive of `.npy` arrays and one JSON member.

`numpy.load` opens it like any `.npz`; the member `dataset.json` holds what is not
an array. Nothing in it is ever unpickled, and the same data give the same bytes.

Covers: reading a file that may be truncated, edited or from another version.
Does not cover: data that are well formed and wrong.

Members, where `LEAF` numbers the leaves of a space in the order of `leaves`:

    dataset.json              everything else, text columns included
    observations.LEAF.npy     all trajectories' `T + 1` rows, one after the other
    actions.LEAF.npy          all trajectories' `T` rows
    rewards.npy, terminated.npy, truncated.npy
    states.npy                hidden states, rows as those of observations, of the
                              trajectories that have them, if all are of one shape
    states.I.npy              hidden states of trajectory I, if they are not
    legal_counts.I.npy        number of legal actions at each of its `T + 1` times
    legal_actions.I.LEAF.npy  those actions
"""

import io
import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from cwm.core.codec import (
    Column,
    Columns,
    concatenate_columns,
    conform,
    decode_columns,
    encode_columns,
)
from cwm.core.errors import DataError
from cwm.core.spaces import (
    BoxSpec,
    DiscreteSpec,
    LeafSpec,
    MultiDiscreteSpec,
    SpaceSpec,
    leaves,
    space_from_json,
    space_to_json,
)
from cwm.core.trajectories import Dataset, Trajectory

FORMAT = "cwm-dataset"
VERSION = 1
JSON_MEMBER = "dataset.json"

# Zip members carry a time; a fixed one keeps the bytes a function of the data.
_EPOCH = (1980, 1, 1, 0, 0, 0)


def save_dataset(dataset: Dataset, path: str | Path) -> None:
    """Writes a data set; the file appears whole or not at all.

    Args:
        dataset: What to write.
        path: The file, usually `*.npz`; an existing one is replaced.

    Raises:
        DataError: If the file cannot be written.
    """
    target = Path(path)
    arrays, texts = _dataset_arrays(dataset)
    header = _header(dataset) | {"texts": texts}
    partial = target.parent / f"{target.name}.partial"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
            text = json.dumps(header, ensure_ascii=False, indent=1)
            _write_member(archive, JSON_MEMBER, text.encode())
            for name, array in arrays.items():
                buffer = io.BytesIO()
                np.lib.format.write_array(buffer, array, allow_pickle=False)
                _write_member(archive, f"{name}.npy", buffer.getvalue())
        partial.replace(target)
    except OSError as error:
        if partial.is_file():
            partial.unlink()
        raise DataError(
            f"'{target}' must be writable, got {error.strerror or error}."
        ) from error


def check_writable(path: str | Path) -> None:
    """Makes sure that `save_dataset` can write a file; leaves nothing behind.

    Raises:
        DataError: If it cannot; the message names the file and the reason.
    """
    target = Path(path)
    partial = target.parent / f"{target.name}.partial"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial.touch()
        partial.unlink()
        if target.is_dir():
            raise IsADirectoryError(None, "it is a folder")
    except OSError as error:
        raise DataError(
            f"'{target}' must be writable, got {error.strerror or error}."
        ) from error


def _write_member(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    member = zipfile.ZipInfo(name, date_time=_EPOCH)
    member.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(member, data)


def _header(dataset: Dataset) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "environment_id": dataset.environment_id,
        "description": dataset.description,
        "observation_space": space_to_json(dataset.observation_space),
        "action_space": space_to_json(dataset.action_space),
        "is_stochastic": dataset.is_stochastic,
        "collection": dataset.collection,
        "trajectories": [
            {
                "length": len(t),
                "split": split,
                "policy": t.policy,
                "seed": t.seed,
                "instruction": t.instruction,
                "has_states": t.states is not None,
                "has_legal_actions": t.legal_actions is not None,
            }
            for t, split in zip(dataset.trajectories, dataset.splits, strict=True)
        ],
    }


def _dataset_arrays(
    dataset: Dataset,
) -> tuple[dict[str, NDArray[Any]], dict[str, list[Any]]]:
    """Returns the array members and the columns that stay lists."""
    arrays: dict[str, NDArray[Any]] = {}
    texts: dict[str, list[Any]] = {}

    def add(name: str, space: SpaceSpec, columns: Columns) -> None:
        for index, (path, _) in enumerate(leaves(space)):
            column = columns[path]
            if isinstance(column, np.ndarray):
                arrays[f"{name}.{index}"] = column
            else:
                texts[f"{name}.{index}"] = column

    trajectories = dataset.trajectories
    if trajectories:
        observations = concatenate_columns([t.observations for t in trajectories])
        add("observations", dataset.observation_space, observations)
        actions = concatenate_columns([t.actions for t in trajectories])
        add("actions", dataset.action_space, actions)
        arrays["rewards"] = np.concatenate([t.rewards for t in trajectories])
        arrays["terminated"] = np.concatenate([t.terminated for t in trajectories])
        arrays["truncated"] = np.concatenate([t.truncated for t in trajectories])
    arrays |= _state_arrays(trajectories)
    for index, trajectory in enumerate(trajectories):
        if trajectory.legal_actions is not None:
            counts = [len(actions) for actions in trajectory.legal_actions]
            arrays[f"legal_counts.{index}"] = np.asarray(counts, dtype=np.int64)
            flat = [action for step in trajectory.legal_actions for action in step]
            columns = encode_columns(dataset.action_space, flat)
            add(f"legal_actions.{index}", dataset.action_space, columns)
    return arrays, texts


def _state_arrays(trajectories: Sequence[Trajectory]) -> dict[str, NDArray[Any]]:
    """Returns the hidden states: one member, since members cost more than rows."""
    found = {i: t.states for i, t in enumerate(trajectories) if t.states is not None}
    if not found:
        return {}
    if len({(states.shape[1:], states.dtype.str) for states in found.values()}) == 1:
        return {"states": np.concatenate(list(found.values()))}
    return {f"states.{index}": states for index, states in found.items()}


def load_dataset(path: str | Path) -> Dataset:
    """Reads a data set that `save_dataset` wrote.

    Raises:
        DataError: If the file is missing, damaged, of another version, or breaks
            a rule of the format; the message names the file, the rule, the value.
    """
    return _Reader(Path(path)).read()


class _Reader:
    """Reads one file; every complaint names it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.arrays: dict[str, NDArray[Any]] = {}
        self.texts: Mapping[str, list[Any]] = {}

    def fail(self, rule: str) -> NoReturn:
        raise DataError(f"'{self.path}' {rule}")

    def read(self) -> Dataset:
        header = self._open()
        try:
            return self._dataset(header)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            what = f"{JSON_MEMBER} or an array breaks the format"
            raise DataError(f"'{self.path}': {what}: {error}") from error

    def _open(self) -> dict[str, Any]:
        try:
            with zipfile.ZipFile(self.path) as archive:
                members = {name: archive.read(name) for name in archive.namelist()}
            for name, data in members.items():
                if name.endswith(".npy"):
                    buffer = io.BytesIO(data)
                    array = np.lib.format.read_array(buffer, allow_pickle=False)
                    self.arrays[name.removesuffix(".npy")] = array
        except OSError as error:
            self.fail(f"must be a readable file, got {error.strerror or error}.")
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            self.fail(f"must be a whole .npz file, got a damaged or other one: {error}")
        except ValueError as error:
            self.fail(f"must hold plain arrays, got: {error}")
        if JSON_MEMBER not in members:
            self.fail(f"must hold a member {JSON_MEMBER}, got {sorted(members)[:8]}.")
        try:
            header = json.loads(members[JSON_MEMBER])
        except ValueError as error:
            self.fail(f"must hold JSON in {JSON_MEMBER}, got: {error}")
        if not isinstance(header, dict) or header.get("format") != FORMAT:
            self.fail(f"must hold format {FORMAT!r} in {JSON_MEMBER}.")
        if header.get("version") != VERSION:
            self.fail(f"must be of version {VERSION}, got {header.get('version')!r}.")
        return header

    def _dataset(self, header: dict[str, Any]) -> Dataset:
        self.texts = header["texts"]
        observation_space = space_from_json(header["observation_space"])
        action_space = space_from_json(header["action_space"])
        entries = header["trajectories"]
        trajectories: tuple[Trajectory, ...] = ()
        if entries:
            trajectories = self._trajectories(entries, observation_space, action_space)
        return Dataset(
            environment_id=str(header["environment_id"]),
            description=str(header["description"]),
            observation_space=observation_space,
            action_space=action_space,
            trajectories=trajectories,
            splits=tuple(entry["split"] for entry in entries),
            collection=dict(header["collection"]),
            is_stochastic=bool(header["is_stochastic"]),
        )

    def _trajectories(
        self,
        entries: list[dict[str, Any]],
        observation_space: SpaceSpec,
        action_space: SpaceSpec,
    ) -> tuple[Trajectory, ...]:
        lengths = [int(entry["length"]) for entry in entries]
        total = sum(lengths)
        num_observations = total + len(lengths)
        observations = self._columns(
            "observations", observation_space, num_observations
        )
        actions = self._columns("actions", action_space, total)
        rewards = self._flat("rewards", total, np.dtype(np.float64))
        if np.isnan(rewards).any():
            row = int(np.flatnonzero(np.isnan(rewards))[0])
            self.fail(f"must have numbers as rewards, got nan at row {row}.")
        terminated = self._flat("terminated", total, np.dtype(np.bool_))
        truncated = self._flat("truncated", total, np.dtype(np.bool_))
        states = self._states(entries)
        trajectories = []
        stops = np.cumsum(lengths).tolist()
        for index, (entry, stop) in enumerate(zip(entries, stops, strict=True)):
            start = stop - lengths[index]
            trajectories.append(
                Trajectory(
                    # Each earlier trajectory has one observation more.
                    observations=_rows(observations, start + index, stop + index + 1),
                    actions=_rows(actions, start, stop),
                    rewards=rewards[start:stop],
                    terminated=terminated[start:stop],
                    truncated=truncated[start:stop],
                    policy=str(entry["policy"]),
                    seed=entry["seed"],
                    instruction=entry["instruction"],
                    legal_actions=self._legal(index, entry, action_space),
                    states=states[index],
                )
            )
        return tuple(trajectories)

    def _array(self, name: str) -> NDArray[Any]:
        if name not in self.arrays:
            self.fail(f"must hold a member {name}.npy, which is missing.")
        return self.arrays[name]

    def _flat(self, name: str, rows: int, dtype: np.dtype[Any]) -> NDArray[Any]:
        array = self._array(name)
        if array.shape != (rows,) or array.dtype != dtype:
            self.fail(
                f"must hold {name} as {dtype}[{rows}], "
                f"got {array.dtype}{list(array.shape)}."
            )
        return array

    def _columns(self, name: str, space: SpaceSpec, rows: int) -> Columns:
        return {
            path: self._column(f"{name}.{index}", leaf, rows)
            for index, (path, leaf) in enumerate(leaves(space))
        }

    def _column(self, name: str, leaf: LeafSpec, rows: int) -> Column:
        expected = _leaf_array(leaf)
        if expected is None:
            texts = self.texts.get(name)
            if not isinstance(texts, list) or len(texts) != rows:
                got = len(texts) if isinstance(texts, list) else "none"
                self.fail(f"must hold {rows} texts in {name}, got {got}.")
            return [conform(leaf, value) for value in texts]
        shape, dtype = expected
        array = self._array(name)
        if array.shape != (rows, *shape) or array.dtype != dtype:
            self.fail(
                f"must hold {name} as {dtype}{[rows, *shape]}, "
                f"got {array.dtype}{list(array.shape)}."
            )
        self._check_range(name, leaf, array)
        return array

    def _check_range(self, name: str, leaf: LeafSpec, array: NDArray[Any]) -> None:
        if isinstance(leaf, DiscreteSpec):
            low, high = leaf.start, leaf.start + leaf.num_values - 1
            wrong = (array < low) | (array > high)
            if wrong.any():
                row = int(np.flatnonzero(wrong)[0])
                self.fail(
                    f"must hold integers from {low} to {high} in {name}, "
                    f"got {int(array[row])} at row {row}."
                )

    def _states(
        self, entries: Sequence[Mapping[str, Any]]
    ) -> list[NDArray[np.float64] | None]:
        """Returns the hidden states of each trajectory that has any."""
        rows = [int(entry["length"]) + 1 for entry in entries if entry["has_states"]]
        if "states" in self.arrays:
            parts = self._checked_states("states", sum(rows))
            split = iter(np.split(parts, np.cumsum(rows)[:-1]))
            return [next(split) if entry["has_states"] else None for entry in entries]
        return [
            self._checked_states(f"states.{index}", int(entry["length"]) + 1)
            if entry["has_states"]
            else None
            for index, entry in enumerate(entries)
        ]

    def _checked_states(self, name: str, rows: int) -> NDArray[np.float64]:
        states = self._array(name)
        if len(states) != rows:
            self.fail(f"must hold {rows} rows in {name}, got {len(states)}.")
        return states.astype(np.float64)

    def _legal(
        self, index: int, entry: Mapping[str, Any], space: SpaceSpec
    ) -> tuple[tuple[Any, ...], ...] | None:
        if not entry["has_legal_actions"]:
            return None
        rows = int(entry["length"]) + 1
        counts = self._flat(f"legal_counts.{index}", rows, np.dtype(np.int64))
        columns = self._columns(f"legal_actions.{index}", space, int(counts.sum()))
        values = decode_columns(space, columns)
        return tuple(
            tuple(values[stop - count : stop])
            for count, stop in zip(counts, np.cumsum(counts), strict=True)
        )


def _leaf_array(leaf: LeafSpec) -> tuple[tuple[int, ...], np.dtype[Any]] | None:
    """Returns the shape and dtype of a leaf's rows; `None` for text."""
    match leaf:
        case BoxSpec(shape=shape, dtype=dtype):
            return shape, np.dtype(dtype)
        case DiscreteSpec():
            return (), np.dtype(np.int64)
        case MultiDiscreteSpec(num_values=counts):
            return (len(counts),), np.dtype(np.int64)
        case _:
            return None


def _rows(columns: Columns, start: int, stop: int) -> Columns:
    return {path: column[start:stop] for path, column in columns.items()}
