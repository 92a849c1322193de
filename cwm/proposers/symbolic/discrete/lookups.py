"""Digits that neither stay nor move: what they become is looked up by few inputs."""

import numpy as np

from cwm.proposers.symbolic.discrete.description_length import (
    description_length,
    listed_length,
    num_wrong,
    part_bits,
)
from cwm.proposers.symbolic.discrete.families import (
    fit_most_frequent,
    fit_shift,
    pairs_with_action,
)
from cwm.proposers.symbolic.discrete.model import Feature, Lookup, Part
from cwm.proposers.symbolic.discrete.rules import amend, conjunction_rules, table_rules
from cwm.proposers.symbolic.discrete.table import Table

MAX_RIVAL_RULES = 3
"""Rules that an explanation by conditions gets to compete with a table."""

MIN_SHARE_OF_KEYS = 0.25
"""Share of the keys that must be in a table if the digit stays elsewhere."""


def fit_lookup(table: Table, target: str) -> Part | None:
    """Returns a part that looks a digit up by few inputs, where nothing is shorter.

    A table explains whatever it has entries for, so that it is an answer only if
    it is complete and shorter than what else there is: lists of where staying and
    moving fail, moves with a table of exceptions, and a few rules by conditions.

    Args:
        table: The facts.
        target: The digit to predict.
    """
    inputs = (*table.actions, *table.digits)
    plain = fit_most_frequent(table, target)
    part = amend(table, plain, inputs, (table_rules,), max_rules=1)
    if num_wrong(part, table) or not _is_dense(part, table):
        return None
    bits = part_bits(part, table)
    bases = [plain, *_moves(table, target)]
    if any(listed_length(base, table) <= bits for base in bases):
        return None
    for base in bases[1:]:
        moves = amend(table, base, inputs, (table_rules,), max_rules=1)
        if description_length(moves, table) < bits:
            return None
    best = min(bases, key=lambda base: listed_length(base, table))
    rules = amend(table, best, inputs, (conjunction_rules,), max_rules=MAX_RIVAL_RULES)
    if listed_length(rules, table) <= bits:
        return None
    return Part(target=target, base=part.base, rules=part.rules, family="table")


def _moves(table: Table, target: str) -> list[Part]:
    """Returns the digit with an offset by one other input, and by two.

    An offset that depends on the digit itself is a table by another name.
    """
    others = tuple(n for n in (*table.actions, *table.digits) if n != target)
    singles = ((), *((name,) for name in others))
    pairs = tuple(pair for pair in pairs_with_action(table) if target not in pair)
    fits = (fit_shift(table, target, by=by) for by in (singles, pairs) if by)
    return [part for part in fits if part is not None]


def _is_dense(part: Part, table: Table) -> bool:
    """Returns whether a table is more than exceptions of a digit that stays."""
    if not part.rules or not isinstance(part.rules[0].outcome, Lookup):
        return False
    outcome = part.rules[0].outcome
    num_keys = len(np.unique(table.codes(outcome.features)))
    stays = isinstance(part.base, Feature)
    return not stays or len(outcome.entries) >= MIN_SHARE_OF_KEYS * num_keys
