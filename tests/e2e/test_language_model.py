"""Whole runs in which a language model writes the programs."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cwm import synthesize
from cwm.core.dataset_file import save_dataset
from cwm.core.journal import read_journal
from tests.support.corridor import (
    ALWAYS_RIGHT,
    BROKEN,
    EXACT,
    NEVER_ENDS,
    corridor_dataset,
)
from tests.support.openai_server import OpenAIServer, answer, failure


def fenced(source: str) -> str:
    return f"This is how it works.\n\n```python\n{source}```\n"


ANSWERS = [
    "I cannot write this.",
    fenced(BROKEN),
    fenced(ALWAYS_RIGHT),
    fenced(NEVER_ENDS),
    fenced(EXACT),
]
WORDS = ["--data", "corridor.npz", "--llm", "scripted:answers.json"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    save_dataset(corridor_dataset(), tmp_path / "corridor.npz")
    (tmp_path / "answers.json").write_text(json.dumps(ANSWERS))
    return tmp_path


def test_answers_become_programs_until_one_is_exact(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert synthesize.main(["--quiet", "--json", *WORDS, "--out", "run"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["num_calls"], result["stopped_by"]) == (5, "perfect")
    assert result["made_by"] == "language model scripted:answers.json"
    assert result["usage"]["completion_tokens"] > 0
    assert (folder / "run" / "world_model.py").read_text().strip() == EXACT.strip()
    evaluations = [
        record.body["evaluation"]["outcome_kind"]
        for record in read_journal(folder / "run" / "journal.jsonl").records
        if record.kind == "evaluation"
    ]
    assert evaluations == ["unparsed", "raised", *["completed"] * 3]


def test_the_whole_loop_runs_against_a_service_over_http(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    replies = [
        answer(ANSWERS[0]),
        failure(429, "slow down", headers={"Retry-After": "0"}),
        *(answer(text) for text in ANSWERS[1:]),
    ]
    with OpenAIServer(replies) as server:
        words = ["--llm", "openai:tiny", "--base-url", server.base_url]
        given = ["--quiet", "--json", "--data", "corridor.npz", *words]
        assert synthesize.main([*given, "--sampling.temperature", "0.1"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["num_calls"], result["stopped_by"]) == (5, "perfect")
    assert result["made_by"] == "language model tiny"
    # 11 tokens sent and 7 received for each answer; the refusal cost nothing.
    assert result["usage"]["prompt_tokens"] == 55
    assert result["usage"]["completion_tokens"] == 35
    assert {request["temperature"] for request in server.requests} == {0.1}
    fix = server.requests[3]["messages"][-1]["content"]
    assert "has no attribute 'sell'" in fix


def test_a_service_that_refuses_the_key_ends_the_run_at_once(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with OpenAIServer([failure(401, "bad key", code="invalid_api_key")]) as server:
        words = ["--llm", "openai:tiny", "--base-url", server.base_url]
        assert synthesize.main(["--quiet", "--data", "corridor.npz", *words]) == 1
        assert len(server.requests) == 1
    assert "Traceback" not in capsys.readouterr().err


def test_a_service_that_gives_no_answer_ends_the_run_and_keeps_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "answers.json").write_text(json.dumps(ANSWERS[:3]))
    assert synthesize.main(["--quiet", *WORDS, "--out", "run"]) == 1
    assert "Continue with: python -m cwm.synthesize" in capsys.readouterr().err
    (folder / "answers.json").write_text(json.dumps(ANSWERS))
    assert synthesize.main(["--quiet", "--resume", "run"]) == 0


def test_an_unknown_kind_of_model_is_a_usage_error(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--quiet", "--data", "corridor.npz", "--llm", "opnai:x"]
    assert synthesize.main(words) == 2
    assert "Did you mean 'openai'?" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("num_calls", [1, 2, 3, 4])
def test_a_killed_command_is_resumed_to_the_tree_of_a_whole_run(
    folder: Path, num_calls: int
) -> None:
    command = [sys.executable, "-m", "cwm.synthesize"]
    with subprocess.Popen(
        [*command, *WORDS, "--out", "run"], stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if f"call   {num_calls} " in line:
                process.kill()
                break
    assert process.returncode == -signal.SIGKILL
    assert not (folder / "run" / "tree.json").exists()
    subprocess.run([*command, "--quiet", "--resume", "run"], check=True)
    subprocess.run([*command, "--quiet", *WORDS, "--out", "whole"], check=True)
    trees = [(folder / name / "tree.json").read_bytes() for name in ("run", "whole")]
    assert trees[0] == trees[1]
