"""Q-learning of a DRRN, as GLAM's baseline does it.

Covers: uniform replay, the Huber loss, one gradient step every so many steps, actions
    drawn from the softmax of Q-values, and no target network, all as published.
Does not cover: going on after an interruption (weights are saved and restored, the
    replay is not), several devices.

Three things of the published code are not repeated: an episode's first observation is
part of its first prompt, the success rate that is told is that of the newest episodes,
and a truncated episode is not taken for one that is over.
"""

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cwm.core.errors import ConfigError
from cwm.core.seeding import child_rng, child_seed
from cwm.llm.local.packages import LazyPackage
from cwm.providers.policies.agents.network import NetworkAgent
from cwm.providers.policies.episodes import EpisodeSource, EpisodeSteps
from cwm.providers.policies.networks.drrn import DRRNNetwork, encode_words
from cwm.providers.policies.views import View

torch = LazyPackage("torch")

_NUM_NEWEST = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class DRRNConfig:
    """Settings; the defaults are the published ones but for the replay's capacity.

    Attributes:
        width: Units of the network's layers; at least 1.
        discount: Weight of the next reward; above 0, at most 1.
        reward_scale: What rewards are multiplied by; above 0. It decides how greedy the
            softmax of Q-values can become.
        learning_rate: Of Adam; above 0.
        batch_size: Transitions of a gradient step; at least 1.
        max_grad_norm: Longer gradients are shortened to this length; above 0.
        capacity: Most transitions in the replay, the newest ones; at least
            `batch_size`. 5 million are published.
        steps_per_update: Steps of single environments between two gradient steps; at
            least 1. Four steps of all 32 environments are published.
    """

    width: int = 128
    discount: float = 0.9
    reward_scale: float = 20.0
    learning_rate: float = 1e-4
    batch_size: int = 64
    max_grad_norm: float = 5.0
    capacity: int = 100_000
    steps_per_update: int = 128

    def __post_init__(self) -> None:
        for name in ("width", "batch_size", "steps_per_update"):
            if getattr(self, name) < 1:
                raise ConfigError(
                    f"{name} must be at least 1, got {getattr(self, name)}."
                )
        for name in ("reward_scale", "learning_rate", "max_grad_norm"):
            if not 0.0 < getattr(self, name) < math.inf:
                raise ConfigError(
                    f"{name} must be positive and finite, got {getattr(self, name)!r}."
                )
        if not 0.0 < self.discount <= 1.0:
            raise ConfigError(
                f"discount must be above 0 and at most 1, got {self.discount!r}."
            )
        if self.capacity < self.batch_size:
            raise ConfigError(
                f"capacity must be at least batch_size ({self.batch_size}), "
                f"got {self.capacity}."
            )


class Remembered(NamedTuple):
    """A transition in the replay.

    Attributes:
        state: Words of the prompt.
        action: What was done.
        reward: In the units of Q-values.
        next_state: Words of the prompt after it; `None` after a terminal state.
    """

    state: NDArray[np.int16]
    action: int
    reward: float
    next_state: NDArray[np.int16] | None


class DRRNProgress(NamedTuple):
    """How far training is, told after each gradient step.

    Attributes:
        num_frames: Steps of single environments so far.
        num_updates: Gradient steps so far.
        loss: Of the last one.
        num_episodes: Episodes that have ended.
        success_rate: Of the newest of them, at most 100; `nan` without any.
    """

    num_frames: int
    num_updates: int
    loss: float
    num_episodes: int
    success_rate: float


ReportProgress: TypeAlias = Callable[[DRRNProgress], None]


