"""A state base on disk: one folder, read without a network and without pickle.

manifest.json    what it is, by whom encoded, and the hashes of the other files
entries.jsonl    an entry a line
vectors.npz      each different vector once, and which one an entry has
"""

import hashlib
from io import BytesIO
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from cwm.core.errors import ConfigError, DataError
from cwm.core.files import write_atomically
from cwm.providers.knowledge.base.encoders import Encoder, Vectors
from cwm.providers.knowledge.base.entries import Entry
from cwm.providers.knowledge.base.searching import SearchName
from cwm.providers.knowledge.base.states import StateBase
from cwm.providers.knowledge.records import read_records, write_records

MANIFEST: Final = "manifest.json"
ENTRIES: Final = "entries.jsonl"
VECTORS: Final = "vectors.npz"

_FORMAT: Final = "state base"
_VERSION: Final = 1


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a folder holds.

    Attributes:
        format: Always `state base`.
        version: Of the format.
        num_entries: How many.
        num_dimensions: Length of a vector.
        encoder: Name of the encoder.
        encoder_hash: Its `content_hash`.
        entries_sha256: Of `entries.jsonl`.
        vectors_sha256: Of `vectors.npz`.
    """

    format: str = _FORMAT
    version: int = _VERSION
    num_entries: int
    num_dimensions: int
    encoder: str
    encoder_hash: str
    entries_sha256: str
    vectors_sha256: str


def save_base(base: StateBase, folder: Path) -> Manifest:
    """Writes a base into a folder, the manifest last, and returns the manifest.

    Raises:
        ConfigError: If the folder cannot be written.
    """
    distinct, rows = np.unique(base.vectors, axis=0, return_inverse=True)
    buffer = BytesIO()
    np.savez(buffer, vectors=distinct, rows=rows.reshape(-1).astype(np.int64))
    write_records(folder / ENTRIES, base.entries)
    try:
        write_atomically(folder / VECTORS, buffer.getvalue())
        manifest = Manifest(
            num_entries=len(base),
            num_dimensions=base.vectors.shape[1],
            encoder=base.encoder.name,
            encoder_hash=base.encoder.content_hash,
            entries_sha256=_hash_of(folder / ENTRIES),
            vectors_sha256=_hash_of(folder / VECTORS),
        )
        text = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
        write_atomically(folder / MANIFEST, text + b"\n")
    except OSError as error:
        raise ConfigError(f"{str(folder)!r} cannot be written: {error}.") from error
    return manifest


def load_base(
    folder: Path, encoder: Encoder, search: SearchName = "numpy"
) -> StateBase:
    """Returns the base of a folder.

    Args:
        folder: What `save_base` wrote.
        encoder: Who encodes queries: the one that made the vectors.
        search: As for `StateBase`.

    Raises:
        DataError: If a file is missing, was changed, or has another form.
        ConfigError: If the encoder is another one.
    """
    manifest = read_manifest(folder)
    if manifest.encoder_hash != encoder.content_hash:
        raise ConfigError(
            f"encoder must be {manifest.encoder} as it was when {str(folder)!r} was "
            f"made, got {encoder.name} (or the same with other weights). Take that "
            "encoder, or make the base anew."
        )
    expected = {ENTRIES: manifest.entries_sha256, VECTORS: manifest.vectors_sha256}
    for name, digest in expected.items():
        if _hash_of(folder / name) != digest:
            raise DataError(
                f"{str(folder / name)!r} must be as {MANIFEST} says, but its hash is "
                "another one. Make the base anew."
            )
    entries = read_records(folder / ENTRIES, Entry)
    return StateBase(entries, _vectors(folder / VECTORS), encoder, search)


def read_manifest(folder: Path) -> Manifest:
    """Returns what a folder says that it holds.

    Raises:
        DataError: If it says nothing, or something else than a state base.
    """
    path = folder / MANIFEST
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError) as error:
        raise DataError(
            f"{str(path)!r} must be the manifest of a state base: {error}."
        ) from error
    if (manifest.format, manifest.version) != (_FORMAT, _VERSION):
        raise DataError(
            f"{str(path)!r} must be of a {_FORMAT} of version {_VERSION}, got "
            f"{manifest.format!r} of version {manifest.version}."
        )
    return manifest


def _vectors(path: Path) -> Vectors:
    try:
        with np.load(path, allow_pickle=False) as stored:
            vectors: Vectors = stored["vectors"][stored["rows"]].astype(np.float32)
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise DataError(f"{str(path)!r} cannot be read: {error}.") from error
    return vectors


def _hash_of(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise DataError(f"{str(path)!r} cannot be read: {error}.") from error
