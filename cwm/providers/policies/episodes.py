"""Many episodes at once, each with the view of it that an agent acts on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cwm.providers.policies.views import View
from envs.babyai.vector import Ended, TextBatch, TextVector
from prompts.glam import DEFAULT_WINDOW, History


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedEpisode:
    """An episode that ended with a step.

    Attributes:
        view: What was known after its last step; of use to estimate what would have
            come after a truncated episode.
        episode_return: Sum of its rewards; above 0 if it succeeded.
        num_steps: Its length.
    """

    view: View
    episode_return: float
    num_steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeSteps:
    """What one step of all `N` episodes gave.

    Attributes:
        views: What to act on next; of the next episode where one has ended.
        rewards: `[N]`, those of the source.
        terminated: `[N]`.
        truncated: `[N]`; never together with `terminated`.
        ended: Index -> its episode that ended.
    """

    views: list[View]
    rewards: NDArray[np.float64]
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]
    ended: dict[int, EndedEpisode]


class EpisodeSource(Protocol):
    """`N` episodes side by side, each followed by the next at once when it ends."""

    @property
    def num_envs(self) -> int:
        """How many episodes go on at once."""
        ...

    @property
    def action_names(self) -> tuple[str, ...]:
        """The actions in words; an action is an index of them."""
        ...

    @property
    def images(self) -> bool:
        """Whether views have images."""
        ...

    @property
    def window(self) -> int:
        """Most observations of a view."""
        ...

    def reset(self, seeds: Sequence[int]) -> list[View]:
        """Begins all episodes; those that follow are fixed by the seeds.

        Args:
            seeds: One for each.
        """
        ...

    def step(self, actions: Sequence[int] | NDArray[np.int64]) -> EpisodeSteps:
        """Takes an action in each episode.

        Args:
            actions: `[N]`.
        """
        ...

    def progress(self) -> dict[str, Any]:
        """Returns where all episodes are, as plain data that JSON can hold."""
        ...

    def resume(self, progress: Mapping[str, Any]) -> list[View]:
        """Goes back to where `progress` was asked for; all that follows is the same.

        Raises:
            ValueError: If it is of another number of episodes.
        """
        ...


class TextEpisodes:
    """Episodes of BabyAI in words; an `EpisodeSource`.

    Args:
        env_id: Which; one of our ids of BabyAI in words.
        num_envs: How many at once; at least 1.
        kwargs: Keyword arguments of the environments' constructor.
        window: Most observations of a view; at least 1.
        images: Whether views have images, too.

    Attributes:
        vector: The environments.
        views: What to act on now; empty before `reset`.

    Raises:
        ConfigError: If there is no such environment.
        ValueError: If a number is too small, or it is another environment.
    """

    def __init__(
        self,
        env_id: str,
        num_envs: int,
        kwargs: Mapping[str, Any] | None = None,
        *,
        window: int = DEFAULT_WINDOW,
        images: bool = False,
    ) -> None:
        if window < 1:
            raise ValueError(f"window must be at least 1 observation, got {window}.")
        self.vector = TextVector(env_id, num_envs, kwargs, images=images)
        self.window = window
        self.images = images
        self.views: list[View] = []

    @property
    def num_envs(self) -> int:
        """How many episodes go on at once."""
        return self.vector.num_envs

    @property
    def action_names(self) -> tuple[str, ...]:
        """The actions in words."""
        return self.vector.action_names

    def reset(self, seeds: Sequence[int]) -> list[View]:
        """Begins an episode in each environment.

        Args:
            seeds: One for each.
        """
        batch = self.vector.reset(seeds)
        self.views = [self._first_view(batch, index) for index in range(self.num_envs)]
        return list(self.views)

    def step(self, actions: Sequence[int] | NDArray[np.int64]) -> EpisodeSteps:
        """Takes an action in each environment.

        Args:
            actions: `[N]`.
        """
        found = self.vector.step(actions)
        views: list[View] = []
        ended: dict[int, EndedEpisode] = {}
        for index, view in enumerate(self.views):
            action, end = int(actions[index]), found.ended.get(index)
            if end is None:
                views.append(_next_view(view, action, found.batch, index))
            else:
                ended[index] = _ended(view, action, end)
                views.append(self._first_view(found.batch, index))
        self.views = views
        return EpisodeSteps(
            views=list(views),
            rewards=found.rewards,
            terminated=found.terminated,
            truncated=found.truncated,
            ended=ended,
        )

    def progress(self) -> dict[str, Any]:
        """Returns where all episodes are, as plain data that JSON can hold.

        The environments go on by replaying the actions of their present episode; what
        views remember is kept as it is.
        """
        return {
            "envs": self.vector.progress(),
            "views": [
                {
                    "observations": [list(told) for told in view.history.observations],
                    "actions_done": list(view.history.actions_done),
                    "images": [image.tolist() for image in view.images],
                }
                for view in self.views
            ],
        }

    def resume(self, progress: Mapping[str, Any]) -> list[View]:
        """Goes back to where `progress` was asked for.

        Raises:
            ValueError: If it is of another number of environments.
        """
        kept = progress["views"]
        if len(kept) != self.num_envs:
            raise ValueError(
                f"progress must be of {self.num_envs} environments, got {len(kept)}."
            )
        batch = self.vector.resume(progress["envs"])
        self.views = [
            self._kept_view(goal, one)
            for goal, one in zip(batch.missions, kept, strict=True)
        ]
        return list(self.views)

    def close(self) -> None:
        """Closes the environments."""
        self.vector.close()

    def _first_view(self, batch: TextBatch, index: int) -> View:
        return View(
            goal=batch.missions[index],
            history=History.begin(batch.descriptions[index], self.window),
            actions=self.action_names,
            images=(batch.images[index],) if self.images else (),
        )

    def _kept_view(self, goal: str, kept: Mapping[str, Any]) -> View:
        history = History(
            observations=tuple(tuple(told) for told in kept["observations"]),
            actions_done=tuple(kept["actions_done"]),
            window=self.window,
        )
        images = tuple(np.array(image, dtype=np.uint8) for image in kept["images"])
        return View(
            goal=goal, history=history, actions=self.action_names, images=images
        )


def _next_view(view: View, action: int, batch: TextBatch, index: int) -> View:
    image = batch.images[index] if batch.images else None
    return view.after(action, batch.descriptions[index], image)


def _ended(view: View, action: int, end: Ended) -> EndedEpisode:
    return EndedEpisode(
        view=view.after(action, end.descriptions, end.image),
        episode_return=end.episode_return,
        num_steps=end.num_steps,
    )
