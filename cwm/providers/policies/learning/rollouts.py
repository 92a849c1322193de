"""Acting with a network, and keeping what PPO learns from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cwm.core.protocols import FloatArray
from cwm.core.seeding import child_rng, child_seed
from cwm.llm.local.packages import LazyPackage
from cwm.providers.policies.agents.drawing import sample_actions
from cwm.providers.policies.episodes import EndedEpisode, EpisodeSource
from cwm.providers.policies.learning.advantages import (
    generalised_advantages,
    group_relative,
    leave_one_out,
    normalised,
)
from cwm.providers.policies.learning.config import PPOConfig
from cwm.providers.policies.networks.base import PolicyNetwork
from cwm.providers.policies.views import View

torch = LazyPackage("torch")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rollout:
    """What `N` environments gave in `T` steps.

    Attributes:
        views: `T` lists of `N`: what was acted on.
        actions: `[T, N]` of `int64`.
        log_probs: `[T, N]`: of the actions, when they were taken.
        values: `[T, N]`: what the network expected then.
        next_values: `[T, N]`: what it expected after the step, in the same episode; 0
            after a terminal step.
        rewards: `[T, N]`, scaled.
        ends: `[T, N]`: whether an episode ended with the step.
        counts: `[T, N]`: whether the step is learned from.
        episodes: Those that ended, in order.
    """

    views: list[list[View]]
    actions: NDArray[np.int64]
    log_probs: FloatArray
    values: FloatArray
    next_values: FloatArray
    rewards: FloatArray
    ends: NDArray[np.bool_]
    counts: NDArray[np.bool_]
    episodes: list[EndedEpisode]

    @property
    def num_frames(self) -> int:
        """Steps that were learned from."""
        return int(self.counts.sum())


class RolloutCollector:
    """Acts in environments, update after update.

    What is drawn in an update follows from the seed and the update's number, so that a
    run that goes on draws what it would have drawn.

    Args:
        source: The environments.
        network: Who acts.
        config: How much, and what for.
        seed: Of everything random.
        rank: Number of this process among those that act for one network.
    """

    def __init__(
        self,
        source: EpisodeSource,
        network: PolicyNetwork,
        config: PPOConfig,
        seed: int,
        rank: int = 0,
    ) -> None:
        self._source, self._network = source, network
        self._config, self._seed, self._rank = config, seed, rank
        self._views: list[View] = []

    def start(self) -> None:
        """Begins the first episodes."""
        first = self._rank * self._source.num_envs
        seeds = [
            child_seed(self._seed, "episodes", first + index)
            for index in range(self._source.num_envs)
        ]
        self._views = self._source.reset(seeds)

    def go_on(self, views: Sequence[View]) -> None:
        """Goes on from where the environments were put."""
        self._views = list(views)

    def collect(self, update: int) -> Rollout:
        """Returns the rollout of an update; without gradients."""
        rng = child_rng(self._seed, "actions", update, self._rank)
        with torch.inference_mode():
            if self._config.baseline == "value":
                return self._collect_steps(rng)
            return self._collect_episodes(update, rng)

    def _collect_steps(self, rng: np.random.Generator) -> Rollout:
        steps = _Steps(self._config)
        for _ in range(self._config.rollout_steps):
            self._step(steps, rng)
        _, values = self._evaluate(self._views)
        return steps.finished(values)

    def _collect_episodes(self, update: int, rng: np.random.Generator) -> Rollout:
        """Plays one episode in each environment, the same task in each group."""
        size, first = self._config.group_size, self._rank * self._source.num_envs
        seeds = [
            child_seed(self._seed, "task", update, (first + index) // size)
            for index in range(self._source.num_envs)
        ]
        self._views = self._source.reset(seeds)
        steps, is_over = _Steps(self._config), np.zeros(len(seeds), dtype=np.bool_)
        while not is_over.all():
            counts = ~is_over
            ends = self._step(steps, rng, counts)
            is_over |= ends
        return steps.finished(np.zeros(len(seeds)))

    def _step(
        self,
        steps: "_Steps",
        rng: np.random.Generator,
        counts: NDArray[np.bool_] | None = None,
    ) -> NDArray[np.bool_]:
        views = self._views
        log_probs, values = self._evaluate(views)
        actions = sample_actions(log_probs, rng)
        given = self._source.step(actions)
        ends = given.terminated | given.truncated
        steps.views.append(views)
        steps.actions.append(actions)
        steps.log_probs.append(log_probs[np.arange(len(actions)), actions])
        steps.values.append(values)
        steps.rewards.append(given.rewards)
        steps.ends.append(ends)
        steps.counts.append(np.ones_like(ends) if counts is None else counts)
        steps.cut_values.append(self._cut_values(given.truncated, given.ended))
        steps.episodes += [
            episode
            for index, episode in given.ended.items()
            if counts is None or counts[index]
        ]
        self._views = given.views
        return ends

    def _cut_values(
        self, truncated: NDArray[np.bool_], ended: dict[int, EndedEpisode]
    ) -> FloatArray:
        """Returns what episodes that were cut off would still have brought, `[N]`."""
        found = np.zeros(len(truncated))
        cut = np.flatnonzero(truncated)
        if self._config.bootstrap_truncated and len(cut):
            _, found[cut] = self._evaluate([ended[int(i)].view for i in cut])
        return found

    def _evaluate(self, views: Sequence[View]) -> tuple[FloatArray, FloatArray]:
        given = self._network.evaluate(views)
        log_probs = given.log_probs.double().cpu().numpy()
        values = given.values.double().cpu().numpy()
        if self._config.baseline != "value":
            values = np.zeros_like(values)
        return log_probs, values


class _Steps:
    """A rollout that is being made."""

    def __init__(self, config: PPOConfig) -> None:
        self._scale = config.reward_scale
        self.views: list[list[View]] = []
        self.actions: list[NDArray[np.int64]] = []
        self.log_probs: list[FloatArray] = []
        self.values: list[FloatArray] = []
        self.rewards: list[FloatArray] = []
        self.ends: list[NDArray[np.bool_]] = []
        self.counts: list[NDArray[np.bool_]] = []
        self.cut_values: list[FloatArray] = []
        self.episodes: list[EndedEpisode] = []

    def finished(self, last_values: FloatArray) -> Rollout:
        """Returns the rollout; `last_values` are of what is seen now, `[N]`."""
        values, ends = np.stack(self.values), np.stack(self.ends)
        following = np.concatenate([values[1:], last_values[None]])
        return Rollout(
            views=self.views,
            actions=np.stack(self.actions),
            log_probs=np.stack(self.log_probs),
            values=values,
            next_values=np.where(ends, np.stack(self.cut_values), following),
            rewards=np.stack(self.rewards) * self._scale,
            ends=ends,
            counts=np.stack(self.counts),
            episodes=self.episodes,
        )


def advantages_of(rollout: Rollout, config: PPOConfig) -> tuple[FloatArray, FloatArray]:
    """Returns advantages and what values are to become, each `[T, N]`."""
    if config.baseline == "value":
        advantages = generalised_advantages(
            rollout.rewards,
            rollout.values,
            rollout.next_values,
            rollout.ends,
            discount=config.discount,
            gae_lambda=config.gae_lambda,
        )
    else:
        returns = (rollout.rewards * rollout.counts).sum(axis=0)
        groups = returns.reshape(-1, config.group_size)
        compare = (
            leave_one_out if config.baseline == "leave-one-out" else group_relative
        )
        compared = compare(groups).reshape(-1)
        advantages = np.broadcast_to(compared, rollout.rewards.shape)
    targets = advantages + rollout.values
    if config.normalise_advantages and config.baseline != "group":
        centres = config.baseline == "value"
        advantages = normalised(advantages, rollout.counts, centres=centres)
    return advantages, targets
