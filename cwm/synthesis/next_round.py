"""What a search that follows another learns from: rivals, and what was seen since."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cwm.core.trajectories import Dataset, Split, Trajectory
from cwm.synthesis.candidates import Candidate

VALIDATION_EVERY = 5
"""One in so many of the new trajectories validates."""

RIVAL_MARGIN = 0.01
"""How much lower the score of a rival may be: worse programs err, and doubt nothing."""


def best_rivals(
    candidates: Sequence[Candidate], best: Candidate, number: int
) -> list[Candidate]:
    """Returns other programs that explain the data about as well, best first."""
    found: dict[str | None, Candidate] = {}
    least = best.evaluation.score - RIVAL_MARGIN
    running = [
        candidate
        for candidate in candidates
        if not candidate.evaluation.is_bug and candidate.evaluation.score >= least
    ]
    for candidate in sorted(running, key=lambda c: c.rank, reverse=True):
        if candidate.program_hash != best.program_hash:
            found.setdefault(candidate.program_hash, candidate)
    return list(found.values())[:number]


def with_as_many_others(
    chosen: NDArray[np.bool_], rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Returns the chosen transitions and as many others, so that no rule is lost.

    Args:
        chosen: Which are chosen, `[N]`.
        rng: Draws the others.
    """
    others = np.flatnonzero(~chosen)
    number = min(len(others), int(chosen.sum()))
    both = chosen.copy()
    both[rng.choice(others, size=number, replace=False)] = True
    return both


def pieces(
    trajectories: Sequence[Trajectory], chosen: NDArray[np.bool_]
) -> list[Trajectory]:
    """Returns the runs of consecutive chosen transitions, as trajectories.

    Args:
        trajectories: Together `N` transitions.
        chosen: Which are kept, `[N]`.
    """
    found: list[Trajectory] = []
    start = 0
    for trajectory in trajectories:
        own = chosen[start : start + len(trajectory)]
        start += len(trajectory)
        edges = np.flatnonzero(np.diff(np.concatenate([[False], own, [False]])))
        found += [
            trajectory.piece(int(first), int(last))
            for first, last in zip(edges[::2], edges[1::2], strict=True)
        ]
    return found


def extended(data: Dataset, new: Sequence[Trajectory]) -> Dataset:
    """Returns the data with new trajectories, of which some validate."""
    splits: list[Split] = [
        "validation" if number % VALIDATION_EVERY == 0 else "train"
        for number in range(1, len(new) + 1)
    ]
    return replace(
        data,
        trajectories=(*data.trajectories, *new),
        splits=(*data.splits, *splits),
    )
