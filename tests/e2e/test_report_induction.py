"""Pages of runs of `cwm.induce`: what they are made of, and which runs go together."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from cwm.pages.command import main
from cwm.pages.inductions import InductionReader
from cwm.pages.kinds import make_reader
from tests.support.induced_runs import rules_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose test set was scored; nobody may change it."""
    return rules_run(tmp_path_factory.mktemp("induced"))


def read(path: Path) -> dict[str, Any]:
    reader = make_reader(path, name="run")
    assert isinstance(reader, InductionReader)
    return reader.read()


def written(path: Path) -> dict[str, Any]:
    return json.loads((path / "result.json").read_text())


def test_the_page_has_the_numbers_of_the_result(run: Path) -> None:
    data, result = read(run), written(run)
    assert data["roles"]["stand_ins"] == ["statistician", "scientist"]
    assert "say nothing about a model" in data["roles"]["warnings"][0]
    rows = {row["name"]: row for row in data["scores"]["rows"]}
    assert list(rows) == result["scores"]["rows"]
    assert (
        rows["best"]["difference"]
        == (result["scores"]["difference_to_no_hypothesis"]["best"])
    )
    assert rows["no hypothesis"]["difference"] is None
    ranking = result["scores"]["scores"]["best"]["ranking"]
    assert rows["best"]["ranking"]["top"] == ranking["top"]
    assert data["reworded"]["world"] == "playground-reworded"
    for phase, own in zip(data["phases"], result["phases"], strict=True):
        assert phase["num_proposed"] == own["num_proposed"]
        assert phase["num_accepted"] == own["num_accepted"]
        assert phase["counts"] == own["counts"]
        assert phase["data_mean"] * phase["num_transitions"] == pytest.approx(
            own["data"]["total"]
        )
        # The published test set has 168 transitions.
        assert phase["test_mean"] * 168 == pytest.approx(own["test"]["total"])


def test_every_proposal_is_there_with_its_words(run: Path) -> None:
    data, result = read(run), written(run)
    # One to begin with, two steps in each of two phases.
    assert [one["node"] for one in data["nodes"]] == [1, 2, 3, 4, 5]
    best = data["nodes"][data["best"] - 1]
    lines = data["texts"]["lines"]
    text = "\n".join(
        "".join(lines[at][1::2]) for at in data["texts"]["programs"][best["text"]]
    )
    assert text == result["best"]
    for one in data["nodes"][1:]:
        assert one["is_accepted"] == (one["log_draw"] < one["log_ratio"])
        assert one["total"] == pytest.approx(sum(one["by_trajectory"]))


def test_a_run_that_goes_on_has_what_is_there(run: Path, tmp_path: Path) -> None:
    path = Path(shutil.copytree(run, tmp_path / "going"))
    (path / "result.json").unlink()
    lines = (path / "journal.jsonl").read_text().splitlines(keepends=True)
    kinds = [json.loads(line)["record"]["kind"] for line in lines]
    second = [i for i, kind in enumerate(kinds) if kind == "collected"][2]
    # Torn in the middle of the last line.
    (path / "journal.jsonl").write_text("".join(lines[: second + 1]) + lines[-1][:40])
    data = read(path)
    assert data["status"]["state"] == "unfinished"
    assert data["roles"]["scientist"] == "a stand-in, no language model"
    assert [one["has_ended"] for one in data["phases"]] == [True, True, False]
    assert data["scores"] is None
    assert data["phases"][1]["test_mean"] is None


def test_a_folder_whose_run_has_not_begun_has_a_page(run: Path, tmp_path: Path) -> None:
    shutil.copy(run / "config.json", tmp_path)
    data = read(tmp_path)
    assert (data["nodes"], data["phases"], data["best"]) == ([], [], None)
    assert main([str(tmp_path)]) == 0


def test_runs_are_compared_with_runs_of_their_command(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = rules_run(tmp_path, "--env", "door", "--experimenter", "random")
    out = tmp_path / "page.html"
    assert main([str(run), str(other), "--out", str(out)]) == 0
    assert out.stat().st_size < 700_000
    search = tmp_path / "search"
    search.mkdir()
    for name in ("config.json", "dataset.npz"):
        (search / name).write_text("{}")
    assert main([str(run), str(search), "--out", str(out)]) == 2
    assert "got runs of cwm.induce and cwm.synthesize" in capsys.readouterr().err


def test_the_signature_is_another_when_a_file_is(run: Path, tmp_path: Path) -> None:
    path = Path(shutil.copytree(run, tmp_path / "copied"))
    reader = make_reader(path, name="run")
    before = reader.signature()
    (path / "result.json").unlink()
    assert reader.signature() != before
