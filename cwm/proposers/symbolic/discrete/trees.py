"""Fourth step of the ladder: decision trees over comparisons (scikit-learn)."""

from collections.abc import Iterator, Sequence

import numpy as np
from sklearn.tree import DecisionTreeClassifier

from cwm.proposers.symbolic.discrete.conditions import literals
from cwm.proposers.symbolic.discrete.evaluate import condition_mask
from cwm.proposers.symbolic.discrete.model import (
    Compare,
    Condition,
    Constant,
    Feature,
    Outcome,
    Part,
    Rule,
)
from cwm.proposers.symbolic.discrete.table import Table

MAX_LEAVES = 40
MAX_TREE_LITERALS = 600

_NEGATION = {"==": "!=", "!=": "==", "<=": ">=", ">=": "<="}


def fit_tree(table: Table, target: str, features: Sequence[str]) -> Part | None:
    """Returns a part whose rules are the branches of a decision tree.

    Args:
        table: The facts.
        target: What to predict. A digit's leaves say "stays" or a value.
        features: What may be compared.

    Returns:
        `None` if there is nothing to tell apart.
    """
    truth = table.truth(target)
    classes = truth.copy()
    low = table.target_range(target)[0]
    if target in table.digits:
        classes[table.columns[target] == truth] = low - 1
    tried = literals(table, features, np.ones(len(table), np.bool_))
    tried = tuple(
        c for c in tried if isinstance(c, Compare) and c.operator in ("==", "<=")
    )[:MAX_TREE_LITERALS]
    if len(np.unique(classes)) < 2 or not tried:
        return None
    inputs = np.stack([condition_mask(c, table) for c in tried], axis=1)
    tree = DecisionTreeClassifier(
        criterion="entropy", max_leaf_nodes=MAX_LEAVES, random_state=0
    ).fit(inputs, classes)

    def outcome(value: int) -> Outcome:
        stays = target in table.digits and value == low - 1
        return Feature(name=target) if stays else Constant(value=value)

    branches = [
        Rule(conditions=conditions, outcome=outcome(int(tree.classes_[leaf])))
        for conditions, leaf in _branches(tree, tried, 0)
    ]
    # The most common outcome needs no conditions: it is what is left.
    values, counts = np.unique(tree.predict(inputs), return_counts=True)
    base = outcome(int(values[counts.argmax()]))
    branches.sort(key=lambda rule: len(rule.conditions))
    rules = without_implied([rule for rule in branches if rule.outcome != base])
    return Part(target=target, base=base, rules=rules, family="decision tree")


def _branches(
    tree: DecisionTreeClassifier, tried: Sequence[Condition], node: int
) -> Iterator[tuple[tuple[Condition, ...], int]]:
    """Yields the conditions on the way to each leaf, and the leaf's class."""
    inner = tree.tree_
    if inner.children_left[node] < 0:
        yield (), int(inner.value[node][0].argmax())
        return
    literal = tried[int(inner.feature[node])]
    sides = (
        (negated(literal), int(inner.children_left[node])),
        (literal, int(inner.children_right[node])),
    )
    for condition, child in sides:
        for conditions, leaf in _branches(tree, tried, child):
            yield (condition, *conditions), leaf


def negated(condition: Condition) -> Compare:
    """Returns the comparison that holds exactly where this one does not."""
    assert isinstance(condition, Compare), "Trees are over comparisons."
    value = condition.value
    if condition.operator in ("<=", ">="):
        value += 1 if condition.operator == "<=" else -1
    return Compare(
        feature=condition.feature,
        operator=_NEGATION[condition.operator],
        value=value,
        other=condition.other,
    )


def without_implied(rules: Sequence[Rule]) -> tuple[Rule, ...]:
    """Returns rules without conditions that must hold where they are reached.

    Where an earlier rule has the one condition `c` and did not apply, `not c` holds.
    """
    implied: set[Condition] = set()
    shorter: list[Rule] = []
    for rule in rules:
        conditions = tuple(c for c in rule.conditions if c not in implied)
        shorter.append(Rule(conditions=conditions, outcome=rule.outcome))
        if len(conditions) == 1 and isinstance(conditions[0], Compare):
            implied.add(negated(conditions[0]))
    return tuple(shorter)
