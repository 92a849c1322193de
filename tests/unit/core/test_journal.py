import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cwm.core.errors import DataError
from cwm.core.journal import (
    Journal,
    Record,
    comparable,
    decode_record,
    encode_record,
    read_journal,
)

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
    ),
    max_leaves=8,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


def write_three(path: Path) -> list[Record]:
    with Journal(path) as journal:
        return [
            journal.append("step", {"number": number, "text": "ä\n\u2028"})
            for number in range(3)
        ]


def test_what_was_appended_is_read_back(path: Path) -> None:
    written = write_three(path)
    assert list(read_journal(path).records) == written
    assert [record.index for record in written] == [1, 2, 3]


def test_every_line_is_json_and_the_first_names_the_format(path: Path) -> None:
    write_three(path)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(lines) == 4
    assert lines[0]["record"]["body"] == {"format": "cwm-journal", "version": 1}


def test_the_checksum_of_a_line_is_the_crc_of_its_record() -> None:
    line = encode_record(Record(index=3, kind="a", body={}, clock={}))
    text = b'{"body":{},"clock":{},"index":3,"kind":"a"}'
    # The checksum that gzip writes for this text.
    assert line == b'{"crc32":"168825c9","record":' + text + b"}\n"


@given(kind=st.text(), body=st.dictionaries(st.text(), JSON_VALUES, max_size=4))
def test_any_record_survives_its_line(kind: str, body: dict[str, object]) -> None:
    record = Record(index=7, kind=kind, body=body, clock={"at": "now"})
    line = encode_record(record)
    assert line.count(b"\n") == 1
    assert decode_record(line[:-1]) == record


def test_append_returns_what_a_reader_will_see(path: Path) -> None:
    with Journal(path) as journal:
        record = journal.append("step", {"pair": (1, 2), "table": {3: "x"}})
    assert record.body == {"pair": [1, 2], "table": {"3": "x"}}


def test_a_body_that_is_not_json_leaves_the_journal_as_it_was(path: Path) -> None:
    with Journal(path) as journal:
        with pytest.raises(TypeError):
            journal.append("step", {"value": object()})
        journal.append("step", {"value": 1})
    assert [record.body for record in read_journal(path).records] == [{"value": 1}]


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_file_cut_at_any_byte_keeps_its_whole_records(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("cut") / "journal.jsonl"
    written = write_three(path)
    content = path.read_bytes()
    length = data.draw(st.integers(0, len(content)))
    path.write_bytes(content[:length])
    num_whole = max(content[:length].count(b"\n") - 1, 0)

    found = read_journal(path)
    assert list(found.records) == written[:num_whole]

    with Journal(path) as journal:
        assert journal.num_torn_bytes == length - found.num_bytes
        journal.append("later", {})
    again = read_journal(path)
    assert [r.kind for r in again.records] == ["step"] * num_whole + ["later"]
    assert again.num_torn_bytes == 0


def test_a_last_line_of_zeros_is_torn(path: Path) -> None:
    written = write_three(path)
    content = path.read_bytes()
    path.write_bytes(content[:-20] + b"\0" * 19 + b"\n")
    assert list(read_journal(path).records) == written[:2]


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_changed_byte_before_the_last_line_names_the_line(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("damage") / "journal.jsonl"
    write_three(path)
    content = bytearray(path.read_bytes())
    last_line = content.rindex(b"\n", 0, len(content) - 1) + 1
    position = data.draw(st.integers(0, last_line - 2))
    number = content[:position].count(b"\n") + 1
    content[position] ^= 1
    path.write_bytes(bytes(content))
    # A flipped newline joins two lines; both are then the damaged one.
    with pytest.raises(DataError, match=f"damaged in line {number} of"):
        read_journal(path)


def test_a_lost_line_is_named(path: Path) -> None:
    write_three(path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], *lines[2:]]))
    with pytest.raises(DataError, match="damaged in line 2 of 3: it has index 2"):
        read_journal(path)


def test_another_version_is_refused(path: Path) -> None:
    body = {"format": "cwm-journal", "version": 2}
    path.write_bytes(encode_record(Record(index=0, kind="header", body=body)))
    with pytest.raises(DataError, match="must have version 1, got 2"):
        read_journal(path)


