"""Which recorded transitions to show: few, and as different as possible."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cwm.core.codec import Columns
from cwm.core.proposals import Task
from cwm.core.trajectories import TransitionBatch
from prompts.values import cell_key, format_value

_MAX_DISTINCT = 12
"""Distinct values of a column up to which each is a group of its own."""


def choose_examples(batch: TransitionBatch, num_examples: int) -> list[int]:
    """Returns the rows of transitions to show, in the order of the data.

    Transitions are grouped by what sets them apart at a glance: whether they
    terminate, their reward, their action, and whether anything changes. Every group
    gives one, rarest first, then every group a second one, and so on; within a
    group they are taken far apart in time. Nothing is random.

    Args:
        batch: The training transitions.
        num_examples: How many; at least 1. Fewer come back if fewer differ.
    """
    queues = sorted(
        (_spread(rows) for rows in _groups(batch)), key=lambda q: (len(q), q[0])
    )
    # By its contents, so that nothing is shown twice.
    chosen: dict[bytes, int] = {}
    for turn in range(max(map(len, queues))):
        for queue in queues:
            if turn < len(queue) and len(chosen) < num_examples:
                chosen.setdefault(row_key(batch, queue[turn]), queue[turn])
        if len(chosen) >= num_examples:
            break
    return sorted(chosen.values())


def describe_examples(task: Task, num_examples: int, *, max_value_chars: int) -> str:
    """Returns chosen training transitions as a numbered list.

    Args:
        task: Whose transitions.
        num_examples: How many; at least 0.
        max_value_chars: Longest text of one value.
    """
    if num_examples < 1 or not len(task.train):
        return ""
    rows = choose_examples(task.train, num_examples)
    return "\n".join(
        f"{number}. {_one(task, row, max_value_chars)}"
        for number, row in enumerate(rows, start=1)
    )


def _one(task: Task, row: int, max_value_chars: int) -> str:
    transition = task.train.transition(row)

    def show(value: object) -> str:
        return format_value(value, max_chars=max_value_chars)

    text = (
        f"observation {show(transition.observation)}, "
        f"action {show(transition.action)}\n"
        f"   next observation {show(transition.next_observation)}, "
        f"reward {transition.reward!r}, terminated {transition.terminated}"
    )
    if task.next_legal_actions is not None:
        text += f", then legal: {show(list(task.next_legal_actions[row]))}"
    return text


def row_key(batch: TransitionBatch, row: int) -> bytes:
    """Returns what tells a transition from others, whenever it was recorded."""
    outcome = {"reward": batch.rewards, "terminated": batch.terminated}
    groups = (batch.observations, batch.actions, batch.next_observations, outcome)
    return b"|".join(cell_key(c, row) for group in groups for c in group.values())


def _groups(batch: TransitionBatch) -> list[NDArray[np.intp]]:
    keys = np.stack(
        [
            batch.terminated.astype(np.int64),
            _codes(batch.rewards),
            _action_codes(batch.actions),
            _has_changed(batch).astype(np.int64),
        ],
        axis=1,
    )
    _, group = np.unique(keys, axis=0, return_inverse=True)
    group = group.reshape(-1)
    return [np.flatnonzero(group == g) for g in range(int(group.max()) + 1)]


def _codes(values: NDArray[Any]) -> NDArray[np.int64]:
    """Returns a group number per value: the value itself, or its third of the range."""
    distinct, codes = np.unique(values, return_inverse=True)
    if len(distinct) <= _MAX_DISTINCT:
        return codes.reshape(-1).astype(np.int64)
    thirds = np.quantile(values, [1 / 3, 2 / 3])
    return np.searchsorted(thirds, values).astype(np.int64)


def _action_codes(actions: Columns) -> NDArray[np.int64]:
    total: NDArray[np.int64] | None = None
    for column in actions.values():
        if isinstance(column, np.ndarray):
            flat = column.reshape(len(column), -1)
            codes = _codes(flat[:, 0]) if flat.shape[1] else np.zeros(len(flat), int)
        else:
            codes = _codes(np.asarray([str(value) for value in column]))
        total = codes if total is None else total * (int(codes.max()) + 1) + codes
    assert total is not None, "a space has at least one leaf"
    return total


def _has_changed(batch: TransitionBatch) -> NDArray[np.bool_]:
    changed = np.zeros(len(batch), dtype=np.bool_)
    for path, before in batch.observations.items():
        after = batch.next_observations[path]
        if isinstance(before, np.ndarray) and isinstance(after, np.ndarray):
            rows = (before != after).reshape(len(before), -1)
            changed |= rows.any(axis=1)
        else:
            pairs = zip(before, after, strict=True)
            changed |= np.asarray([a != b for a, b in pairs], dtype=np.bool_)
    return changed


def _spread(rows: NDArray[np.intp]) -> list[int]:
    """Returns the rows in an order whose beginnings are spread over all of them.

    The golden ratio's multiples fill the unit interval evenly at any length.
    """
    golden = (5**0.5 - 1) / 2
    positions = (0.5 + golden * np.arange(len(rows))) % 1.0
    order = np.argsort(np.argsort(positions, kind="stable"), kind="stable")
    return [int(row) for row in rows[order]]
