"""Rules that hold for all moving digits at once: walls, teleports, resets.

A wall stops a move in whichever direction it goes, so what is learned about it
from moves in rows is true for moves in columns. One condition shared by several
parts is also shorter than two.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import msgspec
import numpy as np

from cwm.proposers.symbolic.discrete.conditions import (
    Guard,
    learn_conjunction,
    learn_sets,
    subsets,
)
from cwm.proposers.symbolic.discrete.description_length import (
    RULE_BITS,
    key_bits,
    outcome_bits,
)
from cwm.proposers.symbolic.discrete.evaluate import (
    BoolArray,
    outcome_values,
    part_values,
)
from cwm.proposers.symbolic.discrete.model import (
    Constant,
    Feature,
    Lookup,
    Outcome,
    Part,
    Rule,
)
from cwm.proposers.symbolic.discrete.rules import MAX_RULES, exceptions, prune
from cwm.proposers.symbolic.discrete.table import MAX_KEY_SPACE, Table

Parts: TypeAlias = tuple[Part, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class JointAmendment:
    """Rules to put before the rules of each part.

    Attributes:
        rules: For each part, its new rules.
        change: Change of the description length of all parts, in bits.
    """

    rules: tuple[tuple[Rule, ...], ...]
    change: float


Learner: TypeAlias = Callable[[Table, Parts, Sequence[str]], Iterator[JointAmendment]]


def amend_together(table: Table, parts: Parts, features: Sequence[str]) -> list[Parts]:
    """Returns the parts with shared rules added, in different styles.

    Rules are added as long as that makes the parts shorter. Tables explain much at
    once and would always come first, so one style tries conditions before them.

    Args:
        table: The facts.
        parts: Parts of digits that move.
        features: What the shared conditions may depend on.
    """
    conditions_first = _amend(table, parts, features, (_guarded,))
    styles = (
        _amend(table, conditions_first, features, (_tables,)),
        _amend(table, conditions_first, features, (_guarded, _tables)),
        _amend(table, parts, features, (_guarded, _tables)),
    )
    return [tuple(prune(part, table) for part in style) for style in styles]


def _amend(
    table: Table, parts: Parts, features: Sequence[str], learners: Sequence[Learner]
) -> Parts:
    for _ in range(MAX_RULES):
        found = [a for learner in learners for a in learner(table, parts, features)]
        best = min(found, key=lambda amendment: amendment.change, default=None)
        if best is None or best.change >= 0:
            break
        parts = tuple(
            msgspec.structs.replace(part, rules=(*new, *part.rules))
            for part, new in zip(parts, best.rules, strict=True)
        )
    return parts


def _wrong(table: Table, parts: Parts) -> BoolArray:
    """Returns where at least one of the parts is wrong, `[N]`."""
    rows = np.zeros(len(table), dtype=np.bool_)
    for part in parts:
        rows |= part_values(part, table) != table.truth(part.target)
    return rows


def _guarded(
    table: Table, parts: Parts, features: Sequence[str]
) -> Iterator[JointAmendment]:
    """Yields rules with one condition for all parts: all stay, or all are reset."""
    wrong = _wrong(table, parts)
    if not wrong.any():
        return
    for outcomes in _outcomes(table, parts, wrong):
        agree = np.ones(len(table), dtype=np.bool_)
        for part, outcome in zip(parts, outcomes, strict=True):
            agree &= outcome_values(outcome, table) == table.truth(part.target)
        positive, negative = wrong & agree, ~wrong & ~agree
        if not positive.any():
            continue
        guards: list[tuple[Guard, ...]] = learn_sets(
            table, features, positive, negative
        )
        conjunction = learn_conjunction(table, features, positive, negative)
        if conjunction is not None:
            guards.append((conjunction,))
        for option in guards:
            yield _shared(table, parts, outcomes, option, int(positive.sum()))


def _outcomes(
    table: Table, parts: Parts, wrong: BoolArray
) -> Iterator[tuple[Outcome, ...]]:
    """Yields what all parts could be instead: unchanged, or a frequent place."""
    yield tuple(Feature(name=part.target) for part in parts)
    after = np.column_stack([table.truth(part.target) for part in parts])[wrong]
    places, counts = np.unique(after, axis=0, return_counts=True)
    for index in np.argsort(-counts, kind="stable")[:2]:
        yield tuple(Constant(value=int(value)) for value in places[index])


def _shared(
    table: Table,
    parts: Parts,
    outcomes: tuple[Outcome, ...],
    guards: tuple[Guard, ...],
    helped: int,
) -> JointAmendment:
    lengths = sum(
        outcome_bits(outcome, table, part.target)
        for part, outcome in zip(parts, outcomes, strict=True)
    )
    bits = lengths + sum(guard.bits + RULE_BITS for guard in guards)
    left = guards[-1].missed + sum(guard.wrong for guard in guards)
    return JointAmendment(
        rules=tuple(
            tuple(Rule(conditions=g.conditions, outcome=outcome) for g in guards)
            for outcome in outcomes
        ),
        change=bits + table.exception_bits * (left - helped),
    )


def _tables(
    table: Table, parts: Parts, features: Sequence[str]
) -> Iterator[JointAmendment]:
    """Yields the best tables of exceptions with the same key for all parts."""
    values = [part_values(part, table) for part in parts]
    best: JointAmendment | None = None
    for subset in subsets(features, max_size=3):
        if table.key_space(subset) > MAX_KEY_SPACE:
            continue
        found = [
            exceptions(table, part.target, value, subset)
            for part, value in zip(parts, values, strict=True)
        ]
        change, entries = 0.0, []
        for amendment in found:
            if amendment is not None:
                change += amendment.change
                entries.append(_num_entries(amendment.rules))
        if len(entries) > 1:
            change -= min(entries) * key_bits(table, subset)
        if entries and (best is None or change < best.change):
            best = JointAmendment(
                rules=tuple(a.rules if a is not None else () for a in found),
                change=change,
            )
    if best is not None:
        yield best


def _num_entries(rules: tuple[Rule, ...]) -> int:
    return sum(
        len(rule.outcome.entries) for rule in rules if isinstance(rule.outcome, Lookup)
    )
