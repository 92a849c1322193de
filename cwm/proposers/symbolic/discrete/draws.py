"""Parts whose outcome varies: chances by key, and trees of chances.

How long it takes to write down outcomes that vary is measured by a
Dirichlet-multinomial code: what each next outcome costs given those before it
(Perks' prior: total weight 1). It charges for the chances themselves, so finer
conditions pay off only where the chances really differ.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from cwm.proposers.symbolic.discrete.conditions import literals, subsets
from cwm.proposers.symbolic.discrete.description_length import (
    RULE_BITS,
    condition_bits,
    name_bits,
    outcome_bits,
)
from cwm.proposers.symbolic.discrete.evaluate import (
    BoolArray,
    bound,
    condition_mask,
    find_keys,
    outcome_values,
    rule_masks,
)
from cwm.proposers.symbolic.discrete.layout import IntArray
from cwm.proposers.symbolic.discrete.model import (
    Compare,
    Condition,
    Constant,
    Draw,
    Feature,
    Outcome,
    Part,
    Rule,
)
from cwm.proposers.symbolic.discrete.table import MAX_KEY_SPACE, Table
from cwm.proposers.symbolic.discrete.trees import negated, without_implied

MAX_LEAVES = 48
MAX_DRAW_SUBSETS = 3
MAX_PAIRS = 64
"""Most different outcomes of one draw."""

MAX_CELLS = 2_000_000
MIN_CHANCE = 1e-6
"""Chance that an outcome without any record counts as having."""


def code_bits(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the length of sequences with these counts, in bits.

    Args:
        counts: `[..., V]`, how often each of `V` outcomes occurred.
    """
    weight = 1.0 / counts.shape[-1]
    total = counts.sum(axis=-1)
    nats = gammaln(total + 1.0) - gammaln(1.0)
    nats -= (gammaln(counts + weight) - gammaln(weight)).sum(axis=-1)
    bits: NDArray[np.float64] = nats / np.log(2)
    return bits


def fit_draw_table(table: Table, target: str, features: Sequence[str]) -> Part:
    """Returns the part whose chances depend on a few features, the best few.

    Args:
        table: The facts.
        target: What to predict.
        features: What chances may depend on.
    """
    choices = [
        (subset, relative_to)
        for subset in ((), *subsets(features, max_size=MAX_DRAW_SUBSETS))
        for relative_to in _origins(table, target)
        if table.key_space(subset) <= MAX_KEY_SPACE
    ]
    best = min(choices, key=lambda choice: _table_bits(table, target, *choice))
    rows = np.ones(len(table), dtype=np.bool_)
    draw = _make_draw(table, target, best[0], best[1], rows)
    return Part(target=target, base=draw, family="chances by key")


def _origins(table: Table, target: str) -> tuple[str | None, ...]:
    """Returns what a drawn value may be added to."""
    return (None, target) if target in table.digits else (None,)


def _drawn(table: Table, target: str, relative_to: str | None) -> IntArray:
    truth = table.truth(target)
    return truth if relative_to is None else truth - table.columns[relative_to]


def chances_length(table: Table, target: str, features: tuple[str, ...]) -> float:
    """Returns the bits of a target's outcomes, with chances by some features."""
    return min(
        _table_bits(table, target, features, origin)
        for origin in _origins(table, target)
    )


def _table_bits(
    table: Table, target: str, subset: tuple[str, ...], relative_to: str | None
) -> float:
    values, at = np.unique(_drawn(table, target, relative_to), return_inverse=True)
    keys, key_at = np.unique(table.codes(subset), return_inverse=True)
    if len(keys) * len(values) > MAX_CELLS:
        return float("inf")
    counts = np.bincount(
        key_at * len(values) + at, minlength=len(keys) * len(values)
    ).reshape(len(keys), len(values))
    named = len(subset) * name_bits(table)
    return named + float(code_bits(counts.astype(np.float64)).sum())


def _make_draw(
    table: Table,
    target: str,
    subset: tuple[str, ...],
    relative_to: str | None,
    rows: BoolArray,
) -> Draw:
    drawn, codes = _drawn(table, target, relative_to)[rows], table.codes(subset)[rows]
    low, high = table.target_range(target)
    keys = np.unique(codes) if subset else ()
    entries = tuple(
        (table.decode_key(subset, int(code)), _pairs(drawn[codes == code]))
        for code in keys
    )
    return Draw(
        features=subset,
        entries=entries,
        default=_pairs(drawn),
        relative_to=relative_to,
        low=low,
        high=high,
    )


