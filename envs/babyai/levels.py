"""Where episodes come from: one level of BabyAI, or a mixture of kinds."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium.utils import seeding

from cwm.core.seeding import child_rng
from envs.babyai.minigrid import make_level
from envs.babyai.mixed import make_local_level
from envs.babyai.names import (
    KINDS,
    MIXED,
    OF_BABYAI_TEXT,
    PREFIX,
    level_name,
    minigrid_id,
)
from envs.babyai.view import no_view


class LevelSource:
    """Draws the levels of episodes; a seed fixes all that follow.

    The kinds of a mixed level are drawn from a stream of their own, so that layouts
    of one kind are those of the original with the same seed.

    Args:
        level: A level's name or id, such as `"GoToLocal"`, `"BabyAI-GoTo-v0"`.
        kind: Of a mixed level, the one kind of missions that there is.
        kind_per_instance: Whether a kind that is drawn stays for good, as in the
            original; else each episode draws its own.
        settings: Further arguments of the level, such as `num_dists`.

    Raises:
        ValueError: If there is no such level or kind.
    """

    def __init__(
        self,
        level: str,
        *,
        kind: str | None = None,
        kind_per_instance: bool = False,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = level_name(level)
        self.kinds: tuple[str, ...] = KINDS if self.name in MIXED else ("",)
        if kind is not None:
            if kind not in self.kinds or not kind:
                rule = f"one of {', '.join(KINDS)}" if kind not in KINDS else "None"
                raise ValueError(f"kind of {self.name} must be {rule}, got {kind!r}.")
            self.kinds = (kind,)
        self.kind_per_instance = kind_per_instance
        self._env_id = level if level.startswith(PREFIX) else minigrid_id(self.name)
        self._settings = dict(settings or {})
        self._made: dict[str, Any] = {}
        self._rng = self._kind_rng = np.random.default_rng(0)
        self._kept = ""
        self.kind = self.kinds[0]
        self.level = self._level(self.kind)
        self.is_seeded = False

    def seed(self, seed: int) -> None:
        """Fixes all episodes from now on."""
        self._rng = seeding.np_random(seed)[0]
        self._kind_rng = child_rng(seed, "kind of mission")
        self.is_seeded = True

    def begin(self) -> None:
        """Starts the next episode."""
        self.kind = self._kept or self._draw_kind()
        if self.kind_per_instance:
            self._kept = self.kind
        self.level = self._level(self.kind)
        self.level.np_random = self._rng
        self.level.reset()

    def put(self, kind: str, level: Any) -> None:
        """Goes on with a level of a kind, in place of the present one."""
        self.kind = kind
        self.level = self._made[kind] = level

    def random_state(self) -> dict[str, Any]:
        """Returns what the next episodes are drawn from, as plain data."""
        return {
            "layouts": self._rng.bit_generator.state,
            "kinds": self._kind_rng.bit_generator.state,
            "kept": self._kept,
        }

    def set_random_state(self, state: Mapping[str, Any]) -> None:
        """Draws what follows from a state of `random_state`."""
        self._rng, self._kind_rng = np.random.default_rng(0), np.random.default_rng(0)
        self._rng.bit_generator.state = state["layouts"]
        self._kind_rng.bit_generator.state = state["kinds"]
        self._kept = state["kept"]
        self.is_seeded = True

    def _draw_kind(self) -> str:
        if len(self.kinds) == 1:
            return self.kinds[0]
        return self.kinds[int(self._kind_rng.integers(len(self.kinds)))]

    def _level(self, kind: str) -> Any:
        if kind not in self._made:
            if self.name in OF_BABYAI_TEXT:
                made = make_local_level(self.name, kind, self._settings)
            else:
                made = make_level(self._env_id, self._settings)
            made.gen_obs = no_view
            self._made[kind] = made
        return self._made[kind]
