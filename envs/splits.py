"""Which of the training trajectories are kept for validation."""

from collections import Counter
from typing import Any

import numpy as np

from cwm.core.codec import decode_columns
from cwm.core.trajectories import Trajectory
from envs.actions import is_table_like, to_vector
from envs.coverage import distinct_pairs, end_labels
from envs.spec import EnvSpec


def validation_indices(
    trajectories: list[Trajectory],
    spec: EnvSpec,
    fraction: float,
    *,
    is_spread: bool,
) -> set[int]:
    """Returns which trajectories to validate on, at least one.

    Those without which training loses the least: the fewest distinct transitions
    where observations repeat exactly; else the fewest extremes and kinds of end.
    Where outcomes vary, to choose by them would change how often each occurs; where
    episodes share next to no transitions, the shortest would be chosen: those are taken
    evenly from low to high return.

    Args:
        trajectories: From low to high return.
        spec: Their environment.
        fraction: Share of them to validate on.
        is_spread: Whether to take them evenly.
    """
    number = max(1, round(fraction * len(trajectories)))
    spread = (np.arange(number) + 0.5) * len(trajectories) / number
    if is_spread:
        return set(spread.astype(int).tolist())
    if is_table_like(spec.observation_space):
        return _least_missed([distinct_pairs(t) for t in trajectories], number)
    extremes = _extremes(trajectories, spec)
    chosen: set[int] = set()
    for position in spread.astype(int).tolist():
        # Near the wanted rank by return, so that validation is not all random.
        order = sorted(
            set(range(len(trajectories))) - chosen,
            key=lambda i: (extremes[i], abs(i - position), i),
        )
        chosen.add(order[0])
    return chosen


def _least_missed(contents: list[set[Any]], number: int) -> set[int]:
    """Returns the sets that hold the fewest members found in no other, greedily."""
    counts = Counter(key for content in contents for key in content)
    chosen: set[int] = set()
    for _ in range(number):
        left = set(range(len(contents))) - chosen
        losses = {i: sum(counts[key] == 1 for key in contents[i]) for i in left}
        best = min(left, key=lambda i: (losses[i], i))
        chosen.add(best)
        counts.subtract(contents[best])
    return chosen


EXTREME_MARGIN = 0.02
"""An extreme counts as one trajectory's alone by this share of the whole range."""


def _extremes(trajectories: list[Trajectory], spec: EnvSpec) -> list[int]:
    """Returns how many extremes and kinds of end each trajectory alone has."""
    space = spec.observation_space
    ends = end_labels(trajectories, space)
    lows, highs = [], []
    for trajectory in trajectories:
        values = decode_columns(space, trajectory.observations)
        matrix = np.asarray([to_vector(space, value) for value in values])
        lows.append(matrix.min(axis=0))
        highs.append(matrix.max(axis=0))
    # The sides of a range, all as maxima.
    sides = np.concatenate([np.asarray(highs), -np.asarray(lows)], axis=1)
    span = np.tile(np.ptp(np.concatenate([highs, lows]), axis=0), 2)
    counts = Counter(ends)
    found = []
    for index, end in enumerate(ends):
        others = np.delete(sides, index, axis=0).max(axis=0)
        alone = int((sides[index] > others + EXTREME_MARGIN * span).sum())
        found.append(alone + (counts[end] == 1))
    return found
