"""Training by PPO: acting and learning in turn, in a form that can stop and go on."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cwm.core.errors import ConfigError
from cwm.llm.local.packages import memory_errors
from cwm.providers.policies.episodes import EpisodeSource
from cwm.providers.policies.learning.checkpoints import (
    TrainingState,
    load_checkpoint,
    save_checkpoint,
)
from cwm.providers.policies.learning.config import PPOConfig
from cwm.providers.policies.learning.ppo import PPOLearner, UpdateFigures
from cwm.providers.policies.learning.processes import Processes
from cwm.providers.policies.learning.rollouts import Rollout, RolloutCollector
from cwm.providers.policies.networks.base import PolicyNetwork

RECENT = 200
"""Episodes over which success is averaged while training goes on."""

_LESS_MEMORY = "Take a smaller num_envs, window or model."


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateRecord:
    """What is known after an update.

    Attributes:
        update: Its number, from 1.
        num_frames: Steps learned from so far.
        num_episodes: Episodes that have ended so far.
        seconds: Wall-clock time of the training so far.
        rollout_seconds: Time of acting in this update.
        update_seconds: Time of learning in it.
        ended: Episodes that ended in it.
        succeeded: How many of them had a return above 0.
        success_rate: Share of successes among the last episodes, `RECENT` at most;
            `None` before the first has ended.
        mean_return: Of the same episodes.
        mean_length: Of the same episodes, in steps.
        figures: What the gradient steps did.
    """

    update: int
    num_frames: int
    num_episodes: int
    seconds: float
    rollout_seconds: float
    update_seconds: float
    ended: int
    succeeded: int
    success_rate: float | None
    mean_return: float | None
    mean_length: float | None
    figures: UpdateFigures

    def to_json(self) -> dict[str, Any]:
        """Returns the record as plain data, on one level."""
        plain = asdict(self)
        figures: dict[str, Any] = plain.pop("figures")
        return plain | figures


class PPOTraining:
    """A network that learns in environments.

    Args:
        network: It.
        source: The environments.
        config: How; learning rates must be given. Numbers are those of this process.
        seed: Of everything random but the network's first weights.
        processes: Those that train together; `None` is this one alone.
        weights: Tells what the network was made from; see `TrainingState`.
    """

    def __init__(
        self,
        network: PolicyNetwork,
        source: EpisodeSource,
        config: PPOConfig,
        *,
        seed: int,
        processes: Processes | None = None,
        weights: str = "",
    ) -> None:
        self.network, self._source, self._weights = network, source, weights
        self._processes = processes or Processes()
        self._learner = PPOLearner(
            network, config, seed=seed, processes=self._processes
        )
        self._collector = RolloutCollector(
            source, network, config, seed, self._processes.rank
        )
        self._state = TrainingState(weights=weights)

    @property
    def state(self) -> TrainingState:
        """How far it has come."""
        return self._state

    def start(self) -> None:
        """Begins with the first episodes."""
        self._collector.start()

    def save(self, path: Path) -> None:
        """Writes a checkpoint.

        Raises:
            OSError: If the file cannot be written.
        """
        shares = self._processes.gather(self._source.progress())
        if self._processes.is_first:
            self._state.source = {"shares": shares}
            save_checkpoint(path, self.network, self._learner.optimizer, self._state)
        self._processes.wait()

    def go_on(self, path: Path) -> None:
        """Goes on from a checkpoint.

        Raises:
            ConfigError: If it is of another number of processes.
            DataError: If it cannot be used.
        """
        self._state = load_checkpoint(
            path, self.network, self._learner.optimizer, weights=self._weights
        )
        shares = self._state.source["shares"]
        if len(shares) != self._processes.count:
            raise ConfigError(
                f"A run goes on with as many processes as before ({len(shares)}), got "
                f"{self._processes.count}."
            )
        views = self._source.resume(shares[self._processes.rank])
        self._collector.go_on(views)

    def update(self) -> UpdateRecord:
        """Acts, learns, and returns what came of it.

        Raises:
            CwmError: If learning fails, or the memory does not suffice.
        """
        state, start = self._state, time.perf_counter()
        with memory_errors(_LESS_MEMORY):
            rollout = self._collector.collect(state.update)
        middle = time.perf_counter()
        figures = self._learner.update(rollout, state.update)
        end = time.perf_counter()
        ended = self._count(rollout, end - start)
        return self._record(ended, figures, middle - start, end - middle)

    def _count(self, rollout: Rollout, seconds: float) -> list[tuple[float, int]]:
        """Counts what all processes did; returns the episodes that ended."""
        state = self._state
        own = [(one.episode_return, one.num_steps) for one in rollout.episodes]
        shares = self._processes.gather((rollout.num_frames, own))
        ended = [episode for _, episodes in shares for episode in episodes]
        state.update += 1
        state.num_frames += sum(frames for frames, _ in shares)
        state.num_episodes += len(ended)
        state.seconds += seconds
        state.recent = [*state.recent, *ended][-RECENT:]
        return ended

    def _record(
        self,
        ended: list[tuple[float, int]],
        figures: UpdateFigures,
        rollout_seconds: float,
        update_seconds: float,
    ) -> UpdateRecord:
        state = self._state
        returns = [value for value, _ in state.recent]
        lengths = [float(length) for _, length in state.recent]
        return UpdateRecord(
            update=state.update,
            num_frames=state.num_frames,
            num_episodes=state.num_episodes,
            seconds=state.seconds,
            rollout_seconds=rollout_seconds,
            update_seconds=update_seconds,
            ended=len(ended),
            succeeded=sum(value > 0 for value, _ in ended),
            success_rate=_mean([float(value > 0) for value in returns]),
            mean_return=_mean(returns),
            mean_length=_mean(lengths),
            figures=figures,
        )


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None


def train(
    training: PPOTraining,
    *,
    num_frames: int,
    on_update: Callable[[UpdateRecord], bool],
) -> None:
    """Makes updates until enough frames were learned from.

    Args:
        training: Started, or gone on with.
        num_frames: At least so many.
        on_update: Told of each update; returns whether to stop.

    Raises:
        CwmError: If learning fails.
    """
    while training.state.num_frames < num_frames:
        if on_update(training.update()):
            return
