"""An agent that begins with what another run has learned."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from cwm.agents.training import read_policy
from cwm.ppo.command import main

pytestmark = [pytest.mark.babyai, pytest.mark.local]

LEVEL = ("--env", "BabyAI-GoToRedBallNoDists-v0")
NETWORK = (
    *("--network.scratch.layers", "1", "--network.scratch.width", "16"),
    *("--network.scratch.heads", "2", "--network.head-width", "16"),
)
PPO = ("--ppo.num-envs", "4", "--ppo.rollout-steps", "8", "--ppo.num-epochs", "1")
CLONING = ("--learner", "cloning", "--num-demonstrations", "6")
ONE_UPDATE = ("--num-frames", "32")
TIMES = ("seconds", "rollout_seconds", "update_seconds")


def trained(out: Path, *words: str) -> Path:
    assert main(["train", "--quiet", *LEVEL, *words, "--out", str(out)]) == 0
    return out


def weights(run: Path) -> dict[str, Any]:
    return read_policy(run).made.network.saved()


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "clone"
    return trained(out, *NETWORK, *CLONING, "--cloning.batch-size", "8")


def test_it_begins_with_the_weights_of_the_other_run(
    tmp_path: Path, clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In its first update only the value learns: the policy is still the clone's."""
    words = (*NETWORK, *PPO, *ONE_UPDATE, "--ppo.warmup-updates", "1")
    begun = trained(tmp_path / "begun", *words, "--start-from", str(clone))
    assert f"began with the weights of {clone}" in "".join(
        capsys.readouterr().out.split("\n")
    )
    new = trained(tmp_path / "new", *words)
    cloned, after, anew = (weights(path) for path in (clone, begun, new))
    policy = [name for name in cloned if not name.startswith("value")]
    assert policy
    assert len(policy) < len(cloned)
    assert all((after[name] == cloned[name]).all() for name in policy)
    assert any((anew[name] != cloned[name]).any() for name in policy)
    # What it was asked about first are the clone's probabilities, too.
    first, last = (begun / "probabilities.jsonl").read_text().splitlines()
    assert json.loads(first)["probabilities"] == json.loads(last)["probabilities"]
    assert json.loads(last)["update"] == 1


def test_once_begun_it_goes_on_without_the_other_run(
    tmp_path: Path, clone: Path
) -> None:
    start = Path(shutil.copytree(clone, tmp_path / "start"))
    words = (*NETWORK, *PPO, "--start-from", str(start))
    whole = trained(tmp_path / "whole", *words, "--num-frames", "64")
    part = trained(tmp_path / "part", *words, *ONE_UPDATE)
    shutil.rmtree(start)
    settings = json.loads((part / "config.json").read_text())
    (part / "config.json").write_text(json.dumps(settings | {"num_frames": 64}))
    assert main(["train", "--quiet", "--resume", str(part)]) == 0
    logs = [
        [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
        for run in (whole, part)
    ]
    timeless = [
        [{k: v for k, v in line.items() if k not in TIMES} for line in log]
        for log in logs
    ]
    assert timeless[0] == timeless[1]
    assert [line["update"] for line in timeless[0]] == [1, 2]


def test_the_other_run_is_found_from_another_folder(
    tmp_path: Path, clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(clone.parent)
    run = trained(
        tmp_path / "run", *NETWORK, *PPO, *ONE_UPDATE, "--start-from", clone.name
    )
    assert json.loads((run / "config.json").read_text())["start_from"] == str(clone)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((*NETWORK, "--network.scratch.width", "32"), "the same policy and network"),
        ((*NETWORK, "--network.window", "2"), "the same policy and network"),
        (("--policy", "symbolic"), "the same policy and network"),
        ((*NETWORK, *CLONING), "start_from is for learner ppo"),
    ],
)
def test_weights_of_another_network_are_refused_before_a_folder_is_made(
    tmp_path: Path,
    clone: Path,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    expected: str,
) -> None:
    out = tmp_path / "run"
    command = ["train", "--quiet", *LEVEL, *words, "--start-from", str(clone)]
    assert main([*command, "--out", str(out)]) == 2
    assert expected in " ".join(capsys.readouterr().err.split())
    assert not out.exists()


def test_what_is_no_agent_of_words_is_no_beginning(
    tmp_path: Path, clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unlearned = Path(shutil.copytree(clone, tmp_path / "unlearned"))
    (unlearned / "checkpoint.safetensors").unlink()
    other = Path(shutil.copytree(clone, tmp_path / "drrn"))
    settings = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(settings | {"learner": "drrn"}))
    for start, code, expected in (
        (tmp_path / "nowhere", 2, "must be the folder of a run of cwm.ppo train"),
        (unlearned, 1, "has no checkpoint yet"),
        (other, 2, "got one of drrn"),
    ):
        words = ["train", "--quiet", *LEVEL, *NETWORK, "--start-from", str(start)]
        assert main([*words, "--out", str(tmp_path / "run")]) == code
        assert expected in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "run").exists()


def test_a_head_of_actions_needs_as_many_actions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    heads = (*NETWORK, *PPO, "--network.head", "actions")
    six = trained(tmp_path / "six", *heads, *ONE_UPDATE)
    more = (*LEVEL, *heads, "--start-from", str(six), "--out", str(tmp_path / "nine"))
    kwargs = ("--env-kwargs", '{"num_actions": 9}')
    assert main(["train", "--quiet", *more, *kwargs]) == 2
    message = " ".join(capsys.readouterr().err.split())
    assert "start_from must be a run with as many actions (9)" in message
    assert main(["train", "--quiet", *more, *ONE_UPDATE]) == 0
