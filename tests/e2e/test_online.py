"""Learning while acting, by the command."""

import json
from pathlib import Path
from typing import Any

import pytest

from cwm import synthesize
from cwm.core.dataset_file import load_dataset


def run(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    code = synthesize.main(["--quiet", "--json", *words])
    assert code == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.slow
def test_errors_of_the_model_are_learnt_from_until_there_are_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "online"
    # Random actions never reach the goal: that it is one must be found out.
    words = ("--env", "MountainCar-v0", "--online", "5")
    report = run(capsys, *words, "--out", str(folder))
    rounds = report["rounds"]
    assert report["stopped_by"] == "right"
    assert rounds[-1]["num_wrong"] == 0 < rounds[0]["num_wrong"]
    assert rounds[-1]["mean_return"] > -130.0 > rounds[0]["mean_return"]
    # What was wrong is in the next round's data, and only in its training part or
    # its validation part: held-out transitions stay what they were.
    first, second = (load_dataset(folder / f"data-{k}.npz") for k in (1, 2))
    assert first.in_split("held_out") == () or (
        second.num_transitions["held_out"] == first.num_transitions["held_out"]
    )
    known = sum(second.num_transitions[s] for s in ("train", "validation"))
    assert known == rounds[1]["num_known_steps"]
    assert known == rounds[0]["num_known_steps"] + rounds[0]["num_kept"]
    assert rounds[0]["num_wrong"] <= rounds[0]["num_kept"]
    played = load_dataset(folder / "round-1/played.npz")
    assert sum(map(len, played.trajectories)) == rounds[0]["num_new_steps"]
    steps = rounds[0]["num_known_steps"] + sum(r["num_new_steps"] for r in rounds)
    assert report["num_real_steps"] == steps
    assert (folder / "world_model.py").read_text() == (
        folder / f"round-{len(rounds)}/world_model.py"
    ).read_text()
    assert json.loads((folder / "online.json").read_text()) == report


def test_a_run_that_was_killed_goes_on_where_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "online"
    words = ("--env", "CliffWalking-v1", "--acting.episodes", "1")
    once = run(capsys, *words, "--online", "1", "--out", str(folder))
    assert len(once["rounds"]) == 1
    played = folder / "round-1/played.npz"
    before = played.stat().st_mtime_ns
    again = run(capsys, *words, "--online", "2", "--out", str(folder))
    # The first round was taken as it was: not a step of it was made again.
    assert played.stat().st_mtime_ns == before
    assert again["rounds"][0] == once["rounds"][0]
    words = ("--quiet", *words, "--seed", "1", "--online", "1", "--out", str(folder))
    assert synthesize.main(words) == 2
    assert "out must be a new folder or one of an online run" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--env", "CartPole-v1", "--online", "0"], "online must be at least 1, got 0"),
        (["--data", "x.npz", "--online", "1"], "online needs env"),
        (
            ["--env", "CartPole-v1", "--online", "1", "--acting.episodes", "0"],
            "episodes must be at least 1, got 0.",
        ),
        (
            ["--env", "CartPole-v1", "--online", "1", "--acting.planner", "cemm"],
            "Did you mean 'cem'?",
        ),
    ],
)
def test_what_cannot_be_is_a_usage_error(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert synthesize.main([*words, "--quiet"]) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
