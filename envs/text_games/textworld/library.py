"""TextWorld's own modules, imported when they are needed, and its files of a game."""

import importlib
import warnings
from functools import cache
from importlib.util import find_spec
from typing import Any

from cwm.core.errors import PrerequisiteError

INSTALL = "pip install 'code-world-models[textworld]'"

STORY = "tw-game.z8"
"""What the interpreter runs; it knows TextWorld's games by their names."""

LOGIC = "tw-game.json"
"""What is where, which rules there are, how the game is won."""


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
