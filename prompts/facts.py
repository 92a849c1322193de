"""What the recorded transitions say about themselves, in a few lines.

Covers: how many there are and how they end, rewards, and for each number of an
    observation its range, whether it is constant, whole or one of few values, how
    often it changes, and whether it piles up at a bound.
Does not cover: single transitions (`examples`) and how they depend on each other.
"""

import weakref
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cwm.core.codec import Column, Columns
from cwm.core.proposals import Task
from cwm.core.spaces import Value
from cwm.core.trajectories import TransitionBatch
from prompts.values import (
    MIN_VALUE_CHARS,
    cell_key,
    describe_range,
    element_name,
    format_value,
)

MAX_LINES = 24
"""Most lines about the numbers of an observation; more are put together."""

_MAX_DISTINCT_REWARDS = 10
_MAX_DISTINCT_ACTIONS = 12
_MAX_DISTINCT = 6
"""Values that a number takes, up to which they are listed."""

_MIN_AT_BOUND = 3
"""Times that a number equals its largest or smallest value to be worth a word."""


_REMEMBERED: dict[int, tuple[weakref.ref[Task], str]] = {}


def task_facts(task: Task) -> str:
    """Returns `data_facts` of a task, which are worked out once in its life.

    They take up to 50 ms, and a search asks for them at every call.
    """
    key = id(task)
    known = _REMEMBERED.get(key)
    if known is not None and known[0]() is task:
        return known[1]
    text = data_facts(
        task.train,
        is_stochastic=task.is_stochastic,
        next_legal_actions=task.next_legal_actions,
    )
    forget = weakref.ref(task, lambda _: _REMEMBERED.pop(key, None))
    _REMEMBERED[key] = (forget, text)
    return text


def data_facts(
    batch: TransitionBatch,
    *,
    is_stochastic: bool = False,
    next_legal_actions: Sequence[Sequence[Value]] | None = None,
) -> str:
    """Returns facts of the training transitions as lines of text.

    Args:
        batch: The training transitions; at least one.
        is_stochastic: Whether equal inputs can have different outcomes.
        next_legal_actions: As in `Task`.
    """
    lines = [_size(batch), *_rewards(batch), _actions(batch.actions)]
    if next_legal_actions is not None:
        lines.append(_legal_actions(next_legal_actions))
    if is_stochastic:
        lines.append(_repeats(batch))
    return "\n".join([*lines, *_numbers(batch), *_texts(batch)])


def _size(batch: TransitionBatch) -> str:
    num_ended = int(batch.terminated.sum())
    num_cut = int((batch.truncated & ~batch.terminated).sum())
    num_trajectories = len(np.unique(batch.trajectory))
    text = (
        f"Recorded transitions: {len(batch)}, in {num_trajectories} "
        f"{'trajectory' if num_trajectories == 1 else 'trajectories'}. Ended in a "
        f"terminal state: {num_ended}; cut off by a time limit: {num_cut}"
    )
    text += " (the world model has none)." if num_cut else "."
    return f"{text} Where they contradict the documentation, they are right."


def _rewards(batch: TransitionBatch) -> list[str]:
    lines = [f"Rewards that occur: {_counted(batch.rewards)}."]
    last = batch.rewards[batch.terminated]
    others = batch.rewards[~batch.terminated]
    if len(last) and len(others) and len(np.unique(batch.rewards)) > 1:
        lines.append(f"Rewards of transitions that terminated: {_counted(last)}.")
    return lines


