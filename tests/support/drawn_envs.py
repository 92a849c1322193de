"""Walks that draw themselves, each with one property, for tests of what shows them.

They are made as `tests.support.drawn_envs:Drawn-...`; importing the module registers
them. The picture is a row of six squares; the one where the walk is is lit.
"""

from typing import Any

import gymnasium
import numpy as np

from tests.support.toy_envs import Line

SIDE = 40
"""Side of a square in pixels."""


class Drawn(Line):
    """A walk that draws itself."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 5}  # noqa: RUF012

    def __init__(self, render_mode: str | None = None, start: int = 2) -> None:
        super().__init__(start)
        self.render_mode = render_mode
        self._canvas = np.zeros((SIDE, 6 * SIDE, 3), dtype=np.uint8)

    def render(self) -> Any:
        self._canvas[:] = 0
        self._canvas[:, SIDE * self.place : SIDE * (self.place + 1)] = 255
        return self._canvas


class Hidden(Drawn):
    """A walk that keeps its place in an object, so that no observation restores it."""

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__(render_mode)
        self._hidden = {"value": 0}

    def reset(self, **settings: Any) -> tuple[Any, dict[str, Any]]:
        found = super().reset(**settings)
        self._hidden["value"] = self.place
        return found

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.place = self._hidden["value"]
        found = super().step(action)
        self._hidden["value"] = self.place
        return found


class Dealt(Drawn):
    """A walk with a number that each reset draws and no observation shows."""

    number = 0

    def reset(self, **settings: Any) -> tuple[Any, dict[str, Any]]:
        found = super().reset(**settings)
        self.number = int(self.np_random.integers(1 << 31))
        return found


class Shy(Drawn):
    """A walk that cannot be drawn at the left end."""

    def render(self) -> Any:
        if self.place == 0:
            raise RuntimeError("nobody may see this")
        return super().render()


class Unseen(Drawn):
    """A walk that can never be drawn."""

    def render(self) -> Any:
        raise RuntimeError("nobody may see this")


class Grey(Drawn):
    """A walk that draws in one colour channel."""

    def render(self) -> Any:
        return super().render()[:, :, 0]


class Disturbed(Drawn):
    """A walk with chances that are other ones when somebody looks."""

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return super().step(int(self.np_random.random() < 0.5))

    def render(self) -> Any:
        self.np_random.random()
        return super().render()


MODULE = __name__

for _class in (Drawn, Hidden, Dealt, Shy, Unseen, Grey, Disturbed):
    _id = f"Drawn-{_class.__name__}-v0"
    if _id not in gymnasium.registry:
        gymnasium.register(
            _id, entry_point=f"{MODULE}:{_class.__name__}", max_episode_steps=12
        )


def drawn(name: str = "Drawn") -> str:
    """Returns the id of one of them by the name of its class."""
    return f"{MODULE}:Drawn-{name}-v0"
