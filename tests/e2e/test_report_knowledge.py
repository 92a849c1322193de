"""Pages of runs of `cwm.knowledge`: what they are made of."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from cwm.pages.kinds import make_reader
from cwm.pages.knowledge import KnowledgeReader
from tests.support.knowledge_runs import knowledge_run

pytestmark = pytest.mark.local


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of four players; nobody may change it."""
    path = tmp_path_factory.mktemp("knowledge") / "run"
    return knowledge_run(path, "random", "none", "wkm", "oracle")


def read(path: Path) -> dict[str, Any]:
    reader = make_reader(path, name="run")
    assert isinstance(reader, KnowledgeReader)
    return reader.read()


def text(data: dict[str, Any], numbers: list[int]) -> str:
    return "\n\n".join(data["texts"]["paragraphs"][at] for at in numbers)


def test_rows_are_those_of_the_result(run: Path) -> None:
    data = read(run)
    assert data["rows"] == json.loads((run / "result.json").read_text())["rows"]
    assert data["main"] == "wkm"
    assert data["counts"] == {
        "experts": 3,
        "explored": 3,
        "task_notes": 3,
        "state_notes": 3,
        "entries": 12,
    }
    assert {one["name"] for one in data["models"]} == {"plain", "task", "knowledge"}
    assert all(one["losses"] for one in data["models"])


def test_each_test_game_has_every_player_and_each_training_game_its_notes(
    run: Path,
) -> None:
    data = read(run)
    tests, training = data["nodes"][:4], data["nodes"][4:]
    assert [(one["split"], one["game"]) for one in tests] == [
        ("seen", 0),
        ("seen", 1),
        ("unseen", 0),
        ("unseen", 1),
    ]
    for game in tests:
        players = [one["player"] for one in game["episodes"]]
        assert players == ["random", "none", "wkm", "oracle"]
        assert [note["kind"] for note in game["notes"]] == ["oracle"]
        wkm = game["episodes"][2]
        assert all(step["decision"] for step in wkm["steps"])
        assert wkm["num_steps"] == len(wkm["steps"])
    assert [one["split"] for one in training] == ["train"] * 3
    for game in training:
        assert [one["player"] for one in game["episodes"]] == ["expert", "explored"]
        assert [note["kind"] for note in game["notes"]] == ["game"]
        # One state for each observation, one more than there are steps.
        assert len(game["states"]["texts"]) == len(game["episodes"][0]["steps"]) + 1
    first = json.loads((run / "experts.jsonl").read_text().splitlines()[0])
    expert = training[0]["episodes"][0]
    assert [text(data, step["action"]) for step in expert["steps"]] == [
        step["action"] for step in first["steps"]
    ]


def test_a_run_that_goes_on_has_what_is_there(run: Path, tmp_path: Path) -> None:
    path = Path(shutil.copytree(run, tmp_path / "going"))
    reader = make_reader(path, name="run")
    before = reader.signature()
    (path / "result.json").unlink()
    played = path / "seed-0" / "played"
    for name in ("oracle-seen", "oracle-unseen", "wkm-unseen"):
        (played / f"{name}.jsonl").unlink()
    with (played / "wkm-seen.jsonl").open("rb+") as file:
        file.truncate(played.joinpath("wkm-seen.jsonl").stat().st_size - 20)
    assert reader.signature() != before
    data = reader.read()
    assert data["status"]["state"] == "unfinished"
    assert (data["rows"], data["main"]) == ([], None)
    players = [[one["player"] for one in game["episodes"]] for game in data["nodes"]]
    assert players[:4] == [["random", "none", "wkm"], *[["random", "none"]] * 3]


def test_a_run_that_has_only_begun_has_a_page(run: Path, tmp_path: Path) -> None:
    shutil.copy(run / "config.json", tmp_path)
    data = read(tmp_path)
    assert (data["nodes"], data["models"], data["counts"]) == ([], [], {})
