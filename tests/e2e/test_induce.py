"""Hypothesis induction through its command, with the stand-ins: no model, no torch."""

import json
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from cwm import replay
from cwm.core.journal import comparable, read_journal
from cwm.induce import main
from cwm.providers.hypotheses.config import PRESETS
from tests.support.openai_server import OpenAIServer, answer
from tests.support.scoring_server import ScoringServer

SHORT = ("--phases", "2", "--iterations", "2", "--evaluate", "likelihood")


def induced(
    capsys: pytest.CaptureFixture[str], *words: str, code: int = 0
) -> dict[str, Any]:
    assert main(["--json", "--quiet", *words]) == code
    return json.loads(capsys.readouterr().out or "{}")


def timeless(result: dict[str, Any]) -> dict[str, Any]:
    return {
        k: v for k, v in result.items() if k not in ("seconds", "made_with", "next")
    }


def test_rules_make_the_test_set_likelier_than_no_rules(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    result = induced(
        capsys,
        *("--env", "playground", "--phases", "4", "--evaluate", "ranking"),
        *("--out", str(out)),
    )
    assert result["stand_ins"] == ["statistician", "scientist"]
    difference = result["scores"]["difference_to_no_hypothesis"]
    assert difference["best"]["low"] > 0
    assert sum(result["counts"].values()) > 5 * 90
    assert len(result["phases"]) == 5
    assert result["reworded"]["world"] == "playground-reworded"
    assert json.loads((out / "hypotheses.json").read_text())["best"] == result["best"]


def test_the_door_is_about_27_objects(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = induced(
        capsys,
        *("--preset", "door_metropolis_pb", "--phases", "2"),
        *("--evaluate", "likelihood", "--out", str(tmp_path / "run")),
    )
    assert result["counts"] == {"opened": 3 * 18, "closed": 3 * 9}
    assert result["reworded"] is None
    found = json.loads((tmp_path / "run" / "hypotheses.json").read_text())
    looked_at = [phase["looked_at"] for phase in found["phases"]]
    assert looked_at == [{"opened": 18, "closed": 9}] * 3


def test_the_same_seed_gives_the_same_run_and_another_seed_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [
        induced(capsys, *SHORT, "--seed", seed, "--out", str(tmp_path / name))
        for seed, name in (("1", "a"), ("1", "b"), ("2", "c"))
    ]
    assert timeless(found[0]) == timeless(found[1])
    assert found[0]["phases"] != found[2]["phases"]
    one, other = (read_journal(tmp_path / n / "journal.jsonl").records for n in "ab")
    assert comparable(one) == comparable(other)


@pytest.mark.slow
@pytest.mark.parametrize(
    "experimenter", ["random", pytest.param("curious", marks=pytest.mark.rl)]
)
def test_a_killed_run_ends_as_if_it_had_never_stopped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], experimenter: str
) -> None:
    words = ("--phases", "5", "--experimenter", experimenter)
    words += ("--evaluate", "likelihood")
    whole = induced(capsys, *words, "--out", str(tmp_path / "whole"))
    out = tmp_path / "killed"
    num_killed = 0
    for _ in range(3):
        begun = (out / "config.json").exists()
        how = ("--resume", str(out)) if begun else (*words, "--out", str(out))
        num_killed += _is_killed(how, out / "journal.jsonl")
    assert num_killed >= 2
    again = induced(capsys, "--resume", str(out))
    assert timeless(again) == timeless(whole)
    one, other = (
        read_journal(folder / "journal.jsonl").records
        for folder in (tmp_path / "whole", out)
    )
    assert comparable(one) == comparable(other)


