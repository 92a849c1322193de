"""Vectors that were made before, by the content of their texts."""

import hashlib
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np

from cwm.core.errors import DataError
from cwm.core.files import write_atomically
from cwm.providers.knowledge.base.encoders import Encoder, Vectors


class CachedEncoder:
    """Encodes each text once, in the order in which texts are met.

    Attributes:
        num_encoded: Texts that the encoder behind it was asked for.
    """

    def __init__(self, encoder: Encoder, file: Path | None = None) -> None:
        """Makes the encoder.

        Args:
            encoder: Who encodes.
            file: Where vectors are kept between runs, written by `save`; `None` for
                nowhere.

        Raises:
            DataError: If the file is not a cache of this encoder.
        """
        self._encoder = encoder
        self._file = file
        self._rows: dict[str, Vectors] = {}
        self.num_encoded = 0
        if file is not None and file.exists():
            self._read(file)

    @property
    def name(self) -> str:
        """Which one it is."""
        return self._encoder.name

    @property
    def content_hash(self) -> str:
        """Hash of the encoder behind it."""
        return self._encoder.content_hash

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Returns a unit row for each text, `[N, D]`."""
        keys = [_key(text) for text in texts]
        new = {
            key: text
            for key, text in zip(keys, texts, strict=True)
            if key not in self._rows
        }
        if new:
            rows = self._encoder.encode(list(new.values()))
            self._rows.update(zip(new, rows, strict=True))
            self.num_encoded += len(new)
        if not keys:
            return self._encoder.encode([])
        return np.stack([self._rows[key] for key in keys])

    def save(self) -> None:
        """Writes the vectors to the file, if there is one.

        Raises:
            OSError: If it cannot be written.
        """
        if self._file is None or not self._rows:
            return
        buffer = BytesIO()
        np.savez(
            buffer,
            encoder=np.array(self.content_hash),
            keys=np.array(list(self._rows)),
            rows=np.stack(list(self._rows.values())),
        )
        self._file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self._file, buffer.getvalue())

    def _read(self, file: Path) -> None:
        try:
            with np.load(file, allow_pickle=False) as stored:
                encoder = str(stored["encoder"])
                keys, rows = stored["keys"].tolist(), stored["rows"]
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise DataError(
                f"{str(file)!r} must be a cache of vectors: {error}. Delete it."
            ) from error
        if encoder != self.content_hash:
            raise DataError(
                f"{str(file)!r} must hold vectors of the encoder {self.name}, got "
                "those of another one. Delete it, or name another file."
            )
        self._rows.update(zip(keys, rows, strict=True))


def _key(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", errors="surrogatepass")).hexdigest()
