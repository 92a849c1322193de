"""How long a model is, in bits: the one measure by which all candidates compare.

Minimum description length (Rissanen, 1978): the best explanation of data is the
one for which the program and what it leaves unexplained are shortest together.
"""

import math
from collections.abc import Sequence

from cwm.proposers.symbolic.discrete.evaluate import part_values
from cwm.proposers.symbolic.discrete.model import (
    Compare,
    Condition,
    Constant,
    Draw,
    Feature,
    Lookup,
    Member,
    Outcome,
    Part,
    Relation,
    Shift,
)
from cwm.proposers.symbolic.discrete.table import Table

PART_BITS = 3.0
"""Price of one part, so that needless digits cost something."""

RULE_BITS = 3.0
"""Price of one rule beside its conditions and outcome."""


def name_bits(table: Table) -> float:
    """Returns the bits that naming one feature takes."""
    return math.log2(len(table.columns) + 1)


def key_bits(table: Table, features: tuple[str, ...]) -> float:
    """Returns the bits that one key of a table takes."""
    return sum(math.log2(max(table.size(name), 2)) for name in features)


def entries_bits(
    table: Table, features: tuple[str, ...], count: int, value_bits: float
) -> float:
    """Returns the bits of a table by `features` with `count` entries.

    The entries are listed, or, where that is shorter, all cells are.
    """
    listed = count * (key_bits(table, features) + value_bits)
    dense = table.key_space(features) * max(value_bits, 1.0)
    return len(features) * name_bits(table) + math.log2(count + 2) + min(listed, dense)


def value_bits(table: Table, target: str) -> float:
    """Returns the bits that naming one value of `target` takes."""
    low, high = table.target_range(target)
    return math.log2(max(high - low + 1, 2))


def outcome_bits(outcome: Outcome, table: Table, target: str) -> float:
    """Returns the bits of an outcome of `target`."""
    bits = value_bits(table, target)
    match outcome:
        case Constant():
            return 2 + bits
        case Feature(name=name):
            return 2 + (0.0 if name == target else name_bits(table))
        case Lookup(features=features, entries=entries, default=default):
            rest = outcome_bits(default, table, target)
            return 2 + rest + entries_bits(table, features, len(entries), bits)
        case Shift(by=by, offsets=offsets):
            steps = sum(2 * math.log2(abs(step) + 1) for _, step in offsets)
            return 3 + steps + entries_bits(table, by, len(offsets), 0.0)
        case Draw(features=features, entries=entries, default=default):
            pairs = sum(len(p) for _, p in entries) + len(default)
            per_pair = bits + 0.5 * math.log2(len(table) + 1)
            named = len(features) * name_bits(table)
            return (
                3
                + named
                + len(entries) * key_bits(table, features)
                + (pairs * per_pair)
            )


def condition_bits(condition: Condition, table: Table) -> float:
    """Returns the bits of a condition."""
    match condition:
        case Compare(feature=feature, other=None):
            return 2 + name_bits(table) + math.log2(max(table.size(feature), 2))
        case Compare():
            return 2 + 2 * name_bits(table)
        case Member(features=features, keys=keys):
            return 2 + set_bits(table, features, len(keys))


def set_bits(table: Table, features: tuple[str, ...], count: int) -> float:
    """Returns the bits of a set of `count` keys."""
    return entries_bits(table, features, count, 0.0)


def relation_bits(relation: Relation, table: Table) -> float:
    """Returns the bits of a learned relation."""
    top = max((label for _, label in relation.entries), default=0)
    return 3 + entries_bits(
        table, relation.features, len(relation.entries), math.log2(top + 2)
    )


def part_bits(part: Part, table: Table) -> float:
    """Returns the bits of a part's program, not counting what it gets wrong."""
    total = PART_BITS + outcome_bits(part.base, table, part.target)
    for rule in part.rules:
        total += RULE_BITS + outcome_bits(rule.outcome, table, part.target)
        total += sum(condition_bits(c, table) for c in rule.conditions)
    return total


def num_wrong(part: Part, table: Table) -> int:
    """Returns how many rows a part gets wrong."""
    return int((part_values(part, table) != table.truth(part.target)).sum())


def description_length(part: Part, table: Table) -> float:
    """Returns the bits of a deterministic part and of its exceptions."""
    return part_bits(part, table) + table.exception_bits * num_wrong(part, table)


def listed_length(part: Part, table: Table) -> float:
    """Returns the bits of a part and of a plain list of its exceptions.

    Softer than `description_length`: an exception costs no more than writing it
    down, so that what is still unexplained can be left to rules that come later.
    """
    per_row = math.log2(len(table) + 1) + value_bits(table, part.target)
    return part_bits(part, table) + num_wrong(part, table) * per_row


def shared_bits(parts: Sequence[Part], table: Table) -> float:
    """Returns the bits that parts save by having conditions or keys in common."""
    seen: set[object] = set()
    saved = 0.0
    for part in parts:
        for rule in part.rules:
            if rule.conditions:
                cost = sum(condition_bits(c, table) for c in rule.conditions)
                if rule.conditions in seen:
                    saved += max(cost - name_bits(table), 0.0)
                seen.add(rule.conditions)
            if isinstance(rule.outcome, Lookup):
                features = rule.outcome.features
                keys = (features, frozenset(key for key, _ in rule.outcome.entries))
                if keys in seen:
                    saved += len(keys[1]) * key_bits(table, features)
                seen.add(keys)
    return saved