def _counted(rewards: NDArray[np.float64]) -> str:
    distinct, counts = np.unique(rewards, return_counts=True)
    if len(distinct) > _MAX_DISTINCT_REWARDS:
        low, high = float(distinct[0]), float(distinct[-1])
        return f"{len(distinct)} different ones from {low!r} to {high!r}"
    pairs = zip(distinct.tolist(), counts.tolist(), strict=True)
    return ", ".join(f"{reward!r} ({_times(count)})" for reward, count in pairs)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _actions(actions: Columns) -> str:
    texts: list[str] = []
    for path, column in actions.items():
        name = f"action/{path}: " if path else ""
        if not isinstance(column, np.ndarray):
            texts.append(f"{name}{len(set(map(str, column)))} different ones")
        elif not column.size:
            continue
        elif column.ndim == 1:
            distinct, counts = np.unique(column, return_counts=True)
            if len(distinct) <= _MAX_DISTINCT_ACTIONS:
                pairs = zip(distinct.tolist(), counts.tolist(), strict=True)
                listed = ", ".join(f"{a!r} ({_times(count)})" for a, count in pairs)
                texts.append(f"{name}{listed}")
            else:
                texts.append(f"{name}{describe_range(column)}")
        else:
            texts.append(f"{name}elements {describe_range(column)}")
    return f"Actions that occur: {'; '.join(texts)}."


def _legal_actions(legal: Sequence[Sequence[Value]]) -> str:
    counts = [len(actions) for actions in legal]
    distinct = len({repr(sorted(map(repr, actions))) for actions in legal})
    return (
        f"After a step, {min(counts)} to {max(counts)} actions are legal; "
        f"{distinct} different sets of legal actions occur."
    )


def _repeats(batch: TransitionBatch) -> str:
    """Says how often the same observation and action have had different outcomes."""
    inputs = list(_keys(len(batch), batch.observations, batch.actions))
    more = {
        "reward": batch.rewards,
        "terminated": batch.terminated,
    }
    outcomes = list(_keys(len(batch), batch.next_observations, more))
    seen: dict[bytes, set[bytes]] = {}
    counts: dict[bytes, int] = {}
    for given, outcome in zip(inputs, outcomes, strict=True):
        seen.setdefault(given, set()).add(outcome)
        counts[given] = counts.get(given, 0) + 1
    repeated = [given for given, count in counts.items() if count > 1]
    varied = sum(len(seen[given]) > 1 for given in repeated)
    return (
        f"{len(repeated)} pairs of observation and action occur more than once; "
        f"{varied} of them with different outcomes."
    )


def _keys(num_rows: int, *groups: Columns | dict[str, NDArray[Any]]) -> Iterator[bytes]:
    columns = [column for group in groups for column in group.values()]
    for row in range(num_rows):
        yield b"|".join(cell_key(column, row) for column in columns)


class _Element(NamedTuple):
    """What is said about one number, or several with the same to say."""

    first: str
    last: str
    text: str


def _numbers(batch: TransitionBatch) -> list[str]:
    elements = [
        element
        for path, column in batch.observations.items()
        if _is_numeric(column)
        for element in _leaf(path, column, batch.next_observations[path])
    ]
    if not elements:
        return []
    # Neighbours of which the same is said share a line.
    merged: list[_Element] = []
    for element in elements:
        if merged and merged[-1].text == element.text:
            merged[-1] = merged[-1]._replace(last=element.last)
        else:
            merged.append(element)
    shown = merged if len(merged) <= MAX_LINES else merged[: MAX_LINES - 1]
    lines = [f"- {_place(e)}: {e.text}" for e in shown]
    if len(shown) < len(merged):
        lines.append(f"- {len(merged) - len(shown)} more lines like these left out")
    return ["Numbers of an observation, before and after a step:", *lines]


def _place(element: _Element) -> str:
    if element.first == element.last:
        return element.first
    return f"{element.first} to {element.last}"


def _is_numeric(column: Column) -> bool:
    return isinstance(column, np.ndarray) and column.dtype.kind in "iufb"


