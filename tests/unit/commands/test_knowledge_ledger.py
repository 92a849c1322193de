from pathlib import Path

import pytest

from cwm.core.errors import DataError
from cwm.knowledge_pipeline.ledger import Ledger, digest


def test_a_step_is_done_until_an_input_changes_or_an_output_is_gone(
    tmp_path: Path,
) -> None:
    ledger, given, made = (
        Ledger(tmp_path / "stages.json"),
        tmp_path / "in",
        tmp_path / "out",
    )
    given.write_text("a")
    assert not ledger.is_done("step", inputs=[given], outputs=[made])
    made.write_text("b")
    assert not ledger.is_done("step", inputs=[given], outputs=[made])
    ledger.note("step", inputs=[given])
    assert ledger.is_done("step", inputs=[given], outputs=[made])
    assert not ledger.is_done("other", inputs=[given], outputs=[made])
    given.write_text("c")
    assert not ledger.is_done("step", inputs=[given], outputs=[made])
    given.write_text("a")
    made.unlink()
    assert not ledger.is_done("step", inputs=[given], outputs=[made])


def test_folders_count_with_all_their_files(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    (folder / "part").mkdir(parents=True)
    (folder / "part" / "x").write_text("1")
    before = digest([folder])
    assert digest([folder]) == before
    (folder / "part" / "x").write_text("2")
    assert digest([folder]) != before


def test_a_missing_input_names_what_makes_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="made by an earlier step"):
        digest([tmp_path / "experts.jsonl"])


def test_a_damaged_ledger_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "stages.json"
    path.write_text("{")
    with pytest.raises(DataError, match="Delete it"):
        Ledger(path).is_done("step", inputs=[], outputs=[])
