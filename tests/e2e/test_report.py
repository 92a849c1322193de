"""Pages of whole runs on the corridor: what they are made of, and the command."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from cwm import replay, synthesize
from cwm.core.dataset_file import save_dataset
from cwm.pages.command import main
from cwm.pages.runs import RunReader
from tests.support.corridor import (
    ALWAYS_RIGHT,
    BROKEN,
    EXACT,
    NEVER_ENDS,
    corridor_dataset,
)

ROOT = Path(__file__).parents[2]


def fenced(source: str) -> str:
    return f"This is how it works.\n\n```python\n{source}```\n"


ANSWERS = ["No.", *map(fenced, (BROKEN, ALWAYS_RIGHT, NEVER_ENDS, NEVER_ENDS, EXACT))]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with bugs, a repeated program and an exact one; nobody may change it."""
    folder = tmp_path_factory.mktemp("report")
    save_dataset(corridor_dataset(), folder / "corridor.npz")
    (folder / "answers.json").write_text(json.dumps(ANSWERS))
    words = ("--data", str(folder / "corridor.npz"), "--fit.mode", "off", "--quiet")
    llm = ("--llm", f"scripted:{folder / 'answers.json'}", "--call-budget", "6")
    assert synthesize.main([*words, *llm, "--out", str(folder / "run")]) == 0
    return folder / "run"


@pytest.fixture
def copied(run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(run, tmp_path / "copied"))


def read(path: Path, *, runs_program: bool = False) -> dict[str, Any]:
    return RunReader(path=path, name="run", runs_program=runs_program).read()


def sources(data: dict[str, Any], key: str) -> str:
    lines = data["texts"]["lines"]
    numbers = data["texts"]["programs"][key]
    return "\n".join("".join(lines[n][1::2]) for n in numbers) + "\n"


def test_nodes_are_those_of_the_tree(run: Path) -> None:
    nodes = read(run)["nodes"]
    tree = json.loads((run / "tree.json").read_text())
    recorded = {
        node["node_id"]: (
            node["parent_id"],
            node["depth"],
            node["kind"],
            node["was_bug"],
        )
        for node in tree["nodes"][1:]
    }
    found = {
        node["node"]: (node["parent"], node["depth"], node["kind"], node["is_bug"])
        for node in nodes
    }
    assert found == recorded


def test_outcomes_scores_and_the_best_are_those_of_the_result(run: Path) -> None:
    data = read(run)
    result = json.loads((run / "result.json").read_text())
    assert [n["outcome"] for n in data["nodes"]] == ["unparsed", "raised"] + 4 * [
        "completed"
    ]
    assert [n["score"] or 0.0 for n in data["nodes"]] == [
        node["score"] for node in result["nodes"]
    ]
    (best,) = [n for n in data["nodes"] if n["is_best"]]
    assert best["node"] == result["best"]["node"]
    assert [n["became_best"] for n in data["nodes"]] == [
        *(False, False, True),
        *(True, False, True),
    ]
    assert data["rows"] == result["rows"]
    assert data["cost"]["prompt_tokens"] == result["usage"]["prompt_tokens"]
    assert data["cost"]["calls"] == 6
    assert data["status"]["sentence"] == (
        "every training and validation transition is predicted"
    )


def test_programs_and_what_changed_are_whole(run: Path) -> None:
    data = read(run)
    nodes = {node["node"]: node for node in data["nodes"]}
    shown = [
        node["program"] and sources(data, node["program"]) for node in nodes.values()
    ]
    assert shown == [None, BROKEN, ALWAYS_RIGHT, NEVER_ENDS, NEVER_ENDS, EXACT]
    for node in nodes.values():
        if node["changes"] is None:
            continue
        before = sources(data, nodes[node["parent"]]["program"]).splitlines()
        after = sources(data, node["program"]).splitlines()
        rebuilt: list[str] = []
        for what, i, i_stop, j, j_stop in node["changes"]:
            rebuilt += before[i:i_stop] if what == "equal" else after[j:j_stop]
        assert rebuilt == after
    (again,) = [n for n in data["nodes"] if n["same_as"] is not None]
    assert data["nodes"][again["same_as"]]["program"] == again["program"]


def test_prompts_are_those_that_were_sent(run: Path) -> None:
    data = read(run)
    assert [node["is_as_sent"] for node in data["nodes"]] == [True] * 6
    paragraphs = data["texts"]["paragraphs"]
    first = data["nodes"][0]["messages"]
    assert [message["role"] for message in first] == ["system", "user"]
    text = "\n\n".join(paragraphs[at] for at in first[1]["text"])
    assert "A corridor of five cells; the goal is the last one." in text


