"""Learned maps such as cell -> place, which several rules can share.

Where a part's base is wrong, some features may determine another: a passenger is
picked up where the cell is the cell of the passenger's place, and put down at the
place that belongs to the cell. Such a one-to-one map becomes the feature `rel:k`.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np

from cwm.proposers.symbolic.discrete.evaluate import BoolArray, part_values
from cwm.proposers.symbolic.discrete.layout import IntArray
from cwm.proposers.symbolic.discrete.model import Key, Part, Relation
from cwm.proposers.symbolic.discrete.table import MAX_KEY_SPACE, Table

MIN_LABELS = 2
MAX_RELATIONS = 2
MAX_SOURCE_PAIRS = 60


def find_relations(table: Table, part: Part, features: Sequence[str]) -> list[Relation]:
    """Returns the maps that would help to explain where a part is wrong.

    Args:
        table: The facts.
        part: A part; the rows that it gets wrong are looked at, by action.
        features: What the keys of a map may be made of.
    """
    wrong = part_values(part, table) != table.truth(part.target)
    if not wrong.any():
        return []
    found: list[Relation] = []
    for sources in _sources(table, features):
        merged = _merge(_maps(table, part, sources, wrong))
        if len(merged) >= MIN_LABELS:
            found.append(
                Relation(features=sources, entries=tuple(sorted(merged.items())))
            )
    # Most labels first; among equals the one whose features come first.
    found.sort(key=lambda relation: -len(relation.entries))
    return found[:MAX_RELATIONS]


def _sources(table: Table, features: Sequence[str]) -> Iterator[tuple[str, ...]]:
    usable = [n for n in features if n not in table.actions and table.size(n) > 2]
    pairs = list(combinations(usable, 2))[:MAX_SOURCE_PAIRS]
    yield from (pair for pair in pairs if table.key_space(pair) <= MAX_KEY_SPACE)


def _maps(
    table: Table, part: Part, sources: tuple[str, ...], wrong: BoolArray
) -> Iterator[dict[Key, int]]:
    """Yields the one-to-one maps from `sources` to a label, by action."""
    action = table.codes(table.actions)
    labels = [
        table.columns[name]
        for name in table.digits
        if name not in sources and table.size(name) > 2
    ]
    if part.target in table.digits:
        labels.append(table.truth(part.target))
    for value in np.unique(action[wrong]):
        rows = wrong & (action == value)
        for label in labels:
            found = _one_to_one(table, sources, label, rows)
            if found is not None:
                yield found


def _one_to_one(
    table: Table, sources: tuple[str, ...], label: IntArray, rows: BoolArray
) -> dict[Key, int] | None:
    codes = table.codes(sources)[rows]
    pairs = np.unique(np.column_stack([codes, label[rows]]), axis=0)
    keys, labels = np.unique(pairs[:, 0]), np.unique(pairs[:, 1])
    if not len(pairs) == len(keys) == len(labels) or len(pairs) < MIN_LABELS:
        return None
    return {table.decode_key(sources, int(code)): int(name) for code, name in pairs}


def _merge(maps: Iterator[dict[Key, int]]) -> dict[Key, int]:
    """Returns the union of the largest map and all that agree with it."""
    ranked = sorted(maps, key=lambda found: -len(found))
    merged: dict[Key, int] = {}
    for candidate in ranked:
        union = {**merged, **candidate}
        agrees = all(
            candidate.get(key, label) == label for key, label in merged.items()
        )
        if agrees and len(set(union.values())) == len(union):
            merged = union
    return merged
