"""Sentences that say what several transitions have in common, found by alignment.

    slots          words that action and change share and that differ between
                   transitions: "When you go to the X, you are standing on the X."
    alternatives   words that differ between the actions before one change, or the
                   changes after one action: "When you pick up the object, in your
                   inventory, there is the pea or water."
    instances      a transition as it was: "When you go to the pea, you are standing on
                   the pea."

Does not cover: states, and what no words have in common.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

from cwm.providers.hypotheses.texts import TextTrajectory

Words: TypeAlias = tuple[str, ...]

SLOT: Final = "X"
MAX_ALTERNATIVES: Final = 12
"""Longer enumerations are no rule."""

MAX_INSTANCES: Final = 24
"""So many transitions, the most frequent ones, become sentences as they are."""


class _Case(NamedTuple):
    """An action and what came of it, without the full stop."""

    action: Words
    change: Words


def find_rules(trajectories: Iterable[TextTrajectory]) -> tuple[str, ...]:
    """Returns sentences that some of the transitions suggest, sorted, each once.

    They are guesses: other transitions may contradict them.
    """
    told = [
        pair
        for one in trajectories
        for pair in zip(one.actions, one.changes, strict=True)
    ]
    return _find_rules(tuple(told))


@lru_cache(maxsize=64)
def _find_rules(told: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    counts = Counter(_Case(_clause(action), _clause(change)) for action, change in told)
    # Of equally frequent ones the first by alphabet, in whatever order they came.
    ranked = sorted(counts, key=lambda case: (-counts[case], case))
    found = {*_with_slots(ranked), *_with_alternatives(ranked)}
    found |= {_sentence(case.action, case.change) for case in ranked[:MAX_INSTANCES]}
    return tuple(sorted(found))


def _clause(sentence: str) -> Words:
    text = sentence.strip().rstrip(".")
    return tuple((text[:1].lower() + text[1:]).split())


def _sentence(action: Words, change: Words) -> str:
    return f"When {' '.join(action)}, {' '.join(change)}."


def _with_slots(cases: Iterable[_Case]) -> Iterator[str]:
    fillers: dict[_Case, set[Words]] = defaultdict(set)
    for action, change in cases:
        for at, start, length in _shared_runs(action, change):
            pattern = _Case(
                (*action[:at], SLOT, *action[at + length :]),
                (*change[:start], SLOT, *change[start + length :]),
            )
            fillers[pattern].add(action[at : at + length])
    for (action, change), found in fillers.items():
        if len(found) > 1:
            before, after = _ends_of_all(sorted(found))
            slot = (*before, SLOT, *after)
            yield _sentence(_put(action, slot), _put(change, slot))


def _shared_runs(one: Words, other: Words) -> Iterator[tuple[int, int, int]]:
    """Yields places and length of the words in common, as long as they go."""
    for i, word in enumerate(one):
        for j, match in enumerate(other):
            if word != match or (i and j and one[i - 1] == other[j - 1]):
                continue
            length = 1
            while (
                one[i + length : i + length + 1] == other[j + length : j + length + 1]
            ):
                if i + length == len(one):
                    break
                length += 1
            yield i, j, length


def _ends_of_all(runs: Sequence[Words]) -> tuple[Words, Words]:
    """Returns the words that all runs begin and end with, leaving each at least one."""
    room = min(map(len, runs)) - 1
    first = runs[0]
    num_before = 0
    while num_before < room and all(r[num_before] == first[num_before] for r in runs):
        num_before += 1
    num_after = 0
    while num_after < room - num_before and all(
        r[-1 - num_after] == first[-1 - num_after] for r in runs
    ):
        num_after += 1
    return first[:num_before], first[len(first) - num_after :]


def _put(pattern: Words, slot: Words) -> Words:
    place = pattern.index(SLOT)
    return (*pattern[:place], *slot, *pattern[place + 1 :])


def _with_alternatives(cases: Iterable[_Case]) -> Iterator[str]:
    after: dict[tuple[Words, int], list[Words]] = defaultdict(list)
    before: dict[tuple[Words, int], list[Words]] = defaultdict(list)
    for action, change in cases:
        after[action, len(change)].append(change)
        before[change, len(action)].append(action)
    for (action, _), changes in after.items():
        for change in _merged(changes):
            yield _sentence(action, change)
    for (change, _), actions in before.items():
        for action in _merged(actions):
            yield _sentence(action, change)


def _merged(clauses: Sequence[Words]) -> Iterator[Words]:
    """Yields clauses of one length as one, with the words in which they differ.

    Word by word, which says more than was seen, and as phrases, which does not.
    """
    columns = [sorted(set(column)) for column in zip(*clauses, strict=True)]
    open_ = [place for place, words in enumerate(columns) if len(words) > 1]
    if not open_ or 2 * len(open_) > len(columns):
        return
    if max(map(len, columns)) <= MAX_ALTERNATIVES:
        yield tuple(_either(words) for words in columns)
    start, end = open_[0], open_[-1] + 1
    phrases = sorted({" ".join(clause[start:end]) for clause in clauses})
    if end - start > 1 and len(phrases) <= MAX_ALTERNATIVES:
        yield (*clauses[0][:start], _either(phrases), *clauses[0][end:])


def _either(words: Sequence[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last
