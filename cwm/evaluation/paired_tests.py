"""Intervals of means over tasks and seeds, and tests of paired differences."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from cwm.core.protocols import FloatArray
from cwm.core.seeding import child_rng
from cwm.evaluation.summary import INTERVAL_PERCENTILES, NUM_RESAMPLES

MAX_EXACT = 14
"""Up to so many differences all ways to flip their signs are tried."""

NUM_FLIPS = 100_000
"""Random ways to flip signs that are tried of more differences."""

TIE = 1e-12
"""Differences up to it are ties: sums in another order differ by as much."""

MIN_UNITS = 5
"""Of fewer tasks (or seeds, of a single task) no interval is given: resamples of so
few say next to nothing about others, and of one they are all the same."""

_CHUNK = 4_000_000


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A mean, with its 95 % bootstrap interval if it is of enough.

    Attributes:
        value: The mean.
        low: Lower end; `None` of fewer than `MIN_UNITS`.
        high: Upper end; likewise.
    """

    value: float
    low: float | None = None
    high: float | None = None


def mean_interval(groups: Sequence[Sequence[float]], *, seed: int) -> Estimate | None:
    """Returns the mean over groups of their means, with its 95 % bootstrap interval.

    Groups are resampled, and then the members of each (a two-level bootstrap): of
    tasks with several seeds, seeds of one task are no independent evidence about
    tasks.

    Args:
        groups: Such as tasks, each with a value for each seed. Empty ones are left
            out.
        seed: Of the bootstrap samples.

    Returns:
        The mean; without an interval of fewer than `MIN_UNITS` groups, or members of
        the only group. `None` if there is no value at all.
    """
    known = [np.asarray(group, dtype=np.float64) for group in groups if len(group)]
    if not known:
        return None
    value = float(np.mean([group.mean() for group in known]))
    if (len(known) if len(known) > 1 else len(known[0])) < MIN_UNITS:
        return Estimate(value=value)
    low, high = np.percentile(_resampled(known, seed), INTERVAL_PERCENTILES)
    return Estimate(value=value, low=float(low), high=float(high))


def _resampled(groups: Sequence[FloatArray], seed: int) -> FloatArray:
    """Returns means of samples with replacement on both levels, `[NUM_RESAMPLES]`."""
    rng = child_rng(seed, "two-level bootstrap")
    sizes = np.array([len(group) for group in groups])
    largest, number = int(sizes.max()), len(groups)
    table = np.zeros((number, largest))
    for row, group in zip(table, groups, strict=True):
        row[: len(group)] = group
    step = max(1, _CHUNK // (number * largest))
    means = []
    for start in range(0, NUM_RESAMPLES, step):
        count = min(step, NUM_RESAMPLES - start)
        rows = rng.integers(number, size=(count, number))
        draws = rng.random((count, number, largest)) * sizes[rows][:, :, None]
        values = table[rows[:, :, None], draws.astype(np.intp)]
        is_drawn = np.arange(largest) < sizes[rows][:, :, None]
        sums = np.where(is_drawn, values, 0.0).sum(axis=2)
        means.append((sums / sizes[rows]).mean(axis=1))
    return np.concatenate(means)


@dataclass(frozen=True, kw_only=True)
class PairedTest:
    """What paired differences show.

    Attributes:
        num_pairs: How many differences; at least 1.
        num_wins: Those above 0.
        num_ties: Those that are 0.
        num_losses: Those below 0.
        mean: Their mean, with its bootstrap interval if they are enough.
        wilcoxon_p: Two-sided p of the Wilcoxon signed-rank test, ties left out;
            `None` if all are ties.
        sign_flip_p: Two-sided p of the mean when the sign of each difference could
            as well be the other one; exact for up to `MAX_EXACT` differences.
    """

    num_pairs: int
    num_wins: int
    num_ties: int
    num_losses: int
    mean: Estimate
    wilcoxon_p: float | None
    sign_flip_p: float

    @property
    def smallest_p(self) -> float:
        """The p that as many differences of one sign would have."""
        return min(1.0, 2.0 ** (1 - self.num_wins - self.num_losses))

    def to_json(self) -> dict[str, Any]:
        """Returns the figures as plain data."""
        return asdict(self)


def paired_test(
    differences: Mapping[str, Sequence[float]], *, seed: int
) -> PairedTest | None:
    """Returns what paired differences show; `None` of none.

    Args:
        differences: By task, one for each seed; the interval resamples both.
        seed: Of everything drawn.
    """
    groups = [group for group in differences.values() if len(group)]
    mean = mean_interval(groups, seed=seed)
    if mean is None:
        return None
    values = np.concatenate([np.asarray(group, dtype=np.float64) for group in groups])
    values = np.where(np.abs(values) <= TIE, 0.0, values)
    return PairedTest(
        num_pairs=len(values),
        num_wins=int((values > 0).sum()),
        num_ties=int((values == 0).sum()),
        num_losses=int((values < 0).sum()),
        mean=mean,
        wilcoxon_p=wilcoxon_p(values),
        sign_flip_p=sign_flip_p(values, seed=seed),
    )


def wilcoxon_p(values: FloatArray) -> float | None:
    """Returns the two-sided p of the signed-rank test; `None` if all are 0."""
    nonzero = values[values != 0]
    if not len(nonzero):
        return None
    with warnings.catch_warnings():
        # It warns of few differences; how many there are is shown beside.
        warnings.simplefilter("ignore")
        return float(stats.wilcoxon(nonzero).pvalue)


def sign_flip_p(values: FloatArray, *, seed: int) -> float:
    """Returns how often a mean as far from 0 comes up when signs are flipped.

    Args:
        values: The differences.
        seed: Of the random flips, which stand for all of them where these are too
            many. What was found counts as one of them, so that p is never 0.
    """
    nonzero = values[values != 0]
    if not len(nonzero):
        return 1.0
    least = abs(float(nonzero.sum())) - TIE * len(nonzero)
    if len(nonzero) <= MAX_EXACT:
        signs = np.array(list(product((-1.0, 1.0), repeat=len(nonzero))))
        return float(np.mean(np.abs(signs @ nonzero) >= least))
    rng = child_rng(seed, "sign flips")
    num_far, step = 0, max(1, _CHUNK // len(nonzero))
    for start in range(0, NUM_FLIPS, step):
        count = min(step, NUM_FLIPS - start)
        flips: NDArray[np.int64] = rng.integers(2, size=(count, len(nonzero)))
        num_far += int((np.abs((2 * flips - 1) @ nonzero) >= least).sum())
    return (num_far + 1) / (NUM_FLIPS + 1)