def train_drrn(
    source: EpisodeSource,
    config: DRRNConfig,
    *,
    num_frames: int,
    seed: int,
    on_progress: ReportProgress | None = None,
) -> NetworkAgent:
    """Returns an agent that acts by a DRRN trained in a source's episodes.

    Args:
        source: Where it learns; reset first.
        config: How.
        num_frames: Steps of single environments; it stops with the first step of all
            after which there are as many.
        seed: Of weights, episodes, actions and batches; at least 0.
        on_progress: Told of every gradient step.
    """
    network = DRRNNetwork(width=config.width, seed=seed)
    agent = NetworkAgent(network)
    learner = DRRNLearner(network, source.action_names, config)
    acting, drawing = (
        child_rng(seed, "drrn", "actions"),
        child_rng(seed, "drrn", "replay"),
    )
    newest: deque[bool] = deque(maxlen=_NUM_NEWEST)
    views = source.reset(
        [child_seed(seed, "training", index) for index in range(source.num_envs)]
    )
    done = waiting = num_updates = num_episodes = 0
    while done < num_frames:
        actions = agent.act(views, acting)
        found = source.step(actions)
        learner.remember(transitions(views, actions, found, config.reward_scale))
        newest.extend(one.episode_return > 0 for one in found.ended.values())
        num_episodes += len(found.ended)
        views = found.views
        done += source.num_envs
        waiting += source.num_envs
        while learner.can_learn and waiting >= config.steps_per_update:
            waiting -= config.steps_per_update
            loss = learner.update(learner.draw(drawing))
            num_updates += 1
            if on_progress is not None:
                rate = sum(newest) / len(newest) if newest else math.nan
                on_progress(DRRNProgress(done, num_updates, loss, num_episodes, rate))
    return agent


def transitions(
    views: Sequence[View],
    actions: NDArray[np.int64],
    found: EpisodeSteps,
    reward_scale: float,
) -> list[Remembered]:
    """Returns what a step of all environments teaches, one transition for each.

    Args:
        views: What was acted on.
        actions: What was done, `[N]`.
        found: What it gave. A truncated episode's last view counts as its next state.
        reward_scale: What rewards are multiplied by.
    """
    states = [encode_words(view.prompt()) for view in views]
    after = [
        found.ended[index].view if index in found.ended else view
        for index, view in enumerate(found.views)
    ]
    return [
        Remembered(
            state=state,
            action=int(actions[index]),
            reward=reward_scale * float(found.rewards[index]),
            next_state=(
                None if found.terminated[index] else encode_words(after[index].prompt())
            ),
        )
        for index, state in enumerate(states)
    ]


class DRRNLearner:
    """Fits a DRRN to `reward + discount * max Q` of the next state.

    Args:
        network: Changed by `update`.
        actions: Names of the actions.
        config: How.
    """

    def __init__(
        self, network: DRRNNetwork, actions: Sequence[str], config: DRRNConfig
    ) -> None:
        self.network = network
        self.actions = tuple(actions)
        self.config = config
        self.replay: list[Remembered] = []
        self._oldest = 0
        self._weights: list[Any] = list(network.module.parameters())
        self._optimizer = torch.optim.Adam(self._weights, lr=config.learning_rate)

    @property
    def can_learn(self) -> bool:
        """Whether there are transitions for a batch."""
        return len(self.replay) >= self.config.batch_size

    def remember(self, found: Sequence[Remembered]) -> None:
        """Puts transitions into the replay, in place of the oldest if it is full."""
        for one in found:
            if len(self.replay) < self.config.capacity:
                self.replay.append(one)
            else:
                self.replay[self._oldest] = one
                self._oldest = (self._oldest + 1) % self.config.capacity

    def draw(self, rng: np.random.Generator) -> list[Remembered]:
        """Returns a batch of different transitions, each with the same probability."""
        chosen = rng.choice(len(self.replay), self.config.batch_size, replace=False)
        return [self.replay[int(index)] for index in chosen]

    def update(self, batch: Sequence[Remembered]) -> float:
        """Takes one gradient step; returns the loss before it."""
        device = self.network.device
        targets = torch.from_numpy(self._targets(batch)).to(device)
        chosen = torch.tensor([one.action for one in batch], device=device)
        q_values = self.network.q_values([one.state for one in batch], self.actions)
        predicted = q_values.gather(1, chosen[:, None]).squeeze(1)
        assert predicted.shape == targets.shape, "Other shapes would broadcast."
        loss = torch.nn.functional.smooth_l1_loss(predicted, targets)
        self._optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._weights, self.config.max_grad_norm)
        self._optimizer.step()
        return float(loss.detach())

    def _targets(self, batch: Sequence[Remembered]) -> NDArray[np.float32]:
        """Returns what Q-values should be, `[N]`."""
        targets = np.array([one.reward for one in batch], dtype=np.float32)
        goes_on = [i for i, one in enumerate(batch) if one.next_state is not None]
        states = [one.next_state for one in batch if one.next_state is not None]
        if states:
            with torch.no_grad():
                best = self.network.q_values(states, self.actions).amax(dim=1)
            targets[goes_on] += self.config.discount * best.cpu().numpy()
        return targets
