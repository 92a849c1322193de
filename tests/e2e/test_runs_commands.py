"""`python -m cwm.runs` on the folders that real runs leave."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cwm.runs.command import main
from tests.support.commands import Commands

Call = Callable[..., str]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two runs on one data set, which nobody may change."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        commands = Commands(tmp_path_factory.mktemp("made"), monkeypatch)
        commands.synthesize("--data", "corridor.npz", "--out", "runs/a")
        commands.synthesize("--data", "corridor.npz", "--out", "runs/b", "--seed", "1")
    return commands.folder / "runs"


@pytest.fixture
def call(
    made: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Call:
    """Runs a command in a folder whose `runs` are copies of those two."""
    shutil.copytree(made, tmp_path / "runs")
    monkeypatch.chdir(tmp_path)

    def run(*words: str, code: int = 0) -> str:
        assert main(words) == code
        told = capsys.readouterr()
        return told.out if code == 0 else told.err

    return run


def test_the_list_has_a_line_for_each_run(call: Call) -> None:
    shown = call("list")
    assert "2 runs in runs" in shown
    for word in ("Corridor", "scripted walk", "synthesize", "finished", "1.0000"):
        assert word in shown
    runs = json.loads(call("list", "--json", "--sort", "env"))
    assert {run["id"] for run in runs} == {"a", "b"}
    assert all(run["held_out"] == 1.0 and run["num_calls"] > 1 for run in runs)


def test_a_run_is_shown_as_it_ended(call: Call) -> None:
    result = json.loads(Path("runs/a/result.json").read_text())
    shown = call("show", "runs/a")
    assert "│ program" in shown
    assert f"num calls: {result['num_calls']}" in shown
    for command in result["next"]:
        assert command in shown
    data: dict[str, Any] = json.loads(call("show", "runs/a", "--json"))
    assert data["result"] == result
    assert data["run"]["id"] == "a"


def test_runs_are_compared(call: Call) -> None:
    data = json.loads(call("compare", "runs/a", "runs/b", "--json"))
    assert data["settings"] == {"seed": [0, 1]}
    assert data["data"][0] == data["data"][1]
    assert "settings that differ" in call("compare", "runs/a", "runs/b")


def test_pruning_lists_first_and_removes_when_told(call: Call) -> None:
    shown = call("prune", "--keep-newest", "1")
    assert "1 of 2 runs would be removed" in shown
    assert "Nothing was removed" in shown
    assert len(list(Path("runs").iterdir())) == 2
    assert "1 of 2 runs removed" in call("prune", "--keep-newest", "1", "--yes")
    (left,) = Path("runs").iterdir()
    assert left.name in json.loads(call("list", "--json"))[0]["id"]


def test_a_world_model_is_exported_as_a_package(call: Call) -> None:
    shown = call("export", "runs/a", "--as", "package", "--name", "Corridor")
    assert "without a sandbox" in shown
    assert "interrupted" not in shown
    assert Path("a-package/cwm_corridor/world_model.py").read_text() == (
        Path("runs/a/world_model.py").read_text()
    )


def test_a_package_of_an_interrupted_run_names_how_to_go_on(call: Call) -> None:
    Path("runs/a/result.json").unlink()
    shown = call("export", "runs/a", "--as", "package")
    assert "The run was interrupted after " in shown
    assert "go on with: python -m cwm.synthesize --resume runs/a\n" in shown


def test_curves_are_exported(call: Call) -> None:
    assert "tensorboard --logdir a-tensorboard" in call(
        "export", "runs/a", "--as", "tensorboard"
    )
    assert len(list(Path("a-tensorboard").iterdir())) == 1


@pytest.mark.minari
@pytest.mark.filterwarnings("ignore")
def test_transitions_are_exported(call: Call) -> None:
    assert "3 episodes in a-minari" in call("export", "runs/a", "--as", "minari")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ((), 2, "cwm.runs needs the name of a command"),
        (("show", "nowhere"), 2, "must be the folder of a run"),
        (("list", "nowhere"), 1, "cannot be read"),
        (("prune",), 2, "Which runs may go must be said"),
        (("compare", "runs/a", "runs/a"), 2, "each once"),
    ],
)
def test_what_is_wrong_is_said(
    call: Call, words: tuple[str, ...], code: int, message: str
) -> None:
    assert message in call(*words, code=code)