def _is_killed(words: tuple[str, ...], journal: Path) -> bool:
    """Starts the command, kills it when its journal has grown, and says if it did."""
    size = journal.stat().st_size if journal.exists() else 0
    process = subprocess.Popen(
        [sys.executable, "-m", "cwm.induce", "--quiet", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while process.poll() is None:
        if journal.exists() and journal.stat().st_size > size + 3_000:
            os.kill(process.pid, signal.SIGKILL)
            break
        time.sleep(0.002)
    return process.wait() == -signal.SIGKILL


def test_a_run_in_words_says_who_did_what(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*SHORT, "--out", str(tmp_path / "run")]) == 0
    shown = capsys.readouterr()
    assert "Phase 2:" in shown.err
    for text in (
        "n-gram stand-in",
        "template stand-in",
        "are stand-ins, no language model",
        "best hypothesis:",
        "nats per transition",
        "phases: 2, with 4 proposals",
    ):
        assert text in shown.out


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_accepted_or_says_what_it_needs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], preset: str
) -> None:
    """Those with a language model that acts, or a policy that learns, need more."""
    words = ["--preset", preset, "--quiet", "--json", "--evaluate", "none"]
    phases = "0" if preset == "play_score_testset" else "1"
    code = main([*words, "--phases", phases, "--out", str(tmp_path / "run")])
    message = capsys.readouterr().err
    experimenter = PRESETS[preset].experimenter
    if experimenter == "llm":
        assert (code, "needs a language model" in message) == (2, True)
    elif experimenter == "curious" and code:
        assert "[rl]" in message
    else:
        assert code == 0


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--env", "CartPole-v1"), "env must be one of playground"),
        (("--preset", "no"), "No preset called 'no'"),
        (("--phases", "-1"), "phases must be at least 0, got -1"),
        (("--experimenter", "llm"), "experimenter llm needs a language model"),
        (("--act-episodes", "3"), "act_episodes needs a language model"),
        (("--base-url", "http://x"), "base_url needs a model of an endpoint"),
        (("--env", "door", "--experimenter", "curriculum"), "door"),
        (("--first", "a", "--first", "b"), "first must have one hypothesis for each"),
        (("--resume", "nowhere"), "must be the folder of a run"),
        (("--seed", "-1"), "seed must be at least 0"),
        (("--llm", "scripted:none.json"), "cannot be read"),
        (("--env", "door", "--experimenter", "all"), "subset must be at least 27"),
        (("--subset", "9"), "subset must be at most trajectories, got 9 of 6"),
        (("--finetuning.rank", "3"), "finetuning needs finetune"),
        (("--plot", "picture.txt"), "plot must end in .png"),
    ],
)
def test_wrong_settings_are_refused_before_anything_is_done(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    expected: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        code = main(["--quiet", "--phases", "1", *words])
    except SystemExit as error:
        code = int(error.code or 0)
    assert code in (1, 2)
    message = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert expected in message
    assert not list(tmp_path.rglob("journal.jsonl"))


def test_a_resumed_run_keeps_its_settings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "run")
    induced(capsys, *SHORT, "--out", out)
    for words, expected in (
        (("--phases", "5"), "keeps its settings"),
        (("--preset", "reference"), "--preset is for a new run"),
        (("--config", "a.json"), "--config is for a new run"),
    ):
        assert main(["--quiet", "--resume", out, *words]) == 2
        assert expected in capsys.readouterr().err
    assert replay.main([out]) == 2
    assert "is a run of cwm.induce" in capsys.readouterr().err


def test_a_run_that_is_shown_again_took_as_long_as_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "run")
    first = induced(capsys, *SHORT, "--out", out)
    again = induced(capsys, "--resume", out)
    assert first["seconds"] > 0
    assert again["seconds"] == pytest.approx(first["seconds"], abs=0.01)
    assert again["made_with"] == first["made_with"]


def test_weights_of_importance_are_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (*SHORT, "--method", "importance", "--out", str(tmp_path / "run"))
    assert main(["--quiet", *words]) == 0
    assert "effective sample size" in capsys.readouterr().out


@pytest.mark.plot
def test_a_picture_is_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "run.png"
    words = (*SHORT, "--plot", str(path), "--out", str(tmp_path / "run"))
    assert main(["--quiet", *words]) == 0
    assert path.stat().st_size > 1_000
    assert f"picture: {path}" in " ".join(capsys.readouterr().out.split())


def test_a_picture_without_its_package_is_refused_before_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if find_spec("matplotlib"):
        pytest.skip("Matplotlib is here")
    out = tmp_path / "run"
    assert main(["--quiet", "--plot", "a.png", "--out", str(out)]) == 1
    assert "[plot]" in capsys.readouterr().err
    assert not out.exists()


def test_given_hypotheses_are_scored_without_any_search(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = induced(
        capsys,
        *("--phases", "0", "--first", "You are standing on the water."),
        *("--evaluate", "likelihood", "--out", str(tmp_path / "run")),
    )
    assert result["best"] == "You are standing on the water."
    assert [phase["num_proposed"] for phase in result["phases"]] == [0]


@pytest.mark.parametrize(
    "words",
    [
        ("--llm", "openai:m"),
        ("--statistician-llm", "openai:m"),
        ("--scientist-llm", "openai:m", "--method", "metropolis-hastings"),
        ("--scientist-llm", "openai:m", "--method", "importance"),
        ("--experimenter-llm", "openai:m", "--experimenter", "llm"),
    ],
)
def test_an_endpoint_that_scores_no_texts_is_refused_before_it_is_paid(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with ScoringServer("no completions") as server:
        code = main(
            [
                *(*SHORT, *words, "--quiet", "--base-url", server.base_url),
                *("--out", str(tmp_path / "run")),
            ]
        )
    assert code == 2
    assert "log-probabilities of prompts" in " ".join(capsys.readouterr().err.split())
    assert "/v1/chat/completions" not in server.paths


def test_any_endpoint_will_do_as_a_scientist_for_metropolis_steps(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with OpenAIServer([answer("You are standing on the water.")]) as server:
        result = induced(
            capsys,
            *(*SHORT, "--scientist-llm", "openai:tiny", "--base-url", server.base_url),
            *("--out", str(tmp_path / "run")),
        )
    assert result["stand_ins"] == ["statistician"]
    assert result["best"] == "You are standing on the water."
    # One for the first hypothesis, one for each step.
    assert len(server.requests) == 1 + 2 * 2
