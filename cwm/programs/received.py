"""Checks what came out of a child and puts it into the order of the transitions."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from cwm.core.codec import (
    MAX_NESTING,
    Columns,
    concatenate_columns,
    encode_columns,
    select_rows,
)
from cwm.core.predictions import Predictions
from cwm.core.spaces import LeafSpec, NestedSpec, SpaceSpec, leaves
from cwm.programs.wire_types import PredictedRows, ReceivedValues
from sandbox.errors import ProtocolError
from sandbox.outcome import printable

MAX_LISTS = 1_000_000
"""Most lists in all nested values together: an empty one takes 30 times its bytes."""


def join_predictions(
    messages: Sequence[Sequence[PredictedRows]],
    halves: Sequence[NDArray[np.intp]],
    space: SpaceSpec,
    inverse: NDArray[np.intp],
    num_draws: int,
) -> list[Predictions]:
    """Returns `num_draws` predictions of each transition of a batch.

    Args:
        messages: What each child sent, in order.
        halves: Rows of the batch that each child had, in its order.
        space: Space of the observations.
        inverse: For each row of the batch, which of the rows that were run (in
            ascending order) is its.
        num_draws: Draws of each row, adjacent to each other.

    Raises:
        ProtocolError: If columns, types, shapes or numbers of rows are not as asked.
    """
    parts = [
        _checked(part, space, len(half) * num_draws)
        for part, half in zip(messages, halves, strict=True)
    ]
    joined = _concatenate(parts)
    rows = np.concatenate(halves)
    # position[k]: where in what was received the k-th row that was run begins.
    position = np.empty(len(rows), dtype=np.intp)
    position[np.argsort(np.argsort(rows))] = np.arange(len(rows)) * num_draws
    start = position[inverse]
    return [_take(joined, start + draw) for draw in range(num_draws)]


def _checked(
    messages: Sequence[PredictedRows], space: SpaceSpec, num_rows: int
) -> Predictions:
    checked = check_rows(messages, space, num_rows)
    if len(checked) != num_rows:
        raise ProtocolError(f"{num_rows} rows were asked for, {len(checked)} came.")
    return checked


def check_rows(
    messages: Sequence[PredictedRows], space: SpaceSpec, max_rows: int
) -> Predictions:
    """Returns the rows that a child sent, if they are of their form.

    Raises:
        ProtocolError: If columns, types or shapes are not as they should be, or if
            there is no row, or more than `max_rows`.
    """
    received = 0
    num_lists = 0
    parts: list[Predictions] = []
    for message in messages:
        count = message.rewards.shape[0] if message.rewards.ndim == 1 else -1
        received += count
        if count < 1 or received > max_rows:
            raise ProtocolError(
                "there are more rows than asked for, or empty messages."
            )
        if (
            message.rewards.dtype != np.float64
            or message.terminated.dtype != np.bool_
            or message.terminated.shape != (count,)
            or any(not 0 <= row < count for row in message.invalid)
        ):
            raise ProtocolError("rewards or terminated flags are not of their form.")
        for texts in message.texts.values():
            num_lists += sum(text.count("[") for text in texts)
        if num_lists > MAX_LISTS:
            raise ProtocolError(f"there are more than {MAX_LISTS} lists.")
        parts.append(_one(message, space, count))
    if not parts:
        raise ProtocolError(f"{max_rows} rows were asked for, 0 came.")
    return _concatenate(parts)


def check_values(
    message: ReceivedValues | PredictedRows, space: SpaceSpec, count: int
) -> Columns:
    """Returns the columns of `count` values that a child sent.

    Raises:
        ProtocolError: If they are not of the space's form.
    """
    columns: Columns = {}
    for path, leaf in leaves(space):
        columns[path] = _column(message, path, leaf, count)
    if len(message.arrays) + len(message.texts) != len(columns):
        raise ProtocolError("there are columns that the space does not have.")
    return columns


def _one(message: PredictedRows, space: SpaceSpec, count: int) -> Predictions:
    columns = check_values(message, space, count)
    valid = np.ones(count, dtype=np.bool_)
    valid[list(message.invalid)] = False
    return Predictions(
        next_observations=columns,
        rewards=message.rewards,
        terminated=message.terminated,
        valid=valid,
        messages={row: printable(text) for row, text in message.invalid.items()},
    )


def _column(
    message: ReceivedValues | PredictedRows, path: str, leaf: LeafSpec, count: int
) -> Any:
    blank = encode_columns(leaf, [])[""]
    if isinstance(blank, np.ndarray):
        array = message.arrays.get(path)
        if (
            array is None
            or array.dtype != blank.dtype
            or array.shape != (count, *blank.shape[1:])
        ):
            raise ProtocolError("a column of observations is not of its form.")
        return array
    texts = message.texts.get(path)
    if texts is None or len(texts) != count:
        raise ProtocolError("a column of texts is not of its form.")
    if not isinstance(leaf, NestedSpec):
        return texts
    return [_nested(text) for text in texts]


def _nested(text: str) -> Any:
    """Decodes text or lists of text; a blank row has the empty text."""
    if not text:
        return ""
    try:
        return _nested_value(msgspec.json.decode(text), MAX_NESTING)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ProtocolError("a nested value cannot be read.") from error


def _nested_value(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and depth > 0:
        return [_nested_value(item, depth - 1) for item in value]
    raise ProtocolError("a nested value is not text or lists of text.")


def _concatenate(parts: Sequence[Predictions]) -> Predictions:
    messages: dict[int, str] = {}
    start = 0
    for part in parts:
        messages |= {start + row: text for row, text in part.messages.items()}
        start += len(part)
    return Predictions(
        next_observations=concatenate_columns([p.next_observations for p in parts]),
        rewards=np.concatenate([p.rewards for p in parts]),
        terminated=np.concatenate([p.terminated for p in parts]),
        valid=np.concatenate([p.valid for p in parts]),
        messages=messages,
    )


def _take(predictions: Predictions, rows: NDArray[np.intp]) -> Predictions:
    messages: dict[int, str] = {}
    if predictions.messages:
        messages = {
            new: predictions.messages[old]
            for new, old in enumerate(rows.tolist())
            if old in predictions.messages
        }
    return Predictions(
        next_observations=select_rows(predictions.next_observations, rows),
        rewards=predictions.rewards[rows],
        terminated=predictions.terminated[rows],
        valid=predictions.valid[rows],
        messages=messages,
    )
