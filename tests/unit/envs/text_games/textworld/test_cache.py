"""Where files of games are kept; what is in them is made up here."""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cwm.core.errors import DataError, PrerequisiteError
from envs.text_games.textworld import cache, library
from envs.text_games.textworld.cache import default_cache, folder_name, game_folder
from envs.text_games.textworld.kinds import Setting

SETTINGS = {"level": 5}


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Returns the seeds of the games that were made, in a moment each."""
    seeds: list[int] = []

    def make(
        kind: str, settings: Mapping[str, Setting], *, seed: int, folder: Path
    ) -> None:
        seeds.append(seed)
        (folder / "game").write_text(f"{kind} {dict(settings)} {seed}")

    monkeypatch.setattr(cache, "make_game", make)
    monkeypatch.setattr(cache, "require", lambda: None)
    monkeypatch.setattr(cache, "version", lambda _: "1.7.0")
    return seeds


def found(folder: Path, seed: int = 3, kind: str = "coin_collector") -> Path:
    return game_folder(kind, SETTINGS, seed=seed, cache=folder)


def test_a_game_is_made_once(made: list[int], tmp_path: Path) -> None:
    folder = found(tmp_path / "new" / "games")
    assert (folder / "game").read_text() == "coin_collector {'level': 5} 3"
    assert found(tmp_path / "new" / "games") == folder
    assert made == [3]


def test_processes_that_want_the_same_game_wait_for_one(
    made: list[int], tmp_path: Path
) -> None:
    threads = [threading.Thread(target=found, args=(tmp_path,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [3]


def test_names_tell_apart_whatever_decides_what_a_game_is(
    made: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {
        folder_name("coin_collector", {"level": 5}, seed=3),
        folder_name("coin_collector", {"level": 6}, seed=3),
        folder_name("treasure_hunter", {"level": 5}, seed=3),
        folder_name("coin_collector", {"level": 5}, seed=4),
    }
    monkeypatch.setattr(cache, "version", lambda _: "1.8.0")
    names.add(folder_name("coin_collector", {"level": 5}, seed=3))
    monkeypatch.setattr(cache, "RECIPE", cache.RECIPE + 1)
    names.add(folder_name("coin_collector", {"level": 5}, seed=3))
    assert len(names) == 6
    assert all(name.startswith(("coin_", "treasure_")) for name in names)


def test_the_order_of_settings_does_not_matter(made: list[int]) -> None:
    left = folder_name("simple", {"goal": "none", "rewards": "dense"}, seed=1)
    assert folder_name("simple", {"rewards": "dense", "goal": "none"}, seed=1) == left


def test_what_was_broken_off_is_not_taken_for_a_game(
    made: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = cache.make_game

    def broken(*arguments: Any, folder: Path, **others: Any) -> None:
        (folder / "game").write_text("half a")
        raise DataError("broken off")

    monkeypatch.setattr(cache, "make_game", broken)
    with pytest.raises(DataError, match="broken off"):
        found(tmp_path)
    assert [path.suffix for path in tmp_path.iterdir()] == [".lock"]
    monkeypatch.setattr(cache, "make_game", make)
    assert "half" not in (found(tmp_path) / "game").read_text()


def test_a_cache_that_cannot_be_written_is_named(
    made: list[int], tmp_path: Path
) -> None:
    taken = tmp_path / "file"
    taken.write_text("")
    with pytest.raises(PrerequisiteError, match=r"kept in '.*file', which cannot"):
        found(taken)


def test_games_are_kept_in_the_users_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == tmp_path / "code-world-models" / "textworld"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    kept = tmp_path / "me" / ".cache" / "code-world-models" / "textworld"
    assert default_cache() == kept


def test_without_the_package_its_install_line_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(library, "find_spec", lambda _: None)
    with pytest.raises(PrerequisiteError, match=r"code-world-models\[textworld\]"):
        library.require()
