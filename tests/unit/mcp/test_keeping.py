import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cwm.core.errors import ConfigError, DataError
from cwm.mcp.keeping import Kept, SourceLog


def add(log: SourceLog, source: str, score: float | None, tool: str = "verify") -> bool:
    rank = None if score is None else (score, 0.0)
    return log.add(tool, source, sha256=f"hash of {source}", rank=rank, found={})


def test_the_best_program_is_kept(tmp_path: Path) -> None:
    log = SourceLog(tmp_path / "mcp")
    assert log.read() == Kept()
    assert not add(log, "bug", -1.0)
    assert not log.best.exists()
    assert add(log, "good", 0.5)
    assert not add(log, "worse", 0.25)
    assert log.best.read_text() == "good"
    assert add(log, "better", 0.75)
    assert log.best.read_text() == "better"
    # As good, but later: the first stays.
    assert add(log, "as good", 0.75)
    assert log.best.read_text() == "better"
    assert log.read().best == (0.75, 0.0)
    assert len(log.read().sources) == 5


def test_a_program_is_written_down_once(tmp_path: Path) -> None:
    log = SourceLog(tmp_path)
    add(log, "a", 0.5)
    add(log, "a", 0.5)
    first, second = map(json.loads, log.path.read_text().splitlines())
    assert first["source"] == "a"
    assert "source" not in second
    assert second["sha256"] == first["sha256"]


def test_the_end_is_remembered_by_the_next_server(tmp_path: Path) -> None:
    add(SourceLog(tmp_path), "a", None, tool="finish")
    assert SourceLog(tmp_path).read().is_finished


def test_a_line_that_a_kill_cut_off_is_dropped(tmp_path: Path) -> None:
    log = SourceLog(tmp_path)
    add(log, "a", 0.5)
    whole = log.path.read_bytes()
    log.path.write_bytes(whole + whole[:20])
    assert len(log.read().sources) == 1
    add(log, "b", 0.25)
    assert len(log.path.read_text().splitlines()) == 2


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    log = SourceLog(tmp_path)
    log.path.write_text("{}\n")
    with pytest.raises(DataError, match="damaged in line 1"):
        log.read()


def test_two_servers_write_one_log(tmp_path: Path) -> None:
    logs = [SourceLog(tmp_path), SourceLog(tmp_path)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: add(logs[n % 2], f"{n}" * 5_000, n / 50), range(50)))
    assert len(logs[0].read().sources) == 50
    assert logs[1].best.read_text() == "49" * 5_000


def test_a_folder_that_cannot_be_written_is_refused_before_the_work(
    tmp_path: Path,
) -> None:
    SourceLog(tmp_path / "new").check()
    assert not SourceLog(tmp_path / "new").path.exists()
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"log\.jsonl' must be writable, got "):
        SourceLog(tmp_path / "file").check()


def test_a_folder_that_can_no_longer_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "mcp" / ".lock").mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"The log cannot be written: .*directory"):
        add(SourceLog(tmp_path / "mcp"), "a", 0.5)