def _leaf(path: str, before: Column, after: Column) -> Iterator[_Element]:
    """Yields what is to be said about the numbers of one leaf."""
    before, after = np.asarray(before), np.asarray(after)
    shape = before.shape[1:]
    first = before.reshape(len(before), -1)
    second = after.reshape(len(after), -1)
    num_elements = first.shape[1]
    if num_elements <= MAX_LINES:
        for i, index in enumerate(np.ndindex(shape)):
            name = element_name(path, index)
            yield _Element(name, name, _element_text(first[:, i], second[:, i]))
        return
    kinds = _kinds(first, second)
    starts = [0, *(np.flatnonzero(kinds[1:] != kinds[:-1]) + 1).tolist(), num_elements]
    for start, stop in pairwise(starts):
        names = [
            element_name(path, tuple(int(n) for n in np.unravel_index(i, shape)))
            for i in (start, stop - 1)
        ]
        both = np.concatenate([first[:, start:stop], second[:, start:stop]])
        yield _Element(names[0], names[1], _run_text(both, int(kinds[start])))


_CONSTANT, _WHOLE, _REAL = range(3)


def _kinds(first: NDArray[Any], second: NDArray[Any]) -> NDArray[np.int64]:
    """Returns for each element whether it is constant, whole, or neither."""
    low = np.minimum(first.min(axis=0), second.min(axis=0))
    high = np.maximum(first.max(axis=0), second.max(axis=0))
    kinds = np.full(first.shape[1], _REAL)
    if first.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            whole = (np.rint(first) == first).all(axis=0)
            whole &= (np.rint(second) == second).all(axis=0)
    else:
        whole = np.ones(first.shape[1], dtype=np.bool_)
    kinds[whole] = _WHOLE
    kinds[low == high] = _CONSTANT
    return kinds


def _run_text(both: NDArray[Any], kind: int) -> str:
    text = describe_range(both)
    if kind == _CONSTANT:
        return f"each constant, {text}" if text.startswith("from") else text
    if kind == _WHOLE and both.dtype.kind == "f":
        return f"{text}; whole numbers"
    return text


def _element_text(before: NDArray[Any], after: NDArray[Any]) -> str:
    both = np.concatenate([before, after])
    distinct = np.unique(both)
    if len(distinct) == 1:
        return f"always {_show(distinct[0])}"
    notes: list[str] = []
    if len(distinct) <= _MAX_DISTINCT:
        text = "one of " + ", ".join(_show(value) for value in distinct)
    else:
        text = f"from {_show(distinct[0])} to {_show(distinct[-1])}"
        if not np.isfinite(distinct).all():
            text = describe_range(both)
        if both.dtype.kind == "f" and (np.rint(both) == both).all():
            notes.append("whole numbers")
        elif both.dtype.kind == "f":
            notes += _bounds(both, distinct)
        elif len(distinct) < len(both):
            notes.append(f"{len(distinct)} different values")
    num_changed = int((before != after).sum())
    if num_changed == 0:
        notes.append("no step changes it")
    elif num_changed < len(before):
        notes.append(f"{num_changed / len(before):.1%} of the steps change it")
    return "; ".join([text, *notes])


def _bounds(both: NDArray[Any], distinct: NDArray[Any]) -> list[str]:
    """Says so if many values equal the largest or the smallest one: a limit."""
    found = [
        f"{_show(bound)} in {count} of {len(both)} cases"
        for bound in (distinct[0], distinct[-1])
        if (count := int((both == bound).sum())) >= _MIN_AT_BOUND
    ]
    return [f"exactly {' and '.join(found)}"] if found else []


def _show(value: Any) -> str:
    return format_value(value, max_chars=MIN_VALUE_CHARS)


def _texts(batch: TransitionBatch) -> list[str]:
    lines: list[str] = []
    for path, column in batch.observations.items():
        if isinstance(column, np.ndarray):
            continue
        texts = [*map(str, column), *map(str, batch.next_observations[path])]
        lengths = [len(text) for text in texts]
        lines.append(
            f"- {element_name(path, ())}: {len(set(texts))} different texts of "
            f"{min(lengths)} to {max(lengths)} characters"
        )
    return lines
