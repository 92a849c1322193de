"""Vectorised meaning of a model's pieces on a table; `render` is its twin."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cwm.proposers.symbolic.discrete.layout import IntArray
from cwm.proposers.symbolic.discrete.model import (
    NO_LABEL,
    Compare,
    Condition,
    Constant,
    Draw,
    Feature,
    Key,
    Lookup,
    Member,
    Model,
    Outcome,
    Part,
    Relation,
    Shift,
)
from cwm.proposers.symbolic.discrete.table import Table

BoolArray = NDArray[np.bool_]


def find_keys(table: Table, features: tuple[str, ...], keys: Sequence[Key]) -> IntArray:
    """Returns for each row the position of its key in `keys`, -1 without, `[N]`."""
    codes = table.codes(features)
    known = np.asarray([table.encode_key(features, key) for key in keys], np.int64)
    if not len(known):
        return np.full(len(codes), -1, dtype=np.int64)
    order = np.argsort(known, kind="stable")
    at = np.minimum(np.searchsorted(known[order], codes), len(known) - 1)
    return np.where(known[order][at] == codes, order[at], -1).astype(np.int64)


def lookup(
    table: Table,
    features: tuple[str, ...],
    entries: Sequence[tuple[Key, int]],
    default: IntArray,
) -> IntArray:
    """Returns a table's value for each row, `default` where it has none, `[N]`."""
    at = find_keys(table, features, [key for key, _ in entries])
    values = np.asarray([*(value for _, value in entries), 0], dtype=np.int64)
    return np.where(at >= 0, values[at], default)


def outcome_values(outcome: Outcome, table: Table) -> IntArray:
    """Returns the value of an outcome on each row, `[N]`.

    A draw stands for its most probable value.
    """
    match outcome:
        case Constant(value=value):
            return np.full(len(table), value, dtype=np.int64)
        case Feature(name=name):
            return table.columns[name]
        case Lookup(features=features, entries=entries, default=default):
            return lookup(table, features, entries, outcome_values(default, table))
        case Shift():
            return shift_values(outcome, table)
        case Draw():
            return _most_probable(outcome, table)


def shift_values(shift: Shift, table: Table) -> IntArray:
    """Returns a shifted digit, `[N]`."""
    zero = np.zeros(len(table), dtype=np.int64)
    offset = lookup(table, shift.by, shift.offsets, zero)
    return bound(table.columns[shift.feature] + offset, shift)


def bound(values: IntArray, limits: Shift | Draw) -> IntArray:
    """Returns values brought into the range of a shift or a draw."""
    if isinstance(limits, Shift) and limits.wraps:
        return (values - limits.low) % (limits.high - limits.low + 1) + limits.low
    return np.clip(values, limits.low, limits.high)


def _most_probable(draw: Draw, table: Table) -> IntArray:
    modes = [(key, max(pairs, key=lambda p: p[1])[0]) for key, pairs in draw.entries]
    mode = max(draw.default, key=lambda p: p[1])[0]
    default = np.full(len(table), mode, dtype=np.int64)
    values = lookup(table, draw.features, modes, default)
    if draw.relative_to:
        values = values + table.columns[draw.relative_to]
    return bound(values, draw)


def condition_mask(condition: Condition, table: Table) -> BoolArray:
    """Returns where a condition holds, `[N]`."""
    match condition:
        case Compare(feature=feature, operator=operator, value=value, other=other):
            left = table.columns[feature]
            right = table.columns[other] if other else value
            mask: BoolArray = {
                "==": np.equal,
                "!=": np.not_equal,
                "<=": np.less_equal,
                ">=": np.greater_equal,
            }[operator](left, right)
            return mask
        case Member(features=features, keys=keys):
            return find_keys(table, features, keys) >= 0


def rule_masks(part: Part, table: Table) -> list[BoolArray]:
    """Returns where each rule of a part is the one that applies, `[N]` each."""
    free = np.ones(len(table), dtype=np.bool_)
    masks = []
    for rule in part.rules:
        mask = free.copy()
        for condition in rule.conditions:
            mask &= condition_mask(condition, table)
        if isinstance(rule.outcome, Lookup):
            keys = [key for key, _ in rule.outcome.entries]
            mask &= find_keys(table, rule.outcome.features, keys) >= 0
        masks.append(mask)
        free &= ~mask
    return masks


def part_values(part: Part, table: Table) -> IntArray:
    """Returns what a part predicts on each row, `[N]`."""
    values = outcome_values(part.base, table).copy()
    for rule, mask in zip(part.rules, rule_masks(part, table), strict=True):
        values[mask] = outcome_values(rule.outcome, table)[mask]
    return values


def with_derived(table: Table, model: Model) -> Table:
    """Returns the table with the model's shifted digits and relations."""
    for shift in model.moves:
        values = shift_values(shift, table)
        low, high = table.ranges[shift.feature]
        bounds = (min(low, shift.low), max(high, shift.high))
        table = table.with_column(f"moved:{shift.feature}", values, bounds)
    for index, relation in enumerate(model.relations):
        table = with_relation(table, relation, index)
    return table


def with_relation(table: Table, relation: Relation, index: int) -> Table:
    """Returns the table with the labels of a relation as feature `rel:index`."""
    nothing = np.full(len(table), NO_LABEL, dtype=np.int64)
    values = lookup(table, relation.features, relation.entries, nothing)
    top = max((label for _, label in relation.entries), default=0)
    return table.with_column(f"rel:{index}", values, (NO_LABEL, max(top, 0)))
