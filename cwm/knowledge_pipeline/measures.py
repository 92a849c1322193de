"""What played episodes show: scores, steps, mistakes and costs of each row."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from cwm.evaluation.paired_tests import (
    Estimate,
    PairedTest,
    mean_interval,
    paired_test,
)
from cwm.providers.knowledge.records import PlayedEpisode

SCALE = 100.0
"""Scores are shown as the paper has them: the average reward times 100."""


@dataclass(frozen=True, kw_only=True)
class Measures:
    """How a row did in the games of a split.

    Attributes:
        num_episodes: Episodes, of all seeds; at least 1.
        score: Mean best score, from 0 to 100; the paper's average reward. Its interval
            resamples games, and the seeds of each.
        success: Share of episodes that were won.
        out_of_context: Share of episodes that ended early, because a model could not
            read them any further.
        steps: Mean steps of an episode.
        invalid_steps: Share of steps whose command the game did not understand.
        invalid_episodes: Share of episodes with such a step, as in the paper's
            table 3.
        num_calls: Mean calls of language models in an episode.
        prompt_tokens: Mean tokens read in an episode.
        completion_tokens: Mean tokens written in an episode.
        seconds: Mean duration of an episode.
    """

    num_episodes: int
    score: Estimate
    success: float
    out_of_context: float
    steps: float
    invalid_steps: float
    invalid_episodes: float
    num_calls: float
    prompt_tokens: float
    completion_tokens: float
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Returns the figures as plain data."""
        return asdict(self)


def measure(played: Sequence[PlayedEpisode], *, seed: int = 0) -> Measures:
    """Returns what episodes of one row and split show.

    Args:
        played: At least one; games may repeat with other seeds.
        seed: Of the bootstrap samples.
    """
    steps = [step for one in played for step in one.episode.steps]
    invalid = [[not step.is_legal for step in one.episode.steps] for one in played]
    score = mean_interval(list(_by_game(played).values()), seed=seed)
    assert score is not None, "there is at least one episode"
    return Measures(
        num_episodes=len(played),
        score=score,
        success=_mean([one.episode.has_won for one in played]),
        out_of_context=_mean(
            [one.episode.ending == "out_of_context" for one in played]
        ),
        steps=_mean([len(one.episode.steps) for one in played]),
        invalid_steps=sum(map(sum, invalid)) / max(1, len(steps)),
        invalid_episodes=_mean([any(flags) for flags in invalid]),
        num_calls=_mean([one.num_calls for one in played]),
        prompt_tokens=_mean([one.prompt_tokens for one in played]),
        completion_tokens=_mean([one.completion_tokens for one in played]),
        seconds=_mean([one.seconds for one in played]),
    )


def compare(
    played: Sequence[PlayedEpisode], baseline: Sequence[PlayedEpisode], *, seed: int = 0
) -> PairedTest | None:
    """Returns what the differences of scores show, game by game.

    A game counts once, with the mean over its seeds: the seeds are few trained models,
    which play all games, so that nothing is said about other models. Games that only
    one of the rows has played are left out; `None` if there is no other.

    Args:
        played: Of one row and split.
        baseline: Of another row, which is subtracted.
        seed: Of everything drawn.
    """
    known = {_key(one): SCALE * one.episode.score for one in baseline}
    differences: dict[str, list[float]] = {}
    for one in sorted(played, key=_key):
        if _key(one) in known:
            difference = SCALE * one.episode.score - known[_key(one)]
            differences.setdefault(one.episode.id, []).append(difference)
    means = {game: [_mean(found)] for game, found in differences.items()}
    return paired_test(means, seed=seed)


def by_seed(
    played: Sequence[PlayedEpisode], baseline: Sequence[PlayedEpisode]
) -> dict[int, float]:
    """Returns the mean difference of scores of each seed that both have played."""
    found = {}
    for seed in sorted({one.seed for one in played}):
        both = [[one for one in row if one.seed == seed] for row in (played, baseline)]
        test = compare(*both)
        if test is not None:
            found[seed] = test.mean.value
    return found


def by_task(played: Sequence[PlayedEpisode]) -> dict[str, float]:
    """Returns the mean score of each kind of task, from 0 to 100, by name."""
    found: dict[str, list[float]] = {}
    for one in played:
        found.setdefault(one.episode.task, []).append(SCALE * one.episode.score)
    return {task: _mean(scores) for task, scores in sorted(found.items())}


def _by_game(played: Sequence[PlayedEpisode]) -> Mapping[str, list[float]]:
    found: dict[str, list[float]] = {}
    for one in sorted(played, key=_key):
        found.setdefault(one.episode.id, []).append(SCALE * one.episode.score)
    return found


def _key(one: PlayedEpisode) -> tuple[str, int]:
    return one.episode.id, one.seed


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(np.asarray(values, dtype=np.float64)))
