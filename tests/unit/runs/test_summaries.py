import fcntl
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from cwm.agents.runs import PolicyRunConfig
from cwm.induction import InductionRunConfig
from cwm.knowledge_pipeline.games import GameConfig
from cwm.knowledge_pipeline.runs import KnowledgeRunConfig
from cwm.runs.kinds import find_run, find_runs, is_running, own_files
from cwm.runs.summaries import RunSummary, summarise
from tests.support.run_folders import synthesize_run


def summary_of(path: Path) -> RunSummary:
    found = find_run(path)
    assert found is not None
    return summarise(found)


def test_a_finished_run_says_what_came_of_it(tmp_path: Path) -> None:
    path = synthesize_run(
        tmp_path / "a", held_out=0.75, seed=3, made_at=datetime(2026, 1, 2, 3, 4)
    )
    one = summary_of(path)
    assert (one.name, one.run.kind, one.state) == ("a", "synthesize", "finished")
    found = one.figures
    assert (found.environment, found.seed, found.made_by) == ("Corridor", "3", "walk")
    assert (found.num_calls, found.score, found.held_out) == (4, 0.875, 0.75)
    assert (found.tokens, found.usd) == (15, 0.25)
    assert one.made_at.isoformat() == "2026-01-02T03:04:00+00:00"
    assert one.num_bytes == sum(p.stat().st_size for p in path.iterdir())
    assert len(one.data) == 64
    assert not one.has_failed


def test_a_run_without_a_result_is_read_from_its_journal(tmp_path: Path) -> None:
    one = summary_of(synthesize_run(tmp_path / "a", is_finished=False))
    assert one.state == "interrupted"
    assert one.has_failed
    assert (one.figures.num_calls, one.figures.score) == (1, 0.5)
    assert (one.figures.tokens, one.figures.usd) == (15, 0.25)


def test_a_run_whose_journal_is_locked_is_running(tmp_path: Path) -> None:
    path = synthesize_run(tmp_path / "a", is_finished=False)
    assert summary_of(path).unfinished_line("a").startswith("The run was interrupted")
    with (path / "journal.jsonl").open("rb") as file:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX)
        one = summary_of(path)
        assert one.state == "running"
        assert not one.has_failed
        told = one.unfinished_line("a")
        assert told.endswith("its program after 1 of 50 calls, best score 0.5000.")
    assert not is_running(one.run)


@pytest.mark.parametrize(
    ("llm", "is_stand_in", "is_paid"),
    [
        ((), False, False),
        (("scripted:a.json",), True, False),
        (("openai:x",), False, True),
        (("openai:x", "replay:y"), True, True),
    ],
)
def test_stand_ins_and_what_was_paid_for_are_marked(
    tmp_path: Path, llm: tuple[str, ...], is_stand_in: bool, is_paid: bool
) -> None:
    one = summary_of(synthesize_run(tmp_path / "a", llm=llm))
    assert (one.figures.is_stand_in, one.is_paid) == (is_stand_in, is_paid)


@pytest.mark.parametrize("folder", ["mcp", "round-1/mcp"])
def test_what_agents_tried_counts_as_paid_for(tmp_path: Path, folder: str) -> None:
    path = synthesize_run(tmp_path / "a")
    assert not summary_of(path).is_paid
    (path / folder).mkdir(parents=True)
    (path / folder / "log.jsonl").write_text("")
    assert summary_of(path).is_paid


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("config.json", "{", "cannot be read"),
        ("config.json", '{"strange": 1}', "of no command that is known"),
        ("result.json", "[]", "must hold a JSON object"),
        ("result.json", '{"usage": {}}', "KeyError"),
    ],
)
def test_a_damaged_run_is_listed_with_its_problem(
    tmp_path: Path, name: str, text: str, problem: str
) -> None:
    synthesize_run(tmp_path / "whole")
    (synthesize_run(tmp_path / "damaged") / name).write_text(text)
    damaged, whole = map(summarise, find_runs(tmp_path))
    assert (damaged.state, whole.state) == ("broken", "finished")
    assert problem in damaged.problem
    # Its journal may hold answers that were paid for.
    assert damaged.is_paid
    assert damaged.has_failed