def test_another_file_is_not_a_journal(path: Path) -> None:
    path.write_text("step,value")
    with pytest.raises(DataError, match="not a journal"):
        read_journal(path)


def test_another_file_is_not_changed_by_opening_it(path: Path) -> None:
    path.write_text("step,value")
    with pytest.raises(DataError, match="not a journal"):
        Journal(path)
    assert path.read_text() == "step,value"


def test_a_missing_journal_cannot_be_read(path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_journal(path)


def test_a_journal_in_a_missing_folder_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be opened"):
        Journal(tmp_path / "nowhere" / "journal.jsonl")


def test_a_second_writer_is_refused(path: Path) -> None:
    with Journal(path), pytest.raises(DataError, match="open in another process"):
        Journal(path)
    with Journal(path) as journal:
        journal.append("step", {})


def test_a_reader_needs_no_lock(path: Path) -> None:
    with Journal(path) as journal:
        journal.append("step", {})
        assert len(read_journal(path).records) == 1


def test_runs_that_differ_in_time_only_compare_equal(tmp_path: Path) -> None:
    contents = []
    for name, seconds in (("a", 1.0), ("b", 2.0)):
        with Journal(tmp_path / name) as journal:
            record = journal.append("step", {"x": 1}, {"seconds": seconds})
            contents.append(comparable([record]))
    assert contents[0] == contents[1] == [(1, "step", {"x": 1})]


def test_a_failed_write_leaves_no_half_line(path: Path) -> None:
    resource = pytest.importorskip("resource", reason="limits are POSIX")
    program = """
import resource, signal, sys
from pathlib import Path
from cwm.core.errors import DataError
from cwm.core.journal import Journal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with Journal(Path(sys.argv[1])) as journal:
    journal.append("step", {})
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
    try:
        journal.append("step", {"text": "x" * 2000})
    except DataError as error:
        print(error)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    journal.append("step", {})
"""
    assert resource.RLIMIT_FSIZE is not None
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "cannot be written" in done.stdout
    assert [r.body for r in read_journal(path).records] == [{}, {}]


@pytest.mark.parametrize("num_bytes", [0, 1, 40, 10_000])
def test_a_process_killed_inside_a_write_loses_that_record_only(
    path: Path, num_bytes: int
) -> None:
    program = """
import os, signal, sys
from pathlib import Path
from cwm.core.journal import Journal
class DyingJournal(Journal):
    def _write(self, line, *, sync=True):
        if b"last" in line:
            os.write(self._file.fileno(), line[:int(sys.argv[2])])
            os.kill(os.getpid(), signal.SIGKILL)
        super()._write(line, sync=sync)
journal = DyingJournal(Path(sys.argv[1]))
journal.append("first", {})
journal.append("last", {})
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(path), str(num_bytes)], check=False
    )
    assert done.returncode == -signal.SIGKILL
    kinds = [record.kind for record in read_journal(path).records]
    assert kinds == (["first", "last"] if num_bytes == 10_000 else ["first"])
    with Journal(path) as journal:
        assert [r.kind for r in journal.records] == kinds
        journal.append("again", {})
    again = read_journal(path).records
    assert [r.kind for r in again] == [*kinds, "again"]


def test_the_lock_of_a_killed_process_is_free(path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path;"
        "from cwm.core.journal import Journal;"
        "journal = Journal(Path(sys.argv[1])); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    with Journal(path) as journal:
        assert journal.records == ()
        assert journal.last is None
    assert os.path.getsize(path) > 0


def test_records_of_many_threads_are_whole_and_in_the_order_of_their_index(
    path: Path,
) -> None:
    def write(name: int) -> list[int]:
        return [
            journal.append("step", {"by": name, "text": "x" * 500}, is_paid=False).index
            for _ in range(50)
        ]

    with Journal(path) as journal, ThreadPoolExecutor(8) as pool:
        indices = [i for found in pool.map(write, range(8)) for i in found]
    records = read_journal(path).records
    assert [r.index for r in records] == sorted(indices) == list(range(1, 401))


def test_only_what_is_paid_for_waits_for_the_disk(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = []
    monkeypatch.setattr("cwm.core.journal.os.fsync", synced.append)
    with Journal(path) as journal:
        synced.clear()
        journal.append("derived", {}, is_paid=False)
        assert synced == []
        journal.append("paid", {})
        assert len(synced) == 1
