"""An agent that learns in BabyAI through its command: small, but nothing is mocked."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cwm.agents.runs import PolicyRunConfig
from cwm.agents.training import make, read_policy
from cwm.execution.locks import only_one
from cwm.ppo.command import main
from cwm.ppo.train_command import LOCK, _lasting

pytestmark = [pytest.mark.babyai, pytest.mark.local]

LEVEL = ("--env", "BabyAI-GoToRedBallNoDists-v0")
PPO = (
    *("--ppo.num-envs", "4", "--ppo.rollout-steps", "8", "--ppo.num-epochs", "1"),
    *("--save-every", "3"),
)
NETWORK = (
    *("--network.scratch.layers", "1", "--network.scratch.width", "16"),
    *("--network.scratch.heads", "2", "--network.head-width", "16"),
)
TINY = (*LEVEL, *PPO, *NETWORK)
LONG = (*TINY, "--num-frames", "512")
TIMES = ("seconds", "rollout_seconds", "update_seconds")


def done(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> Any:
    found = main([words[0], "--json", "--quiet", *words[1:]])
    shown = capsys.readouterr()
    assert found == code, shown.err
    return json.loads(shown.out or "{}")


def timeless(path: Path) -> list[dict[str, Any]]:
    """Returns the lines of a log without what differs from run to run."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [{k: v for k, v in line.items() if k not in TIMES} for line in lines]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing has interrupted."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    assert main(["train", "--quiet", *LONG, "--out", str(out)]) == 0
    return out


def test_a_run_leaves_its_log_its_probabilities_and_its_result(run: Path) -> None:
    log = timeless(run / "log.jsonl")
    assert [line["update"] for line in log] == list(range(1, 17))
    assert log[-1]["num_frames"] == 512
    assert log[-1]["num_episodes"] > 4
    asked = timeless(run / "probabilities.jsonl")
    # At the beginning, at each checkpoint, and at the end.
    assert [line["update"] for line in asked] == [0, 3, 6, 9, 12, 15, 16]
    for line in asked:
        assert line["actions"][0] == "turn left"
        for probabilities in line["probabilities"]:
            assert sum(probabilities) == pytest.approx(1.0, abs=1e-3)
    result = json.loads((run / "result.json").read_text())
    assert result["num_updates"] == 16
    assert result["last"]["entropy"] == log[-1]["entropy"]
    assert result["made_with"]["python"]


def killed(words: list[str], log: Path) -> None:
    """Starts the command and kills it in the middle."""
    process = subprocess.Popen(
        [sys.executable, "-m", "cwm.ppo", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while process.poll() is None:
        if has_lines(log, 5):
            os.kill(process.pid, signal.SIGKILL)
            break
        time.sleep(0.002)
    assert process.wait() == -signal.SIGKILL


def interrupted(words: list[str], log: Path) -> None:
    """Runs the command here and presses Ctrl-C in the middle."""

    def press() -> None:
        while not has_lines(log, 5):
            time.sleep(0.002)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    assert main(words) == 130
    thread.join()


def has_lines(log: Path, number: int) -> bool:
    return log.exists() and log.read_bytes().count(b"\n") >= number


@pytest.mark.parametrize(
    "end", [pytest.param(killed, marks=pytest.mark.slow), interrupted]
)
def test_a_run_that_was_cut_short_ends_as_if_it_had_never_stopped(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    run: Path,
    end: Callable[[list[str], Path], None],
) -> None:
    out = tmp_path / "run"
    end(["train", "--quiet", *LONG, "--out", str(out)], out / "log.jsonl")
    num_lines = len((out / "log.jsonl").read_text().splitlines())
    assert 5 <= num_lines < 16
    if end is interrupted:
        message = capsys.readouterr().err
        assert f"python -m cwm.ppo train --resume {out}" in message
    result = done(capsys, "train", "--resume", str(out))
    for name in ("log.jsonl", "probabilities.jsonl"):
        assert timeless(out / name) == timeless(run / name)
    assert result["num_updates"] == 16
    # Shown again, it learns nothing more.
    assert done(capsys, "train", "--resume", str(out)) == result


def test_another_seed_learns_otherwise(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], run: Path
) -> None:
    out = tmp_path / "run"
    words = ("--num-frames", "32", "--seed", "1", "--out", str(out))
    assert main(["train", *TINY, *words]) == 0
    shown = capsys.readouterr()
    assert "Training scratch in cwm/BabyAI-GoToRedBallNoDists-v0" in shown.err
    assert "32 frames: episodes" in shown.err
    assert "updates: 1, with 32 frames" in shown.out
    assert timeless(out / "log.jsonl")[0] != timeless(run / "log.jsonl")[0]


def test_training_ends_when_enough_episodes_succeed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """After 200 episodes, and not once more when it is resumed."""
    out = tmp_path / "run"
    result = done(
        capsys,
        *("train", *TINY, "--stop-at", "0.01", "--num-frames", "1000000"),
        *("--ppo.num-envs", "100", "--ppo.rollout-steps", "70", "--out", str(out)),
        *("--env", "BabyAI-GoToObjS4-v0"),
    )
    assert 200 <= result["num_episodes"] < 1000
    assert result["best"]["success_rate"] >= 0.01
    again = done(capsys, "train", "--resume", str(out))
    assert again["num_updates"] == result["num_updates"]


def test_a_run_plays_where_it_has_learned_beside_random_actions_and_the_bot(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], run: Path
) -> None:
    words = ("evaluate", str(run), "random", "bot", "--episodes", "20")
    out = tmp_path / "evaluation.json"
    result = done(capsys, *words, "--out", str(out))
    assert json.loads(out.read_text()) == result
    rows = {row["agent"]: row for row in result["rows"]}
    assert list(rows) == [str(run), "random", "bot"]
    for row in rows.values():
        assert row["environment"] == "cwm/BabyAI-GoToRedBallNoDists-v0"
        assert row["rate"]["num_episodes"] == 20
        assert row["rate"]["low"] <= row["rate"]["rate"] <= row["rate"]["high"]
    assert rows["bot"]["rate"]["rate"] == 1.0
    assert rows["random"]["rate"]["rate"] < 0.7
    assert "512 frames" in result["trained"][str(run)]
    assert result["published"] is None
    assert done(capsys, *words)["rows"] == result["rows"]
    assert done(capsys, *words, "--seed", "1")["rows"] != result["rows"]


