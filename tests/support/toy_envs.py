"""Small environments with one property each, for tests of what handles them.

They are made as `tests.support.toy_envs:Toy-...`; importing the module registers
them.
"""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces


class Line(gymnasium.Env[Any, Any]):
    """A walk on the numbers 0 to 5; 5 is the end."""

    def __init__(self, start: int = 2) -> None:
        self.observation_space = spaces.Discrete(6)
        self.action_space = spaces.Discrete(2)
        self.start = start
        self.place = start

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.place = self.start
        return self.place, {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.place = min(max(self.place + 2 * int(action) - 1, 0), 5)
        return self.place, float(self.place), self.place == 5, False, {}


class NoisyLine(Line):
    """A walk in which every third step or so goes the other way."""

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        if self.np_random.random() < 0.3:
            action = 1 - action
        return super().step(action)


class HiddenInObject(Line):
    """A walk that keeps its place in an object, out of sight of attribute copies."""

    class _Place:
        value = 0

    def __init__(self) -> None:
        super().__init__()
        self._hidden = self._Place()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        found = super().reset(seed=seed)
        self._hidden.value = self.place
        return found

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.place = self._hidden.value
        found = super().step(action)
        self._hidden.value = self.place
        return found


class HiddenNoise(HiddenInObject):
    """A walk with chances that keeps its place out of sight."""

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        if self.np_random.random() < 0.3:
            action = 1 - action
        return super().step(action)


class Unrepeatable(Line):
    """A walk whose chances no seed fixes."""

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        observation, _, terminated, truncated, info = super().step(action)
        chance = float(np.random.default_rng().random())
        return observation, chance, terminated, truncated, info


class Mixed(gymnasium.Env[Any, Any]):
    """Every kind of space at once; actions are a tuple."""

    def __init__(self) -> None:
        self.observation_space = spaces.Dict(
            {
                "count": spaces.Discrete(100, start=1),
                "flags": spaces.MultiBinary(3),
                "pair": spaces.Tuple((spaces.MultiDiscrete([3, 4]), spaces.Text(9))),
                "place": spaces.Box(-1.0, 1.0, (2,), np.float32),
            }
        )
        self.action_space = spaces.Tuple(
            (spaces.Discrete(3), spaces.Box(-1.0, 1.0, (2,), np.float32))
        )
        self.count = 1

    def _observation(self) -> dict[str, Any]:
        return {
            "count": np.int64(self.count),
            "flags": np.array([1, 0, self.count % 2], dtype=np.int8),
            "pair": (np.array([self.count % 3, 0]), "x" * (self.count % 4)),
            "place": np.full(2, 1 / self.count, dtype=np.float32),
        }

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.count = 1
        return self._observation(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.count += 1 + int(action[0])
        return self._observation(), float(action[1].sum()), self.count > 90, False, {}


class OutOfSpace(Line):
    """A walk that returns text where its space has numbers."""

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return "five", 0.0, False, False, {}


class Declared(Line):
    """A walk that declares legal actions and an instruction."""

    instruction = "walk to the end"

    def legal_actions(self) -> list[int]:
        """Returns the actions that are legal now."""
        return [1] if self.place == 0 else [0, 1]


class WordActions(Line):
    """A walk whose actions are words."""

    def __init__(self) -> None:
        super().__init__()
        self.action_space = spaces.Text(5)


class Graph(Line):
    """An environment whose observations have no fixed layout."""

    def __init__(self) -> None:
        super().__init__()
        self.observation_space = spaces.Graph(spaces.Discrete(2), None)


MODULE = __name__

for _class in (
    *(Line, NoisyLine, HiddenInObject, Unrepeatable, Mixed, OutOfSpace),
    *(Declared, WordActions, Graph, HiddenNoise),
):
    _id = f"Toy-{_class.__name__}-v0"
    if _id not in gymnasium.registry:
        gymnasium.register(
            _id, entry_point=f"{MODULE}:{_class.__name__}", max_episode_steps=30
        )


def toy(name: str) -> str:
    """Returns the id of a toy environment by the name of its class."""
    return f"{MODULE}:Toy-{name}-v0"
