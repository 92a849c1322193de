"""Many environments in words, stepped in one process.

An ended episode is followed by the next at once (same-step autoreset): what is
returned to act on is always of an episode that goes on, and what was seen last of
the ended one is kept apart.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.babyai.env import BabyAIText
from envs.registry import find


@dataclass(frozen=True, slots=True, kw_only=True)
class TextBatch:
    """What the environments show, to be acted on; `N` environments.

    Attributes:
        descriptions: Sentences of each.
        missions: Mission of each.
        images: The same observations as minigrid shows them, `[7, 7, 3]` each; empty
            where nobody asked for them.
    """

    descriptions: list[list[str]]
    missions: list[str]
    images: list[NDArray[np.uint8]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """An episode that ended with a step.

    Attributes:
        descriptions: Sentences of its last observation.
        episode_return: Sum of its rewards, from 0 to 1; above 0 if it succeeded.
        num_steps: Its length.
        image: Its last observation as minigrid shows it; `None` where nobody asked.
    """

    descriptions: list[str]
    episode_return: float
    num_steps: int
    image: NDArray[np.uint8] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TextSteps:
    """What a step of all environments gave.

    Attributes:
        batch: What to act on next; of the next episode where one has ended.
        rewards: `[N]`.
        terminated: `[N]`.
        truncated: `[N]`; never together with `terminated`.
        ended: Index of an environment -> its episode that ended.
    """

    batch: TextBatch
    rewards: NDArray[np.float64]
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]
    ended: dict[int, Ended]


class TextVector:
    """`N` environments in words.

    Args:
        env_id: Which; one of our ids of BabyAI in words.
        num_envs: How many; at least 1.
        kwargs: Keyword arguments of their constructor.
        images: Whether what is seen is given as minigrid shows it, too.

    Raises:
        ConfigError: If there is no such environment.
        ValueError: If it is no environment of BabyAI in words.
    """

    def __init__(
        self,
        env_id: str,
        num_envs: int,
        kwargs: Mapping[str, Any] | None = None,
        *,
        images: bool = False,
    ) -> None:
        if num_envs < 1:
            raise ValueError(f"num_envs must be at least 1, got {num_envs}.")
        spec = find(env_id, kwargs=kwargs)
        self.images = images
        self.envs: list[BabyAIText] = []
        for _ in range(num_envs):
            env: Any = spec.make().unwrapped
            if not isinstance(env, BabyAIText):
                raise ValueError(f"env_id must be BabyAI in words, got {env_id!r}.")
            self.envs.append(env)
        self._returns = np.zeros(num_envs)

    @property
    def num_envs(self) -> int:
        """How many environments there are."""
        return len(self.envs)

    @property
    def action_names(self) -> tuple[str, ...]:
        """The actions in words."""
        return self.envs[0].action_names

    def reset(self, seeds: Sequence[int]) -> TextBatch:
        """Starts an episode in each environment; later ones follow from the seeds.

        Args:
            seeds: One for each.
        """
        for env, seed in zip(self.envs, seeds, strict=True):
            env.reset(seed=seed)
        self._returns[:] = 0.0
        return self._batch()

    def step(self, actions: Sequence[int] | NDArray[np.int64]) -> TextSteps:
        """Takes an action in each environment.

        Args:
            actions: `[N]`.
        """
        rewards = np.zeros(self.num_envs)
        terminated = np.zeros(self.num_envs, dtype=np.bool_)
        truncated = np.zeros(self.num_envs, dtype=np.bool_)
        ended: dict[int, Ended] = {}
        for index, (env, action) in enumerate(zip(self.envs, actions, strict=True)):
            _, reward, is_end, is_cut, info = env.step(action)
            rewards[index], terminated[index], truncated[index] = reward, is_end, is_cut
            self._returns[index] += reward
            if is_end or is_cut:
                ended[index] = Ended(
                    descriptions=info["descriptions"],
                    episode_return=float(self._returns[index]),
                    num_steps=info["step"],
                    image=env.image if self.images else None,
                )
                self._returns[index] = 0.0
                env.reset()
        return TextSteps(
            batch=self._batch(),
            rewards=rewards,
            terminated=terminated,
            truncated=truncated,
            ended=ended,
        )

    def progress(self) -> list[dict[str, Any]]:
        """Returns where all episodes are, as plain data that JSON can hold."""
        return [env.progress() for env in self.envs]

    def resume(self, progress: Sequence[Mapping[str, Any]]) -> TextBatch:
        """Goes back to where `progress` was asked for."""
        for env, one in zip(self.envs, progress, strict=True):
            env.resume(one)
        # Before the end of an episode no reward is other than 0.
        self._returns[:] = 0.0
        return self._batch()

    def close(self) -> None:
        """Closes the environments."""
        for env in self.envs:
            env.close()

    def _batch(self) -> TextBatch:
        return TextBatch(
            descriptions=[env.descriptions for env in self.envs],
            missions=[env.instruction for env in self.envs],
            images=[env.image for env in self.envs] if self.images else [],
        )
