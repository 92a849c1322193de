"""Recorded transitions, from whatever kind of file holds them."""

from pathlib import Path

from cwm.core.dataset_file import load_dataset
from cwm.core.errors import DataError
from cwm.core.trajectories import Dataset
from envs.minari_import import PREFIX, import_minari

RUN_DATASET = "dataset.npz"
"""Name of the data set in the folder of a run."""


MINARI_METADATA = "metadata.json"
"""Name of the file in which Minari describes a data set."""


def load_data(source: str | Path) -> Dataset:
    """Returns the data set that `source` names.

    Args:
        source: A file of ours (`*.npz`), the folder of a run (its `dataset.npz`),
            the folder of a Minari data set or its HDF5 file, or `minari:ID`.

    Raises:
        DataError: If it does not exist, or what it holds is of no known kind.
        PrerequisiteError: If it takes an extra that is not installed.
    """
    text = str(source)
    if text.startswith(PREFIX):
        return import_minari(text.removeprefix(PREFIX))
    path = Path(source)
    if path.is_dir():
        if (path / RUN_DATASET).is_file():
            return load_dataset(path / RUN_DATASET)
        if any(path.rglob("main_data.hdf5")) or any(path.rglob(MINARI_METADATA)):
            return import_minari(path)
        raise DataError(
            f"'{path}' must be a run's folder with {RUN_DATASET} or a Minari data "
            "set, got a folder with neither."
        )
    if path.suffix in (".hdf5", ".h5"):
        if not (path.is_file() and (path.parent / MINARI_METADATA).is_file()):
            raise DataError(
                f"'{path}' must be the file of a Minari data set, with "
                f"{MINARI_METADATA} beside it, got none."
            )
        return import_minari(path.parent)
    return load_dataset(path)
