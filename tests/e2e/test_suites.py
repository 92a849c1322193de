"""Suites end to end: killed, resumed, reported and compared."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cwm.benchmark import command as benchmark
from cwm.core.journal import comparable, read_journal
from cwm.suites.own_tasks import load_own_task
from tests.support.own_solutions import SOLUTIONS
from tests.support.processes import descendants, is_alive
from tests.support.program_answers import (
    BROKEN,
    LOOPING_SCRIPT,
    WRONG_SCRIPT,
    cheating_script,
    fenced,
)

ROOT = Path(__file__).parents[2]

TIMES = ("seconds", "program_ms", "asked_ms")


def results_of(folder: Path) -> dict[str, dict[str, Any]]:
    """The lines of a results file by cell, times left out."""
    found = {}
    for line in (folder / "results.jsonl").read_text().splitlines():
        data = json.loads(line)
        for name in TIMES:
            data["figures"].pop(name, None)
        found[f"{data['task']} {data['search']} {data['seed']}"] = data
    return found


def answers(name: str) -> list[str]:
    """What the scripted model answers for a problem."""
    problem = load_own_task(name)
    return {
        "brackets": [BROKEN, SOLUTIONS["brackets"]],
        "coins": [cheating_script(problem)],
        "dates": [WRONG_SCRIPT] * 3,
        "median": [LOOPING_SCRIPT] * 3,
        # Fewer than there are calls: the model fails, and with it this cell.
        "robot": [WRONG_SCRIPT],
        "routes": [BROKEN] * 3,
    }[name]


NAMES = "brackets,coins,dates,median,robot,routes"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with results of own tasks, in `first` and `second`."""
    folder = tmp_path_factory.mktemp("own")
    for name in NAMES.split(","):
        texts = [fenced(answer) for answer in answers(name)]
        (folder / f"{name}.json").write_text(json.dumps(texts))
    (folder / "wrong.json").write_text(json.dumps([fenced(WRONG_SCRIPT)] * 3))
    words = ("--isolation", "none", "--call-budget", "3", "--quiet")
    words += ("--program-tests.wall-s", "0.4", "--program-tests.total-wall-s", "2")
    first = ["run", "own", "--envs", NAMES, "--out", str(folder / "first"), *words]
    assert benchmark.main([*first, "--llm", f"scripted:{folder}/{{task}}.json"]) == 1
    second = ["run", "--suite", "own", "--envs", "brackets,coins,robot", *words]
    second += ["--out", str(folder / "second")]
    assert benchmark.main([*second, "--llm", f"scripted:{folder}/wrong.json"]) == 0
    return folder


def test_own_tasks_are_counted_as_by_hand(own: Path) -> None:
    found = {cell.partition(" ")[0]: r for cell, r in results_of(own / "first").items()}
    counted = {
        name: (
            data["status"],
            data["figures"].get("strict"),
            data["figures"].get("accuracy"),
        )
        for name, data in found.items()
    }
    assert counted == {
        "brackets": ("done", 1.0, 1.0),
        # Half of the tests are visible.
        "coins": ("done", 0.0, 0.5),
        "dates": ("done", 0.0, 0.0),
        "median": ("done", 0.0, 0.0),
        "robot": ("failed", None, None),
        "routes": ("no program", 0.0, 0.0),
    }  # fmt: skip
    assert "has 1 answers, got a request for answer 2" in found["robot"]["reason"]
    assert found["brackets"]["figures"]["calls"] == 2
    assert all(data["is_stand_in"] for data in found.values())


