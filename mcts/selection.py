"""Which action a tree search over actions selects inside its tree.

Plain lists of floats throughout: nodes have a handful of actions, and for so few
arrays cost more than they save.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias


class Edges(Protocol):
    """What a selection reads of a node. Below, `A` is its number of actions."""

    @property
    def prior(self) -> Sequence[float]:
        """`[A]`, sums to 1 as long as no action was taken away."""
        ...

    @property
    def child_visit_counts(self) -> Sequence[int]:
        """`[A]`, visits of the edges."""
        ...

    @property
    def child_values(self) -> Sequence[float]:
        """`[A]`, means of the edges' returns; NaN where untried."""
        ...

    @property
    def value_estimate(self) -> float:
        """Mean return from the node; 0 before the first visit."""
        ...


_ROUNDING = 1e-12


@dataclass(slots=True)
class ValueRange:
    """Smallest and largest edge value seen in a search so far."""

    low: float = math.inf
    high: float = -math.inf

    def include(self, value: float) -> None:
        """Widens the range to hold `value`."""
        self.low = min(self.low, value)
        self.high = max(self.high, value)


QTransform: TypeAlias = Callable[[Sequence[float], ValueRange], Sequence[float]]
"""Maps values (NaN where untried) to the exploration term's scale."""

Draw: TypeAlias = Callable[[], float]
"""Returns a random number, uniform in `[0, 1)`."""

Selection: TypeAlias = Callable[[Edges, ValueRange, Draw], int]
"""Maps a node to the index of one of its actions."""


def untransformed(values: Sequence[float], value_range: ValueRange) -> Sequence[float]:
    """Returns the values as they are; untried edges stay NaN."""
    return values


def min_max_scaled(values: Sequence[float], value_range: ValueRange) -> Sequence[float]:
    """Returns the values as fractions of the range seen in the whole tree.

    As in MuZero (Schrittwieser et al., 2020, Appendix B). Untried edges stay NaN;
    while all values seen are equal, each counts as 1/2.
    """
    low, high = value_range.low, value_range.high
    width = high - low
    # Rounding makes several values of what is one.
    if not width > _ROUNDING * max(abs(low), abs(high)):
        return [value if value != value else 0.5 for value in values]  # noqa: PLR0124
    return [(value - low) / width for value in values]


def uct_scores(
    visit_counts: Sequence[int],
    values: Sequence[float],
    *,
    exploration: float,
    untried_value: float = math.inf,
    epsilon: float = 0.0,
    own_visits: int = 0,
) -> list[float]:
    """Returns `Q + c * sqrt(ln N / (n + epsilon))` per action, `[A]`.

    Args:
        visit_counts: `[A]`, visits `n` of the edges; `N` is their sum and
            `own_visits`, at least 1.
        values: `[A]`, mean values `Q` of the edges; ignored where `n` is 0.
        exploration: The constant `c`; at least 0.
        untried_value: Value of an untried edge. Infinity tries each edge once
            before any is tried again; a finite one needs a positive `epsilon`.
        epsilon: Added to `n`; at least 0.
        own_visits: Visits that ended at the node itself: 1 if the one that valued it
            counts in `N`.
    """
    log_total = math.log(max(1, own_visits + sum(visit_counts)))
    if untried_value == math.inf:
        untried = math.inf
    else:
        untried = untried_value + exploration * math.sqrt(log_total / epsilon)
    return [
        value + exploration * math.sqrt(log_total / (count + epsilon))
        if count
        else untried
        for count, value in zip(visit_counts, values, strict=True)
    ]


