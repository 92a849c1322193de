"""The first two steps of the ladder: most frequent outcomes and shifts."""

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from cwm.proposers.symbolic.discrete.description_length import description_length
from cwm.proposers.symbolic.discrete.layout import IntArray
from cwm.proposers.symbolic.discrete.model import Constant, Feature, Key, Part, Shift
from cwm.proposers.symbolic.discrete.table import Table

MAX_OFFSETS = 48
"""Most different steps of a digit that are tried as offsets."""


def fit_most_frequent(table: Table, target: str) -> Part:
    """Returns the shorter of "stays as it is" and "is always the same"."""
    values, counts = np.unique(table.truth(target), return_counts=True)
    parts = [Part(target=target, base=Constant(value=int(values[counts.argmax()])))]
    if target in table.digits:
        parts.insert(0, Part(target=target, base=Feature(name=target)))
    return min(parts, key=lambda part: description_length(part, table))


def fit_shift(
    table: Table, target: str, *, by: tuple[tuple[str, ...], ...] | None = None
) -> Part | None:
    """Returns the shortest part that adds an offset to a digit.

    Args:
        table: The facts.
        target: A digit; anything else has no shift.
        by: Sets of features that the offset may depend on; by default none or one
            of the inputs.

    Returns:
        `None` if no offset other than 0 explains anything.
    """
    if target not in table.digits:
        return None
    single = ((), *((name,) for name in (*table.actions, *table.digits)))
    fits = [
        Part(target=target, base=shift, family="offset")
        for features in (by or single)
        for shift in _shifts(table, target, features)
        if shift.offsets
    ]
    return min(fits, key=lambda part: description_length(part, table), default=None)


def pairs_with_action(table: Table) -> tuple[tuple[str, ...], ...]:
    """Returns the pairs of an action and one more input, as for a wind by column."""
    pairs = combinations((*table.actions, *table.digits), 2)
    return tuple(pair for pair in pairs if pair[0] in table.actions)


def _shifts(table: Table, target: str, by: tuple[str, ...]) -> Iterator[Shift]:
    """Yields the best clipped and the best wrapped shift by some features."""
    low, high = table.target_range(target)
    before, after = table.columns[target], table.truth(target)
    values, counts = np.unique(after - before, return_counts=True)
    frequent = values[np.argsort(-counts, kind="stable")][:MAX_OFFSETS]
    codes, keys = _numbered_keys(table, by)
    for wraps in (False, True):
        span = high - low + 1
        steps = np.unique(
            (frequent + span // 2) % span - span // 2 if wraps else frequent
        )
        steps = steps[np.argsort(np.abs(steps), kind="stable")]
        moved = before + np.append(0, steps[steps != 0])[:, None]
        steps = np.append(0, steps[steps != 0])
        bounded = (moved - low) % span + low if wraps else np.clip(moved, low, high)
        agree = bounded == after
        score = np.stack(
            [np.bincount(codes, row, minlength=len(keys)) for row in agree]
        )
        best = steps[score.argmax(axis=0)]
        offsets = tuple(
            (key, int(step)) for key, step in zip(keys, best, strict=True) if step != 0
        )
        yield Shift(
            feature=target, by=by, offsets=offsets, low=low, high=high, wraps=wraps
        )


def _numbered_keys(table: Table, by: tuple[str, ...]) -> tuple[IntArray, list[Key]]:
    """Returns each row's key as a small number, and the keys."""
    codes, numbered = np.unique(table.codes(by), return_inverse=True)
    keys = [table.decode_key(by, int(code)) for code in codes]
    return numbered.reshape(-1).astype(np.int64), keys
