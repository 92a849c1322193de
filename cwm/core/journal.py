"""The append-only record of a run: what it did and what it paid for.

A journal is a text file of JSON lines. Each line holds one record and the CRC-32 of
the record's own text, and has left the process before `append` returns; what cannot
be made again is on the disk (`fsync`), with all that was written before it:

    {"crc32":"9ae0daaf","record":{"index":3,"kind":"completion","body":{...},"clock":{...}}}

The first line names the format and its version. What a record means is known to
who writes it. `clock` holds times, so that two runs with one seed have journals
that differ there and nowhere else (`comparable`).

Covers: a process killed at any byte of a write (the torn last line is dropped
when the journal is next opened), lines changed, lost or swapped later (an error
that names the line), two processes writing one run (a file lock).

Does not cover: a disk that says it has written what it has not, or a lock on a
network file system that ignores `flock`.
"""

import fcntl
import json
import os
import threading
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from cwm.core.errors import DataError

FORMAT: Final = "cwm-journal"
VERSION: Final = 1

_PREFIX: Final = b'{"crc32":"'
_MIDDLE: Final = b'","record":'
_RECORD_START: Final = len(_PREFIX) + 8 + len(_MIDDLE)


@dataclass(frozen=True, kw_only=True)
class Record:
    """One event of a run.

    Attributes:
        index: Position in the journal, from 0; the header is record 0.
        kind: What happened.
        body: What is to be known about it; JSON-able, the same in every run
            with the same seed.
        clock: Times: when it was written, how long it took; JSON-able.
    """

    index: int
    kind: str
    body: dict[str, Any]
    clock: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class JournalContent:
    """What a journal file holds.

    Attributes:
        records: The whole records, without the header.
        num_bytes: Length of the file up to the end of the last whole record.
        num_torn_bytes: Bytes after that, of a record whose write was cut off.
    """

    records: tuple[Record, ...]
    num_bytes: int
    num_torn_bytes: int


def encode_record(record: Record) -> bytes:
    """Returns the line of a record, with its newline.

    Raises:
        TypeError: If the body is not JSON-able.
    """
    fields = {
        "index": record.index,
        "kind": record.kind,
        "body": record.body,
        "clock": record.clock,
    }
    text = json.dumps(fields, sort_keys=True, separators=(",", ":")).encode("ascii")
    checksum = f"{zlib.crc32(text):08x}".encode("ascii")
    return _PREFIX + checksum + _MIDDLE + text + b"}\n"


def decode_record(line: bytes) -> Record:
    """Returns the record of a line without its newline.

    Raises:
        ValueError: If the line is not what `encode_record` wrote.
    """
    text = line[_RECORD_START:-1]
    checksum = line[len(_PREFIX) : len(_PREFIX) + 8]
    frame = _PREFIX + checksum + _MIDDLE + text + b"}"
    if frame != line or checksum != f"{zlib.crc32(text):08x}".encode("ascii"):
        raise ValueError("its checksum does not match")
    fields = json.loads(text)
    return Record(
        index=fields["index"],
        kind=fields["kind"],
        body=fields["body"],
        clock=fields["clock"],
    )


