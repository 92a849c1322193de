"""`python -m cwm.benchmark collect` on small data, in processes of its own."""

import json
from pathlib import Path
from typing import Any

import pytest

from cwm import evaluate
from cwm.benchmark import command as benchmark
from cwm.core.dataset_file import load_dataset
from cwm.suites.data_sets import content_digest
from tests.support.corridor import EXACT

QUICK = ("collect", "--suite", "cwmb-r", "--quick", "--quiet")
TASKS = ("--envs", "CliffWalking,Taxi-v4")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


def collected(
    capsys: pytest.CaptureFixture[str], *words: str
) -> tuple[int, dict[str, Any]]:
    code = benchmark.main([*QUICK, *words, "--json"])
    return code, json.loads(capsys.readouterr().out)


@pytest.mark.slow
def test_data_are_made_once_and_checked_by_digest(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, result = collected(capsys, *TASKS, "--out", "one")
    assert code == 0
    rows = result["data_sets"]
    assert [row["task"] for row in rows] == ["CliffWalking-v1", "Taxi-v4"]
    for row in rows:
        dataset = load_dataset(folder / row["file"])
        assert content_digest(dataset) == row["digest"]
        assert row["num_transitions"] == dict(dataset.num_transitions)
        assert all(row["num_transitions"].values())
    # What is there is taken as it is, and made anew elsewhere it is the same.
    before = (folder / rows[0]["file"]).stat().st_mtime_ns
    hashes = ("--check", "one/hashes.json")
    assert benchmark.main([*QUICK, *TASKS, "--out", "one", *hashes]) == 0
    assert (folder / rows[0]["file"]).stat().st_mtime_ns == before
    assert "2 of 2 digests are the same" in capsys.readouterr().out
    words = (*TASKS, "--out", "two", "--workers", "1", *hashes)
    code, again = collected(capsys, *words)
    assert (code, again["differences"]) == (0, [])
    assert [row["digest"] for row in again["data_sets"]] == [
        row["digest"] for row in rows
    ]


@pytest.mark.slow
def test_data_that_differ_are_named_and_fail(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--envs", "CliffWalking", "--out", "data")
    assert benchmark.main([*QUICK, *words]) == 0
    shown = capsys.readouterr().out
    assert "CliffWalking-v1" in shown
    assert "planner-visited" in shown
    content = json.loads((folder / "data/hashes.json").read_text())
    content["data_sets"][0]["digest"] = "0" * 64
    content["data_sets"][0]["decided_by"]["numpy"] = "1.0"
    (folder / "other.json").write_text(json.dumps(content))
    code, result = collected(capsys, *words, "--check", "other.json")
    assert code == 1
    (line,) = result["differences"]
    assert line.startswith("CliffWalking-v1, seed 0 (quick): ")
    assert "1.0 there" in line
    # Nor is it a success if there is nothing to compare with.
    (folder / "few.json").write_text(json.dumps(content | {"data_sets": []}))
    code, result = collected(capsys, *words, "--check", "few.json")
    assert code == 1
    assert result["differences"] == ["CliffWalking-v1, seed 0 (quick): not in the file"]


def test_a_program_is_scored_on_what_a_planner_visited(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, result = collected(capsys, "--envs", "CliffWalking", "--out", "data")
    (row,) = result["data_sets"]
    (folder / "program.py").write_text(EXACT)
    words = ["program.py", "--data", row["file"], "--json"]
    evaluate.main(words)
    report = json.loads(capsys.readouterr().out)
    splits = ["train", "held_out", "planner"]
    assert list(report["files"][0]["row"]["scores"]) == splits
    for baseline in report["baselines"]:
        assert list(baseline["scores"]) == splits
    simulator = report["baselines"][1]["scores"]["planner"]
    assert simulator["strict"] == 1.0
    assert simulator["num_transitions"] == row["num_transitions"]["planner"]
    evaluate.main(words[:-1])
    shown = capsys.readouterr().out
    assert "planner-visited" in shown


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--suite", "cwmb-x"), "suite must be one of"),
        (("--envs", "Chess"), "must be tasks of the suite, got 'Chess'"),
        (("--seeds", "one"), "seeds must be whole numbers"),
        (("--workers", "0"), "workers must be at least 1"),
    ],
)
def test_an_option_that_breaks_its_rule_is_named(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    message: str,
) -> None:
    assert benchmark.main([*QUICK, *words]) == 2
    assert message in capsys.readouterr().err
    assert list(folder.iterdir()) == []
