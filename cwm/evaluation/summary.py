"""What several episodes of one world model and planner add up to."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Any

import numpy as np

from cwm.core.protocols import FloatArray
from cwm.core.seeding import child_rng
from cwm.evaluation.episodes import EpisodeResult

NUM_RESAMPLES = 10_000
"""Samples with replacement of a bootstrap interval."""

INTERVAL_PERCENTILES = (2.5, 97.5)

MAX_WITHOUT_GAP = 0.025
"""Largest share of bootstrap samples in which the oracle may be no better than random
actions: with more, an end of the interval would be of a ratio that has no meaning."""

NO_NORMALISED_RETURN = (
    "no normalised return: the planner with the true environment is not better than "
    "random actions, or not in enough of the bootstrap samples of the episodes "
    f"({1 - MAX_WITHOUT_GAP:.1%})"
)
"""What is said where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuccessRule:
    """When an episode counts as a success.

    Attributes:
        threshold: The return from which on the environment counts as solved, where it
            says one. Without one an episode succeeds that ends in a terminal state
            with a positive last reward.
    """

    threshold: float | None

    def holds(self, episode: EpisodeResult) -> bool:
        """Returns whether an episode is a success."""
        if self.threshold is not None:
            return episode.episode_return >= self.threshold
        return episode.terminated and episode.steps[-1].reward > 0.0

    def __str__(self) -> str:
        if self.threshold is not None:
            return f"a return of at least {self.threshold:g}, the environment's own"
        return "a terminal state with a positive last reward"


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A figure with its 95 % bootstrap interval.

    Attributes:
        value: The figure.
        low: Lower end.
        high: Upper end.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The figures of a row.

    Attributes:
        num_episodes: How many there were; at least 1.
        returns: Mean return, with the interval of the mean.
        return_error: Standard error of the mean; `None` for a single episode.
        mean_steps: Mean length.
        num_succeeded: Episodes that were a success.
        num_decisions: Times that a plan was asked for.
        num_failures: Times that there was none, and a random action was taken.
        num_replans: Plans given up because a prediction did not come true.
        num_model_failures: Times that the model had no answer to a planner.
        decision_p50_ms: Median time of a decision; `None` without any.
        decision_p95_ms: 95th percentile.
        model_steps_per_s: Steps of the model by the second of deciding.
        num_predicted: Real steps that the model was asked about again, each from what
            was really seen.
        num_wrong: Those of which it got some part wrong.
        wrong_parts: How often each part was, the most frequent first.
        largest_error: The largest error of a plan's predictions; `None` without any.
    """

    num_episodes: int
    returns: Interval
    return_error: float | None
    mean_steps: float
    num_succeeded: int
    num_decisions: int
    num_failures: int
    num_replans: int
    num_model_failures: int
    decision_p50_ms: float | None
    decision_p95_ms: float | None
    model_steps_per_s: float | None
    num_predicted: int
    num_wrong: int
    wrong_parts: dict[str, int]
    largest_error: float | None

    @property
    def disagreement(self) -> float | None:
        """Share of real steps of which the model gets some part wrong."""
        return self.num_wrong / self.num_predicted if self.num_predicted else None

    def to_json(self) -> dict[str, Any]:
        """Returns the figures as plain data."""
        return asdict(self) | {"disagreement": self.disagreement}


def summarise(
    episodes: Sequence[EpisodeResult], rule: SuccessRule, *, seed: int
) -> Summary:
    """Returns the figures of some episodes.

    Args:
        episodes: At least 1.
        rule: When one is a success.
        seed: Of the bootstrap samples.

    Raises:
        ValueError: If there is none.
    """
    if not episodes:
        raise ValueError("episodes must have at least 1 member, got 0.")
    returns = np.asarray([episode.episode_return for episode in episodes])
    steps = [step for episode in episodes for step in episode.steps]
    seconds = np.asarray([s.decision_s for s in steps if s.decision_s is not None])
    model_steps = sum(step.model_steps for step in steps)
    errors = [step.error for step in steps if step.error is not None]
    compared = [step.wrong for step in steps if step.wrong is not None]
    has_time = bool(seconds.sum() > 0 and model_steps)
    return Summary(
        num_episodes=len(episodes),
        returns=_mean_interval(returns, seed),
        return_error=standard_error(returns),
        mean_steps=len(steps) / len(episodes),
        num_succeeded=sum(map(rule.holds, episodes)),
        num_decisions=len(seconds),
        num_failures=sum(episode.num_failures for episode in episodes),
        num_replans=sum(episode.num_replans for episode in episodes),
        num_model_failures=sum(step.model_failures for step in steps),
        decision_p50_ms=_percentile_ms(seconds, 50),
        decision_p95_ms=_percentile_ms(seconds, 95),
        model_steps_per_s=float(model_steps / seconds.sum()) if has_time else None,
        num_predicted=len(compared),
        num_wrong=sum(map(bool, compared)),
        wrong_parts=dict(Counter(chain.from_iterable(compared)).most_common()),
        largest_error=max((error.size for error in errors), default=None),
    )


def standard_error(returns: FloatArray) -> float | None:
    """Returns the standard error of a mean; `None` of fewer than 2 numbers."""
    if len(returns) < 2:
        return None
    return float(np.std(returns, ddof=1) / math.sqrt(len(returns)))


def normalised_return(
    returns: Sequence[float],
    random: Sequence[float],
    oracle: Sequence[float],
    *,
    seed: int,
) -> Interval | None:
    """Returns where a mean return stands between a random policy and the oracle.

    (R - R(random)) / (R(oracle) - R(random)): 0 is as good as random actions, 1 as
    the same planner with the true environment (Dainese et al., 2024, Section 4).
    Episodes of the same number begin alike, so the interval resamples them together.

    Args:
        returns: Of the episodes in question.
        random: Of as many with random actions.
        oracle: Of as many of the same planner with the true environment.
        seed: Of the bootstrap samples.

    Returns:
        The figure; `None` where it means nothing: if the oracle is not better than
        random actions, or not in more than `MAX_WITHOUT_GAP` of the bootstrap samples,
        so that any figure might come out of a gap that is next to nothing.

    Raises:
        ValueError: If there are not as many of each.
    """
    columns = np.asarray(list(zip(returns, random, oracle, strict=True)))
    own, low_end, high_end = columns.mean(axis=0).tolist()
    if not high_end > low_end:
        return None
    means = _resampled_means(columns, seed)
    gaps = means[:, 2] - means[:, 1]
    usable = gaps > 0
    if np.mean(~usable) > MAX_WITHOUT_GAP:
        return None
    ratios = (means[usable, 0] - means[usable, 1]) / gaps[usable]
    low, high = np.percentile(ratios, INTERVAL_PERCENTILES)
    value = (own - low_end) / (high_end - low_end)
    return Interval(value=value, low=float(low), high=float(high))


def _mean_interval(values: FloatArray, seed: int) -> Interval:
    low, high = np.percentile(_resampled_means(values, seed), INTERVAL_PERCENTILES)
    return Interval(value=float(values.mean()), low=float(low), high=float(high))


def _resampled_means(values: FloatArray, seed: int) -> FloatArray:
    """Returns means over the first axis of samples with replacement."""
    rng = child_rng(seed, "bootstrap")
    number = len(values)
    means = [
        values[rng.integers(number, size=number)].mean(axis=0)
        for _ in range(NUM_RESAMPLES)
    ]
    return np.asarray(means, dtype=np.float64)


def _percentile_ms(seconds: FloatArray, percent: float) -> float | None:
    return float(1e3 * np.percentile(seconds, percent)) if len(seconds) else None
