"""Games made and compiled by TextWorld, the same ones from the same seed.

Covers: what a game is and how it is told. Does not cover: where its files are kept.
"""

import importlib
import os
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cwm.core.errors import DataError, PrerequisiteError
from envs.text_games.textworld.kinds import Setting

INSTALL = "pip install 'code-world-models[textworld]'"

STORY = "tw-game.z8"
"""What the interpreter runs; it knows TextWorld's games by their names."""

LOGIC = "tw-game.json"
"""What is where, which rules there are, how the game is won."""

NUM_TRIES = 5
"""Seeds that are tried: some generators find no game for some."""

SEED_STEP = 1_000_000
"""Between one try and the next; more than there are seeds."""


def require() -> None:
    """Checks that TextWorld is there; imports nothing.

    Raises:
        PrerequisiteError: If it is missing.
    """
    if find_spec("textworld") is None:
        raise PrerequisiteError(
            "These games need the package textworld, which is not installed. "
            f"Run: {INSTALL}"
        )


@cache
def library(name: str = "textworld") -> Any:
    """Returns a module of TextWorld, or of its interpreter.

    Raises:
        PrerequisiteError: If it is missing.
    """
    require()
    with warnings.catch_warnings():
        # Of the parser of its rules, about its own names.
        warnings.simplefilter("ignore")
        return importlib.import_module(name)


def make_game(
    kind: str, settings: Mapping[str, Setting], *, seed: int, folder: Path
) -> None:
    """Makes a game and compiles it, in a few seconds.

    Args:
        kind: One of `kinds.KINDS`.
        settings: Of its generator, all of them.
        seed: Of the game.
        folder: Where `STORY` and `LOGIC` are written.

    Raises:
        DataError: If the generator finds no game.
        PrerequisiteError: If TextWorld is missing, or its compiler does not run.
    """
    with _quiet():
        game = _generated(kind, settings, seed)
        source = library("textworld.generator.inform7").generate_inform7_source(game)
        _compile(source, folder / STORY)
    game.save(str(folder / LOGIC))


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


def _generated(kind: str, settings: Mapping[str, Setting], seed: int) -> Any:
    """Returns TextWorld's object of a game."""
    textworld = library()
    failure = library("textworld.generator").QuestGenerationError
    shared = textworld.g_rng.seed
    try:
        for attempt in range(NUM_TRIES):
            number = seed + attempt * SEED_STEP
            options = textworld.GameOptions()
            options.seeds = number
            # Some of its functions draw from this one, whatever the options say.
            textworld.g_rng.set_seed(number)
            try:
                if kind == "custom":
                    return _custom(options, settings)
                challenges = library("textworld.challenges").CHALLENGES
                _, make, _ = challenges[f"tw-{kind}"]
                return make(dict(settings), options)
            except failure:
                continue
    finally:
        textworld.g_rng.set_seed(shared)
    raise DataError(
        f"A game of kind {kind!r} must exist with {dict(settings)!r}, but none was "
        f"found in {NUM_TRIES} tries from seed {seed}. Choose other settings."
    )


def _custom(options: Any, settings: Mapping[str, Setting]) -> Any:
    options.nb_rooms = settings["world_size"]
    options.nb_objects = settings["nb_objects"]
    options.quest_length = settings["quest_length"]
    return library("textworld.generator").make_game(options)


def _compile(source: str, story: Path) -> None:
    """Compiles a source, to a file of that name alone."""
    inform = library("textworld.generator.inform7")
    try:
        inform.compile_inform7_game(source, str(story))
    except inform.CouldNotCompileGameError as error:
        raise DataError(f"A game must compile, but it does not: {error}") from error
    except OSError as error:
        raise PrerequisiteError(
            f"TextWorld needs its compiler, which does not run here: {error}."
        ) from error
    story.with_suffix(".ni").unlink()
