"""Ranking of the ways to read a state's code as digits."""

import math
from itertools import islice, pairwise, product

import networkx as nx
import numpy as np

from cwm.proposers.symbolic.discrete.conditions import subsets
from cwm.proposers.symbolic.discrete.description_length import (
    PART_BITS,
    entries_bits,
    listed_length,
    num_wrong,
    value_bits,
)
from cwm.proposers.symbolic.discrete.draws import chances_length
from cwm.proposers.symbolic.discrete.families import fit_most_frequent, fit_shift
from cwm.proposers.symbolic.discrete.rules import (
    MAX_TABLE_CELLS,
    amend,
    table_rules,
)
from cwm.proposers.symbolic.discrete.table import Facts, Table

Radices = tuple[tuple[int, ...], ...]

MIN_SPLIT = 6
"""Smallest number of values that is worth splitting into digits."""

MAX_SHORTLIST = 10
"""Decodings of one element that are looked at closely."""


MAX_DECODINGS = 400
"""Decodings of one element that are looked at first."""

MAX_DIGITS = 5
"""Most digits of a decoding that is looked at for its tables."""

MOVING = 0.6
"""Share of the whole code's length below which a decoding by offsets is telling."""

MAX_OPTIONS = 8
"""Decodings of one element that are combined with those of others."""

MAX_LONGER = 1.05
MAX_LONGER_BITS = 20.0
"""How much longer than the best a decoding may be to be tried at all."""


def rank_decodings(facts: Facts) -> list[Radices]:
    """Returns the decodings of the observation worth trying, the best first.

    Each element is ranked by itself, the others being left whole. How well a
    decoding does is how short its digits' next values can be described: first by
    copies and offsets (for all decodings, as a shortest path over divisors), then,
    for the best of them, with tables by few features. Decodings that are much
    longer than the best are left out.
    """
    whole = tuple((element.num_values,) for element in facts.observed)
    options: list[list[tuple[float, tuple[int, ...]]]] = []
    for index, element in enumerate(facts.observed):
        can_split = element.index is None and element.num_values >= MIN_SPLIT
        options.append(
            _rank_element(facts, index, whole) if can_split else [(0.0, whole[index])]
        )
    ranked = sorted(
        (sum(cost for cost, _ in chosen), tuple(radices for _, radices in chosen))
        for chosen in islice(product(*(o[:MAX_OPTIONS] for o in options)), 4096)
    )
    limit = ranked[0][0] * MAX_LONGER + MAX_LONGER_BITS
    return [radices for cost, radices in ranked if cost <= limit]


def _rank_element(
    facts: Facts, index: int, whole: Radices
) -> list[tuple[float, tuple[int, ...]]]:
    return sorted(
        (_close_look(facts, _with(whole, index, radices), index), radices)
        for radices in _shortlist(facts, index, whole)
    )


def _with(whole: Radices, index: int, radices: tuple[int, ...]) -> Radices:
    return (*whole[:index], radices, *whole[index + 1 :])


def _shortlist(facts: Facts, index: int, whole: Radices) -> list[tuple[int, ...]]:
    """Returns the decodings that deserve a close look, and the whole code.

    A decoding is a chain of divisors 1 | ... | n and each link costs what
    describing its digit by a copy or an offset costs, so the best are the shortest
    paths. Where none is much shorter than the whole code, nothing moves, and the
    best by small tables are added.
    """
    number = facts.observed[index].num_values
    divisors = [d for d in range(1, number + 1) if number % d == 0]
    graph: nx.DiGraph[int] = nx.DiGraph()
    for low in divisors:
        for high in divisors:
            if high > low and high % low == 0:
                cost = _link_cost(facts, index, whole, low=low, high=high)
                graph.add_edge(low, high, weight=cost)
    paths = list(
        islice(
            nx.shortest_simple_paths(graph, 1, number, weight="weight"), MAX_DECODINGS
        )
    )
    found = [_radices_of(path) for path in paths[:MAX_SHORTLIST]]
    best = nx.path_weight(graph, paths[0], "weight")
    if best > MOVING * graph[1][number]["weight"] and facts.is_deterministic:
        by_tables = sorted(
            (_first_look(facts, _with(whole, index, radices), index), radices)
            for radices in map(_radices_of, paths)
            if len(radices) <= MAX_DIGITS
        )
        found.extend(radices for _, radices in by_tables[:MAX_SHORTLIST])
    return sorted({*found, (number,)})


