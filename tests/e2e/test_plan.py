"""Acting by planning, from the command line."""

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from cwm import plan
from cwm.config import SourceConfig
from cwm.core.dataset_file import load_dataset, save_dataset
from cwm.execution.progress import SilentProgress
from cwm.sources import obtain
from envs.collect import CollectConfig, collect
from envs.registry import find
from tests.support.processes import descendants
from tests.support.toy_envs import toy

LINE = toy("Line")
PROGRAM = """\
class Environment:
    def set_state(self, observation):
        self.place = observation

    def step(self, action):
        self.place = min(max(self.place + 2 * action - 1, 0), 5)
        return self.place, float(self.place), self.place == 5
"""
SLIPS = PROGRAM.replace("2 * action - 1", "1")
FEW = ("--planner", "random-shooting", "--model-steps", "200", "--horizon", "6")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "line.py").write_text(PROGRAM)
    return tmp_path


def run(*words: str, code: int = 0) -> tuple[str, str]:
    """Returns what the command writes to its two streams."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        got = plan.main(list(words))
    assert got == code, err.getvalue()
    return out.getvalue(), err.getvalue()


def result(*words: str, code: int = 0) -> dict[str, Any]:
    out, _ = run("--json", "--quiet", *words, code=code)
    data: dict[str, Any] = json.loads(out)
    return data


def happened(data: dict[str, Any]) -> list[Any]:
    """Returns all of a result that is no time."""
    kept = []
    for row in data["rows"]:
        episodes = [
            {k: v for k, v in episode.items() if k != "decision_ms"}
            for episode in row["episodes"]
        ]
        kept.append((row["model"], row["planner"], row["normalised"], episodes))
    return kept


def test_the_table_has_a_row_for_each_model_and_planner() -> None:
    out, err = run(
        *("true", "line.py", "random", "--env", LINE, "--episodes", "2"),
        *("--planner", "random-shooting,icem", "--model-steps", "200"),
    )
    assert "line.py, icem: episode 1: return " in err
    lines = [line.split() for line in out.splitlines() if line.startswith("│")]
    returns = [(words[1], words[3]) for words in lines[:5]]
    assert returns == [
        ("true", "random-shooting"),
        ("true", "icem"),
        ("line.py", "random-shooting"),
        ("line.py", "icem"),
        ("random", "-"),
    ]
    assert "0.0000 of " in out
    assert "success: a terminal state with a positive last reward" in out


def test_an_exact_program_does_what_the_true_environment_does() -> None:
    data = result("line.py", "--env", LINE, "--reference", "--episodes", "3", *FEW)
    program, true, random = data["rows"]
    assert [e["rewards"] for e in program["episodes"]] == [
        e["rewards"] for e in true["episodes"]
    ]
    assert program["summary"]["disagreement"] == 0.0
    assert program["normalised"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    assert random["summary"]["num_decisions"] == 0
    assert [e["seed"] for e in program["episodes"]] == [
        e["seed"] for e in random["episodes"]
    ]


def test_a_wrong_program_is_found_out_and_its_plans_given_up(folder: Path) -> None:
    (folder / "slips.py").write_text(SLIPS)
    settings = ("--env", LINE, "--episodes", "3", *FEW, "--max-steps", "12")
    data = result("slips.py", *settings, "--execute-steps", "0")
    summary = data["rows"][0]["summary"]
    assert summary["num_wrong"] > 0
    assert next(iter(summary["wrong_parts"])) == "observation"
    assert summary["num_replans"] > 0
    blind = result(
        "slips.py", *settings, "--execute-steps", "0", "--replan-error", "inf"
    )
    assert blind["rows"][0]["summary"]["num_replans"] == 0
    assert blind["rows"][0]["settings"]["acting"]["replan_error"] is None


@pytest.mark.slow
def test_the_result_does_not_depend_on_the_number_of_workers() -> None:
    words = ("line.py", "--env", toy("NoisyLine"), "--reference", *FEW)
    one = result(*words, "--episodes", "5", "--workers", "1")
    three = result(*words, "--episodes", "5", "--workers", "3")
    assert happened(one) == happened(three)


def test_the_same_seed_repeats_a_run_and_another_one_does_not() -> None:
    words = ("true", "--env", toy("NoisyLine"), "--episodes", "3", *FEW)
    one = happened(result(*words, "--seed", "4"))
    assert happened(result(*words, "--seed", "4")) == one
    assert happened(result(*words, "--seed", "5")) != one


def test_real_transitions_are_saved_for_the_next_synthesis(folder: Path) -> None:
    path = folder / "seen" / "more.npz"
    out, _ = run(
        *("line.py", "random", "--env", LINE, "--episodes", "4", *FEW),
        *("--save-transitions", str(path), "--out", "result.json", "--quiet"),
    )
    assert f"--data {path}" in out
    rows = json.loads((folder / "result.json").read_text())["rows"]
    dataset = load_dataset(path)
    assert set(dataset.splits) == {"train"}
    steps = sum(e["num_steps"] for row in rows for e in row["episodes"])
    assert dataset.num_transitions["train"] == steps
    assert [t.rewards.tolist() for t in dataset.trajectories] == [
        e["rewards"] for row in rows for e in row["episodes"]
    ]
    assert dataset.trajectories[0].policy == "planner-random-shooting"
    assert not dataset.is_stochastic
    source = obtain(SourceConfig(data=str(path)), seed=0, progress=SilentProgress())
    assert source.spec is not None
    assert source.dataset.in_split("held_out")


def test_the_folder_of_a_run_says_which_environment(folder: Path) -> None:
    run_folder = folder / "run"
    run_folder.mkdir()
    (run_folder / "world_model.py").write_text(PROGRAM)
    config = CollectConfig(planning_steps=0, min_transitions=50, max_transitions=100)
    save_dataset(collect(find(LINE), config), run_folder / "dataset.npz")
    data = result("run", "--episodes", "1", *FEW)
    assert data["environment"] == LINE
    assert data["tolerances_from"] == "the training transitions of run"
    assert data["rows"][0]["summary"]["num_wrong"] == 0


def test_a_program_that_cannot_be_run_is_said_and_fails(folder: Path) -> None:
    (folder / "bad.py").write_text("class Environment:\n    def (:\n")
    words = ("bad.py", "--env", LINE, "--episodes", "1", *FEW, "--max-steps", "5")
    out, _ = run("--quiet", *words, code=1)
    assert "bad.py, random-shooting: no plan in " in out
    assert "a random action each time; first reason: " in out
    row = result(*words, code=1)["rows"][0]
    summary = row["summary"]
    assert summary["num_failures"] == summary["num_decisions"] > 0
    assert len(row["episodes"][0]["failures"]) == summary["num_failures"]


def test_the_time_of_a_decision_sets_the_model_steps() -> None:
    words = ("true", "--env", LINE, "--episodes", "1", "--planner", "random-shooting")
    out, err = run(*words, "--horizon", "5", "--decision-seconds", "0.01")
    assert "model steps a second" in err
    budget = int(out.split("--model-steps ")[1].split()[0].rstrip(")"))
    assert budget > 0
    data = result(*words, "--horizon", "5", "--model-steps", str(budget))
    planning = data["rows"][0]["settings"]["planner"]["planning"]
    assert planning["max_model_steps"] == budget


def test_settings_of_a_planner_change_those_of_the_preset() -> None:
    words = ("true", "--env", LINE, "--episodes", "1", "--planner", "mcts")
    given = ("--preset", "paper", "--mcts.num-simulations", "3")
    (row,) = result(*words, *given)["rows"]
    used = row["settings"]["planner"]["settings"]["mcts"]
    assert (used["num_simulations"], used["selection"]) == (3, "uct")
    (row,) = result(*words, "--model-steps", "50")["rows"]
    used = row["settings"]["planner"]["settings"]["mcts"]
    assert (used["num_simulations"], used["selection"]) == (None, "puct")


def test_published_returns_are_shown_beside_ours() -> None:
    words = ("random", "--env", "CartPole-v1", "--episodes", "1", "--published")
    out, _ = run(*words, "--quiet")
    assert "GIF-MCTS, GPT-4 Turbo 310.4; oracle 494" in out
    unknown = ("random", "--env", LINE, "--episodes", "1", "--published")
    assert f"nothing is published for {LINE}" in run(*unknown, "--quiet")[0]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["true"], 2, "env must be given unless a model is the folder of a run."),
        (["true", "--set", "a=1"], 2, "set and env_kwargs need env."),
        (["none.py", "--env", LINE], 1, "'none.py' cannot be read"),
        ([".", "--env", LINE], 2, "a folder without one."),
        (["true", "true", "--env", LINE], 2, "Each model must be given once"),
        (["true", "--env", LINE, "--planner", "cemm"], 2, "'cemm'"),
        (["true", "--env", LINE, "--planner", ","], 2, "planner must name at least"),
        (
            ["true", "--env", "cwm/RTFM-v0", "--planner", "feedback"],
            2,
            "planner feedback needs observations that are numbers",
        ),
        (["true", "--env", LINE, "--episodes", "0"], 2, "got 0 (episodes)."),
        (["true", "--env", LINE, "--workers", "0"], 2, "got 0 (processes)."),
        (["true", "--env", LINE, "--seed", "-1"], 2, "seed must be at least 0"),
        (["true", "--env", LINE, "--horizon", "0"], 2, "horizon must be at least 1"),
        (["true", "--env", LINE, "--max-steps", "0"], 2, "max_steps must be at least"),
        (
            ["true", "--env", LINE, "--decision-seconds", "0"],
            2,
            "decision_seconds must be positive, got 0.0 (seconds).",
        ),
        (
            ["true", "--env", LINE, "--decision-seconds", "1", "--model-steps", "9"],
            2,
            "Only one of decision_seconds and model_steps can be given",
        ),
        (["true", "--env", toy("Unrepeatable")], 2, "the same episode for the same"),
        (["true", "--env", LINE, "--out", "line.py/x"], 1, "must be writable"),
    ],
)
def test_what_makes_no_sense_is_told_in_one_line(
    words: list[str], code: int, message: str
) -> None:
    _, err = run("--quiet", *words, code=code)
    assert message in err
    assert err.count("\n") == 1


ENDLESS = PROGRAM.replace(
    "        self.place = min", "        while True: pass\n        self.place = min"
)


@pytest.mark.skipif(sys.platform != "linux", reason="reads what runs from /proc")
@pytest.mark.parametrize("workers", ["1", pytest.param("2", marks=pytest.mark.slow)])
def test_an_interrupt_leaves_nothing_behind(folder: Path, workers: str) -> None:
    (folder / "endless.py").write_text(ENDLESS)
    command = [sys.executable, "-m", "cwm.plan", "endless.py", "--env", LINE]
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [*command, *FEW, "--workers", workers],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(root)},
        start_new_session=True,
    ) as process:
        deadline = time.monotonic() + 60.0
        # The program's own process is the deepest: it has begun to plan.
        while len(descendants(process.pid)) < 2 * int(workers):
            assert process.poll() is None
            assert time.monotonic() < deadline
            threading.Event().wait(0.05)
        threading.Event().wait(0.5)
        begun = descendants(process.pid)
        os.killpg(process.pid, signal.SIGINT)  # As a terminal does it.
        _, err = process.communicate(timeout=30.0)
        assert process.returncode == 130
        assert err.endswith("Interrupted.\n")
        assert "Traceback" not in err
    deadline = time.monotonic() + 30.0
    while any(Path(f"/proc/{pid}").exists() for pid in begun):
        assert time.monotonic() < deadline
        threading.Event().wait(0.05)
