from datetime import date
from pathlib import Path

import pytest

from cwm.core.errors import ConfigError, DataError
from cwm.execution.run_folder import RunFolder, create_run_folder, open_run_folder

TODAY = date(2026, 1, 31)


def test_each_run_has_a_folder_of_its_own(tmp_path: Path) -> None:
    names = [
        create_run_folder("CartPole-v1", out=None, runs=tmp_path, today=TODAY).path.name
        for _ in range(2)
    ]
    assert names == ["2026-01-31-CartPole-v1-1", "2026-01-31-CartPole-v1-2"]


@pytest.mark.parametrize(
    ("environment_id", "name"),
    [
        ("module:Env/One-v0", "2026-01-31-module-Env-One-v0-1"),
        ("../..", "2026-01-31-data-1"),
        ("", "2026-01-31-data-1"),
    ],
)
def test_a_name_never_leaves_the_folder_of_runs(
    tmp_path: Path, environment_id: str, name: str
) -> None:
    folder = create_run_folder(environment_id, out=None, runs=tmp_path, today=TODAY)
    assert folder.path == tmp_path / name


def test_a_folder_that_is_named_is_used_as_it_is(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "run"
    folder = create_run_folder("x", out=out, runs=tmp_path, today=TODAY)
    assert folder.path == out
    assert list(out.iterdir()) == []


def test_a_folder_that_holds_a_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl").touch()
    with pytest.raises(ConfigError, match="out must be a folder without a run"):
        create_run_folder("x", out=tmp_path, runs=tmp_path, today=TODAY)


def test_a_folder_below_a_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="folder cannot be written"):
        create_run_folder(
            "x", out=tmp_path / "file" / "run", runs=tmp_path, today=TODAY
        )


def test_a_folder_without_settings_and_data_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "config.json").touch()
    with pytest.raises(ConfigError, match=r"but it has no dataset\.npz\.$"):
        open_run_folder(tmp_path)
    (tmp_path / "dataset.npz").touch()
    assert open_run_folder(tmp_path) == RunFolder(tmp_path)


def test_a_run_killed_before_its_journal_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "config.json").touch()
    with pytest.raises(ConfigError, match="folder without a run"):
        create_run_folder("x", out=tmp_path, runs=tmp_path, today=TODAY)


def test_json_files_survive_the_folder(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.write_json(folder.result, {"a": [1, 2.5, None]})
    assert folder.read_json(folder.result) == {"a": [1, 2.5, None]}


@pytest.mark.parametrize("text", ["", "{", "[1]"])
def test_a_file_that_is_no_json_object_is_refused(tmp_path: Path, text: str) -> None:
    folder = RunFolder(tmp_path)
    folder.result.write_text(text)
    with pytest.raises(DataError):
        folder.read_json(folder.result)
