from pathlib import Path

import pytest

from cwm.core.errors import ConfigError, DataError
from cwm.providers.knowledge.records import (
    TaskNote,
    append_record,
    drop_torn_line,
    read_records,
    write_records,
)

NOTES = [
    TaskNote(episode="a", text="When asked, go.", made_by="rules"),
    TaskNote(episode="b", rejected="c", text="Zeile\nzwei é", made_by="rules"),
]


def test_records_come_back_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "new" / "notes.jsonl"
    write_records(path, NOTES[:1])
    append_record(path, NOTES[1])
    assert read_records(path, TaskNote) == NOTES
    assert len(path.read_text(encoding="utf-8").splitlines()) == 2


@pytest.mark.parametrize(
    "line",
    [
        '{"episode": "a", "text": "x"}',
        '{"episode": "a", "text": "x", "made_by": "y", "more": 1}',
        '{"episode": 3, "text": "x", "made_by": "y"}',
        "no JSON",
    ],
)
def test_a_line_that_is_no_record_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "notes.jsonl"
    write_records(path, NOTES)
    path.write_text(path.read_text("utf-8") + line + "\n", "utf-8")
    with pytest.raises(DataError, match=r"Line 3 of .* must be a TaskNote"):
        read_records(path, TaskNote)


def test_what_a_killed_process_left_of_a_line_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "notes.jsonl"
    write_records(path, NOTES)
    whole = path.read_bytes()
    for end in range(len(whole.splitlines(keepends=True)[0]) + 1, len(whole)):
        path.write_bytes(whole[:end])
        drop_torn_line(path)
        assert read_records(path, TaskNote) == NOTES[:1]
    path.write_bytes(whole)
    drop_torn_line(path)
    assert path.read_bytes() == whole
    drop_torn_line(tmp_path / "nothing")


def test_a_folder_in_the_place_of_a_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        append_record(tmp_path, NOTES[0])
    with pytest.raises(DataError, match="cannot be read"):
        read_records(tmp_path, TaskNote)
