"""How the share of right transitions grows with what counts as right.

The strict rule (`cwm.programs.tolerances`) draws one line; the curve shows whether
a model just misses it or is far off.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cwm.core.predictions import Predictions
from cwm.core.trajectories import TransitionBatch
from cwm.programs.accuracy import PAPER_TOLERANCE, strict_matches
from cwm.programs.tolerances import CHANGE_FRACTION, Tolerances, real_leaves

LARGEST_EXPONENT = 0
SMALLEST_EXPONENT = -8
STEPS_PER_DECADE = 4

CURVE_TOLERANCES: tuple[float, ...] = tuple(
    float(f"{10.0 ** (SMALLEST_EXPONENT + step / STEPS_PER_DECADE):.12g}")
    for step in range(
        STEPS_PER_DECADE * (LARGEST_EXPONENT - SMALLEST_EXPONENT) + 1,
    )
)
"""1e-8 to 1, four in each decade; `CHANGE_FRACTION` is one of them."""


@dataclass(frozen=True, kw_only=True)
class ToleranceCurve:
    """Share of transitions with every part right, by tolerance.

    A tolerance `t` lets a real element be off by `t` standard deviations of its
    change in one step (the reward: of the reward itself) over the training
    transitions, and never by less than rounding, as the strict rule does. What is
    compared exactly (integers, text, `terminated`, legal actions) stays exact.

    Attributes:
        tolerances: In ascending order.
        shares: For each, the share in `[0, 1]`; it never falls.
        area: Mean height of the curve over the logarithm of the tolerance, in
            `[0, 1]`: 1 if everything is right but for rounding, 0 if nothing is
            right even within one usual change.
        strict_at: The tolerance at which the curve is `SplitScore.strict`.
        paper_from: Smallest tolerance that the published rule (1e-5, absolute and
            relative) comes to for any real element or the reward, at the median
            transition; `None` if nothing real ever changes.
        paper_to: The largest one. Below it the published rule is the laxer one for
            some element, above it for none.
    """

    tolerances: tuple[float, ...]
    shares: tuple[float, ...]
    area: float
    strict_at: float = CHANGE_FRACTION
    paper_from: float | None = None
    paper_to: float | None = None

    def at(self, tolerance: float) -> float:
        """Returns the share at one of the curve's tolerances.

        Raises:
            ValueError: If it is none of them.
        """
        return self.shares[self.tolerances.index(tolerance)]

    def to_json(self) -> dict[str, Any]:
        """Returns the curve as plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "ToleranceCurve":
        """Returns the curve that `to_json` described, also after JSON."""
        lists = {name: tuple(data[name]) for name in ("tolerances", "shares")}
        return cls(**(data | lists))


def tolerance_curve(
    draws: Sequence[Predictions],
    batch: TransitionBatch,
    tolerances: Tolerances,
    *,
    at: Sequence[float] = CURVE_TOLERANCES,
) -> ToleranceCurve:
    """Returns the curve of predictions.

    Args:
        draws: One prediction of each transition, or several (stochastic tasks): then
            a share is the mean over them.
        batch: The recorded transitions, in the same order.
        tolerances: Of the training transitions.
        at: Where to take the curve, ascending; at least two.

    Raises:
        ValueError: If `at` is not ascending, or has fewer than two members.
    """
    if len(at) < 2 or any(low >= high for low, high in pairwise(at)):
        raise ValueError(f"at must be ascending, with at least 2 members, got {at!r}.")
    # Legal actions do not depend on the tolerance, and take the longest.
    without_legal = replace(batch, next_legal_actions=None)
    shares = np.zeros(len(at))
    for predictions in draws:
        legal = strict_matches(predictions, batch, tolerances).legal_actions
        allowed = np.ones(len(batch), dtype=np.bool_) if legal is None else legal
        for index, tolerance in enumerate(at):
            scaled = _scaled(tolerances, tolerance / CHANGE_FRACTION)
            matches = strict_matches(predictions, without_legal, scaled)
            shares[index] += float((matches.everything & allowed).mean())
    shares /= len(draws)
    paper = paper_tolerances(batch, tolerances)
    return ToleranceCurve(
        tolerances=tuple(at),
        shares=tuple(shares.tolist()),
        area=_area(np.log10(at), shares),
        paper_from=min(paper.values(), default=None),
        paper_to=max(paper.values(), default=None),
    )


def _scaled(tolerances: Tolerances, factor: float) -> Tolerances:
    return replace(
        tolerances,
        observation={p: factor * t for p, t in tolerances.observation.items()},
        reward=factor * tolerances.reward,
    )


def _area(positions: NDArray[np.float64], heights: NDArray[np.float64]) -> float:
    """Mean height of a polygon; 1 for one that is 1 everywhere."""
    if (heights == 1.0).all():
        return 1.0
    width = float(positions[-1] - positions[0])
    return float(np.trapezoid(heights, positions)) / width


def paper_tolerances(
    batch: TransitionBatch, tolerances: Tolerances
) -> dict[str, float]:
    """Returns where the published rule lies on the curve, by leaf and element.

    It allows 1e-5, and 1e-5 of the true value: for each element another number of
    its usual changes. Elements that never change in training have none.
    """
    found: dict[str, float] = {}
    for path, _ in real_leaves(batch.observation_space):
        true = np.asarray(batch.next_observations[path], dtype=np.float64)
        spread = tolerances.observation[path].ravel() / CHANGE_FRACTION
        for index, column in enumerate(true.reshape(len(batch), -1).T):
            if spread[index] > 0.0:
                found[f"{path}[{index}]"] = _median_bound(column) / spread[index]
    if tolerances.reward > 0.0:
        bound = _median_bound(batch.rewards)
        found["reward"] = bound / (tolerances.reward / CHANGE_FRACTION)
    return {name: float(value) for name, value in found.items()}


def _median_bound(values: NDArray[np.float64]) -> float:
    known = np.abs(values[np.isfinite(values)])
    middle = float(np.median(known)) if len(known) else 0.0
    return PAPER_TOLERANCE * (1.0 + middle)
