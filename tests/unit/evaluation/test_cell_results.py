import json
from pathlib import Path

import pytest

from cwm.core.errors import DataError
from cwm.evaluation.cell_results import CellKey, CellResult, ResultsFile, by_task
from tests.support.suite_cells import cell, failed


def test_a_result_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = ResultsFile(tmp_path / "results.jsonl")
    assert file.read() == {}
    one = cell(normalised=0.5, notes=("short",), figures={"tokens": None})
    other = failed("Taxi", reason="no memory")
    file.append(one)
    file.append(other)
    assert file.read() == {one.key: one, other.key: other}
    lines = [json.loads(line) for line in file.path.read_text().splitlines()]
    names = ("suite", "task", "search", "seed", "status")
    assert [tuple(line[name] for name in names) for line in lines] == [
        ("cwmb-r", "Pole", "gif-mcts", 0, "done"),
        ("cwmb-r", "Taxi", "gif-mcts", 0, "failed"),
    ]


def test_the_last_line_of_a_cell_counts(tmp_path: Path) -> None:
    file = ResultsFile(tmp_path / "results.jsonl")
    for one in (failed(), cell(strict=0.25)):
        file.append(one)
    assert file.read()[CellKey("Pole", "gif-mcts", 0)].figure("held_out_strict") == 0.25


def test_a_line_torn_at_any_byte_is_dropped(tmp_path: Path) -> None:
    first, second = cell("a"), cell("b")
    whole = ResultsFile(tmp_path / "whole.jsonl")
    whole.append(first)
    start = whole.path.stat().st_size
    whole.append(second)
    content = whole.path.read_bytes()
    for length in range(start, len(content), 7):
        file = ResultsFile(tmp_path / "torn.jsonl")
        file.path.write_bytes(content[:length])
        assert file.read() == {first.key: first}
        file.append(second)
        assert file.path.read_bytes() == content


def test_damage_is_said_with_its_line(tmp_path: Path) -> None:
    file = ResultsFile(tmp_path / "results.jsonl")
    file.append(cell())
    with file.path.open("a") as stream:
        stream.write("{}\n")
    with pytest.raises(DataError, match="is damaged in line 2"):
        file.read()


def test_a_status_and_a_figure_must_be_known() -> None:
    data = cell().to_json()
    with pytest.raises(DataError, match="No cell can be 'happy'"):
        CellResult.from_json({**data, "status": "happy"})
    with pytest.raises(DataError, match="cannot be read"):
        CellResult.from_json({**data, "figures": {"luck": 1.0}})


def test_numbers_that_are_none_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        ResultsFile(tmp_path / "results.jsonl").append(cell(strict=float("nan")))


def test_values_go_by_task() -> None:
    cells = [cell("a"), cell("a", seed=1, strict=0.5), cell("b", strict=None)]
    assert by_task(cells, lambda one: one.figure("held_out_strict")) == {
        "a": [1.0, 0.5]
    }