def read_journal(path: Path) -> JournalContent:
    """Returns the records of a journal; does not lock or change it.

    Raises:
        DataError: If the file cannot be read, is not a journal, is of another
            version, or is damaged before its last line.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"Journal {str(path)!r} cannot be read: {error}.") from error
    return _parse(data, str(path))


def _parse(data: bytes, name: str) -> JournalContent:
    lines = data.split(b"\n")
    # What follows the last newline was never finished, whatever it says.
    whole, num_bytes = lines[:-1], 0
    records: list[Record] = []
    for number, line in enumerate(whole, start=1):
        try:
            record = decode_record(line)
            if record.index != number - 1:
                raise ValueError(f"it has index {record.index}, expected {number - 1}")
        except ValueError as error:
            is_last = number == len(whole) and not lines[-1]
            if is_last and number > 1:
                break
            raise DataError(
                f"Journal {name!r} is damaged in line {number} of {len(whole)}: "
                f"{error}."
            ) from error
        if number == 1:
            _check_header(record, name)
        records.append(record)
        num_bytes += len(line) + 1
    if not records and data and not _header_line().startswith(data):
        raise DataError(f"{name!r} is not a journal: its first line is not a header.")
    return JournalContent(
        records=tuple(records[1:]),
        num_bytes=num_bytes,
        num_torn_bytes=len(data) - num_bytes,
    )


def _header_line() -> bytes:
    body = {"format": FORMAT, "version": VERSION}
    return encode_record(Record(index=0, kind="header", body=body))


def _check_header(record: Record, name: str) -> None:
    if record.kind != "header" or record.body.get("format") != FORMAT:
        raise DataError(f"{name!r} is not a journal: its first line is not a header.")
    if record.body.get("version") != VERSION:
        raise DataError(
            f"Journal {name!r} must have version {VERSION}, got "
            f"{record.body.get('version')!r}."
        )


class Journal:
    """A journal open for appending, locked against other writers.

    Attributes:
        path: The file.
        records: The records that were there when it was opened, in order, without
            the header.
        last: The last record; `None` in a new journal.
        num_torn_bytes: Bytes of a torn last line that were dropped on opening.
    """

    def __init__(self, path: Path) -> None:
        """Opens a journal, or starts one.

        Raises:
            DataError: As `read_journal`; or if another process has it open, or
                the file cannot be written.
        """
        self.path = path
        self._writing = threading.Lock()
        try:
            self._file: FileIO = path.open("ab+", buffering=0)
        except OSError as error:
            raise DataError(f"Journal {str(path)!r} cannot be opened: {error}.") from (
                error
            )
        try:
            self._lock()
            content = self._recover()
        except BaseException:
            self._file.close()
            raise
        self.records = content.records
        self.last = content.records[-1] if content.records else None
        self.num_torn_bytes = content.num_torn_bytes

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DataError(
                f"Journal {str(self.path)!r} is open in another process; only one "
                "may write a run."
            ) from error

    def _recover(self) -> JournalContent:
        """Reads what is there and drops a torn last line."""
        self._file.seek(0)
        content = _parse(self._file.readall(), str(self.path))
        if content.num_torn_bytes:
            self._file.truncate(content.num_bytes)
        if content.num_bytes == 0:
            self._write(_header_line())
            _sync_folder(self.path.parent)
        return content

    def append(
        self,
        kind: str,
        body: dict[str, Any],
        clock: dict[str, Any] | None = None,
        *,
        is_paid: bool = True,
    ) -> Record:
        """Writes one record; no end of this process can lose it. Any thread may.

        The record is returned as a reader of the file will see it (a tuple has
        become a list), so that who goes on with it does what a resumed run does.

        Args:
            kind: What happened.
            body: JSON-able; see `Record`.
            clock: JSON-able times; the time of writing is added as `"at"`.
            is_paid: Whether it must outlive a power failure, too: the file is then
                on the disk when this returns. What follows from other records need
                not wait for that.
        """
        with self._writing:
            stamp = datetime.now(UTC).isoformat(timespec="milliseconds")
            record = Record(
                index=1 if self.last is None else self.last.index + 1,
                kind=kind,
                body=body,
                clock={"at": stamp, **(clock or {})},
            )
            line = encode_record(record)
            self._write(line, sync=is_paid)
            self.last = written = decode_record(line[:-1])
        return written

    def _write(self, line: bytes, *, sync: bool = True) -> None:
        descriptor = self._file.fileno()
        size = os.fstat(descriptor).st_size
        try:
            rest = memoryview(line)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            if sync:
                os.fsync(descriptor)
        except OSError as error:
            # Half a line must not stay in front of a record written later.
            os.ftruncate(descriptor, size)
            raise DataError(
                f"Journal {str(self.path)!r} cannot be written: {error}."
            ) from error

    def close(self) -> None:
        """Closes the file and gives up the lock."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _sync_folder(folder: Path) -> None:
    """Makes a new file's name as durable as its content."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def comparable(records: Sequence[Record]) -> list[tuple[int, str, dict[str, Any]]]:
    """Returns the records without their times.

    Two runs with the same settings and seed have equal results here.
    """
    return [(record.index, record.kind, record.body) for record in records]
