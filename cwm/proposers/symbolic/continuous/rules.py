"""Learns when something happens: threshold rules that separate rows of data.

Terminal events and walls are thresholds on few quantities. The simplest rule
that fires on every positive row and on no negative one is looked for: one
comparison, a disjunction, a conjunction, a linear inequality, a small tree.
Each threshold may lie anywhere in a gap of the data; the roundest number of the
gap is taken, a bound of the space (or half of it) first.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.tree import DecisionTreeClassifier

from cwm.programs.round_numbers import simplest_between, tidy
from cwm.proposers.symbolic.continuous.laws import Comparison, Condition, Rule, Sum
from cwm.proposers.symbolic.continuous.terms import FloatArray, Term

Mask = NDArray[np.bool_]

_MAX_ALTERNATIVES = 4
_MAX_PAIR_FEATURES = 24
_MAX_LINEAR_FEATURES = 24
_MIN_LINEAR_ROWS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """A quantity that a rule may compare with a number.

    Attributes:
        left: What is compared.
        values: Its value in each row, `[N]`.
        hints: Numbers that deserve to be tried first as a threshold.
    """

    left: Sum
    values: FloatArray
    hints: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class _Literal:
    feature: Feature
    sign: int
    low: float
    high: float

    @property
    def hint(self) -> float | None:
        for hint in map(tidy, self.feature.hints):
            if self.low < self.sign * hint <= self.high:
                return hint
        return None

    def condition(self) -> Condition:
        ends = sorted((self.sign * self.low, self.sign * self.high))
        # At the positive end the comparison must still hold, at the other not.
        comparison: Comparison = ">=" if self.sign > 0 else "<="
        value = self.hint
        if value is None:
            value = simplest_between(*_inside(*ends))
        return Condition(self.feature.left, comparison, value)

    @property
    def is_hinted(self) -> bool:
        return self.hint is not None


def _inside(low: float, high: float) -> tuple[float, float]:
    """Shrinks a gap by a little of its width, so that both ends stay apart."""
    width = high - low
    return low + 1e-6 * width, high - 1e-6 * width if width > 0 else high


def learn_rule(
    features: Sequence[Feature],
    positive: Mask,
    negative: Mask,
    *,
    max_depth: int = 4,
) -> Rule | None:
    """Returns the simplest rule that separates positive from negative rows.

    Args:
        features: Quantities to compare, the likeliest first.
        positive: `[N]`, rows on which the rule must fire.
        negative: `[N]`, rows on which it must not; the other rows are free.
        max_depth: Depth of the decision tree that is the last resort.

    Returns:
        A rule that is right on every row, or the tree's if none was found and
        it is right on more rows than never firing; `None` if it is not.
    """
    if not positive.any():
        return Rule()
    usable = [f for f in features if np.isfinite(f.values).all()]
    for search in (_single, _disjunction, _linear, _conjunction):
        rule = search(usable, positive, negative)
        if rule is not None:
            return rule
    return _tree(usable, positive, negative, max_depth)


def _literals(
    features: Sequence[Feature], positive: Mask, negative: Mask
) -> Iterator[tuple[_Literal, Mask]]:
    """Yields comparisons that fire on no negative row, with where they fire."""
    for feature in features:
        for sign in (1, -1):
            values = sign * feature.values
            low = float(values[negative].max()) if negative.any() else -np.inf
            fires = values > low
            hits = fires & positive
            if hits.any():
                high = float(values[hits].min())
                low = low if np.isfinite(low) else high - 1.0
                yield _Literal(feature, sign, low, high), fires


def _single(features: Sequence[Feature], positive: Mask, negative: Mask) -> Rule | None:
    total = int(positive.sum())
    full = [
        literal
        for literal, fires in _literals(features, positive, negative)
        if (fires & positive).sum() == total
    ]
    if not full:
        return None
    hinted = [literal for literal in full if literal.is_hinted]
    return Rule((((hinted or full)[0].condition(),),))


def _disjunction(
    features: Sequence[Feature], positive: Mask, negative: Mask
) -> Rule | None:
    """Covers the positive rows greedily by comparisons without a false alarm."""
    literals = list(_literals(features, positive, negative))
    left = positive.copy()
    chosen: list[tuple[_Literal, Mask]] = []
    while left.any() and len(chosen) < _MAX_ALTERNATIVES and literals:
        ranked = sorted(
            range(len(literals)),
            key=lambda i: (
                -int((literals[i][1] & left).sum()) - 2 * literals[i][0].is_hinted,
                i,
            ),
        )
        literal, fires = literals[ranked[0]]
        if not (fires & left).any():
            return None
        chosen.append((literal, fires))
        left &= ~fires
        literals = [item for item in literals if (item[1] & left).any()]
    if left.any() or not _covers_enough(len(chosen), int(positive.sum())):
        return None
    return _settled(chosen, positive)


def _settled(chosen: Sequence[tuple[_Literal, Mask]], positive: Mask) -> Rule:
    """Returns the disjunction, each threshold set by the rows that need it.

    A row that another comparison explains (the pole fell while the cart was far
    out) says nothing about this one's threshold.
    """
    settled: list[_Literal] = []
    for index, (literal, fires) in enumerate(chosen):
        own = positive & fires
        for other, (_, explained) in enumerate(chosen):
            if other != index:
                own &= ~explained
        if own.any():
            high = float((literal.sign * literal.feature.values)[own].min())
            literal = replace(literal, high=high)  # noqa: PLW2901
        settled.append(literal)
    covered = np.zeros(len(positive), dtype=np.bool_)
    for literal in settled:
        covered |= literal.sign * literal.feature.values >= literal.high
    if not covered[positive].all():
        settled = [literal for literal, _ in chosen]
    return Rule(tuple((literal.condition(),) for literal in settled))


def _covers_enough(num_conditions: int, num_positive: int) -> bool:
    """A rule with as many comparisons as cases has learned nothing."""
    return num_conditions == 1 or num_positive >= 2 * num_conditions


def _conjunction(
    features: Sequence[Feature], positive: Mask, negative: Mask
) -> Rule | None:
    """Two comparisons that both hold on every positive row."""
    candidates: list[tuple[Feature, int, FloatArray, float]] = []
    for feature in features[:_MAX_PAIR_FEATURES]:
        for sign in (1, -1):
            values = sign * feature.values
            threshold = float(values[positive].min())
            if (values[negative] < threshold).any():
                candidates.append((feature, sign, values, threshold))
    for first, second in combinations(candidates, 2):
        if first[0] is second[0]:
            continue
        passing = negative & (first[2] >= first[3]) & (second[2] >= second[3])
        if passing.any():
            continue
        literals = []
        for own, other in ((first, second), (second, first)):
            rivals = negative & (other[2] >= other[3])
            low = float(own[2][rivals].max()) if rivals.any() else own[3] - 1.0
            literals.append(_Literal(own[0], own[1], low, own[3]))
        return Rule((tuple(literal.condition() for literal in literals),))
    return None


def _linear(features: Sequence[Feature], positive: Mask, negative: Mask) -> Rule | None:
    """One inequality on a signed sum of two or three predicted next values.

    Tries all sums with weights of 1 and -1, and keeps those that separate. Of
    these, the one with the fewest terms and the roundest threshold is taken: a
    few positive rows can be separated in many ways.
    """
    if positive.sum() < _MIN_LINEAR_ROWS:
        return None
    plain = [f for f in features if _is_linear(f)][:_MAX_LINEAR_FEATURES]
    if len(plain) < 2:
        return None
    inside = np.column_stack([f.values[positive] for f in plain])
    outside = np.column_stack([f.values[negative] for f in plain])
    for size in (2, 3):
        found: list[tuple[float, FloatArray, float, float]] = []
        for chosen in combinations(range(len(plain)), size):
            for signs in _signs(size):
                low = float((outside[:, chosen] @ signs).max())
                high = float((inside[:, chosen] @ signs).min())
                if low < high:
                    weights = np.zeros(len(plain))
                    weights[list(chosen)] = signs
                    found.append((_num_digits(low, high), weights, low, high))
        if found:
            _, weights, low, high = min(found, key=lambda item: item[0])
            return _inequality(plain, weights, low, high)
    return None


def _signs(size: int) -> list[FloatArray]:
    return [np.array(signs) for signs in product((1.0, -1.0), repeat=size)]


def _num_digits(low: float, high: float) -> float:
    """Returns how many digits the roundest number of a gap has; wide gaps last."""
    threshold = simplest_between(*_inside(low, high))
    text = f"{threshold:.12g}".strip("-").replace(".", "").strip("0")
    return len(text) + (high - low)


def _is_linear(feature: Feature) -> bool:
    """Whether a feature is a product of predicted next values."""
    atoms = [atom for term in feature.left.terms for atom, _ in term.factors]
    return all(
        a.function == "identity" and a.variable.startswith("next_") for a in atoms
    )


def _inequality(
    features: Sequence[Feature], weights: FloatArray, low: float, high: float
) -> Rule:
    terms: list[Term] = []
    coefficients: list[float] = []
    for feature, weight in zip(features, weights, strict=True):
        if weight != 0.0:
            terms += feature.left.terms
            coefficients += [float(weight) * c for c in feature.left.coefficients]
    left = Sum(tuple(terms), tuple(coefficients))
    threshold = simplest_between(*_inside(low, high))
    return Rule(((Condition(left, ">=", threshold),),))


def _tree(
    features: Sequence[Feature], positive: Mask, negative: Mask, max_depth: int
) -> Rule | None:
    """A decision tree, written as a disjunction of its positive leaves."""
    if not features:
        return None
    rows = positive | negative
    values = np.column_stack([f.values for f in features])[rows]
    tree = DecisionTreeClassifier(
        max_depth=max_depth, min_samples_leaf=2, random_state=0
    ).fit(values, positive[rows])
    alternatives = tuple(_positive_leaves(tree, features))
    rule = Rule(alternatives)
    predicted = tree.predict(values)
    errors = int((predicted != positive[rows]).sum())
    return rule if alternatives and errors < positive.sum() else None


def _positive_leaves(
    tree: DecisionTreeClassifier, features: Sequence[Feature]
) -> Iterator[tuple[Condition, ...]]:
    nodes: Any = tree.tree_
    classes: Any = np.asarray(tree.classes_)
    stack: list[tuple[int, tuple[Condition, ...]]] = [(0, ())]
    while stack:
        node, path = stack.pop()
        left, right = int(nodes.children_left[node]), int(nodes.children_right[node])
        if left < 0:
            if classes[int(np.argmax(nodes.value[node][0]))]:
                yield path
            continue
        feature = features[int(nodes.feature[node])]
        threshold = float(nodes.threshold[node])
        stack.append((left, (*path, Condition(feature.left, "<=", threshold))))
        stack.append((right, (*path, Condition(feature.left, ">", threshold))))
