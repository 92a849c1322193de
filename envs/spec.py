"""What an environment is: how to build it, its spaces, its documentation."""

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import gymnasium

from cwm.core.spaces import SpaceSpec

Env: TypeAlias = gymnasium.Env[Any, Any]
"""A Gymnasium environment, whatever its spaces."""

LEFT_OUT_SECTIONS = ("arguments", "version history")
"""Parts of an environment's documentation that are not about its dynamics."""


@dataclass(frozen=True, kw_only=True)
class EnvSpec:
    """An environment that can be built as often as needed.

    Attributes:
        id: Its name, as the user typed it.
        build: Builds a fresh instance, with its time limit.
        kwargs: Keyword arguments of its constructor; JSON-able.
        changes: Attributes that differ from the original's: name -> value.
        description: Its documentation, without constructor arguments and version
            history.
        observation_space: Space of the observations.
        action_space: Space of the actions.
        max_episode_steps: Its time limit in steps, if it has one.
        is_declared_nondeterministic: Whether Gymnasium's registry says that a seed
            does not fix its outcomes.
    """

    id: str
    build: Callable[[], Env] = field(repr=False)
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    changes: Mapping[str, Any] = field(default_factory=dict)
    description: str = field(default="", repr=False)
    observation_space: SpaceSpec
    action_space: SpaceSpec
    max_episode_steps: int | None = None
    is_declared_nondeterministic: bool = False

    def make(self) -> Env:
        """Returns a fresh instance; the caller closes it."""
        return self.build()


def documentation(env: Env) -> str:
    """Returns the class documentation of an environment, as a description.

    An attribute `documentation` of the environment stands in for that of its class.
    The parts named in `LEFT_OUT_SECTIONS` are dropped with all their
    subsections. Without any documentation, the spaces are stated.
    """
    own = getattr(env.unwrapped, "documentation", None)
    if isinstance(own, str):
        return own
    text = inspect.getdoc(type(env.unwrapped)) or ""
    # A class without its own docstring shows that of gymnasium.Env.
    if text == inspect.getdoc(gymnasium.Env):
        text = ""
    text = drop_sections(text, LEFT_OUT_SECTIONS)
    if text:
        return text
    return (
        f"An environment with observation space {env.observation_space} and "
        f"action space {env.action_space}."
    )


def drop_sections(markdown: str, titles: tuple[str, ...]) -> str:
    """Returns a Markdown text without the sections that have these titles.

    A section ends at the next heading of its own level or above.

    Args:
        markdown: The text.
        titles: Titles in lower case.
    """
    kept: list[str] = []
    dropped_level = 0
    in_code = False
    for line in markdown.splitlines():
        if line.lstrip().startswith("```"):
            in_code = not in_code
        heading = re.match(r"\s*(#+)\s+(.*?)[\s:#]*$", line)
        # In code one # is a comment; more of them say that a fence was not closed.
        if heading and not (in_code and len(heading[1]) == 1):
            in_code = False
            level = len(heading[1])
            if heading[2].lower() in titles:
                dropped_level = min(dropped_level, level) if dropped_level else level
            elif dropped_level and level <= dropped_level:
                dropped_level = 0
        if not dropped_level:
            kept.append(line.rstrip())
    return "\n".join(kept).strip()


def with_description(spec: EnvSpec, description: str) -> EnvSpec:
    """Returns the same environment with another description."""
    return replace(spec, description=description.strip())
