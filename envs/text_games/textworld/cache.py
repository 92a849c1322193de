"""Files of games, made once for all processes of a machine.

A folder per game, named by what it was made from. Who finds it has the whole game:
folders get their names when everything is in them.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from cwm.core.errors import PrerequisiteError
from cwm.execution.locks import locked
from envs.text_games.textworld.kinds import Setting
from envs.text_games.textworld.library import require
from envs.text_games.textworld.making import make_game

RECIPE = 1
"""Raised when games come out otherwise from the same settings and package."""


def default_cache() -> Path:
    """Returns where games are kept: in the user's folder for caches."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "code-world-models" / "textworld"


def game_folder(
    kind: str, settings: Mapping[str, Setting], *, seed: int, cache: Path
) -> Path:
    """Returns the folder of a game's files; makes the game if it is not there.

    Args:
        kind: One of `kinds.KINDS`.
        settings: Of its generator, all of them.
        seed: Of the game.
        cache: The folder of all games.

    Raises:
        DataError: If there is no such game.
        PrerequisiteError: If TextWorld is missing or the cache cannot be written.
    """
    require()
    name = folder_name(kind, settings, seed=seed)
    folder = cache / name
    if folder.is_dir():
        return folder
    try:
        with locked(cache / f"{name}.lock"):
            if not folder.is_dir():
                with tempfile.TemporaryDirectory(prefix=".new-", dir=cache) as made:
                    _fill(Path(made) / name, kind, settings, seed)
                    (Path(made) / name).rename(folder)
    except OSError as error:
        raise PrerequisiteError(
            f"Games of TextWorld are kept in {str(cache)!r}, which cannot be written: "
            f"{error}. Name another folder as cache."
        ) from error
    return folder


def folder_name(kind: str, settings: Mapping[str, Setting], *, seed: int) -> str:
    """Returns the name of a game's folder: kind, seed, and a hash of all there is."""
    made_from = [RECIPE, version("textworld"), kind, sorted(settings.items()), seed]
    digest = hashlib.sha256(json.dumps(made_from).encode()).hexdigest()
    return f"{kind}-{seed}-{digest[:12]}"


def _fill(folder: Path, kind: str, settings: Mapping[str, Setting], seed: int) -> None:
    folder.mkdir()
    make_game(kind, settings, seed=seed, folder=folder)
