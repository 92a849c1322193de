"""How games are made, without the package: generator and compiler are made up."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cwm.core.errors import DataError, PrerequisiteError
from envs.text_games.textworld import making
from envs.text_games.textworld.kinds import Setting
from envs.text_games.textworld.making import make_game


class CompilingError(Exception):
    """As the compiler's."""


class MadeUp:
    """A game that says from which seed it is."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def save(self, path: str) -> None:
        Path(path).write_text(str(self.seed))


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Returns the seeds that were tried; the first has no game, the second no way."""
    seeds: list[int] = []

    def generated(kind: str, settings: Mapping[str, Setting], seed: int) -> Any:
        seeds.append(seed)
        return MadeUp(seed) if seed > 1_000_000 else None

    def way(folder: Path) -> tuple[str, ...] | None:
        seed = int((folder / making.LOGIC).read_text())
        return ("take coin",) if seed > 2_000_000 else None

    inform = SimpleNamespace(CouldNotCompileGameError=CompilingError)
    monkeypatch.setattr(making, "library", lambda _: inform)
    monkeypatch.setattr(making, "_generated", generated)
    monkeypatch.setattr(making, "_compile", lambda *_: None)
    monkeypatch.setattr(making, "Machine", lambda folder: folder)
    monkeypatch.setattr(making, "winning_path", way)
    return seeds


def test_a_game_that_cannot_be_won_is_made_from_another_seed(
    tried: list[int], tmp_path: Path
) -> None:
    make_game("custom", {}, seed=3, folder=tmp_path)
    assert tried == [3, 1_000_003, 2_000_003]
    assert (tmp_path / making.LOGIC).read_text() == "2000003"


def test_where_no_seed_gives_a_game_that_is_told(
    tried: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "winning_path", lambda _: None)
    with pytest.raises(
        DataError, match=r"'custom'.*none was found in 10 tries.*seed 3"
    ):
        make_game("custom", {}, seed=3, folder=tmp_path)
    assert len(tried) == 10


@pytest.mark.parametrize("home", ["/home/me", None])
def test_the_compiler_has_another_home_meanwhile(
    home: str | None,
    tried: list[int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if home is None:
        monkeypatch.delenv("HOME", raising=False)
    else:
        monkeypatch.setenv("HOME", home)
    seen: list[str] = []
    note: Callable[..., None] = lambda *_: seen.append(os.environ["HOME"])  # noqa: E731
    monkeypatch.setattr(making, "_compile", note)
    make_game("custom", {}, seed=3, folder=tmp_path)
    assert os.environ.get("HOME") == home
    assert len(seen) == 2
    assert not {home, *map(str, tmp_path.iterdir())} & set(seen)
    assert not any(Path(one).exists() for one in seen)


@pytest.mark.parametrize(
    ("raised", "told", "message"),
    [
        (CompilingError("too big"), DataError, "must compile.*too big"),
        (FileNotFoundError("no ni"), PrerequisiteError, "does not run here: no ni"),
    ],
)
def test_failures_of_the_compiler_are_told(
    raised: Exception,
    told: type[Exception],
    message: str,
    tried: list[int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: Any) -> None:
        raise raised

    monkeypatch.setattr(making, "_compile", fail)
    with pytest.raises(told, match=message):
        make_game("custom", {}, seed=3, folder=tmp_path)