def _pairs(drawn: IntArray) -> tuple[tuple[int, int], ...]:
    """Returns the values with their counts; of very many values, a cross-section."""
    if len(np.unique(drawn)) > MAX_PAIRS:
        drawn = np.sort(drawn)[np.linspace(0, len(drawn) - 1, MAX_PAIRS, dtype=int)]
    values, counts = np.unique(drawn, return_counts=True)
    return tuple((int(v), int(c)) for v, c in zip(values, counts, strict=True))


@dataclass(frozen=True, eq=False, kw_only=True)
class _Leaf:
    """One region of a tree of chances.

    Attributes:
        rows: `[N]`, where it is.
        conditions: How it is reached.
        bits: Length of its outcomes.
    """

    rows: BoolArray
    conditions: tuple[Condition, ...]
    bits: float


def fit_draw_tree(table: Table, target: str, features: Sequence[str]) -> Part:
    """Returns the part whose chances depend on comparisons, split while it pays.

    Args:
        table: The facts.
        target: What to predict.
        features: What may be compared.
    """
    everything = np.ones(len(table), dtype=np.bool_)
    tried = tuple(
        literal
        for literal in literals(table, features, everything)
        if isinstance(literal, Compare) and (literal.operator in ("==", "<="))
    )
    splitter = _Splitter.of(table, target, tried)
    waiting = [splitter.leaf(everything, ())]
    leaves: list[_Leaf] = []
    while waiting:
        leaf = waiting.pop(0)
        room = len(leaves) + len(waiting) + 2 <= MAX_LEAVES
        split = splitter.split(leaf) if room else None
        if split is None:
            leaves.append(leaf)
        else:
            waiting.extend(split)
    leaves.sort(key=lambda leaf: (len(leaf.conditions), -int(leaf.rows.sum())))
    rules = without_implied(
        [
            Rule(conditions=leaf.conditions, outcome=_outcome(table, target, leaf.rows))
            for leaf in leaves
        ]
    )
    # The last branch needs no conditions: it is what is left.
    return Part(
        target=target,
        base=rules[-1].outcome,
        rules=rules[:-1],
        family="tree of chances",
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class _Splitter:
    """Finds the best split of a region; `L` literals, `V` outcomes.

    Attributes:
        table: The facts.
        tried: The literals.
        masks: `[L, N]`, 1 where a literal holds.
        bits: `[L]`, lengths of the literals.
        codings: One `[N, V]` per way of writing the outcome, 1 at its value.
    """

    table: Table
    tried: tuple[Compare, ...]
    masks: NDArray[np.float32]
    bits: NDArray[np.float64]
    codings: tuple[NDArray[np.float32], ...]

    @classmethod
    def of(cls, table: Table, target: str, tried: tuple[Compare, ...]) -> "_Splitter":
        codings = []
        for origin in _origins(table, target):
            values, at = np.unique(_drawn(table, target, origin), return_inverse=True)
            codings.append(np.eye(len(values), dtype=np.float32)[at])
        return cls(
            table=table,
            tried=tried,
            masks=np.stack([condition_mask(c, table) for c in tried]).astype(np.float32)
            if tried
            else np.zeros((0, len(table)), dtype=np.float32),
            bits=np.asarray([condition_bits(c, table) for c in tried]),
            codings=tuple(codings),
        )

    def leaf(self, rows: BoolArray, conditions: tuple[Condition, ...]) -> _Leaf:
        lengths = [
            float(code_bits(coding[rows].sum(axis=0, dtype=np.float64)))
            for coding in self.codings
        ]
        return _Leaf(rows=rows, conditions=conditions, bits=min(lengths))

    def split(self, leaf: _Leaf) -> tuple[_Leaf, _Leaf] | None:
        """Returns the two sides of the best split, if it pays."""
        inside = self.masks[:, leaf.rows]
        if not len(inside) or leaf.bits < RULE_BITS:
            return None
        yes, no = [], []
        for coding in self.codings:
            here = coding[leaf.rows]
            # Some builds of BLAS raise the flag on finite numbers (numpy issue 24067).
            with np.errstate(invalid="ignore"):
                with_literal = (inside @ here).astype(np.float64)
            yes.append(code_bits(with_literal))
            no.append(code_bits(here.sum(axis=0, dtype=np.float64) - with_literal))
        total = np.min(yes, axis=0) + np.min(no, axis=0) + self.bits + RULE_BITS
        best = int(total.argmin())
        if total[best] >= leaf.bits:
            return None
        literal = self.tried[best]
        holds = leaf.rows & (self.masks[best] > 0)
        return (
            self.leaf(holds, (*leaf.conditions, literal)),
            self.leaf(leaf.rows & ~holds, (*leaf.conditions, negated(literal))),
        )


def _outcome(table: Table, target: str, rows: BoolArray) -> Outcome:
    """Returns the shortest outcome of a region."""
    truth = table.truth(target)[rows]
    if (truth == truth[0]).all():
        return Constant(value=int(truth[0]))
    if target in table.digits and (table.columns[target][rows] == truth).all():
        return Feature(name=target)

    def bits(origin: str | None) -> float:
        drawn = _drawn(table, target, origin)
        counts = np.unique(drawn[rows], return_counts=True)[1].astype(np.float64)
        # All outcomes that occur anywhere could have occurred here.
        padding = np.zeros(len(np.unique(drawn)) - len(counts))
        return float(code_bits(np.append(counts, padding)))

    origin = min(_origins(table, target), key=bits)
    return _make_draw(table, target, (), origin, rows)


def draws(part: Part) -> bool:
    """Returns whether a part draws anything at random."""
    outcomes = (part.base, *(rule.outcome for rule in part.rules))
    return any(isinstance(outcome, Draw) for outcome in outcomes)


def varying_length(part: Part, table: Table) -> float:
    """Returns the bits of a part with draws, and of the outcomes under it."""
    masks = rule_masks(part, table)
    rest = np.ones(len(table), dtype=np.bool_)
    for mask in masks:
        rest &= ~mask
    total = _region_bits(part.base, part.target, table, rest)
    for rule, mask in zip(part.rules, masks, strict=True):
        total += RULE_BITS + sum(condition_bits(c, table) for c in rule.conditions)
        total += _region_bits(rule.outcome, part.target, table, mask)
    return total


def _region_bits(outcome: Outcome, target: str, table: Table, rows: BoolArray) -> float:
    if not isinstance(outcome, Draw):
        wrong = (outcome_values(outcome, table) != table.truth(target)) & rows
        return outcome_bits(outcome, table, target) + table.exception_bits * float(
            wrong.sum()
        )
    drawn = _drawn(table, target, outcome.relative_to)
    values, at = np.unique(drawn, return_inverse=True)
    keys, key_at = np.unique(table.codes(outcome.features), return_inverse=True)
    counts = np.bincount(
        (key_at * len(values) + at)[rows], minlength=len(keys) * len(values)
    ).reshape(len(keys), len(values))
    named = len(outcome.features) * name_bits(table)
    return named + float(code_bits(counts.astype(np.float64)).sum())


def mean_probability(part: Part, table: Table) -> float:
    """Returns the geometric mean of the chances a part gives to what happened."""
    masks = rule_masks(part, table)
    rest = np.ones(len(table), dtype=np.bool_)
    for mask in masks:
        rest &= ~mask
    chances = np.zeros(len(table))
    regions = [
        (rule.outcome, mask) for rule, mask in zip(part.rules, masks, strict=True)
    ]
    for outcome, rows in (*regions, (part.base, rest)):
        chances[rows] = _chances(outcome, part.target, table)[rows]
    return float(np.exp(np.log(np.maximum(chances, MIN_CHANCE)).mean()))


def _chances(outcome: Outcome, target: str, table: Table) -> NDArray[np.float64]:
    """Returns the chance that an outcome gives to what happened, `[N]`."""
    truth = table.truth(target)
    if not isinstance(outcome, Draw):
        certain: NDArray[np.float64] = (outcome_values(outcome, table) == truth) * 1.0
        return certain
    at = find_keys(table, outcome.features, [key for key, _ in outcome.entries])
    origin = table.columns[outcome.relative_to] if outcome.relative_to else 0
    chances = np.zeros(len(table))
    for index, pairs in enumerate((*(p for _, p in outcome.entries), outcome.default)):
        rows = at == (index if index < len(outcome.entries) else -1)
        total = sum(count for _, count in pairs)
        for value, count in pairs:
            result = bound(origin + np.full(len(table), value), outcome)
            chances[rows & (result == truth)] += count / total
    return chances
