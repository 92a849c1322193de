"""Episodes that take place in a world model, told in words as the real ones are.

Dyna (Sutton, 1990): an agent learns from what a model predicts, and what is learned
costs no step in the real environment.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cwm.core.protocols import StepResult
from cwm.core.seeding import child_rng
from cwm.core.spaces import Value
from cwm.providers.policies.episodes import EndedEpisode, EpisodeSteps
from cwm.providers.policies.views import View
from envs.babyai.state import State
from envs.babyai.telling import StateTeller
from prompts.glam import DEFAULT_WINDOW, History

_STEPS_TAKEN, _MOST_STEPS = 3, 4
"""Where a state has them."""


class StepsApart(Protocol):
    """A world model that makes steps from many states, each by itself."""

    def single_steps(
        self,
        observations: Sequence[Value],
        actions: Sequence[Value],
        rngs: Sequence[np.random.Generator],
    ) -> list[StepResult | None]:
        """Returns the outcomes; `None` where there is no answer."""
        ...


@dataclass(slots=True, kw_only=True, eq=False)
class _Episode:
    """An episode that goes on.

    Attributes:
        state: Where it is.
        view: What the agent knows.
        most_steps: Steps after which it is cut off, as its first state says.
        episode_return: Rewards so far.
        num_steps: Steps so far.
    """

    state: State
    view: View
    most_steps: int
    episode_return: float = 0.0
    num_steps: int = 0

    @property
    def is_over(self) -> bool:
        """Whether the most steps were taken, as the state or the count says."""
        said = bool(self.state[_STEPS_TAKEN] >= self.state[_MOST_STEPS])
        return said or self.num_steps >= self.most_steps


@dataclass(slots=True)
class ImaginedCounts:
    """What a model was asked.

    Attributes:
        num_steps: Steps that it predicted.
        num_failures: Steps that it had no answer to, or one that cannot be told; the
            episode is cut off there.
    """

    num_steps: int = 0
    num_failures: int = 0


@dataclass(slots=True)
class _Stream:
    """Where an environment's episodes come from: its seed, and how many there were."""

    seed: int = 0
    number: int = 0


@dataclass(slots=True)
class _Going:
    """All that goes on; what `progress` writes."""

    streams: list[_Stream] = field(default_factory=list)
    episodes: list[_Episode] = field(default_factory=list)


