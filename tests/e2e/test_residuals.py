"""A whole run whose best program lacks a rule: law and residual are told apart."""

import json
from pathlib import Path

import pytest

from cwm import fit, replay, synthesize
from cwm.core.dataset_file import save_dataset
from cwm.core.journal import read_journal
from cwm.programs.residual.writing import MARK, law_of
from tests.support.known_systems import recorded_dataset
from tests.support.lacking_rules import LAW, world

MODEL_WRITTEN = Path(__file__).parents[2] / "benchmarks" / "data" / "model_written"
NO_COST = LAW.replace("-(x**2)", "0.0")
PAID = world(reward="0.0 + (0.5 if x >= 0.45 else 0.0)")
SPLITS = ("train",) * 20 + ("validation",) * 5 + ("held_out",) * 5
WORDS = ("--data", "rod.npz", "--llm", "scripted:answers.json", "--out", "run")
ONE = ("--call-budget", "1", "--fit.mode", "declared", "--quiet")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    save_dataset(recorded_dataset(PAID, SPLITS), tmp_path / "rod.npz")
    answers = [f"```python\n{NO_COST}```\n"] * 4
    (tmp_path / "answers.json").write_text(json.dumps(answers))
    return tmp_path / "run"


def test_a_run_ends_with_a_residual_and_says_what_it_adds(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert synthesize.main([*WORDS, *ONE, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    rows = {row["name"]: row["scores"] for row in result["rows"]}
    assert list(rows) == ["program", "law alone", "do nothing", "true simulator"]
    for split in ("train", "held_out"):
        assert rows["law alone"][split]["strict"] < 0.95
        assert rows["program"][split]["strict"] > 0.99
    (term,) = result["residual"]["terms"]
    assert term["text"].startswith("reward + 0.5 where next observation[0] >= 0.4")
    program = (folder / "world_model.py").read_text()
    assert MARK in program
    assert law_of(program).strip() == NO_COST.strip()


def test_a_resumed_run_learns_nothing_again_and_says_the_same(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert synthesize.main([*WORDS, *ONE]) == 0
    shown = capsys.readouterr().out
    assert "residual, no law; learned from" in shown
    program = (folder / "world_model.py").read_bytes()
    kinds = [r.kind for r in read_journal(folder / "journal.jsonl").records]
    assert kinds[-2:] == ["residual", "run_finished"]
    before = (folder / "journal.jsonl").read_bytes()
    assert synthesize.main(["--resume", str(folder), "--quiet"]) == 0
    assert "residual, no law; learned from" in capsys.readouterr().out
    assert (folder / "journal.jsonl").read_bytes() == before
    assert (folder / "world_model.py").read_bytes() == program
    assert replay.main([str(folder), "--quiet"]) == 0


def test_off_leaves_the_law_as_it_is(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*WORDS, *ONE, "--json", "--residual.mode", "off"]
    assert synthesize.main(words) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["residual"] is None
    assert (folder / "world_model.py").read_text().strip() == NO_COST.strip()


def test_a_start_with_a_residual_begins_from_its_law(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert synthesize.main([*WORDS, *ONE]) == 0
    again = [*WORDS[:-1], "again", *ONE, "--start-from", "run/world_model.py"]
    assert synthesize.main(again) == 0
    capsys.readouterr()
    second = folder.parent / "again" / "world_model.py"
    assert second.read_text() == (folder / "world_model.py").read_text()


@pytest.mark.slow
@pytest.mark.usefixtures("folder")
def test_a_law_without_the_cost_of_effort_is_made_whole(
    capsys: pytest.CaptureFixture[str],
) -> None:
    law = (MODEL_WRITTEN / "Pendulum.py").read_text()
    term = "+ 0.001 * (u ** 2)"
    assert law.count(term) == 1
    Path("law.py").write_text(law.replace(term, ""))
    words = ("--env", "Pendulum-v1", "--residual.mode", "sparse", "--out", "whole.py")
    assert fit.main(["law.py", *words, "--quiet"]) == 0
    shown = capsys.readouterr().out
    assert "reward - 0.001 * action[0]^2" in shown
    assert "-> 1.0000 (as it was, fitted, with the residual)" in shown
    assert MARK in Path("whole.py").read_text()