def test_a_folder_without_settings_is_broken(tmp_path: Path) -> None:
    path = synthesize_run(tmp_path / "a")
    (path / "config.json").unlink()
    one = summary_of(path)
    assert (one.state, one.problem) == ("broken", "it has no config.json")


def test_other_files_folders_and_links_are_no_runs(tmp_path: Path) -> None:
    synthesize_run(tmp_path / "a")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "todo.txt").write_text("x")
    (tmp_path / "other.json").write_text("{}")
    assert [run.path.name for run in find_runs(tmp_path)] == ["a"]
    # A run's own folder is the run.
    assert [run.path.name for run in find_runs(tmp_path / "a")] == ["a"]


CONFIGS: dict[str, Any] = {
    "induce": InductionRunConfig(seed=1),
    "ppo": PolicyRunConfig(seed=1),
    "knowledge": KnowledgeRunConfig(games=GameConfig(env="twc"), seeds=(0, 1)),
}
"""The commands' own settings, so that a setting which moves is noticed."""

RESULTS: dict[str, dict[str, Any]] = {
    "induce": {
        "statistician": "n-gram",
        "scientist": "templates",
        "stand_ins": ["scientist"],
        "phases": [{"num_proposed": 2}, {"num_proposed": 3}],
        "best": "a\nb",
    },
    "ppo": {"environment": "cwm/E", "success_rate": 0.5},
    "knowledge": {"rows": [1, 2, 3]},
}

EXPECTED = {
    "induce": ("playground", "1", "n-gram, templates", True, 5, "2 rules"),
    "ppo": ("cwm/E", "1", "ppo of scratch", False, None, "success rate 0.500"),
    "knowledge": (
        *("twc", "0,1", "scratch, knowledge by deterministic", False, None, "3 rows"),
    ),
}


@pytest.mark.parametrize("kind", CONFIGS)
def test_runs_of_other_commands_have_figures_of_their_own(
    tmp_path: Path, kind: str
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(CONFIGS[kind].to_json()))
    assert summary_of(tmp_path).state == "interrupted"
    (tmp_path / "result.json").write_text(json.dumps(RESULTS[kind]))
    one = summary_of(tmp_path)
    found = one.figures
    assert (one.run.kind, one.state, one.is_paid) == (kind, "finished", False)
    assert EXPECTED[kind] == (
        found.environment,
        found.seed,
        found.made_by,
        found.is_stand_in,
        found.num_calls,
        found.figure,
    )


def test_a_file_of_plan_is_a_run(tmp_path: Path) -> None:
    rows = [
        {"model": "true", "planner": "beam", "summary": {"returns": {"value": 7.5}}},
        {"model": "random", "planner": "", "summary": {"returns": {"value": -1.0}}},
    ]
    content = {"environment": "E", "seed": 2, "rows": rows}
    content |= {"tolerances_from": "", "success": ""}
    (tmp_path / "plan.json").write_text(json.dumps(content))
    one = summary_of(tmp_path / "plan.json")
    assert (one.run.kind, one.figures.figure) == ("plan", "return 7.5 (beam)")
    assert one.figures.made_by == "true, random"


def test_files_of_commands_are_told_from_others(tmp_path: Path) -> None:
    path = synthesize_run(tmp_path / "a")
    (path / "notes.txt").write_text("mine")
    (path / "mcp").mkdir()
    (path / "mcp" / "log.jsonl").write_text("")
    (path / "mcp" / "notes.txt").write_text("mine, too")
    found = find_run(path)
    assert found is not None
    own, other = own_files(found)
    names = {p.relative_to(path).as_posix() for p in other}
    assert names == {"notes.txt", "mcp/notes.txt"}
    assert path / "mcp" / "log.jsonl" in own
    assert len(own) == 7