def _first_look(facts: Facts, radices: Radices, index: int) -> float:
    """Returns the bits of all digits of one element, each by its best small table."""
    table = facts.table(radices)
    names = table.digits[index : index + len(radices[index])]
    return sum(_shortest_table(table, name) for name in names)


def _shortest_table(table: Table, name: str) -> float:
    """Returns the bits of a digit by its best small table."""
    features = (*table.actions, *table.digits)
    return min(
        _table_length(table, name, subset) for subset in subsets(features, max_size=3)
    )


def _table_length(table: Table, name: str, subset: tuple[str, ...]) -> float:
    """Returns the bits of a digit's table by some features, and of its exceptions."""
    low, high = table.target_range(name)
    span = high - low + 1
    keys, at = np.unique(table.codes(subset), return_inverse=True)
    if len(keys) * span > MAX_TABLE_CELLS:
        return math.inf
    cells = np.bincount(
        at.reshape(-1) * span + table.truth(name) - low, minlength=len(keys) * span
    )
    wrong = len(table) - int(cells.reshape(len(keys), span).max(axis=1).sum())
    bits = value_bits(table, name)
    per_row = math.log2(len(table) + 1) + bits
    return PART_BITS + entries_bits(table, subset, len(keys), bits) + wrong * per_row


def _radices_of(path: list[int]) -> tuple[int, ...]:
    return tuple(high // low for low, high in pairwise(path))[::-1]


def _link_cost(
    facts: Facts, index: int, whole: Radices, *, low: int, high: int
) -> float:
    """Returns the bits of the digit `code // low % (high // low)`."""
    number = facts.observed[index].num_values
    sizes = (number // high, high // low, low)
    kept = tuple(size for size in sizes if size > 1)
    table = facts.table(_with(whole, index, kept))
    name = f"x{index + (1 if number // high > 1 else 0)}"
    parts = [
        fit_most_frequent(table, name),
        fit_shift(table, name, by=(table.actions,)),
    ]
    costs = [listed_length(part, table) for part in parts if part is not None]
    if not facts.is_deterministic:
        costs.append(PART_BITS + chances_length(table, name, table.actions))
    return min(costs)


def _close_look(facts: Facts, radices: Radices, index: int) -> float:
    """Returns the bits of all digits of one element, tables allowed."""
    table = facts.table(radices)
    first = index
    last = first + len(radices[index])
    names = table.digits[first:last]
    if facts.is_deterministic:
        return sum(_digit_cost(table, name) for name in names)
    features = (*table.actions, *table.digits)
    costs = (
        min(
            listed_length(fit_most_frequent(table, name), table),
            PART_BITS
            + min(
                chances_length(table, name, subset)
                for subset in subsets(features, max_size=2)
            ),
        )
        for name in names
    )
    return sum(costs)


def _digit_cost(table: Table, name: str) -> float:
    features = (*table.actions, *table.digits)
    bases = [
        fit_most_frequent(table, name),
        fit_shift(table, name, by=(table.actions,)),
    ]
    costs = [_shortest_table(table, name)]
    for base in bases:
        if base is None:
            continue
        costs.append(listed_length(base, table))
        if num_wrong(base, table):
            amended = amend(table, base, features, (table_rules,), max_rules=1)
            costs.append(listed_length(amended, table))
    return min(costs)
