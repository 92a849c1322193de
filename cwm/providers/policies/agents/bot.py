"""Acting as BabyAI's bot does: what an agent can reach that looks at the true grid."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cwm.providers.policies.episodes import TextEpisodes
from cwm.providers.policies.views import View
from envs.babyai.env import BabyAIText
from envs.babyai.expert import bot_actions

FALLBACK = 0
"""The action where the bot gives up: the first one, which is to turn left."""


class _Plan(NamedTuple):
    """What the bot does in the rest of an episode.

    Attributes:
        mission: Minigrid's object for the episode's mission, new in each episode.
        first_step: Steps taken before the plan.
        actions: What to do from there.
    """

    mission: Any
    first_step: int
    actions: list[int]


class BotAgent:
    """Plays episodes as BabyAI's bot does; an `Agent`.

    It plans an episode to its end in a copy of the level, which nothing but actions
    changes, and does so when it first acts in it. Where the bot gives up, or needs an
    action that there is not, `FALLBACK` is taken until the episode ends.

    It is for playing episodes on its own: of what others do in between it learns
    nothing.

    Args:
        episodes: Whose episodes it plays.
    """

    name = "bot"
    needs_images = False

    def __init__(self, episodes: TextEpisodes) -> None:
        self.episodes = episodes
        self._plans: dict[int, _Plan] = {}

    def act(self, views: Sequence[View], rng: np.random.Generator) -> NDArray[np.int64]:
        """Returns an action for each view, `[N]`.

        Args:
            views: Some or all of `episodes.views`, the objects themselves.
            rng: Not used.

        Raises:
            ValueError: If a view is not of the present step of these episodes.
        """
        indices = {id(view): i for i, view in enumerate(self.episodes.views)}
        if not all(id(view) in indices for view in views):
            raise ValueError("views must be those that the bot's episodes show now.")
        return np.array([self._action(indices[id(view)]) for view in views], np.int64)

    def _action(self, index: int) -> int:
        env = self.episodes.vector.envs[index]
        step = int(env.level.step_count)
        plan = self._plans.get(index)
        if plan is None or plan.mission is not env.level.instrs:
            plan = self._plans[index] = _plan(env, step)
        past = step - plan.first_step
        return plan.actions[past] if past < len(plan.actions) else FALLBACK


def _plan(env: BabyAIText, step: int) -> _Plan:
    level = env.level
    actions = bot_actions(deepcopy(level), env.max_steps, len(env.action_names))
    return _Plan(mission=level.instrs, first_step=step, actions=actions)
