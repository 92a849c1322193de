"""Learning when a rule applies: conjunctions of comparisons, and sets of keys."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from cwm.proposers.symbolic.discrete.description_length import (
    condition_bits,
    set_bits,
)
from cwm.proposers.symbolic.discrete.evaluate import BoolArray, condition_mask
from cwm.proposers.symbolic.discrete.layout import IntArray
from cwm.proposers.symbolic.discrete.model import Compare, Condition, Member
from cwm.proposers.symbolic.discrete.table import MAX_KEY_SPACE, Table

BEAM_WIDTH = 10
MAX_LITERALS = 4
MAX_COMPARED_VALUES = 40
MAX_SUBSETS = 600
"""Most sets of features that one search for a set of keys looks at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """Conditions with what they cost.

    Attributes:
        conditions: They hold together.
        bits: Their length.
        missed: Rows where they should hold and do not.
        wrong: Rows where they hold and should not.
        cost: Length including the rows that are judged wrongly, in bits.
    """

    conditions: tuple[Condition, ...]
    bits: float
    missed: int
    wrong: int
    cost: float


def literals(
    table: Table, features: Sequence[str], rows: BoolArray
) -> tuple[Condition, ...]:
    """Returns the comparisons worth trying.

    Args:
        table: The facts.
        features: What may be compared.
        rows: `[N]`, where the conditions should hold: only values that occur
            there are compared with.
    """
    found: list[Condition] = []
    for name in features:
        values = np.unique(table.columns[name][rows])[:MAX_COMPARED_VALUES]
        low, high = table.ranges[name]
        for value in (int(v) for v in values):
            found.append(Compare(feature=name, operator="==", value=value))
            if low < value < high:
                found.append(Compare(feature=name, operator="<=", value=value))
                found.append(Compare(feature=name, operator=">=", value=value))
            if high - low > 1:
                found.append(Compare(feature=name, operator="!=", value=value))
    for left, right in combinations(features, 2):
        if comparable(table, left, right):
            for operator in ("==", "!="):
                found.append(Compare(feature=left, operator=operator, other=right))
    return tuple(found)


def comparable(table: Table, left: str, right: str) -> bool:
    """Returns whether two features may stand for the same kind of thing."""
    if left in table.actions or right in table.actions:
        return False
    (low, high), (other_low, other_high) = table.ranges[left], table.ranges[right]
    shared = min(high, other_high) - max(low, other_low) + 1
    return shared >= 2 and shared * 2 > max(high - low, other_high - other_low)


