"""Picks failing transitions to learn from: several, and different from each other."""

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from cwm.core.codec import decode_columns, num_rows, select_rows
from cwm.core.predictions import Predictions
from cwm.core.proposals import Counterexample
from cwm.core.spaces import Value
from cwm.core.trajectories import TransitionBatch
from cwm.programs.accuracy import Matches, wrong_parts
from cwm.programs.tolerances import observed_columns
from sandbox.outcome import shorten

MAX_COUNTEREXAMPLES = 8

MAX_TEXT_CHARS = 2_000
"""Longest predicted text, and of nested lists all texts together, that are kept."""

_MIN_TEXT_CHARS = 40
_CHARS_PER_ITEM = 4
_MAX_CANDIDATES = 400


def find_counterexamples(
    matches: Matches,
    predictions: Predictions,
    batch: TransitionBatch,
    *,
    max_count: int = MAX_COUNTEREXAMPLES,
) -> tuple[Counterexample, ...]:
    """Returns failing transitions that differ in what is wrong, action and region.

    Failures are grouped by which parts are wrong and by action; groups take turns,
    the largest first. Within a group the first failure comes first, then whichever
    lies farthest from all that were picked, in units of the data's spread.

    Args:
        matches: What is right, under the strict rule.
        predictions: What was predicted.
        batch: What is true; row `i` becomes `Counterexample.index` `i`.
        max_count: How many to return at most.
    """
    failing = np.flatnonzero(~matches.everything)
    if not len(failing):
        return ()
    legal = matches.legal_actions
    parts = wrong_parts(
        Matches(
            elements=matches.elements[failing],
            reward=matches.reward[failing],
            terminated=matches.terminated[failing],
            legal_actions=None if legal is None else legal[failing],
        ),
        batch.observation_space,
    )
    groups = _group(failing, parts, batch)
    points = _points(batch)
    parts_by_row = dict(zip(failing.tolist(), parts, strict=True))
    chosen = _take_turns(groups, points, max_count)
    return tuple(
        _counterexample(row, parts_by_row[row], predictions, batch) for row in chosen
    )


def _group(
    failing: NDArray[np.intp], parts: list[tuple[str, ...]], batch: TransitionBatch
) -> list[list[int]]:
    actions = _action_buckets(batch)
    groups: dict[tuple[tuple[str, ...], int], list[int]] = defaultdict(list)
    for row, names in zip(failing.tolist(), parts, strict=True):
        groups[names, actions[row]].append(row)
    # Which parts are wrong changes fastest: more can be learned from it.
    ordered = sorted(groups.items(), key=lambda item: -len(item[1]))
    seen: dict[tuple[str, ...], int] = defaultdict(int)
    ranked: list[tuple[int, int, list[int]]] = []
    for order, ((names, _), rows) in enumerate(ordered):
        ranked.append((seen[names], order, rows[:_MAX_CANDIDATES]))
        seen[names] += 1
    return [rows for _, _, rows in sorted(ranked, key=lambda item: item[:2])]


def _action_buckets(batch: TransitionBatch) -> list[int]:
    """A small integer for each row's action: equal or, for real ones, of like sign."""
    columns = observed_columns(batch.actions)
    if not columns:
        return [0] * len(batch)
    values = np.concatenate(list(columns.values()), axis=1)
    distinct = np.unique(values, axis=0)
    if len(distinct) > 32:
        values = np.sign(values)
    _, inverse = np.unique(values, axis=0, return_inverse=True)
    return [int(i) for i in inverse.reshape(-1)]


def _points(batch: TransitionBatch) -> NDArray[np.float64]:
    """Observations in units of the data's spread, `[N, D]`."""
    columns = observed_columns(batch.observations)
    if not columns:
        return np.zeros((num_rows(batch.observations), 1))
    values = np.concatenate(list(columns.values()), axis=1)[:, :32]
    values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    spread = values.std(axis=0)
    return np.asarray((values - values.mean(axis=0)) / np.where(spread > 0, spread, 1))


def _take_turns(
    groups: list[list[int]], points: NDArray[np.float64], max_count: int
) -> list[int]:
    chosen: list[int] = []
    waiting = [list(rows) for rows in groups]
    while waiting and len(chosen) < max_count:
        for rows in waiting:
            if len(chosen) == max_count:
                break
            row = rows[0] if not chosen else _farthest(rows, chosen, points)
            rows.remove(row)
            chosen.append(row)
        waiting = [rows for rows in waiting if rows]
    return chosen


def _farthest(rows: list[int], chosen: list[int], points: NDArray[np.float64]) -> int:
    differences = points[rows][:, None, :] - points[chosen][None, :, :]
    distances = (differences**2).sum(axis=2).min(axis=1)
    return rows[int(np.argmax(distances))]


def _counterexample(
    row: int,
    parts: tuple[str, ...],
    predictions: Predictions,
    batch: TransitionBatch,
) -> Counterexample:
    truth = batch.transition(row)
    predicted = None
    if predictions.valid[row]:
        columns = select_rows(predictions.next_observations, np.array([row]))
        predicted = (
            _cut_texts(decode_columns(batch.observation_space, columns)[0]),
            float(predictions.rewards[row]),
            bool(predictions.terminated[row]),
        )
    expected_actions = predicted_actions = None
    if batch.next_legal_actions is not None and not truth.terminated:
        expected_actions = batch.next_legal_actions[row]
        if predictions.legal_actions is not None and predicted is not None:
            predicted_actions = predictions.legal_actions[row]
    return Counterexample(
        index=row,
        wrong_parts=parts,
        observation=truth.observation,
        action=truth.action,
        expected=(truth.next_observation, truth.reward, truth.terminated),
        predicted=predicted,
        message=predictions.messages.get(row, ""),
        expected_actions=expected_actions,
        predicted_actions=predicted_actions,
    )


def _cut_texts(value: Value) -> Value:
    """Returns a predicted value whose texts are cut, saying how much is missing.

    A program may predict megabytes, and counterexamples go into journals and prompts.
    """
    match value:
        case tuple():
            return tuple(_cut_texts(member) for member in value)
        case dict():
            return {key: _cut_texts(member) for key, member in value.items()}
        case str() | list():
            return _TextCutter().cut(value)
        case _:
            return value


class _TextCutter:
    """Cuts text, or nested lists of text, to `MAX_TEXT_CHARS` and a few notes."""

    def __init__(self) -> None:
        self._chars_left = MAX_TEXT_CHARS

    def cut(self, value: Value) -> Value:
        if isinstance(value, str):
            text = shorten(value, max(self._chars_left, _MIN_TEXT_CHARS))
            self._chars_left -= len(text)
            return text
        kept: list[Value] = []
        for number, item in enumerate(value):
            if self._chars_left <= 0:
                kept.append(f"...[{len(value) - number} more removed]...")
                break
            # Quotes or brackets, and a comma: an empty one takes room, too.
            self._chars_left -= _CHARS_PER_ITEM
            kept.append(self.cut(item))
        return kept
