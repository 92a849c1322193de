"""Third step of the ladder: rules for where the base of a part is wrong."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

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
    description_length,
    entries_bits,
    outcome_bits,
    value_bits,
)
from cwm.proposers.symbolic.discrete.evaluate import (
    BoolArray,
    outcome_values,
    part_values,
)
from cwm.proposers.symbolic.discrete.layout import IntArray
from cwm.proposers.symbolic.discrete.model import (
    Constant,
    Feature,
    Lookup,
    Outcome,
    Part,
    Rule,
)
from cwm.proposers.symbolic.discrete.table import MAX_KEY_SPACE, Table

MAX_RULES = 6
MAX_TABLE_CELLS = 2_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Amendment:
    """Rules to put before a part's rules.

    Attributes:
        rules: The rules, first match first.
        change: Change of the description length, in bits; negative is better.
    """

    rules: tuple[Rule, ...]
    change: float


Learner = Callable[[Table, Part, Sequence[str]], Iterator[Amendment]]


def conjunction_rules(
    table: Table, part: Part, features: Sequence[str]
) -> Iterator[Amendment]:
    """Yields rules whose condition is a conjunction of comparisons."""
    values, truth = part_values(part, table), table.truth(part.target)
    for outcome in _outcomes(table, part, values, features):
        positive, negative = _split_rows(table, outcome, values, truth)
        guard = learn_conjunction(table, features, positive, negative)
        if guard is not None:
            yield _amend(table, part.target, outcome, (guard,), int(positive.sum()))


def set_rules(table: Table, part: Part, features: Sequence[str]) -> Iterator[Amendment]:
    """Yields rules whose condition is membership in a set of keys."""
    values, truth = part_values(part, table), table.truth(part.target)
    for outcome in _outcomes(table, part, values, features):
        positive, negative = _split_rows(table, outcome, values, truth)
        for guards in learn_sets(table, features, positive, negative):
            yield _amend(table, part.target, outcome, guards, int(positive.sum()))


def table_rules(
    table: Table, part: Part, features: Sequence[str]
) -> Iterator[Amendment]:
    """Yields the best table of exceptions: key -> value."""
    values = part_values(part, table)
    found = [
        amendment
        for subset in subsets(features, max_size=4)
        if (amendment := exceptions(table, part.target, values, subset)) is not None
    ]
    if not found:
        return
    best = min(found, key=lambda amendment: amendment.change)
    for _ in range(4):
        grown = _grow(table, part.target, values, best, features)
        if grown is None or grown.change >= best.change:
            break
        best = grown
    yield best


def amend(
    table: Table,
    part: Part,
    features: Sequence[str],
    learners: Sequence[Learner],
    *,
    max_rules: int = MAX_RULES,
) -> Part:
    """Returns the part with rules added as long as that makes it shorter.

    Args:
        table: The facts.
        part: The part to begin with; its rules are kept, after the new ones.
        features: What rules may depend on.
        learners: Where rules come from.
        max_rules: Most rules of the result.
    """
    while len(part.rules) < max_rules:
        found = [a for learner in learners for a in learner(table, part, features)]
        best = min(found, key=lambda a: a.change, default=None)
        if best is None or best.change >= 0:
            break
        part = msgspec.structs.replace(part, rules=(*best.rules, *part.rules))
    return prune(part, table)


def prune(part: Part, table: Table) -> Part:
    """Returns the part without rules that do not pay for themselves."""
    for index in reversed(range(len(part.rules))):
        rules = part.rules[:index] + part.rules[index + 1 :]
        shorter = msgspec.structs.replace(part, rules=rules)
        if description_length(shorter, table) < description_length(part, table):
            part = shorter
    return part


def _outcomes(
    table: Table, part: Part, values: IntArray, features: Sequence[str]
) -> list[Outcome]:
    """Returns what the wrong rows could be instead, most frequent first."""
    truth = table.truth(part.target)
    wrong = values != truth
    if not wrong.any():
        return []
    found: list[Outcome] = []
    if part.target in table.digits:
        stays = (table.columns[part.target] == truth)[wrong].sum()
        if stays:
            found.append(Feature(name=part.target))
        agree = {
            name: int((table.columns[name] == truth)[wrong].sum())
            for name in features
            if name != part.target and table.size(name) > 2
        }
        ranked = sorted(agree, key=lambda name: -agree[name])
        found.extend(
            Feature(name=name) for name in ranked[:3] if agree[name] * 3 >= wrong.sum()
        )
    seen, counts = np.unique(truth[wrong], return_counts=True)
    order = np.argsort(-counts, kind="stable")[:3]
    found.extend(Constant(value=int(seen[i])) for i in order)
    return found


def _split_rows(
    table: Table, outcome: Outcome, values: IntArray, truth: IntArray
) -> tuple[BoolArray, BoolArray]:
    """Returns where a rule with this outcome helps, and where it harms."""
    instead = outcome_values(outcome, table)
    wrong = values != truth
    return wrong & (instead == truth), ~wrong & (instead != truth)


def _amend(
    table: Table, target: str, outcome: Outcome, guards: tuple[Guard, ...], helped: int
) -> Amendment:
    """Returns the rules of guards that all lead to one outcome."""
    length = outcome_bits(outcome, table, target)
    bits = sum(RULE_BITS + length + guard.bits for guard in guards)
    if len(guards) > 1:
        bits -= length  # The outcome is the same, so it is said once.
    left = guards[-1].missed + sum(guard.wrong for guard in guards)
    return Amendment(
        rules=tuple(Rule(conditions=g.conditions, outcome=outcome) for g in guards),
        change=bits + table.exception_bits * (left - helped),
    )


def exceptions(
    table: Table, target: str, values: IntArray, subset: tuple[str, ...]
) -> Amendment | None:
    """Returns the table by `subset` that mends the most, if it mends any row."""
    if table.key_space(subset) > MAX_KEY_SPACE:
        return None
    truth, codes = table.truth(target), table.codes(subset)
    wrong = values != truth
    keys = np.unique(codes[wrong])
    low, high = table.target_range(target)
    span = high - low + 1
    if not len(keys) or len(keys) * span > MAX_TABLE_CELLS:
        return None
    at = np.minimum(np.searchsorted(keys, codes), len(keys) - 1)
    here = keys[at] == codes
    cells = np.bincount(
        at[here] * span + truth[here] - low, minlength=len(keys) * span
    ).reshape(len(keys), span)
    right = np.bincount(at[here & ~wrong], minlength=len(keys))
    gain = cells.max(axis=1) - right
    chosen = gain > 0
    if not chosen.any():
        return None
    entries = tuple(
        (table.decode_key(subset, int(code)), int(value) + low)
        for code, value in zip(keys[chosen], cells.argmax(axis=1)[chosen], strict=True)
    )
    outcome = Lookup(features=subset, entries=entries, default=_fallback(table, target))
    bits = (
        RULE_BITS
        + 2
        + entries_bits(table, subset, len(entries), value_bits(table, target))
    )
    return Amendment(
        rules=(Rule(conditions=(), outcome=outcome),),
        change=bits - table.exception_bits * int(gain[chosen].sum()),
    )


def _fallback(table: Table, target: str) -> Constant | Feature:
    """Returns what a rule's table says for a key it lacks; the rule never asks."""
    return Feature(name=target) if target in table.digits else Constant(value=0)


def _grow(
    table: Table,
    target: str,
    values: IntArray,
    amendment: Amendment,
    features: Sequence[str],
) -> Amendment | None:
    """Returns the best table with one more feature in its key."""
    outcome = amendment.rules[0].outcome
    assert isinstance(outcome, Lookup), "A table of exceptions has a table."
    found = [
        exceptions(table, target, values, (*outcome.features, name))
        for name in features
        if name not in outcome.features
    ]
    return min((f for f in found if f), key=lambda f: f.change, default=None)
