"""Where the truth stands among all changes that one could think of.

The constrained decoding of WorldLLM (Levy et al., 2025): in each state of the test set
the candidates are scored as changes are, by sums over tokens, and ranked.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from cwm.core.errors import DataError
from cwm.core.protocols import FloatArray
from cwm.providers.hypotheses.roles import Statistician
from cwm.providers.hypotheses.statisticians.checking import checked_log_probs
from cwm.providers.hypotheses.texts import (
    TextTrajectory,
    TextTransition,
    means_by_type,
    types_of,
)

TOP = (1, 3, 5, 10)
"""The published numbers of best candidates among which the truth is looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """Where the truth stands among the candidates of `N` transitions.

    Attributes:
        num_better: Candidates with a strictly larger score than the truth, `[N]`; the
            published rank, from 0.
        num_tied: Other candidates with just its score, `[N]`.
        num_candidates: All of them, the truth included, `[N]`.
        types: Names of the types of the transitions, `[N]`.
    """

    num_better: tuple[int, ...]
    num_tied: tuple[int, ...]
    num_candidates: tuple[int, ...]
    types: tuple[str, ...]

    def __post_init__(self) -> None:
        columns = (self.num_better, self.num_tied, self.num_candidates, self.types)
        if len(set(map(len, columns))) != 1:
            raise ValueError(
                "num_better, num_tied, num_candidates and types must be as many, got "
                f"{', '.join(str(len(column)) for column in columns)}."
            )
        for better, tied, number in zip(*columns[:3], strict=True):
            if min(better, tied) < 0 or better + tied >= number:
                raise ValueError(
                    "num_better and num_tied must be at least 0, and together below "
                    f"num_candidates ({number}), got {better} and {tied}."
                )

    def in_top(self, k: int) -> FloatArray:
        """Returns the probability that the truth is among the first `k`, `[N]`.

        Candidates of the same score are in random order: a statistician who tells
        nothing apart is as good as chance, and not perfect.
        """
        ahead, among = np.array(self.num_better), 1 + np.array(self.num_tied)
        shares: FloatArray = np.clip((k - ahead) / among, 0.0, 1.0)
        return shares

    def top(self, k: int) -> float | None:
        """Returns the share of transitions with the truth among the first `k`."""
        return float(self.in_top(k).mean()) if self.types else None

    def published_top(self, k: int) -> float | None:
        """Returns the same with ties in favour of the truth, as published."""
        if not self.types:
            return None
        return float(np.mean(np.array(self.num_better) < k))

    def top_by_type(self, k: int) -> dict[str, float]:
        """Returns the share for each type that occurs."""
        return means_by_type(self.in_top(k), self.types)

    def mean_over_types(self, k: int) -> float | None:
        """Returns the mean over the types that occur, each counted alike."""
        by_type = self.top_by_type(k)
        return float(np.mean(list(by_type.values()))) if by_type else None

    def at_random(self) -> Self:
        """Returns what is expected of candidates in random order.

        Exactly: among `C` candidates, the truth is one of the first `k` with
        probability `min(k, C) / C`.
        """
        return type(self)(
            num_better=(0,) * len(self.types),
            num_tied=tuple(number - 1 for number in self.num_candidates),
            num_candidates=self.num_candidates,
            types=self.types,
        )

    def to_json(self) -> dict[str, Any]:
        """Returns it as plain data, figures for readers included."""
        return {
            "top": {str(k): self.top(k) for k in TOP},
            "published_top": {str(k): self.published_top(k) for k in TOP},
            "mean_over_types": {str(k): self.mean_over_types(k) for k in TOP},
            "top_by_type": {str(k): self.top_by_type(k) for k in TOP},
            "num_better": list(self.num_better),
            "num_tied": list(self.num_tied),
            "num_candidates": list(self.num_candidates),
            "types": list(self.types),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Returns what `to_json` wrote.

        Raises:
            DataError: If the data are of another form.
        """
        try:
            return cls(
                num_better=tuple(map(int, data["num_better"])),
                num_tied=tuple(map(int, data["num_tied"])),
                num_candidates=tuple(map(int, data["num_candidates"])),
                types=tuple(map(str, data["types"])),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"A ranking cannot be read: {error!r}.") from error


def rank(
    statistician: Statistician,
    hypothesis: str | None,
    trajectories: Sequence[TextTrajectory],
    candidates: Callable[[str], list[str]],
) -> Ranking:
    """Returns where the changes of some trajectories stand among the candidates.

    One call of the statistician for each trajectory, which asks for all candidates of
    all its steps: 5,994 in the published test set.

    Args:
        statistician: Scores them.
        hypothesis: What it is to believe.
        trajectories: What happened.
        candidates: All changes that could follow a state; each once.

    Raises:
        DataError: If what happened is not among them.
        CwmError: If the statistician has no answer.
    """
    places = [
        place
        for trajectory in trajectories
        for place in _places(statistician, hypothesis, trajectory, candidates)
    ]
    return Ranking(
        num_better=tuple(better for better, _, _ in places),
        num_tied=tuple(tied for _, tied, _ in places),
        num_candidates=tuple(number for _, _, number in places),
        types=tuple(types_of(trajectories)),
    )


def _places(
    statistician: Statistician,
    hypothesis: str | None,
    trajectory: TextTrajectory,
    candidates: Callable[[str], list[str]],
) -> list[tuple[int, int, int]]:
    """Returns how many candidates are better than the truth, as good, and there."""
    steps = trajectory.transitions
    choices = [_choices(step, candidates) for step in steps]
    asked = [
        TextTransition(step.state, step.action, change)
        for step, changes in zip(steps, choices, strict=True)
        for change in changes
    ]
    scores = checked_log_probs(statistician, hypothesis, asked)
    ends = np.cumsum([len(changes) for changes in choices])[:-1]
    places = []
    for step, changes, own in zip(steps, choices, np.split(scores, ends), strict=True):
        truth = own[changes.index(step.change)]
        better, equal = int((own > truth).sum()), int((own == truth).sum())
        places.append((better, equal - 1, len(changes)))
    return places


def _choices(step: TextTransition, candidates: Callable[[str], list[str]]) -> list[str]:
    changes = list(dict.fromkeys(candidates(step.state)))
    if step.change not in changes:
        raise DataError(
            f"candidates must contain what happened, {step.change!r}, got "
            f"{len(changes)} others after {step.state!r}."
        )
    return changes