class ImaginedEpisodes:
    """Episodes in a model of a BabyAI level that is all observed; an `EpisodeSource`.

    The agent sees the part that it would see, in words. An episode is cut off when its
    state says that the most steps were taken, when so many were taken as its first
    state allows, when the model has no answer, or when what it says is no state of the
    level.

    Args:
        model: Predicts states from states.
        starts: First states of real episodes, one drawn for each episode.
        teller: Tells of states in words.
        action_names: The actions in words.
        num_envs: How many at once; at least 1.
        window: Most observations of a view; at least 1.
        images: Whether views have images, too.

    Attributes:
        counts: What the model was asked.

    Raises:
        ValueError: If there is no start, or a number is too small.
    """

    def __init__(
        self,
        model: StepsApart,
        starts: Sequence[State],
        teller: StateTeller,
        action_names: tuple[str, ...],
        *,
        num_envs: int,
        window: int = DEFAULT_WINDOW,
        images: bool = False,
    ) -> None:
        for name, value in (("starts", len(starts)), ("num_envs", num_envs)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}.")
        if window < 1:
            raise ValueError(f"window must be at least 1 observation, got {window}.")
        self._model, self._starts, self._teller = model, list(starts), teller
        self.action_names, self.num_envs = action_names, num_envs
        self.window, self.images = window, images
        self.counts = ImaginedCounts()
        self._going = _Going()

    def reset(self, seeds: Sequence[int]) -> list[View]:
        """Begins all episodes.

        Args:
            seeds: One for each; they fix which starts follow one another.
        """
        if len(seeds) != self.num_envs:
            raise ValueError(
                f"seeds must be one for each of {self.num_envs} environments, got "
                f"{len(seeds)}."
            )
        streams = [_Stream(seed) for seed in seeds]
        self._going = _Going(streams, [self._begin(stream) for stream in streams])
        return self._views()

    def step(self, actions: Sequence[int] | NDArray[np.int64]) -> EpisodeSteps:
        """Takes an action in each episode.

        Args:
            actions: `[N]`.
        """
        going, chosen = self._going, [int(action) for action in actions]
        rngs = [
            child_rng(stream.seed, "step", stream.number, episode.num_steps)
            for stream, episode in zip(going.streams, going.episodes, strict=True)
        ]
        states = [episode.state for episode in going.episodes]
        found = self._model.single_steps(states, chosen, rngs)
        rewards = np.zeros(self.num_envs)
        terminated = np.zeros(self.num_envs, dtype=np.bool_)
        truncated = np.zeros(self.num_envs, dtype=np.bool_)
        ended: dict[int, EndedEpisode] = {}
        for index, (action, result) in enumerate(zip(chosen, found, strict=True)):
            episode = going.episodes[index]
            goes_on = self._advance(episode, action, result)
            if goes_on:
                assert result is not None, "without an answer nothing goes on"
                rewards[index] = result.reward
                terminated[index] = result.terminated
                truncated[index] = not result.terminated and episode.is_over
            else:
                truncated[index] = True
            if terminated[index] or truncated[index]:
                ended[index] = EndedEpisode(
                    view=episode.view,
                    episode_return=episode.episode_return,
                    num_steps=episode.num_steps,
                )
                going.episodes[index] = self._begin(going.streams[index])
        return EpisodeSteps(
            views=self._views(),
            rewards=rewards,
            terminated=terminated,
            truncated=truncated,
            ended=ended,
        )

    def progress(self) -> dict[str, Any]:
        """Returns where all episodes are, as plain data that JSON can hold."""
        return {
            "streams": [[one.seed, one.number] for one in self._going.streams],
            "episodes": [
                {
                    "state": episode.state.tolist(),
                    "goal": episode.view.goal,
                    "observations": [
                        list(o) for o in episode.view.history.observations
                    ],
                    "actions_done": list(episode.view.history.actions_done),
                    "images": [image.tolist() for image in episode.view.images],
                    "most_steps": episode.most_steps,
                    "episode_return": episode.episode_return,
                    "num_steps": episode.num_steps,
                }
                for episode in self._going.episodes
            ],
        }

    def resume(self, progress: Mapping[str, Any]) -> list[View]:
        """Goes back to where `progress` was asked for.

        Raises:
            ValueError: If it is of another number of environments.
        """
        kept = progress["episodes"]
        if len(kept) != self.num_envs:
            raise ValueError(
                f"progress must be of {self.num_envs} environments, got {len(kept)}."
            )
        streams = [_Stream(*one) for one in progress["streams"]]
        self._going = _Going(streams, [self._kept(one) for one in kept])
        return self._views()

    def _views(self) -> list[View]:
        return [episode.view for episode in self._going.episodes]

    def _begin(self, stream: _Stream) -> _Episode:
        rng = child_rng(stream.seed, "start", stream.number)
        stream.number += 1
        state = self._starts[int(rng.integers(len(self._starts)))]
        view = View(
            goal=self._teller.mission("", state),
            history=History.begin(self._teller.sentences(state), self.window),
            actions=self.action_names,
            images=(self._teller.image(state),) if self.images else (),
        )
        return _Episode(state=state, view=view, most_steps=int(state[_MOST_STEPS]))

    def _advance(
        self, episode: _Episode, action: int, result: StepResult | None
    ) -> bool:
        """Moves an episode on; returns whether the model said what can be told."""
        self.counts.num_steps += 1
        episode.num_steps += 1
        if result is None:
            self.counts.num_failures += 1
            return False
        try:
            sentences = self._teller.sentences(result.observation)
            image = self._teller.image(result.observation) if self.images else None
        except (IndexError, ValueError, KeyError):
            # Numbers that no cell of the level has.
            self.counts.num_failures += 1
            return False
        episode.state = np.asarray(result.observation)
        episode.view = episode.view.after(action, sentences, image)
        episode.episode_return += float(result.reward)
        return True

    def _kept(self, kept: Mapping[str, Any]) -> _Episode:
        view = View(
            goal=kept["goal"],
            history=History(
                observations=tuple(tuple(told) for told in kept["observations"]),
                actions_done=tuple(kept["actions_done"]),
                window=self.window,
            ),
            actions=self.action_names,
            images=tuple(np.array(image, dtype=np.uint8) for image in kept["images"]),
        )
        return _Episode(
            state=np.array(kept["state"], dtype=np.int64),
            view=view,
            most_steps=int(kept["most_steps"]),
            episode_return=float(kept["episode_return"]),
            num_steps=int(kept["num_steps"]),
        )