def learn_conjunction(
    table: Table, features: Sequence[str], positive: BoolArray, negative: BoolArray
) -> Guard | None:
    """Returns the cheapest conjunction of comparisons, by beam search.

    The beam is ordered by FOIL's gain (Quinlan, 1990), the result chosen by
    description length.

    Args:
        table: The facts.
        features: What may be compared.
        positive: `[N]`, where it should hold.
        negative: `[N]`, where it must not; elsewhere it does not matter.
    """
    tried = literals(table, features, positive)
    if not tried or not positive.any():
        return None
    masks = [condition_mask(literal, table) for literal in tried]
    search = _BeamSearch(
        true_on_positive=_RowSets.of([m[positive] for m in masks]),
        true_on_negative=_RowSets.of([m[negative] for m in masks]),
        bits=np.asarray([condition_bits(literal, table) for literal in tried]),
        exception_bits=table.exception_bits,
    )
    chosen, covered, wrong = search.run()
    bits = float(search.bits[list(chosen)].sum())
    missed = int(positive.sum()) - covered
    return Guard(
        conditions=tuple(tried[i] for i in chosen),
        bits=bits,
        missed=missed,
        wrong=wrong,
        cost=bits + table.exception_bits * (missed + wrong),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _RowSets:
    """Sets of rows as bits, intersected and counted a byte at a time.

    Attributes:
        bits: `[L, ceil(size / 8)]`, the sets.
        size: Number of rows there are.
    """

    bits: NDArray[np.uint8]
    size: int

    @classmethod
    def of(cls, masks: Sequence[BoolArray]) -> "_RowSets":
        return cls(bits=np.packbits(np.stack(masks), axis=1), size=len(masks[0]))

    def counts_with(self, chosen: Sequence[int]) -> IntArray:
        """Returns `[L]`, how many rows each set shares with all the chosen ones."""
        both = self.bits
        if chosen:
            both = both & np.bitwise_and.reduce(self.bits[list(chosen)], axis=0)
        counts: IntArray = np.bitwise_count(both).sum(axis=1, dtype=np.int64)
        return counts


@dataclass(frozen=True, slots=True, kw_only=True)
class _BeamSearch:
    """Beam search over conjunctions of `L` literals.

    Attributes:
        true_on_positive: Where each literal holds among the `P` positive rows.
        true_on_negative: Likewise among the `M` negative ones.
        bits: `[L]`, their lengths.
        exception_bits: Price of a row that is judged wrongly.
    """

    true_on_positive: _RowSets
    true_on_negative: _RowSets
    bits: NDArray[np.float64]
    exception_bits: float

    def run(self) -> tuple[tuple[int, ...], int, int]:
        """Returns the chosen literals, and how many rows of each kind they hold on."""
        num_positive = self.true_on_positive.size
        num_negative = self.true_on_negative.size
        best_cost = self.exception_bits * num_negative
        best: tuple[tuple[int, ...], int, int] = ((), num_positive, num_negative)
        beam: list[tuple[int, ...]] = [()]
        for _ in range(MAX_LITERALS):
            grown: dict[tuple[int, ...], tuple[float, float]] = {}
            for state in beam:
                covered = self.true_on_positive.counts_with(state)
                wrong = self.true_on_negative.counts_with(state)
                length = self.bits + self.bits[list(state)].sum()
                cost = length + self.exception_bits * (num_positive - covered + wrong)
                at = int(cost.argmin())
                if cost[at] < best_cost - 1e-9:
                    best_cost = float(cost[at])
                    best = ((*state, at), int(covered[at]), int(wrong[at]))
                gain = _foil_gain(covered, wrong, num_positive, num_negative)
                for index in np.lexsort((length, -gain))[:BEAM_WIDTH]:
                    key = tuple(sorted({*state, int(index)}))
                    grown[key] = (-float(gain[index]), float(length[index]))
            beam = sorted(grown, key=lambda key: (*grown[key], key))[:BEAM_WIDTH]
        return best


def _foil_gain(
    covered: IntArray,
    wrong: IntArray,
    num_positive: int,
    num_negative: int,
) -> NDArray[np.float64]:
    base = num_positive / max(num_positive + num_negative, 1)
    precision = np.maximum(covered, 1e-9) / np.maximum(covered + wrong, 1e-9)
    gain: NDArray[np.float64] = covered * (np.log2(precision) - np.log2(base) + 0.05)
    return gain


def subsets(
    features: Sequence[str], *, max_size: int, min_size: int = 1
) -> Iterator[tuple[str, ...]]:
    """Yields at most `MAX_SUBSETS` sets of features, small ones first."""
    count = 0
    for size in range(min_size, max_size + 1):
        for subset in combinations(features, size):
            count += 1
            if count > MAX_SUBSETS:
                return
            yield subset


def learn_sets(
    table: Table,
    features: Sequence[str],
    positive: BoolArray,
    negative: BoolArray,
    *,
    max_size: int = 4,
) -> list[tuple[Guard, ...]]:
    """Returns the best set of keys, alone and split in two simpler sets.

    The second form is for events with two causes, such as "a wall is there" (by
    cell) or "a door is there and the key is missing" (by cell and flag).

    Args:
        table: The facts.
        features: What keys may be made of.
        positive: `[N]`, where it should hold.
        negative: `[N]`, where it must not.
        max_size: Most features of a key.
    """
    costs = {
        subset: _set_cost(table, subset, positive, negative)
        for subset in subsets(features, max_size=max_size)
        if table.key_space(subset) <= MAX_KEY_SPACE
    }
    if not costs:
        return []
    best = min(costs, key=lambda subset: costs[subset])
    results: list[tuple[Guard, ...]] = [(_fit_set(table, best, positive, negative),)]
    split = _split_set(table, best, positive, negative)
    if split is not None:
        results.append(split)
    return results


def _counts_by_key(
    codes: IntArray, positive: BoolArray, negative: BoolArray
) -> tuple[IntArray, IntArray, IntArray]:
    """Returns the keys of the positive rows, and the rows of each kind they have."""
    keys, hits = np.unique(codes[positive], return_counts=True)
    others = codes[negative]
    at = np.minimum(np.searchsorted(keys, others), max(len(keys) - 1, 0))
    same = keys[at] == others if len(keys) else np.zeros(len(others), dtype=np.bool_)
    misses = np.bincount(at[same], minlength=len(keys))
    return keys, hits.astype(np.int64), misses.astype(np.int64)


def _set_cost(
    table: Table, subset: tuple[str, ...], positive: BoolArray, negative: BoolArray
) -> float:
    """Returns the cost of the guard that `_fit_set` returns, without its keys."""
    _, hits, misses = _counts_by_key(table.codes(subset), positive, negative)
    chosen = hits > misses
    left = int(positive.sum() - hits[chosen].sum() + misses[chosen].sum())
    bits = 2 + set_bits(table, subset, int(chosen.sum()))
    return bits + table.exception_bits * left


def _fit_set(
    table: Table,
    subset: tuple[str, ...],
    positive: BoolArray,
    negative: BoolArray,
    *,
    pure: bool = False,
) -> Guard:
    codes = table.codes(subset)
    keys, hits, misses = _counts_by_key(codes, positive, negative)
    chosen = misses == 0 if pure else hits > misses
    member = Member(
        features=subset,
        keys=tuple(table.decode_key(subset, int(code)) for code in keys[chosen]),
    )
    bits = 2 + set_bits(table, subset, len(member.keys))
    missed = int(positive.sum() - hits[chosen].sum())
    wrong = int(misses[chosen].sum())
    return Guard(
        conditions=(member,),
        bits=bits,
        missed=missed,
        wrong=wrong,
        cost=bits + table.exception_bits * (missed + wrong),
    )


def _split_set(
    table: Table, subset: tuple[str, ...], positive: BoolArray, negative: BoolArray
) -> tuple[Guard, Guard] | None:
    """Returns the cheapest pair of a coarser set and a set for the rest."""
    pairs: list[tuple[Guard, Guard]] = []
    for coarse in subsets(subset, max_size=len(subset) - 1):
        first = _fit_set(table, coarse, positive, negative, pure=True)
        member = first.conditions[0]
        if not isinstance(member, Member) or not member.keys:
            continue
        rest = positive & ~condition_mask(member, table)
        if not rest.any():
            continue
        second = _fit_set(table, subset, rest, negative)
        pairs.append((first, second))
    return min(pairs, key=lambda pair: pair[0].bits + pair[1].cost, default=None)
