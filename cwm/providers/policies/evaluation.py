"""How often an agent succeeds.

Each environment is told beforehand how many of its episodes count, so that the first
episodes to begin are counted and not the first to end: counting until enough have
ended, as GLAM's code does, favours short episodes, which are the successful ones.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from cwm.core.errors import ConfigError
from cwm.core.seeding import child_rng, child_seed
from cwm.providers.policies.agents.base import Agent
from cwm.providers.policies.episodes import EndedEpisode, EpisodeSource
from cwm.providers.policies.views import View

Seeds: TypeAlias = Literal["streams", "published"]
"""Streams of the run's seed `s`; or `10**9 * s + i` for environment `i`, as in GLAM."""

_IDLE = 0
"""What is done in environments that nothing more is asked of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuccessRate:
    """A success rate and how sure it is.

    Attributes:
        rate: Share of the episodes that succeeded.
        low: Lower end of its 95 % interval by Wilson's score.
        high: Upper end.
        num_episodes: Episodes.
        mean_length: Their mean length, in steps.
        mean_return: Their mean return.
    """

    rate: float
    low: float
    high: float
    num_episodes: int
    mean_length: float
    mean_return: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EpisodesPlayed:
    """The `n` episodes that were counted.

    Episode `j` is number `j // N` of environment `j % N`.

    Attributes:
        returns: Sum of rewards, `[n]`.
        lengths: Steps, `[n]`.
        successes: Whether the return is above 0, `[n]`.
    """

    returns: NDArray[np.float64]
    lengths: NDArray[np.int64]
    successes: NDArray[np.bool_]

    def success_rate(self) -> SuccessRate:
        """Returns the share of successes with its interval."""
        number, num_succeeded = len(self.successes), int(self.successes.sum())
        interval = binomtest(num_succeeded, number).proportion_ci(method="wilson")
        return SuccessRate(
            rate=num_succeeded / number,
            low=float(interval.low),
            high=float(interval.high),
            num_episodes=number,
            mean_length=float(self.lengths.mean()),
            mean_return=float(self.returns.mean()),
        )


def play(
    agent: Agent,
    source: EpisodeSource,
    *,
    num_episodes: int,
    seed: int,
    seeds: Seeds = "streams",
    on_end: Callable[[EndedEpisode], None] | None = None,
) -> EpisodesPlayed:
    """Plays the first `num_episodes` episodes that the seeds give, and counts them.

    Which episodes these are depends on the source, its number of environments and the
    seed, not on the agent. An environment whose episodes are all played is stepped on
    without asking the agent.

    Args:
        agent: Who plays.
        source: Where; reset first.
        num_episodes: At least 1.
        seed: Of the episodes and of the agent's draws; at least 0.
        seeds: How the environments' seeds follow from it.
        on_end: Told of each episode that counts, when it ends.

    Raises:
        ConfigError: If `num_episodes` is too small, or the agent needs images that
            the source does not give.
    """
    if num_episodes < 1:
        raise ConfigError(f"num_episodes must be at least 1, got {num_episodes}.")
    check_images(agent, source)
    num_envs = source.num_envs
    returns = np.zeros(num_episodes)
    lengths = np.zeros(num_episodes, dtype=np.int64)
    # The next episode of each environment, among all that count.
    places = np.arange(num_envs)
    rng = child_rng(seed, "evaluation", "actions")
    views = source.reset(evaluation_seeds(seed, num_envs, seeds))
    while (places < num_episodes).any():
        found = source.step(_actions(agent, views, places < num_episodes, rng))
        for index, ended in found.ended.items():
            if places[index] < num_episodes:
                returns[places[index]] = ended.episode_return
                lengths[places[index]] = ended.num_steps
                places[index] += num_envs
                if on_end is not None:
                    on_end(ended)
        views = found.views
    return EpisodesPlayed(returns=returns, lengths=lengths, successes=returns > 0)


def check_images(agent: Agent, source: EpisodeSource) -> None:
    """Refuses a source whose views lack the images that an agent needs.

    Raises:
        ConfigError: If that is so.
    """
    if agent.needs_images and not source.images:
        raise ConfigError(f"images must be True for agent {agent.name!r}, got False.")


def evaluation_seeds(seed: int, num_envs: int, seeds: Seeds = "streams") -> list[int]:
    """Returns a seed for each environment, other ones than training takes.

    Args:
        seed: Of the evaluation; at least 0, and 1 or more for `"published"` to differ
            from GLAM's training seeds.
        num_envs: How many.
        seeds: How they follow.
    """
    if seeds == "published":
        return [10**9 * seed + index for index in range(num_envs)]
    return [child_seed(seed, "evaluation", index) for index in range(num_envs)]


def _actions(
    agent: Agent,
    views: Sequence[View],
    is_asked: NDArray[np.bool_],
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    actions = np.full(len(views), _IDLE, dtype=np.int64)
    asked = np.flatnonzero(is_asked)
    actions[asked] = agent.act([views[int(index)] for index in asked], rng)
    return actions
