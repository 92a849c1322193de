"""Checks what came out of a child and puts it into the order of the transitions.

Covers: form, numbers of rows and columns, and what reading them takes: a column is
decoded only where the space has one, and lists and texts are counted before they are
built. Does not cover: whether it is true.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Annotated, Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from cwm.core.codec import (
    MAX_NESTING,
    Columns,
    concatenate_columns,
    decode_columns,
    encode_columns,
    select_rows,
)
from cwm.core.predictions import LegalActions, Predictions
from cwm.core.spaces import LeafSpec, SpaceSpec, TextSpec, leaves
from cwm.programs.wire_types import (
    MAX_LEGAL_ACTIONS,
    MAX_REASON_CHARS,
    PredictedRows,
    PredictedRowsWithActions,
    ReceivedValues,
    Undecoded,
)
from sandbox import wire
from sandbox.errors import ProtocolError
from sandbox.outcome import printable

MAX_LISTS = 1_000_000
"""Most lists in all nested values together: an empty one takes 30 times its bytes."""

MAX_TEXTS = 2_000_000
"""Most texts in them: a short one takes 13 times its bytes."""

T = TypeVar("T")

# First byte of a short MessagePack map or array, without its length, and of one with
# two bytes of length; the next code has four.
_MAP = (0x80, 0xDE)
_ARRAY = (0x90, 0xDC)

# No array takes more than the bytes it comes in, which the limits of the run bound.
_MAX_ARRAY_BYTES = 1 << 30

_Reasons = dict[int, Annotated[str, msgspec.Meta(max_length=MAX_REASON_CHARS)]]


def join_predictions(
    messages: Sequence[Sequence[PredictedRows]],
    halves: Sequence[NDArray[np.intp]],
    space: SpaceSpec,
    inverse: NDArray[np.intp],
    num_draws: int,
    *,
    action_space: SpaceSpec | None = None,
) -> list[Predictions]:
    """Returns `num_draws` predictions of each transition of a batch.

    Args:
        messages: What each child sent, in order.
        halves: Rows of the batch that each child had, in its order.
        space: Space of the observations.
        inverse: For each row of the batch, which of the rows that were run (in
            ascending order) is its.
        num_draws: Draws of each row, adjacent to each other.
        action_space: Space of the actions, if legal ones were asked for: then the
            messages are `PredictedRowsWithActions`.

    Raises:
        ProtocolError: If columns, types, shapes or numbers of rows are not as asked.
    """
    parts = [
        _checked(part, space, len(half) * num_draws, action_space)
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
    messages: Sequence[PredictedRows],
    space: SpaceSpec,
    num_rows: int,
    action_space: SpaceSpec | None,
) -> Predictions:
    checked = check_rows(messages, space, num_rows, action_space=action_space)
    if len(checked) != num_rows:
        raise ProtocolError(f"{num_rows} rows were asked for, {len(checked)} came.")
    return checked


def check_rows(
    messages: Sequence[PredictedRows],
    space: SpaceSpec,
    max_rows: int,
    *,
    action_space: SpaceSpec | None = None,
) -> Predictions:
    """Returns the rows that a child sent, if they are of their form.

    With an action space, they are `PredictedRowsWithActions`.

    Raises:
        ProtocolError: If columns, types or shapes are not as they should be, or if
            there is no row, or more than `max_rows`.
    """
    received = 0
    nested = _NestedReader()
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
        ):
            raise ProtocolError("rewards or terminated flags are not of their form.")
        part = _one(message, space, count, nested)
        if action_space is not None:
            part = _with_actions(part, message, action_space)
        parts.append(part)
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
    return _columns(message, space, count, _NestedReader())


class _NestedReader:
    """Reads nested values: of all messages, no more lists and texts than allowed."""

    def __init__(self) -> None:
        self._lists_left = MAX_LISTS
        self._texts_left = MAX_TEXTS

    def read(self, text: str) -> Any:
        """Returns text or lists of text; a blank row has the empty text."""
        if not text:
            return ""
        # At least as many as there are: texts may hold brackets and quotes, too.
        self._lists_left -= text.count("[")
        self._texts_left -= text.count('"') // 2
        if self._lists_left < 0:
            raise ProtocolError(f"there are more than {MAX_LISTS} lists.")
        if self._texts_left < 0:
            raise ProtocolError(f"there are more than {MAX_TEXTS} texts in lists.")
        try:
            return _nested_decoder().decode(text)
        except msgspec.ValidationError as error:
            raise ProtocolError(
                "a nested value is not text or lists of text."
            ) from error
        except msgspec.DecodeError as error:
            raise ProtocolError("a nested value cannot be read.") from error


@cache
def _nested_decoder() -> msgspec.json.Decoder[Any]:
    """Returns a decoder of lists as deep as they may be, which builds nothing else."""
    value: Any = str
    for _ in range(MAX_NESTING):
        value = str | list[value]
    return msgspec.json.Decoder(value)


def _one(
    message: PredictedRows, space: SpaceSpec, count: int, nested: _NestedReader
) -> Predictions:
    reasons = _reasons(message.invalid, count)
    valid = np.ones(count, dtype=np.bool_)
    valid[list(reasons)] = False
    return Predictions(
        next_observations=_columns(message, space, count, nested),
        rewards=message.rewards,
        terminated=message.terminated,
        valid=valid,
        messages={row: printable(text) for row, text in reasons.items()},
    )


def _with_actions(
    rows: Predictions, message: PredictedRows, space: SpaceSpec
) -> Predictions:
    """Returns rows with the legal actions that came with them."""
    assert isinstance(message, PredictedRowsWithActions), "what was asked for"
    counts = message.legal_counts
    if (
        counts.dtype != np.int64
        or counts.shape != (len(rows),)
        or (counts < -1).any()
        or (counts > MAX_LEGAL_ACTIONS).any()
    ):
        raise ProtocolError("numbers of legal actions are not of their form.")
    reasons = _reasons(message.legal_invalid, len(rows))
    numbers = np.maximum(counts, 0)
    received = ReceivedValues(arrays=message.legal_arrays, texts=message.legal_texts)
    columns = check_values(received, space, int(numbers.sum()))
    values = decode_columns(space, columns)
    stops = np.cumsum(numbers)
    legal: LegalActions = tuple(
        None if count < 0 else tuple(values[stop - count : stop])
        for count, stop in zip(counts.tolist(), stops.tolist(), strict=True)
    )
    messages = {row: printable(text) for row, text in reasons.items()}
    return replace(rows, legal_actions=legal, messages=messages | rows.messages)


def _reasons(encoded: Undecoded, count: int) -> dict[int, str]:
    if 0 <= _num_entries(encoded, _MAP) <= count:
        reasons = _decode(encoded, _Reasons)
        if all(0 <= row < count for row in reasons):
            return reasons
    raise ProtocolError("reasons of invalid rows are not of their form.")


def _columns(
    message: ReceivedValues | PredictedRows,
    space: SpaceSpec,
    count: int,
    nested: _NestedReader,
) -> Columns:
    blanks = {path: encode_columns(leaf, [])[""] for path, leaf in leaves(space)}
    num_arrays = sum(isinstance(blank, np.ndarray) for blank in blanks.values())
    arrays = _entries(message.arrays, num_arrays)
    texts = _entries(message.texts, len(blanks) - num_arrays)
    columns: Columns = {}
    for path, leaf in leaves(space):
        blank = blanks[path]
        if isinstance(blank, np.ndarray):
            columns[path] = _array(arrays.get(path), blank, count)
        else:
            columns[path] = _texts(texts.get(path), leaf, count, nested)
    return columns


def _entries(encoded: Undecoded, max_entries: int) -> dict[str, msgspec.Raw]:
    """Returns the entries of a dictionary, undecoded, if there are not too many."""
    if not 0 <= _num_entries(encoded, _MAP) <= max_entries:
        raise ProtocolError("there are columns that the space does not have.")
    return _decode(encoded, dict[str, msgspec.Raw])


def _num_entries(encoded: Undecoded, codes: tuple[int, int]) -> int:
    """Returns how many entries a map or an array says it has; -1 for anything else."""
    data = memoryview(encoded)
    short, long = codes
    if data[0] & 0xF0 == short:
        return data[0] & 0x0F
    if data[0] == long:
        return int.from_bytes(data[1:3], "big")
    return int.from_bytes(data[1:5], "big") if data[0] == long + 1 else -1


def _decode(encoded: Undecoded, type_: type[T]) -> T:
    return wire.decode(memoryview(encoded), type_, max_array_bytes=_MAX_ARRAY_BYTES)


def _array(
    encoded: msgspec.Raw | None, blank: NDArray[Any], count: int
) -> NDArray[Any]:
    if encoded is not None:
        array: NDArray[Any] = _decode(encoded, np.ndarray)
        if array.dtype == blank.dtype and array.shape == (count, *blank.shape[1:]):
            return array
    raise ProtocolError("a column of observations is not of its form.")


def _texts(
    encoded: msgspec.Raw | None, leaf: LeafSpec, count: int, nested: _NestedReader
) -> list[Any]:
    if encoded is None or _num_entries(encoded, _ARRAY) != count:
        raise ProtocolError("a column of texts is not of its form.")
    if isinstance(leaf, TextSpec):
        return _decode(encoded, _texts_type(leaf.max_length))
    return [nested.read(text) for text in _decode(encoded, list[str])]


@cache
def _texts_type(max_length: int) -> type[list[str]]:
    """Returns the type of texts that are not too long: the first that is ends it."""
    text: Any = Annotated[str, msgspec.Meta(max_length=max_length)]
    return list[text]


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
        legal_actions=_all_actions(parts),
    )


def _all_actions(parts: Sequence[Predictions]) -> LegalActions | None:
    if parts[0].legal_actions is None:
        return None
    return tuple(actions for part in parts for actions in part.legal_actions or ())


def _take(predictions: Predictions, rows: NDArray[np.intp]) -> Predictions:
    messages: dict[int, str] = {}
    if predictions.messages:
        messages = {
            new: predictions.messages[old]
            for new, old in enumerate(rows.tolist())
            if old in predictions.messages
        }
    legal = predictions.legal_actions
    return Predictions(
        next_observations=select_rows(predictions.next_observations, rows),
        rewards=predictions.rewards[rows],
        terminated=predictions.terminated[rows],
        valid=predictions.valid[rows],
        messages=messages,
        legal_actions=None if legal is None else tuple(legal[r] for r in rows.tolist()),
    )