def test_tests_are_played_in_their_own_words(
    capsys: pytest.CaptureFixture[str], run: Path
) -> None:
    tests = ("synonym-actions", "first-person-agent", "french")
    words = [word for test in tests for word in ("--test", test)]
    code = main(["evaluate", str(run), "random", *words, "--episodes", "2"])
    shown = capsys.readouterr()
    assert code == 0, shown.err
    for text in (
        *(f"{run}, {test}: " for test in tests),
        *(f"random, {test}: " for test in tests),
    ):
        assert text in shown.err
    for text in (
        "published: Carta et al. (2023)",
        f"{run}: does not read the words around the goal",
        "in first-person-agent, french",
    ):
        assert text in " ".join(shown.out.split())


def test_the_words_around_the_goal_change_what_an_agent_reads_and_are_put_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    words = ("--network.prompt", "glam", "--num-frames", "32", "--out", str(out))
    # Cold enough for a small difference to show.
    done(capsys, "train", *TINY, *words, "--network.temperature", "0.3")
    agents = ("evaluate", str(out), "random", "--episodes", "16")
    tests = ("--test", "training", "--test", "first-person-agent")
    result = done(capsys, *agents, *tests)
    assert result["notes"] == []
    same, other = (
        {row["agent"]: row["rate"] for row in result["rows"] if row["test"] == test}
        for test in tests[1::2]
    )
    # The same episodes and draws.
    assert same["random"] == other["random"]
    assert same[str(out)] != other[str(out)]
    turned = done(capsys, *agents, *tests[2:], *tests[:2])
    assert turned["rows"] == result["rows"][2:] + result["rows"][:2]


@pytest.mark.parametrize(
    ("learner", "more", "said"),
    [
        (
            "cloning",
            (*NETWORK, "--num-demonstrations", "6", "--cloning.batch-size", "8"),
            "the bot's action is the most probable one in",
        ),
        (
            "drrn",
            (
                *("--num-frames", "512", "--drrn.width", "8"),
                *("--drrn.steps-per-update", "32"),
            ),
            "success is that of the newest 100 episodes",
        ),
    ],
)
def test_other_learners_make_runs_that_play_and_are_drawn(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    learner: str,
    more: tuple[str, ...],
    said: str,
) -> None:
    logs = []
    for name in "ab":
        out = tmp_path / name
        words = ("--learner", learner, *more, "--out", str(out))
        result = done(capsys, "train", *LEVEL, *words)
        logs.append(timeless(out / "log.jsonl"))
        (note,) = result["notes"]
        assert said in note
    assert logs[0] == logs[1]
    updates = [line["update"] for line in logs[0]]
    assert updates == sorted(set(updates))
    assert result["num_updates"] == updates[-1] > 1
    # A line for every ten steps of the DRRN, and for the last one.
    assert learner != "drrn" or updates == [10, 16]
    trained = read_policy(out)
    fresh = make(trained.config, trained.num_actions)[0].network.saved()
    own = trained.made.network.saved()
    assert any((own[name] != fresh[name]).any() for name in fresh)
    # Done, and not again.
    content = (out / "checkpoint.safetensors").read_bytes()
    assert done(capsys, "train", "--resume", str(out))["last"] == result["last"]
    assert (out / "checkpoint.safetensors").read_bytes() == content
    # Cut short, it begins again and comes to the same weights.
    (out / "checkpoint.safetensors").unlink()
    (out / "log.jsonl").write_text('{"update": 1}\n')
    done(capsys, "train", "--resume", str(out))
    assert timeless(out / "log.jsonl") == logs[0]
    first, again = (
        done(capsys, "evaluate", str(tmp_path / name), "--episodes", "8")
        for name in "ab"
    )
    assert first["rows"][0]["rate"] == again["rows"][0]["rate"]
    (told,) = again["trained"].values()
    assert learner.removesuffix("ing") in told


