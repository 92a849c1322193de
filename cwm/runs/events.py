"""Curves of a run in the format that TensorBoard reads, written without TensorBoard.

A file of events is a row of records: length, checksum of the length, data, checksum
of the data (TFRecord, https://www.tensorflow.org/tutorials/load_data/tfrecord). The
data are protocol buffers of the type `tensorboard.Event`, of which numbers over steps
need four fields.

Covers: numbers. Does not cover: pictures, texts, histograms.
"""

import json
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

from cwm.core.errors import ConfigError, DataError
from cwm.core.journal import Record, read_journal
from cwm.runs.kinds import JOURNAL
from cwm.runs.summaries import RunSummary

_VERSION: Final = "brain.Event:2"
_POLYNOMIAL: Final = 0x82F63B78
_MASK: Final = 0xA282EAD8
_UINT32: Final = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Point:
    """A number of a curve.

    Attributes:
        tag: Name of the curve.
        step: Where on it.
        value: The number.
        time: When, in seconds since 1970.
    """

    tag: str
    step: int
    value: float
    time: float


def write_events(points: Iterable[Point], folder: Path) -> Path:
    """Writes curves as a file of events; returns the file.

    Raises:
        ConfigError: If there is no point, or the folder cannot be written.
    """
    found = list(points)
    if not found:
        raise ConfigError("The run has no curve yet: it has no call that was scored.")
    path = folder / f"events.out.tfevents.{int(found[0].time)}.cwm"
    data = _record(_version(found[0].time)) + b"".join(
        _record(_event(point)) for point in found
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise ConfigError(f"out cannot be written: {error}.") from error
    return path


def run_points(summary: RunSummary) -> Iterator[Point]:
    """Yields the curves of a run: of a search by call, of training by step.

    Raises:
        ConfigError: If runs of its kind have none.
        DataError: If its files cannot be read.
    """
    path = summary.run.path
    match summary.run.kind:
        case "synthesize":
            yield from _search_points(read_journal(path / JOURNAL).records)
        case "ppo":
            yield from _training_points(path / "log.jsonl", summary)
        case kind:
            raise ConfigError(
                "Curves are those of runs of cwm.synthesize and cwm.ppo, got one of "
                f"{kind}."
            )


def _search_points(records: Iterable[Record]) -> Iterator[Point]:
    """Yields score, best score and tokens, by call."""
    best, tokens = 0.0, 0
    for record in records:
        body, time = record.body, _seconds(record)
        if record.kind == "completion":
            usage = body["usage"]
            tokens += usage["prompt_tokens"] + usage["completion_tokens"]
            yield Point("search/tokens", body["call"], tokens, time)
        elif record.kind == "evaluation":
            found = body["evaluation"]
            best = max(best, found["score"])
            yield Point("search/score", body["call"], found["score"], time)
            yield Point("search/best_score", body["call"], best, time)
            train = found["train"]
            if train is not None:
                yield Point("search/train_strict", body["call"], train["strict"], time)


def _seconds(record: Record) -> float:
    return datetime.fromisoformat(record.clock["at"]).timestamp()


def _training_points(path: Path, summary: RunSummary) -> Iterator[Point]:
    """Yields every number of a training's log, by frames."""
    if not path.is_file():
        return
    start = summary.made_at.timestamp()
    for row in _rows(path):
        step = int(row.get("num_frames", row.get("update", 0)))
        time = start + float(row.get("seconds", 0.0))
        for name, value in row.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                yield Point(f"training/{name}", step, float(value), time)


def _rows(path: Path) -> Iterator[Mapping[str, Any]]:
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        try:
            yield json.loads(line)
        except ValueError as error:
            raise DataError(f"{str(path)!r} is damaged in line {number}.") from error


def _version(time: float) -> bytes:
    return _field(1, 1) + struct.pack("<d", time) + _bytes(3, _VERSION.encode())


def _event(point: Point) -> bytes:
    value = (
        _bytes(1, point.tag.encode()) + _field(2, 5) + struct.pack("<f", point.value)
    )
    return b"".join(
        (
            _field(1, 1) + struct.pack("<d", point.time),
            _field(2, 0) + _varint(point.step),
            _bytes(5, _bytes(1, value)),
        )
    )


def _field(number: int, wire_type: int) -> bytes:
    return _varint(number << 3 | wire_type)


def _bytes(number: int, data: bytes) -> bytes:
    return _field(number, 2) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*found, value))


def _record(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return b"".join((length, _masked(length), data, _masked(data)))


def _masked(data: bytes) -> bytes:
    crc = crc32c(data)
    rotated = (crc >> 15 | crc << 17) & _UINT32
    return struct.pack("<I", (rotated + _MASK) & _UINT32)


def crc32c(data: bytes) -> int:
    """Returns the checksum of RFC 3720, Section 12.1 (Castagnoli's polynomial)."""
    table, crc = _table(), _UINT32
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ _UINT32


@cache
def _table() -> tuple[int, ...]:
    found = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)  # noqa: PLW2901
        found.append(value)
    return tuple(found)
