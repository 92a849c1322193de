"""Which actions are legal, as rules induced from those that were.

For each action a disjunction of conjunctions of facts about the observation that it is
legal in. Facts do not name places where the observation repeats itself: eight objects
of three numbers each are alike, and what matters is how many of them fit a pattern.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import log2
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from cwm.core.proposals import Task
from cwm.core.spaces import DiscreteSpec
from cwm.proposers.symbolic.discrete.layout import (
    Element,
    IntArray,
    element_values,
    elements,
)
from cwm.proposers.symbolic.discrete.table import EXCEPTION_BITS

MIN_REPEATS = 3
"""So often an observation must repeat itself for its groups to be alike."""

MAX_GROUP = 4
"""Most numbers of such a group."""

MAX_VALUES = 64
"""Most values of a number that is in no group, for facts about it."""

MAX_COUNT = 4
"""Patterns are counted up to so many groups."""

MAX_FACTS = 3
"""Most facts of a case."""

MAX_CASES = 40
"""Most cases of an action."""

BEAM = 64
"""Conjunctions that are kept while one is made longer."""

Pattern: TypeAlias = tuple[int | None, ...]
"""Numbers of a group, `None` for any; or `(-1, position, value)` of a lone number."""

BoolArray: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Fact:
    """Whether at least so many groups fit a pattern, or whether not.

    Attributes:
        pattern: The pattern.
        number: How many; at least 1.
        holds: Whether it is so.
    """

    pattern: Pattern
    number: int
    holds: bool


Case: TypeAlias = tuple[Fact, ...]
"""Facts that hold together; none hold always."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """Where an observation repeats itself: from its beginning.

    Attributes:
        size: Numbers of a group.
        count: How many groups; 0 if nothing repeats.
    """

    size: int
    count: int

    @property
    def length(self) -> int:
        """How many numbers the groups have together."""
        return self.size * self.count


@dataclass(frozen=True, slots=True, kw_only=True)
class LegalRules:
    """When each action is legal.

    Attributes:
        groups: Where the observation repeats itself.
        cases: Action -> the cases in which it is legal; an action that never was is
            not there.
        num_wrong: Of the distinct observations, how many have other legal actions.
        num_observations: How many there are.
    """

    groups: Groups
    cases: dict[int, tuple[Case, ...]]
    num_wrong: int
    num_observations: int


def learn_legal(task: Task) -> LegalRules | None:
    """Returns when actions are legal; `None` where that was not recorded, or all are.

    Observations must be one array of integers or one integer, and actions one integer.
    """
    recorded = task.train.next_legal_actions or task.next_legal_actions
    actions = task.action_space
    if recorded is None or not isinstance(actions, DiscreteSpec):
        return None
    observed = elements(task.observation_space)
    if any(element.path for element in observed):
        return None
    after = element_values(observed, task.train.next_observations)
    going_on = np.flatnonzero(~task.train.terminated)
    rows, truth = _distinct(after, recorded, going_on, actions)
    if not len(rows) or truth.all():
        return None
    groups = find_groups(observed)
    facts, holds = _facts(observed, groups, rows)
    cases = {
        actions.start + int(index): _cases(facts, holds, truth[:, index])
        for index in np.flatnonzero(truth.any(axis=0))
    }
    return LegalRules(
        groups=groups,
        cases=cases,
        num_wrong=_num_wrong(cases, facts, holds, truth, actions.start),
        num_observations=len(rows),
    )


def allowed(
    rules: LegalRules, observed: Sequence[Element], before: IntArray, actions: IntArray
) -> IntArray:
    """Returns whether rules allow actions, `[N]`, 0 or 1.

    All are allowed where they allow none, as in the program.

    Args:
        rules: The rules.
        observed: Elements of an observation.
        before: Observations, `[N, E]`.
        actions: `[N]`.
    """
    counts = _counts(observed, rules.groups, before)
    none = np.zeros(len(before), dtype=np.int64)
    found = np.zeros(len(before), dtype=np.bool_)
    has_any = np.zeros(len(before), dtype=np.bool_)
    for action, cases in rules.cases.items():
        here = np.zeros(len(before), dtype=np.bool_)
        for case in cases:
            together = np.ones(len(before), dtype=np.bool_)
            for fact in case:
                there = counts.get(fact.pattern, none) >= fact.number
                together &= there == fact.holds
            here |= together
        has_any |= here
        found |= here & (actions == action)
    return (found | ~has_any).astype(np.int64)


def find_groups(observed: Sequence[Element]) -> Groups:
    """Returns how an observation repeats itself, by the sizes of its numbers.

    The smallest group that repeats often enough and covers at least half of it.
    """
    sizes = [(element.low, element.num_values) for element in observed]
    for size in range(2, MAX_GROUP + 1):
        count = 1
        while sizes[count * size : (count + 1) * size] == sizes[:size]:
            count += 1
        is_varied = len(set(sizes[:size])) > 1
        if is_varied and count >= MIN_REPEATS and 2 * size * count >= len(sizes):
            return Groups(size=size, count=count)
    return Groups(size=1, count=0)


def patterns_of(group: Sequence[int]) -> Iterator[Pattern]:
    """Yields the patterns that a group fits, but for the one that all do."""
    for mask in product((True, False), repeat=len(group)):
        if any(mask):
            yield tuple(
                int(one) if known else None
                for one, known in zip(group, mask, strict=True)
            )


def _distinct(
    after: IntArray,
    recorded: Sequence[Sequence[object]],
    going_on: NDArray[np.intp],
    actions: DiscreteSpec,
) -> tuple[IntArray, BoolArray]:
    """Returns observations, each once, and which actions are legal there, `[N, A]`."""
    _, first = np.unique(after[going_on], axis=0, return_index=True)
    chosen = going_on[np.sort(first)]
    truth = np.zeros((len(chosen), actions.num_values), dtype=np.bool_)
    for row, index in enumerate(chosen):
        legal = [int(str(action)) - actions.start for action in recorded[int(index)]]
        truth[row, legal] = True
    return after[chosen], truth


def _facts(
    observed: Sequence[Element], groups: Groups, rows: IntArray
) -> tuple[list[Fact], BoolArray]:
    """Returns facts that tell observations apart, and where they hold, `[N, F]`."""
    counts = _counts(observed, groups, rows)
    found: list[Fact] = []
    columns: list[BoolArray] = []
    seen: set[bytes] = set()
    # The least that is said comes first: of two facts that agree it is kept.
    for pattern in sorted(counts, key=_num_fixed):
        for number in range(1, MAX_COUNT + 1):
            there = counts[pattern] >= number
            for holds in (True, False):
                column = there == holds
                if column.all() or not column.any() or column.tobytes() in seen:
                    continue
                seen.add(column.tobytes())
                found.append(Fact(pattern, number, holds))
                columns.append(column)
    if not columns:
        return [], np.zeros((len(rows), 0), dtype=np.bool_)
    return found, np.stack(columns, axis=1)


def _counts(
    observed: Sequence[Element], groups: Groups, rows: IntArray
) -> dict[Pattern, IntArray]:
    """Returns how many groups of each observation fit each pattern, `[N]`."""
    counts: dict[Pattern, IntArray] = {}
    for row, numbers in enumerate(rows):
        for start in range(0, groups.length, groups.size):
            for pattern in patterns_of(numbers[start : start + groups.size]):
                known = counts.setdefault(pattern, np.zeros(len(rows), dtype=np.int64))
                known[row] += 1
    for position in range(groups.length, len(observed)):
        values = np.unique(rows[:, position])
        if len(values) <= MAX_VALUES:
            for value in values:
                column = (rows[:, position] == value).astype(np.int64)
                counts[-1, position, int(value)] = column
    return counts


def _num_fixed(pattern: Pattern) -> tuple[int, str]:
    return sum(one is not None for one in pattern), str(pattern)


def _cases(
    facts: Sequence[Fact], holds: BoolArray, truth: BoolArray
) -> tuple[Case, ...]:
    """Returns cases that together are shortest, what they get wrong included."""
    if truth.all():
        return ((),)
    table = holds.astype(np.float32)
    bits = log2(len(facts) + 1) + 1 if facts else 0.0
    left = truth.copy()
    found: list[Case] = []
    while len(found) < MAX_CASES and left.any() and len(facts):
        members = _best(table, left, ~truth, bits)
        if members is None:
            break
        found.append(tuple(facts[index] for index in members))
        left &= ~holds[:, members].all(axis=1)
    return tuple(found)


def _best(
    table: NDArray[np.float32], wanted: BoolArray, unwanted: BoolArray, bits: float
) -> list[int] | None:
    """Returns the conjunction that saves the most bits, as positions of facts."""
    best, gain = None, 0.0
    beam: list[list[int]] = [[]]
    for length in range(1, MAX_FACTS + 1):
        kept = np.stack([table[:, members].all(axis=1) for members in beam])
        right = (kept & wanted).astype(np.float32) @ table
        wrong = (kept & unwanted).astype(np.float32) @ table
        saved = EXCEPTION_BITS * (right - wrong) - length * bits
        place = np.unravel_index(int(saved.argmax()), saved.shape)
        if saved[place] > gain:
            gain = float(saved[place])
            best = [*beam[int(place[0])], int(place[1])]
        # What still holds for many of those wanted can get rid of the others.
        promise = EXCEPTION_BITS * right - 0.5 * EXCEPTION_BITS * wrong
        order = np.argsort(-promise, axis=None, kind="stable")[:BEAM]
        beam = [
            [*beam[int(row)], int(column)]
            for row, column in zip(*np.unravel_index(order, promise.shape), strict=True)
        ]
    return best


def _num_wrong(
    cases: dict[int, tuple[Case, ...]],
    facts: Sequence[Fact],
    holds: BoolArray,
    truth: BoolArray,
    start: int,
) -> int:
    place = {fact: index for index, fact in enumerate(facts)}
    found = np.zeros_like(truth)
    for action, named in cases.items():
        for case in named:
            members = [place[fact] for fact in case]
            found[:, action - start] |= holds[:, members].all(axis=1)
    return int((found != truth).any(axis=1).sum())