def test_words_can_be_scored_where_there_are_more_actions_but_a_head_has_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], run: Path
) -> None:
    heads = tmp_path / "heads"
    words = ("--num-frames", "32", "--network.head", "actions", "--out", str(heads))
    done(capsys, "train", *TINY, *words)
    where = ("--env", "BabyAI-GoToObjS4-v0", "--env-kwargs", '{"num_actions": 9}')
    where += ("--episodes", "2")
    result = done(capsys, "evaluate", str(run), *where)
    assert result["rows"][0]["env_kwargs"] == {"num_actions": 9}
    assert main(["evaluate", "random", str(heads), *where]) == 2
    message = " ".join(capsys.readouterr().err.split())
    assert f"must have 6 actions for '{heads}'" in message
    assert "got 9" in message
    # Before anybody has played.
    assert "random:" not in message
    done(capsys, "evaluate", str(heads), "--episodes", "2")


def test_a_network_that_sees_symbols_is_trained_and_plays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    words = ("--policy", "symbolic", "--env", "BabyAI-GoToObjS4-v0")
    words += ("--ppo.num-envs", "4", "--ppo.rollout-steps", "8", "--num-frames", "64")
    assert done(capsys, "train", *words, "--out", str(out))["policy"] == "symbolic"
    tests = ("--test", "new-nouns", "--test", "french", "--episodes", "2")
    result = done(capsys, "evaluate", str(out), *tests)
    assert [row["test"] for row in result["rows"]] == ["new-nouns", "french"]
    (note,) = result["notes"]
    assert "not changed in french" in note


@pytest.mark.plot
def test_runs_are_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], run: Path
) -> None:
    alone, both = tmp_path / "alone.png", tmp_path / "both.png"
    out = tmp_path / "run"
    words = ("--num-frames", "64", "--seed", "1", "--out", str(out))
    assert main(["train", "--quiet", *TINY, *words, "--plot", str(alone)]) == 0
    assert f"picture: {alone}" in " ".join(capsys.readouterr().out.split())
    assert main(["plot", str(run), str(out), "--out", str(both)]) == 0
    assert capsys.readouterr().out == f"picture: {both}\n"
    for path in (alone, both):
        assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--policy", "openai:x"), "weights behind an endpoint cannot be trained"),
        (("--policy", "none"), "policy must be scratch, symbolic, hf:"),
        (("--policy", "hf:/nowhere/at/all"), "/nowhere/at/all"),
        (("--env", "CartPole-v1"), "env_id must be BabyAI in words"),
        (("--env", "BabyAI-No-v0"), "BabyAI-No-v0"),
        (("--env-kwargs", '{"num_actions": 4}'), "num_actions must be 3, 6 or 9"),
        (("--network.shuffled",), "shuffled is for hf: and gguf: policies"),
        (("--learner", "drrn"), "save_every is for learner ppo, got 3 with learner"),
    ],
)
def test_what_cannot_begin_leaves_no_folder(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    expected: str,
) -> None:
    out = tmp_path / "run"
    assert main(["train", *TINY, *words, "--out", str(out)]) in (1, 2)
    assert expected in " ".join(capsys.readouterr().err.split())
    assert not out.exists()


def test_a_folder_holds_one_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], run: Path
) -> None:
    assert main(["train", "--quiet", *TINY, "--out", str(run)]) == 2
    assert "Continue that run with --resume" in capsys.readouterr().err
    other = tmp_path / "rules"
    other.mkdir()
    (other / "config.json").write_text('{"env": "playground"}')
    for words in (["train", "--resume", str(other)], ["evaluate", str(other)]):
        assert main(words) == 2
        message = capsys.readouterr().err
        assert "must be the folder of a run of cwm.ppo train" in message


def test_a_run_has_one_process(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    busy = tmp_path / "busy"
    shutil.copytree(run, busy)
    with only_one(busy / LOCK, name="It"):
        assert main(["train", "--resume", str(busy)]) == 2
    assert "is in use by another process" in capsys.readouterr().err
    assert done(capsys, "train", "--resume", str(busy))["num_frames"] == 512


def test_a_model_is_found_from_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model").mkdir()
    monkeypatch.chdir(tmp_path)
    found = _lasting(PolicyRunConfig(policy="hf:model")).policy
    assert found == f"hf:{tmp_path / 'model'}"
    for other in ("scratch", "hf:owner/model", "gguf:missing.gguf"):
        assert _lasting(PolicyRunConfig(policy=other)).policy == other
