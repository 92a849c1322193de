"""Importing minigrid, an extra, without its prints.

Gymnasium, imported before it, sees to it that pygame does not greet.
"""

import importlib
from functools import cache
from typing import Any

import gymnasium
from gymnasium.envs.registration import load_env_creator


def _silent(*words: object) -> None:
    """Stands in for `print` where minigrid tells of rejected layouts."""


def _module(name: str) -> Any:
    return importlib.import_module(f"minigrid{name}")


@cache
def minigrid_module(name: str = "") -> Any:
    """Returns a module of minigrid, such as `".core.grid"`.

    Raises:
        ImportError: If minigrid is not installed.
        ValueError: If the environment variable is set that makes BabyAI wait for
            the action "done", which these environments do not have.
    """
    _module("")
    _module(".envs.babyai.core.roomgrid_level").print = _silent
    if _module(".envs.babyai.core.verifier").use_done_actions:
        raise ValueError("BABYAI_DONE_ACTIONS must not be set: no mission would end.")
    return _module(name)


def make_level(env_id: str, settings: dict[str, Any]) -> Any:
    """Returns a level of minigrid by its id, without wrappers.

    Args:
        env_id: Such as `"BabyAI-GoToLocal-v0"`.
        settings: Arguments of its constructor, beside those of the id.

    Raises:
        ValueError: If minigrid has no such level.
    """
    minigrid_module()
    spec = gymnasium.registry.get(env_id)
    if spec is None or spec.entry_point is None:
        raise ValueError(f"level must be one of BabyAI's, got {env_id!r}.")
    entry = spec.entry_point
    build: Any = load_env_creator(entry) if isinstance(entry, str) else entry
    return build(**{**spec.kwargs, **settings})
