"""What a data set covers: how episodes ended, ranges, distinct pairs."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cwm.core.codec import decode_columns
from cwm.core.spaces import SpaceSpec
from cwm.core.trajectories import Dataset, Split, Trajectory
from envs.actions import is_table_like, to_key, to_vector
from envs.novelty import outside


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """What the trajectories of some splits cover.

    Attributes:
        num_trajectories: Their number.
        num_transitions: Their transitions.
        ends: How they ended -> how often: `"time limit"`, `"recording stopped"`, or
            the reward of the last step, with the element that left its usual range.
        low: Smallest value of each observation element, `[D]`.
        high: Largest value of each observation element, `[D]`.
        rewards: Distinct rewards -> how often, if they are few; else empty.
        num_pairs: Distinct (observation, action) pairs, where observations repeat.
    """

    num_trajectories: int
    num_transitions: int
    ends: dict[str, int]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    rewards: dict[float, int]
    num_pairs: int | None


MAX_REWARDS = 8
"""More distinct rewards than this are not listed."""


def coverage(
    dataset: Dataset, splits: Sequence[Split] = ("train", "validation")
) -> Coverage:
    """Returns what the trajectories of `splits` cover.

    Raises:
        ValueError: If the splits have no trajectory.
    """
    chosen = [t for split in splits for t in dataset.in_split(split)]
    if not chosen:
        raise ValueError(f"splits must have at least 1 trajectory, got {splits}.")
    space = dataset.observation_space
    matrices = [_matrix(trajectory, space) for trajectory in chosen]
    ends = Counter(end_labels(chosen, space))
    stacked = np.concatenate(matrices)
    rewards = Counter(np.concatenate([t.rewards for t in chosen]).tolist())
    return Coverage(
        num_trajectories=len(chosen),
        num_transitions=sum(len(t) for t in chosen),
        ends=dict(sorted(ends.items())),
        low=stacked.min(axis=0),
        high=stacked.max(axis=0),
        rewards=dict(sorted(rewards.items())) if len(rewards) <= MAX_REWARDS else {},
        num_pairs=len(set().union(*map(distinct_pairs, chosen)))
        if is_table_like(space)
        else None,
    )


def _matrix(trajectory: Trajectory, space: SpaceSpec) -> NDArray[np.float64]:
    values = decode_columns(space, trajectory.observations)
    return np.asarray([to_vector(space, value) for value in values])


def end_labels(trajectories: Sequence[Trajectory], space: SpaceSpec) -> list[str]:
    """Returns in words how each trajectory ended.

    Where a threshold ends episodes, an element of the last observation lies outside
    the range of all that was seen before an end; of several, the one that does so
    in most ends is named.
    """
    matrices = [_matrix(trajectory, space) for trajectory in trajectories]
    pairs = list(zip(trajectories, matrices, strict=True))
    before = np.concatenate([m[:-1] if t.terminated[-1] else m for t, m in pairs])
    low, high = before.min(axis=0), before.max(axis=0)
    last = np.asarray([matrix[-1] for matrix in matrices])
    crossed = outside(last, low, high)
    explained = crossed.sum(axis=0)
    labels = []
    for trajectory, sides in zip(trajectories, crossed, strict=True):
        label = _label(trajectory)
        if trajectory.terminated[-1] and sides.any() and not is_table_like(space):
            best = int(np.where(sides, explained, -1).argmax())
            element = best % len(low)
            sign, limit = (">", high) if best < len(low) else ("<", low)
            label += f", observation[{element}] {sign} {limit[element]:.3g}"
        labels.append(label)
    return labels


def _label(trajectory: Trajectory) -> str:
    if trajectory.terminated[-1]:
        return f"terminated, reward {trajectory.rewards[-1]:.4g}"
    return "time limit" if trajectory.truncated[-1] else "recording stopped"


def distinct_pairs(trajectory: Trajectory) -> set[Any]:
    """Returns the distinct (observation, action) pairs of a trajectory."""
    rows = [
        tuple(to_key(row) for row in column[: len(trajectory)])
        for columns in (trajectory.observations, trajectory.actions)
        for column in columns.values()
    ]
    return set(zip(*rows, strict=True))