def puct_scores(
    visit_counts: Sequence[int],
    values: Sequence[float],
    prior: Sequence[float],
    *,
    exploration: float,
    untried_value: float = 0.0,
) -> list[float]:
    """Returns `Q + c * P * sqrt(N) / (1 + n)` per action, `[A]`.

    `N` is taken as at least 1, so that the prior decides the first selection.

    Args:
        visit_counts: `[A]`, visits `n` of the edges; `N` is their sum.
        values: `[A]`, mean values `Q` of the edges; ignored where `n` is 0.
        prior: `[A]`, sums to 1.
        exploration: The constant `c`; at least 0.
        untried_value: Value of an untried edge.
    """
    total = exploration * math.sqrt(max(1, sum(visit_counts)))
    return [
        (value if count else untried_value) + total * probability / (1 + count)
        for count, value, probability in zip(visit_counts, values, prior, strict=True)
    ]


def argmax_at_random(scores: Sequence[float], draw: Draw) -> int:
    """Returns the index of the highest score, one of them at random on a tie.

    Draws a number only on a tie.
    """
    highest = max(scores)
    first = scores.index(highest)
    num_ties = scores.count(highest)
    if num_ties == 1:
        return first
    chosen = int(draw() * num_ties)
    for _ in range(chosen):
        first = scores.index(highest, first + 1)
    return first


def uct_selection(
    *,
    exploration: float,
    untried_value: float = math.inf,
    epsilon: float = 0.0,
    own_visits: int = 0,
    qtransform: QTransform = untransformed,
) -> Selection:
    """Returns a selection by `uct_scores`, ties at random.

    Raises:
        ValueError: If a setting breaks its rule.
    """
    _check_exploration(exploration)
    if epsilon < 0.0 or (epsilon == 0.0 and math.isfinite(untried_value)):
        raise ValueError(
            "epsilon must be positive with a finite untried_value "
            f"({untried_value!r}), got {epsilon!r}."
        )

    def select(node: Edges, value_range: ValueRange, draw: Draw) -> int:
        counts = node.child_visit_counts
        values = qtransform(node.child_values, value_range)
        # `uct_scores` and its maximum in one pass: most of the time in a tree.
        log_total = math.log(max(1, own_visits + sum(counts)))
        untried = untried_value
        if epsilon > 0.0:
            untried += exploration * math.sqrt(log_total / epsilon)
        highest, chosen, is_tie = -math.inf, 0, False
        for index, count in enumerate(counts):
            score = untried
            if count:
                bonus = exploration * math.sqrt(log_total / (count + epsilon))
                score = values[index] + bonus
            if score > highest:
                highest, chosen, is_tie = score, index, False
            elif score == highest:
                is_tie = True
        if not is_tie:
            return chosen
        scores = uct_scores(
            counts,
            values,
            exploration=exploration,
            untried_value=untried_value,
            epsilon=epsilon,
            own_visits=own_visits,
        )
        return argmax_at_random(scores, draw)

    return select


def puct_selection(
    *,
    exploration: float,
    untried_value: float | None = 0.0,
    qtransform: QTransform = untransformed,
) -> Selection:
    """Returns a selection by `puct_scores`, ties at random.

    Args:
        exploration: The constant `c`; at least 0.
        untried_value: Value of an untried edge, on the scale of `qtransform`; `None`
            takes the mean of its node, so that what was never tried is neither
            better nor worse than what was.
        qtransform: Brings values to the scale of the exploration term.

    Raises:
        ValueError: If `exploration` is negative or not finite.
    """
    _check_exploration(exploration)

    def select(node: Edges, value_range: ValueRange, draw: Draw) -> int:
        untried = untried_value
        if untried is None:
            (untried,) = qtransform([node.value_estimate], value_range)
        scores = puct_scores(
            node.child_visit_counts,
            qtransform(node.child_values, value_range),
            node.prior,
            exploration=exploration,
            untried_value=untried,
        )
        return argmax_at_random(scores, draw)

    return select


def _check_exploration(exploration: float) -> None:
    if not (math.isfinite(exploration) and exploration >= 0.0):
        raise ValueError(
            f"exploration must be at least 0 and finite, got {exploration!r}."
        )
