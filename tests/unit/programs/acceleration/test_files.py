"""Where a fast form lies, and when it is refused."""

import json
from pathlib import Path

import pytest

from cwm.core.errors import DataError
from cwm.programs.acceleration.files import FastFiles

ORIGINAL, FAST = "class Environment: pass\n", "class Fast: pass\n"


def test_a_run_and_a_file_have_theirs_beside_them(tmp_path: Path) -> None:
    run = FastFiles.beside(tmp_path / "world_model.py")
    other = FastFiles.beside(tmp_path / "cart.py")
    assert (run.program.name, run.record.name) == ("fast_model.py", "fast_model.json")
    assert (other.program.name, other.record.name) == ("cart.fast.py", "cart.fast.json")


def test_what_was_written_is_read_until_it_is_removed(tmp_path: Path) -> None:
    files = FastFiles.beside(tmp_path / "cart.py")
    assert files.read(ORIGINAL) is None
    files.write(ORIGINAL, FAST, {"best": "vectorised"})
    assert files.read(ORIGINAL) == FAST
    assert json.loads(files.record.read_text())["best"] == "vectorised"
    files.remove()
    assert files.read(ORIGINAL) is None


def test_a_stale_form_is_refused(tmp_path: Path) -> None:
    files = FastFiles.beside(tmp_path / "cart.py")
    files.write(ORIGINAL, FAST, {})
    with pytest.raises(DataError, match=r"made from another program. Run python -m"):
        files.read(ORIGINAL + "# changed\n")


def test_a_form_that_nobody_compared_is_refused(tmp_path: Path) -> None:
    files = FastFiles.beside(tmp_path / "cart.py")
    files.write(ORIGINAL, FAST, {})
    files.program.write_text(FAST + "# changed\n")
    with pytest.raises(DataError, match="changed since it was compared"):
        files.read(ORIGINAL)


def test_whoever_writes_another_program_deletes_the_form(tmp_path: Path) -> None:
    files = FastFiles.beside(tmp_path / "cart.py")
    files.write(ORIGINAL, FAST, {})
    files.remove_stale(ORIGINAL)
    assert files.read(ORIGINAL) == FAST
    files.remove_stale(ORIGINAL + "# changed\n")
    assert not files.program.exists()
    assert not files.record.exists()


@pytest.mark.parametrize("record", [None, "[]", "{", "{}"])
def test_a_form_without_its_record_is_refused(
    tmp_path: Path, record: str | None
) -> None:
    files = FastFiles.beside(tmp_path / "cart.py")
    files.write(ORIGINAL, FAST, {})
    files.record.unlink()
    if record is not None:
        files.record.write_text(record)
    with pytest.raises(DataError, match="cannot be read"):
        files.read(ORIGINAL)
