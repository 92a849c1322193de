"""Environments with a mistake of their author's."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces


class Still(gymnasium.Env[Any, Any]):
    """Nothing happens; the others here differ from it in one way."""

    observation_space: spaces.Space[Any] = spaces.Discrete(3)
    action_space: spaces.Space[Any] = spaces.Discrete(2)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed, options=options)
        return self.observe(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        del action
        return self.observe(), 0.0, False, False, {}

    def observe(self) -> Any:
        return 0


class StepRaises(Still):
    """A step that cannot be taken."""

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        raise RuntimeError("broken motor")


class ResetRaises(Still):
    """An episode that cannot be started."""

    def observe(self) -> Any:
        raise KeyError("start")


class Talkative(Still):
    """Prints where the result of a command goes."""

    def observe(self) -> Any:
        print("noise")  # noqa: T201 - what the test is about
        return 0


class Image(Still):
    """Observations of more elements than induction takes."""

    observation_space = spaces.Box(0, 255, (16, 16, 3), np.uint8)

    def observe(self) -> Any:
        return np.zeros((16, 16, 3), dtype=np.uint8)


class Text(Still):
    """Observations that are not numbers."""

    observation_space = spaces.Text(9)

    def observe(self) -> Any:
        return "here"


class NoSpaces(gymnasium.Env[Any, Any]):
    """Declares no spaces."""


for _kind in (Still, StepRaises, ResetRaises, Talkative, Image, Text, NoSpaces):
    gymnasium.register(
        f"{_kind.__name__}-v0",
        entry_point=f"{__name__}:{_kind.__name__}",
        max_episode_steps=20,
    )
