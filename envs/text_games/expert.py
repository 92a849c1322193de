"""The expert of text games: the way to win that each game knows."""

from typing import Any

from cwm.core.spaces import Value
from envs.spec import EnvSpec
from envs.text_games.base import TextGame


class GoldExpert:
    """Wins text games, in `expert_actions`; an `envs.collect.Expert`.

    Args:
        spec: A text game.

    Raises:
        ValueError: If it is another environment.
    """

    policy = "gold"

    def __init__(self, spec: EnvSpec) -> None:
        self.game: Any = spec.make().unwrapped
        if not isinstance(self.game, TextGame):
            raise ValueError(f"Gold paths are of text games only, got {spec.id!r}.")

    def actions(self, seed: int, length: int) -> list[Value]:
        """Returns what wins after `reset(seed)`.

        Raises:
            DataError: If the game knows no way to win.
        """
        self.game.reset(seed=seed)
        return list(self.game.expert_actions())[:length]
