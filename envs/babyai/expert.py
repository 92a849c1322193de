"""BabyAI's bot: follows instructions, and looks at the true grid for it."""

from typing import Any

from cwm.core.spaces import Value
from envs.babyai.env import BabyAIText
from envs.babyai.minigrid import minigrid_module
from envs.babyai.privileged import PrivilegedBabyAI
from envs.spec import EnvSpec

_GIVES_UP = ("DisappearedBoxError", "AssertionError", "IndexError", "AttributeError")
"""How the bot ends where it does not know what to do."""


class BotExpert:
    """Takes the actions of BabyAI's bot; an `envs.collect.Expert`.

    Args:
        spec: An environment of BabyAI, in words or with all of it observed.

    Raises:
        ValueError: If it is another environment.
    """

    policy = "bot"

    def __init__(self, spec: EnvSpec) -> None:
        self.env: Any = spec.make().unwrapped
        if not isinstance(self.env, BabyAIText | PrivilegedBabyAI):
            raise ValueError(f"The bot plays levels of BabyAI only, got {spec.id!r}.")

    def actions(self, seed: int, length: int) -> list[Value]:
        """Returns what the bot does after `reset(seed)`; at least one action."""
        self.env.reset(seed=seed)
        num_actions = int(self.env.action_space.n)
        return list(bot_actions(self.env.level, length, num_actions)) or [0]


def bot_actions(level: Any, length: int, num_actions: int = 6) -> list[int]:
    """Returns what the bot does in a level that was just reset, up to the end.

    It stops early where it gives up, or needs an action that there is not.

    Args:
        level: Minigrid's environment; stepped.
        length: Most actions.
        num_actions: Actions that there are.
    """
    bot = minigrid_module(".utils.baby_ai_bot").BabyAIBot(level)
    taken: list[int] = []
    last: Any = None
    while len(taken) < length:
        try:
            last = bot.replan(last)
        except Exception as failure:
            if type(failure).__name__ not in _GIVES_UP:
                raise
            break
        if int(last) >= num_actions:
            break
        taken.append(int(last))
        _, _, terminated, truncated, _ = level.step(last)
        if terminated or truncated:
            break
    return taken