def test_the_report_shows_every_cell_in_every_form(
    own: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    first = str(own / "first")
    assert benchmark.main(["report", first]) == 0
    shown = capsys.readouterr().out
    for name in NAMES.split(","):
        assert name in shown
    assert "robot, gif-mcts, seed 0: failed: scripted:robot.json has 1 answers" in shown
    assert "stand-in" in shown
    # Without the failed one: 1 of 5, and (1 + 0.5) / 5.
    assert "0.2000 (" in shown
    assert "0.3000 (" in shown
    assert "5 of 6" in shown
    out = tmp_path / "report.csv"
    assert benchmark.main(["report", first, "--format", "csv", "--out", str(out)]) == 0
    lines = out.read_text().splitlines()
    rows = {row["task"]: row for row in csv.DictReader(lines)}
    assert rows["robot"]["remarks"] == "failed"
    assert float(rows["coins"]["accuracy"]) == 0.5
    assert benchmark.main(["report", first, "--format", "markdown"]) == 0
    assert "| coins | gif-mcts | 0.0000 | 0.5000 |" in capsys.readouterr().out
    assert benchmark.main(["report", first, "--format", "json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["rows"]) == 6
    assert benchmark.main(["report", str(tmp_path)]) == 2
    assert "must be a folder of results" in capsys.readouterr().err


def test_two_results_are_compared_in_pairs(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sides = [str(own / "first"), str(own / "second")]
    words = ["compare", *sides, "--metric", "accuracy"]
    assert benchmark.main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {pair["task"]: pair["difference"] for pair in found["pairs"]} == {
        "brackets": 1.0,
        "coins": 0.5,
    }
    assert (found["num_pairs"], found["test"]["num_wins"]) == (2, 2)
    assert any("robot, seed 0: A: failed" in line for line in found["left_out"])
    # Strict unless something else is said: problems have no transitions.
    assert benchmark.main(["compare", *sides]) == 0
    assert "strict: " in capsys.readouterr().out
    assert benchmark.main(["compare", sides[0], sides[0]]) == 2


def test_what_is_done_is_taken_as_it_is(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = results_of(own / "second")
    journal = own / "second" / "cells" / "coins" / "gif-mcts-0" / "journal.jsonl"
    content = journal.read_bytes()
    words = ["run", "own", "--envs", "coins", "--out", str(own / "second")]
    words += ["--isolation", "none", "--call-budget", "3", "--program-tests.wall-s"]
    words += ["0.4", "--program-tests.total-wall-s", "2"]
    words += ["--llm", f"scripted:{own}/wrong.json"]
    assert benchmark.main(words) == 0
    assert "1 of 1 cells are there already" in capsys.readouterr().err
    assert journal.read_bytes() == content
    assert results_of(own / "second") == before
    assert benchmark.main([*words, "--call-budget", "4"]) == 2
    assert "differ in run.budget.call_budget" in capsys.readouterr().err


@pytest.mark.slow
def test_rules_in_words_stand_in_the_table_as_programs_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, without = tmp_path / "rules", tmp_path / "without"
    words = ["run", "words", "--envs", "Playground", "--quick", "--quiet"]
    words += ["--data-folder", str(tmp_path / "data")]
    assert benchmark.main([*words, "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "are stand-ins, no language model" in shown
    assert "hypotheses: induced by metropolis" in shown
    assert "budget of a cell" not in shown
    (found,) = results_of(out).values()
    assert (found["status"], found["is_stand_in"]) == ("done", True)
    figures = found["figures"]
    assert 0.0 < figures["held_out_strict"] < 1.0
    assert 0.0 < figures["planner_strict"] < 1.0
    # Texts alone, without the legal actions that they do not show.
    assert figures["held_out_strict"] < figures["held_out_observation"] < 1.0
    assert figures["nearest_held_out_observation"] < figures["held_out_observation"]
    assert "train_strict" not in figures
    assert -10.0 < figures["held_out_nats"] < 0.0
    assert figures["no_rules_test_nats"] < figures["test_nats"] < 0.0
    assert figures["oracle_return"] > figures["random_return"]
    assert figures["normalised_return"] is not None
    # It is a run of cwm.induce like any other, and planned in by its own folder.
    cell = out / found["folder"]
    assert json.loads((cell / "config.json").read_text())["seed"] == 0
    # What is done is taken as it is.
    before = (cell / "journal.jsonl").read_bytes()
    assert benchmark.main([*words, "--out", str(out)]) == 0
    assert len((out / "results.jsonl").read_text().splitlines()) == 1
    assert (cell / "journal.jsonl").read_bytes() == before
    # Where no rules are found, there is nothing to plan in.
    settings = tmp_path / "none.json"
    none = {"inference": {"phases": 0}, "first": [""]}
    settings.write_text(json.dumps({"induction": none}))
    induction = ["--induction", str(settings)]
    assert benchmark.main([*words, *induction, "--out", str(without)]) == 0
    (nothing,) = results_of(without).values()
    assert (nothing["status"], nothing["data"]) == ("no program", found["data"])
    for name in ("strict", "reference", "observation"):
        assert nothing["figures"][f"held_out_{name}"] == 0.0
    assert "train_strict" not in nothing["figures"]
    assert nothing["figures"]["normalised_return"] == 0.0
    assert "no hypothesis was found" in capsys.readouterr().out
    assert benchmark.main([*words, *induction, "--out", str(out)]) == 2
    assert "differ in induction.induction" in capsys.readouterr().err
    sides = ["compare", str(out), str(without), "--json"]
    sides += ["--metric", "held_out_observation"]
    assert benchmark.main(sides) == 0
    pairs = json.loads(capsys.readouterr().out)["pairs"]
    assert [pair["task"] for pair in pairs] == ["Playground"]
    assert pairs[0]["difference"] > 0


TASKS = "CliffWalking,MountainCar"
WORDS = ("cwmb-r", "--envs", TASKS, "--quick", "--isolation", "none", "--quiet")


def command(out: Path) -> list[str]:
    words = ["run", *WORDS, "--out", str(out)]
    return [sys.executable, "-m", "cwm.benchmark", *words]


def kill_when(out: Path, is_time: Callable[[], bool]) -> None:
    """Starts the run, and kills the whole group of its processes at some moment."""
    process = subprocess.Popen(
        command(out),
        cwd=ROOT,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.perf_counter() + 300
    while not is_time():
        assert process.poll() is None, "it ended before"
        assert time.perf_counter() < deadline
        time.sleep(0.01)
    begun = descendants(process.pid)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    # What is not in its group, the sandboxes' children, ends by itself.
    while any(map(is_alive, begun)):
        assert time.perf_counter() < deadline
        time.sleep(0.05)


@pytest.mark.slow
def test_a_killed_suite_goes_on_to_the_same_results(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert benchmark.main(["run", *WORDS, "--out", str(whole)]) == 0
    capsys.readouterr()
    moments = [
        (killed / "config.json").exists,
        lambda: any(killed.glob("cells/*/*/journal.jsonl")),
        lambda: any(killed.glob("references/*oracle*.jsonl")),
        (killed / "results.jsonl").exists,
    ]
    for is_time in moments:
        kill_when(killed, is_time)
        # It can be looked at.
        assert benchmark.main(["report", str(killed)]) == 0
        assert "not finished" in capsys.readouterr().out
    assert benchmark.main(["run", *WORDS, "--out", str(killed)]) == 0
    capsys.readouterr()
    expected, found = results_of(whole), results_of(killed)
    assert found == expected
    for name in ("CliffWalking-v1", "MountainCar-v0"):
        cells = [f / "cells" / name / "gif-mcts-0" for f in (whole, killed)]
        trees = [(cell / "tree.json").read_text() for cell in cells]
        assert trees[0] == trees[1]
        records = [read_journal(cell / "journal.jsonl").records for cell in cells]
        assert comparable(records[0][1:]) == comparable(records[1][1:])
    figures = expected["CliffWalking-v1 gif-mcts 0"]["figures"]
    assert figures["held_out_strict"] == figures["simulator_held_out_strict"] == 1.0
    assert benchmark.main(["compare", str(whole), str(killed), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["test"]["num_ties"] == 2
