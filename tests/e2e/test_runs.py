"""Whole runs on the corridor, in the sandbox, with a scripted proposer."""

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from cwm import evaluate, replay, synthesize
from cwm.core.dataset_file import save_dataset
from cwm.core.errors import DataError
from cwm.core.journal import comparable, read_journal
from cwm.core.proposals import Completion, ProposalRequest
from cwm.named_models import read_model
from cwm.programs.acceleration.files import FastFiles
from tests.support.commands import Commands
from tests.support.corridor import (
    BROKEN,
    EXACT,
    HopelessProposer,
    WalkingProposer,
    corridor_dataset,
    trajectory_of,
)

DATA = ("--data", "corridor.npz")


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    return Commands(tmp_path, monkeypatch)


class Finished(NamedTuple):
    """A run that nobody may change."""

    path: Path
    result: dict[str, Any]
    requests: list[ProposalRequest]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    with pytest.MonkeyPatch.context() as monkeypatch:
        commands = Commands(tmp_path_factory.mktemp("finished"), monkeypatch)
        result = commands.synthesize(*DATA)
        (path,) = (commands.folder / "runs").iterdir()
    return Finished(path, result, commands.proposer.requests)


@pytest.fixture
def copied(finished: Finished, tmp_path: Path) -> Path:
    """A copy of it that may be changed."""
    return Path(shutil.copytree(finished.path, tmp_path / "copied"))


def test_a_broken_program_becomes_an_exact_one_and_is_written(
    finished: Finished,
) -> None:
    assert finished.result["stopped_by"] == "perfect"
    assert (finished.path / "world_model.py").read_text() == EXACT
    result = json.loads((finished.path / "result.json").read_text())
    assert result == finished.result


def test_the_table_has_the_program_and_both_baselines(finished: Finished) -> None:
    rows = {row["name"]: row["scores"] for row in finished.result["rows"]}
    assert list(rows) == ["program", "do nothing", "true simulator"]
    assert rows["program"]["held_out"]["strict"] == 1.0
    # One of the 11 training steps runs against the wall.
    assert rows["do nothing"]["train"]["strict"] == 1 / 11
    assert rows["true simulator"] == {"train": None, "held_out": None}
    assert finished.result["made_by"] == "scripted walk"


def test_the_program_of_the_table_was_audited(finished: Finished) -> None:
    program, *baselines = finished.result["rows"]
    audit = program["audit"]
    assert audit["verdict"] == "consistent"
    # 11 training and 5 validation steps, each with its audit; 6 held-out ones. All
    # are fewer than the singletons that an audit would take.
    counted = [
        [split[name] for name in ("num_alone", "num_permuted")]
        for split in (audit["splits"]["train"], audit["splits"]["held_out"])
    ]
    assert counted == [[16, 16], [6, 6]]
    assert [row["audit"] for row in baselines] == [None, None]
    records = read_journal(finished.path / "journal.jsonl").records
    bodies = [r.body["evaluation"] for r in records if r.kind == "evaluation"]
    assert bodies[-1]["audit"]["verdict"] == "consistent"
    assert bodies[0]["audit"] is None  # It was broken, never the best.


COUNTING = f"""\
CALLS = []

{EXACT}""".replace(
    "self.cell = min(", "CALLS.append(1)\n        self.cell = min("
).replace("float(at_goal)", "float(at_goal and len(CALLS) > 0) + 0.0 * len(CALLS)")
CHEATING = COUNTING.replace("0.0 * len", "1e-9 * len")
"""Counts its calls; exact within the tolerances, but not to the last bit."""


class Cheating(WalkingProposer):
    def _text(self, request: ProposalRequest) -> str:
        if request.kind == "generate":
            return CHEATING
        return super()._text(request)


def test_a_program_with_hidden_state_never_wins_and_is_to_be_fixed(
    commands: Commands,
) -> None:
    commands.proposer = Cheating()
    result = commands.synthesize(*DATA, "--out", "run")
    fix = commands.proposer.requests[1]
    assert fix.kind == "fix"
    assert fix.parent is not None
    assert fix.parent.failure.startswith("Inconsistent: the program is not a function")
    assert result["stopped_by"] == "perfect"
    assert (commands.folder / "run" / "world_model.py").read_text() == EXACT
    assert replay.main(["run", "--quiet"]) == 0