def test_a_prompt_that_would_be_another_now_is_marked(copied: Path) -> None:
    """The broken twin: with other templates the hash is another."""
    config = json.loads((copied / "config.json").read_text())
    config["models"]["prompts"]["num_examples"] = 3
    (copied / "config.json").write_text(json.dumps(config))
    assert False in [node["is_as_sent"] for node in read(copied)["nodes"]]


def test_a_run_that_cannot_be_rebuilt_is_shown_without_prompts(copied: Path) -> None:
    config = json.loads((copied / "config.json").read_text())
    config["seed"] += 1
    (copied / "config.json").write_text(json.dumps(config))
    assert replay.main([str(copied), "--quiet"]) == 1
    data = read(copied)
    assert "asks for something else than was recorded" in data["prompts_problem"]
    assert len(data["nodes"]) == 6
    assert data["nodes"][0]["messages"] is None or data["nodes"][0]["is_as_sent"]


def test_the_best_program_is_run_once_more_after_the_search_only(
    run: Path, copied: Path
) -> None:
    check = read(run, runs_program=True)["check"]
    assert [one["split"] for one in check["heat_maps"]] == ["held-out", "train"]
    held_out = check["heat_maps"][0]
    assert held_out["right"][0][0] == held_out["situations"][0][2] == 6
    episode = check["episode"]
    # 1 1 0 1 1 1 from cell 0: the exact program goes where the corridor does.
    assert episode["lines"][0]["model"] == [0, 1, 2, 1, 2, 3, 4]
    assert episode["lines"][0]["real"] == episode["lines"][0]["model"]
    assert (episode["first_wrong"], check["problems"]) == (None, [])
    (copied / "result.json").unlink()
    assert read(copied, runs_program=True)["check"] is None


def test_a_wrong_program_is_followed_to_where_it_errs(copied: Path) -> None:
    """As if the search had ended with the program that never goes left."""
    lines = (copied / "journal.jsonl").read_bytes().splitlines(keepends=True)
    (copied / "journal.jsonl").write_bytes(b"".join(lines[: 2 + 4 * 3]))
    check = read(copied, runs_program=True)["check"]
    episode = check["episode"]
    # 1 1 0 1 1 1: the third action goes left, and the program right.
    assert episode["lines"][0]["model"][:4] == [0, 1, 2, 3]
    assert episode["first_wrong"] == 3
    assert check["heat_maps"][0]["right"][0][0] < 6


def test_a_journal_that_ends_anywhere_makes_a_page(copied: Path) -> None:
    """At every record, and in the middle of each: what is whole is shown."""
    path = copied / "journal.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    (copied / "result.json").unlink()
    for number in range(len(lines)):
        path.write_bytes(b"".join(lines[:number]) + lines[number][:30])
        data = read(copied)
        told = max(0, number - 2) // 4
        assert len(data["nodes"]) == min(told, 6), number
        assert data["status"]["state"] == "unfinished"


def test_the_command_writes_one_file(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(copied)]) == 0
    assert f"report: {copied / 'report.html'}" in capsys.readouterr().out
    assert (copied / "report.html").stat().st_size < 600_000
    # It is no part of the run.
    assert replay.main([str(copied), "--quiet"]) == 0


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["missing"], "run must be the folder of a run, got 'missing'"),
        (["."], "must be the folder of a run, but it has no config.json"),
        (["RUN", "RUN"], "Each run must be given once"),
        (["RUN", "--live", "--out", "a.html"], "out is for a file"),
        (["RUN", "--port", "70000"], "port must be between 0 and 65535, got 70000"),
        (["RUN", "--plans", "nowhere.json"], "plans must be a file or folder"),
        (["online"], "cwm.synthesize --online. Each of its rounds is a run"),
        (["suite"], "python -m cwm.benchmark report suite"),
        (["rules"], "python -m cwm.induce --resume rules"),
    ],
)
def test_wrong_settings_and_other_runs_are_told(
    run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    expected: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "online").mkdir()
    (tmp_path / "online" / "online.json").touch()
    (tmp_path / "suite" / "cells").mkdir(parents=True)
    (tmp_path / "rules" / "trajectories").mkdir(parents=True)
    given = [str(run) if word == "RUN" else word for word in words]
    assert main(given) == 2
    assert expected in capsys.readouterr().err


def test_a_live_page_is_served_until_it_is_interrupted(run: Path) -> None:
    words = [sys.executable, "-m", "cwm.report", str(run), "--live", "--port", "0"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [*words, "--no-run"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        assert process.stdout is not None
        address = re.match(r"(http://127\.0\.0\.1:\d+/) ", process.stdout.readline())
        assert address is not None
        with urllib.request.urlopen(address[1]) as answer:
            assert b"<title>Corridor</title>" in answer.read()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()
    assert process.returncode == 130
    assert errors == "Interrupted.\n"
