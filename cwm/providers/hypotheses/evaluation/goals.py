"""Worlds in words in which a goal can be set."""

from collections.abc import Callable
from typing import Protocol

from cwm.core.errors import ConfigError
from cwm.providers.hypotheses.worlds import (
    PlaygroundInWords,
    TextEnv,
    TextWorld,
)
from envs.playground.env import Playground
from envs.playground.scenes import DEFAULT_GOAL

GOALS: tuple[str, ...] = (
    *("grow any plant", "grow any small_herbivorous", "grow any big_herbivorous"),
    DEFAULT_GOAL,
)
"""From easy to hard: 4, 7, 12 and 19 steps."""


class GoalEnv(TextEnv, Protocol):
    """An environment, acted in in words, with a goal."""

    @property
    def is_reached(self) -> bool:
        """Whether the goal has been reached in this episode."""
        ...


class PlaygroundWithGoal(PlaygroundInWords):
    """The Playground as a `GoalEnv`."""

    def __init__(self, goal: str, wording: str = "original") -> None:
        """Makes the environment; see `envs.playground.env.Playground`."""
        super().__init__(wording)
        self.env = Playground(goal=goal, wording=wording)

    @property
    def is_reached(self) -> bool:
        """Whether all parts of the goal have been reached."""
        return all(self.env.reached)


def goal_env(world: TextWorld) -> Callable[[str], GoalEnv]:
    """Returns what makes the environment of a world for a goal.

    Raises:
        ConfigError: If the world has no goals to choose from.
    """
    env = world.open()
    if not isinstance(env, PlaygroundInWords):
        raise ConfigError(
            "Acting needs an env with goals, playground or playground-reworded, got "
            f"{world.name!r}."
        )
    wording = env.env.wording
    return lambda goal: PlaygroundWithGoal(goal, wording)