def test_evaluate_gives_an_inconsistent_program_no_score(
    commands: Commands, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cheating.py").write_text(CHEATING)
    (tmp_path / "counting.py").write_text(COUNTING)
    words = ["--quiet", "cheating.py", "counting.py", *DATA]
    assert evaluate.main([*words, "--json"]) == 1
    cheating, counting = json.loads(capsys.readouterr().out)["files"]
    assert cheating["row"]["audit"]["verdict"] == "inconsistent"
    assert cheating["row"]["scores"] == {"train": None, "held_out": None}
    assert cheating["evaluation"]["outcome_kind"] == "inconsistent"
    # State that changes nothing is nobody's business.
    assert counting["row"]["audit"]["verdict"] == "consistent"
    assert counting["row"]["scores"]["held_out"]["strict"] == 1.0
    assert evaluate.main(words) == 1
    shown = capsys.readouterr().out
    assert "cheating.py (inconsistent)" in shown
    assert "cheating.py: audit: inconsistent on training transitions (11" in shown
    assert "cheating.py is a bug (inconsistent):" in shown
    assert "counting.py: audit: consistent (22 run alone; 22 in another order)" in shown


def test_a_table_of_the_training_transitions_is_reported(
    commands: Commands, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = corridor_dataset()
    others = (*dataset.trajectories[:2], trajectory_of([1], start=3))
    save_dataset(replace(dataset, trajectories=others), tmp_path / "corridor.npz")
    train = dataset.batch("train")
    steps = [train.transition(row) for row in range(len(train))]
    table = {
        (s.observation, s.action): (s.next_observation, s.reward, s.terminated)
        for s in steps
        if (s.observation, s.action) != (3, 1)
    }
    (tmp_path / "table.py").write_text(
        f"TABLE = {table}\n\nclass Environment:\n"
        "    def set_state(self, observation): self.cell = observation\n"
        "    def step(self, action):\n"
        "        return TABLE.get((self.cell, action), (9, 9.0, False))\n"
    )
    # Right on 10 of 11 training steps, and not on the only held-out one.
    assert evaluate.main(["--quiet", "table.py", *DATA]) == 0
    shown = capsys.readouterr().out
    assert "program (memorised)" in shown
    assert "table.py: audit: consistent" in shown
    assert "table.py: warning: training transitions may be memorised: strict" in shown


def test_every_file_of_a_run_is_there(finished: Finished) -> None:
    assert sorted(path.name for path in finished.path.iterdir()) == [
        "config.json",
        "dataset.npz",
        "environment.json",
        "journal.jsonl",
        "result.json",
        "tree.graphml",
        "tree.json",
        "world_model.py",
    ]


def test_nothing_held_out_is_in_a_request(finished: Finished) -> None:
    assert {len(request.task.train) for request in finished.requests} == {11}


def test_two_runs_with_one_seed_write_identical_journals(
    commands: Commands, finished: Finished
) -> None:
    commands.synthesize(*DATA, "--out", "again")
    again = commands.folder / "again"
    journals = [
        comparable(read_journal(path / "journal.jsonl").records)
        for path in (finished.path, again)
    ]
    assert journals[0] == journals[1]
    trees = [(path / "tree.json").read_bytes() for path in (finished.path, again)]
    assert trees[0] == trees[1]


def test_the_budget_is_used_exactly_and_a_run_without_a_program_says_so(
    commands: Commands, capsys: pytest.CaptureFixture[str]
) -> None:
    commands.proposer = HopelessProposer()
    words = ["--quiet", *DATA, "--out", "run", "--call-budget", "3"]
    assert synthesize.main(words) == 3
    shown = capsys.readouterr()
    assert (
        "No program that runs after 3 of 3 calls: the call budget is used" in shown.err
    )
    assert len(commands.proposer.requests) == 3


def test_a_run_is_continued_with_more_calls(commands: Commands) -> None:
    commands.proposer = WalkingProposer(patience=20)
    commands.synthesize(*DATA, "--out", "run", "--call-budget", "4")
    result = commands.synthesize("--resume", "run", "--call-budget", "9")
    assert [r.call_index for r in commands.proposer.requests] == list(range(9))
    assert (result["num_calls"], result["call_budget"]) == (9, 9)
    again = commands.synthesize("--resume", "run")
    assert again["num_calls"] == 9


def test_a_run_killed_before_its_journal_is_continued(
    commands: Commands, copied: Path, finished: Finished
) -> None:
    (copied / "journal.jsonl").unlink()
    result = commands.synthesize("--resume", str(copied))
    assert result["num_calls"] == finished.result["num_calls"]
    assert (copied / "journal.jsonl").is_file()


def test_a_fast_form_goes_when_a_search_writes_a_better_program(
    commands: Commands, copied: Path
) -> None:
    (copied / "journal.jsonl").unlink()
    (copied / "world_model.py").write_text(BROKEN)
    FastFiles.beside(copied / "world_model.py").write(BROKEN, BROKEN, {})
    commands.synthesize("--resume", str(copied))
    assert (copied / "world_model.py").read_text() == EXACT
    assert not list(copied.glob("fast_model.*"))


def test_scores_are_those_of_the_original_whatever_lies_beside_it(
    commands: Commands, copied: Path
) -> None:
    FastFiles.beside(copied / "world_model.py").write(BROKEN, BROKEN, {})
    assert read_model(str(copied)).fast_source == ""
    with pytest.raises(DataError, match="was made from another program"):
        read_model(str(copied), for_planning=True)
    assert evaluate.main(["--quiet", str(copied), *DATA]) == 0


def test_a_resumed_run_keeps_its_settings(
    commands: Commands, copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert synthesize.main(["--quiet", "--resume", str(copied), "--seed", "5"]) == 2
    assert "A resumed run keeps its settings" in capsys.readouterr().err


def test_other_data_under_an_old_journal_are_noticed(
    commands: Commands, copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = replace(corridor_dataset(), description="Another corridor.")
    save_dataset(other, copied / "dataset.npz")
    assert synthesize.main(["--quiet", "--resume", str(copied)]) == 1
    assert "begun by another run: it differs in dataset" in capsys.readouterr().err


def test_the_description_file_is_what_the_proposer_reads(
    commands: Commands, tmp_path: Path
) -> None:
    (tmp_path / "about.txt").write_text("A hall.")
    commands.synthesize(*DATA, "--description", "about.txt")
    assert commands.proposer.requests[0].task.description == "A hall."


def test_unit_tests_of_the_user_decide_too(commands: Commands, tmp_path: Path) -> None:
    (tmp_path / "tests.py").write_text(
        "def test_there_is_no_wall(Environment):\n"
        "    env = Environment()\n"
        "    env.set_state(0)\n"
        "    assert env.step(0)[0] == -1\n"
    )
    result = commands.synthesize(
        *DATA, "--out", "run", "--tests", "tests.py", "--call-budget", "5"
    )
    # The exact program fails the wrong test: 0.8 for the transitions, 0.2 for tests.
    assert result["stopped_by"] == "budget"
    assert result["best"]["score"] == pytest.approx(0.8)
    failed = [
        example.wrong_parts
        for request in commands.proposer.requests
        if request.parent is not None
        for example in request.parent.counterexamples
    ]
    assert ("test_there_is_no_wall",) in failed


def test_replay_leads_to_the_tree_and_notices_another(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert replay.main([str(copied)]) == 0
    shown = capsys.readouterr().out
    assert "every request and tree agrees" in shown
    assert "tree.json is the tree that the journal leads to." in shown
    tree = copied / "tree.json"
    tree.write_text(tree.read_text().replace('"visit_count": 1', '"visit_count": 2', 1))
    assert replay.main([str(copied)]) == 1
    assert "NOT the tree" in capsys.readouterr().out
    tree.unlink()
    assert replay.main([str(copied), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["tree"] == "missing"


def test_evaluate_shows_every_metric_and_part_of_several_files(
    commands: Commands, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "exact.py").write_text(EXACT)
    (tmp_path / "broken.py").write_text(BROKEN)
    assert evaluate.main(["--quiet", "exact.py", *DATA]) == 0
    shown = capsys.readouterr().out
    for word in ("strict", "paper", "reference", "score", "reward", "do nothing"):
        assert word in shown
    assert evaluate.main(["--quiet", "exact.py", "broken.py", *DATA, "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    exact, broken = report["files"]
    assert exact["row"]["scores"]["held_out"]["strict"] == 1.0
    assert broken["evaluation"]["outcome_kind"] == "raised"
    assert broken["row"]["scores"]["held_out"] is None


def test_a_world_model_can_be_imported_on_its_own(finished: Finished) -> None:
    program = (
        "import sys; sys.path[:0] = ['.']; from world_model import Environment;"
        "env = Environment(); env.set_state(3); print(env.step(1))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=finished.path,
    )
    assert done.stdout.strip() == "(4, 1.0, True)"


def test_ctrl_c_leaves_a_journal_to_continue_from(
    commands: Commands,
    finished: Finished,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Interrupted(WalkingProposer):
        def propose(self, request: ProposalRequest) -> Completion:
            if request.call_index == 2:
                os.kill(os.getpid(), signal.SIGINT)
            return super().propose(request)

    commands.proposer = Interrupted()
    assert synthesize.main(["--quiet", *DATA, "--out", "run"]) == 130
    assert "cwm.synthesize --resume run" in capsys.readouterr().err
    kinds = [r.kind for r in read_journal(tmp_path / "run" / "journal.jsonl").records]
    assert kinds[-1] == "call_started"
    commands.proposer = WalkingProposer()
    commands.synthesize("--resume", "run")
    trees = [path / "tree.json" for path in (tmp_path / "run", finished.path)]
    assert trees[0].read_bytes() == trees[1].read_bytes()
