"""Games made and compiled by TextWorld, the same ones from the same seed.

Covers: what a game is and how it is told; that it can be won. Does not cover: where
its files are kept.
"""

import os
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cwm.core.errors import DataError, PrerequisiteError
from envs.text_games.textworld.kinds import Setting
from envs.text_games.textworld.library import LOGIC, STORY, library
from envs.text_games.textworld.machine import Machine, winning_path

NUM_TRIES = 10
"""Seeds that are tried. Some generators find no game for some, or one whose way to win
does not win: things have names that the parser cannot tell apart."""

SEED_STEP = 1_000_000
"""Between one try and the next; more than there are seeds."""


def make_game(
    kind: str, settings: Mapping[str, Setting], *, seed: int, folder: Path
) -> None:
    """Makes a game that can be won and compiles it, in a few seconds.

    Args:
        kind: One of `kinds.KINDS`.
        settings: Of its generator, all of them.
        seed: Of the game.
        folder: Where `STORY` and `LOGIC` are written.

    Raises:
        DataError: If the generator finds no game.
        PrerequisiteError: If TextWorld is missing, or its compiler does not run.
    """
    with _quiet(), _compiler():
        for attempt in range(NUM_TRIES):
            game = _generated(kind, settings, seed + attempt * SEED_STEP)
            if game is None:
                continue
            _compile(game, folder / STORY)
            game.save(str(folder / LOGIC))
            if winning_path(Machine(folder)) is not None:
                return
    raise DataError(
        f"A game of kind {kind!r} must exist with {dict(settings)!r}, but none was "
        f"found in {NUM_TRIES} tries from seed {seed}. Choose other settings."
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the compiler out of the user's home, and warnings to itself.

    It writes documentation of its extensions into the home of whoever runs it, which
    processes would write at the same time; generators run it, too.
    """
    home = os.environ.get("HOME")
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # Games are not known to the interpreter's authors.
        warnings.simplefilter("ignore")
        os.environ["HOME"] = folder
        try:
            yield
        finally:
            del os.environ["HOME"]
            if home is not None:
                os.environ["HOME"] = home


@contextmanager
def _compiler() -> Iterator[None]:
    """Tells failures of the compiler, which some generators run, too."""
    inform = library("textworld.generator.inform7")
    try:
        yield
    except inform.CouldNotCompileGameError as error:
        raise DataError(f"A game must compile, but it does not: {error}") from error
    except (FileNotFoundError, PermissionError) as error:
        raise PrerequisiteError(
            f"TextWorld needs its compiler, which does not run here: {error}."
        ) from error


def _generated(kind: str, settings: Mapping[str, Setting], seed: int) -> Any:
    """Returns TextWorld's object of a game; `None` if the generator finds none."""
    textworld = library()
    options = textworld.GameOptions()
    options.seeds = seed
    shared = textworld.g_rng.seed
    # Some of its functions draw from this one, whatever the options say.
    textworld.g_rng.set_seed(seed)
    try:
        if kind == "custom":
            return _custom(options, settings)
        _, make, _ = library("textworld.challenges").CHALLENGES[f"tw-{kind}"]
        return make(dict(settings), options)
    except library("textworld.generator").QuestGenerationError:
        return None
    finally:
        textworld.g_rng.set_seed(shared)


def _custom(options: Any, settings: Mapping[str, Setting]) -> Any:
    options.nb_rooms = settings["world_size"]
    options.nb_objects = settings["nb_objects"]
    options.quest_length = settings["quest_length"]
    return library("textworld.generator").make_game(options)


def _compile(game: Any, story: Path) -> None:
    """Compiles a game, to a file of that name alone."""
    inform = library("textworld.generator.inform7")
    inform.compile_inform7_game(inform.generate_inform7_source(game), str(story))
    story.with_suffix(".ni").unlink()
