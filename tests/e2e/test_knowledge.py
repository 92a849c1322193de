"""`python -m cwm.knowledge` on a text game without packages, models from nothing."""

import json
from pathlib import Path

import pytest

from cwm.knowledge import pipeline_commands
from cwm.knowledge.command import main
from cwm.providers.knowledge.acting import deciding, knowing
from cwm.providers.knowledge.records import (
    Episode,
    PlayedEpisode,
    StateNotes,
    TaskNote,
    read_records,
    write_records,
)

SMALL = (
    *("--env", "tests.support.tidy:Tidy-v0", "--prompts", "household"),
    *("--train-games", "4", "--test-games", "2", "--max-steps", "5", "--quiet"),
    *("--scratch.layers", "1", "--scratch.width", "32", "--scratch.heads", "2"),
    *("--scratch.num-epochs", "1", "--scratch.vocabulary-size", "400"),
)


@pytest.fixture(autouse=True)
def _models_are_brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models that have learned next to nothing write to the end, 512 tokens of it."""
    for name, few in {"TASK_TOKENS": 16, "STATE_TOKENS": 8}.items():
        monkeypatch.setattr(knowing, name, few)
    monkeypatch.setattr(deciding, "COMMAND_TOKENS", 8)


def in_rows(*names: str) -> list[str]:
    return [word for name in names for word in ("--rows", name)]


@pytest.mark.local
def test_all_steps_end_in_a_table_of_paired_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    rows = in_rows("random", "expert", "none", "wkm", "released", "oracle", "kind")
    assert main(["all", *SMALL, *rows, "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "Tidy-v0, seen games" in shown
    result = json.loads((out / "result.json").read_text())
    by_name = {(row["row"], row["split"]): row for row in result["rows"]}
    assert len(by_name) == 7 * 2
    assert by_name["wkm", "seen"]["made_by"] == (
        "agent scratch, knowledge model scratch, deterministic writer, base hashed"
    )
    assert by_name["expert", "seen"]["score"]["value"] == 100.0
    assert by_name["expert", "unseen"]["success"] == 1.0
    assert by_name["none", "seen"]["difference"] is None
    assert by_name["wkm", "seen"]["difference"]["num_pairs"] == 2
    assert by_name["random", "seen"]["num_calls"] == 0
    # A thought is not asked for; a step is a scoring and a writing, and the knowledge
    # model says the task once and a state after each step but the last.
    steps = by_name["wkm", "unseen"]["steps"]
    assert by_name["wkm", "unseen"]["num_calls"] >= 2 * steps
    seed = out / "seed-0"
    experts = read_records(out / "experts.jsonl", Episode)
    assert [one.has_won for one in experts] == [True] * 4
    explored = read_records(seed / "explored.jsonl", Episode)
    assert {one.made_by for one in explored} == {
        "agent without knowledge: transformer from nothing (1 layers), as agent "
        "without knowledge"
    }
    notes = read_records(seed / "task_notes.jsonl", TaskNote)
    assert {note.made_by for note in notes} == {"deterministic writer"}
    assert len(read_records(seed / "state_notes.jsonl", StateNotes)) == 4
    entries = (seed / "base" / "entries.jsonl").read_text().splitlines()
    assert len(entries) == sum(len(one.steps) for one in experts)


@pytest.mark.local
def test_a_run_goes_on_where_it_stopped_and_ends_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    rows = in_rows("none", "wkm")
    assert main(["all", *SMALL, *rows, "--out", str(whole)]) == 0

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("cwm.knowledge_pipeline.steps.save_base", stop)
        assert main(["all", *SMALL, *rows, "--out", str(broken)]) == 130
    told = capsys.readouterr().err
    assert f"python -m cwm.knowledge all --resume {broken}" in told
    # A process that is killed leaves half a line.
    played = whole / "seed-0" / "played" / "wkm-seen.jsonl"
    with (broken / "experts.jsonl").open("a") as file:
        file.write('{"id": "half')
    assert main(["all", "--resume", str(broken), "--quiet"]) == 0
    again = broken / "seed-0" / "played" / "wkm-seen.jsonl"
    actions = [
        [one.episode.actions for one in read_records(path, PlayedEpisode)]
        for path in (played, again)
    ]
    assert actions[0] == actions[1]


@pytest.mark.local
def test_notes_that_somebody_changed_are_learned_and_nothing_else_is_made_again(
    tmp_path: Path,
) -> None:
    out = tmp_path / "run"
    assert main(["train", *SMALL, *in_rows("none", "task"), "--out", str(out)]) == 0
    seed = out / "seed-0"
    plain = (seed / "models" / "plain" / "training.json").stat().st_mtime_ns
    notes = read_records(seed / "task_notes.jsonl", TaskNote)
    changed = [
        TaskNote(episode=note.episode, text="Carry it there.", made_by="a person")
        for note in notes
    ]
    write_records(seed / "task_notes.jsonl", changed)
    assert main(["train", "--resume", str(out), "--quiet"]) == 0
    assert read_records(seed / "task_notes.jsonl", TaskNote) == changed
    learned = (seed / "training" / "task.jsonl").read_text()
    assert "Carry it there." in learned
    assert '"made_by":"a person"' in learned
    assert (seed / "models" / "plain" / "training.json").stat().st_mtime_ns == plain


@pytest.mark.plot
def test_what_was_played_is_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, picture = tmp_path / "run", tmp_path / "scores.png"
    words = ["plot", str(out), "--out"]
    assert main(["experts", *SMALL, *in_rows("expert"), "--out", str(out)]) == 0
    assert main([*words, str(picture)]) == 1
    told = " ".join(capsys.readouterr().err.split())
    assert "has not been evaluated. Run: python -m cwm.knowledge all --resume" in told
    assert main(["all", "--resume", str(out), "--quiet"]) == 0
    assert main([*words, str(picture)]) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert main([*words, str(tmp_path / "scores.pdf")]) == 2
    assert "out must end in .png" in capsys.readouterr().err


def test_experts_need_no_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert main(["experts", *SMALL, "--out", str(out)]) == 0
    assert str(out) in capsys.readouterr().out
    assert len(read_records(out / "experts.jsonl", Episode)) == 4


def test_rows_without_a_model_are_played_without_one(tmp_path: Path) -> None:
    out = tmp_path / "run"
    rows = in_rows("random", "expert")
    seeds = ("--seeds", "3", "--seeds", "0")
    assert main(["all", *SMALL, *rows, *seeds, "--out", str(out)]) == 0
    assert sorted(one.name for one in out.iterdir()) == [
        ".lock",
        "config.json",
        "environment.json",
        "result.json",
        "seed-0",
        "seed-3",
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["dream"], "cwm.knowledge needs the name of a command, got 'dream'"),
        (["all", "--rows", "best"], "rows must be some of random, expert,"),
        (["all", "--env", "CartPole-v1"], "env must be a text game"),
        (["all", "--env", "nowhere"], "No environment called 'nowhere'"),
        (
            ["experts", *SMALL[:2], *SMALL[4:]],
            "prompts must be given for 'tests.support.tidy:Tidy-v0'",
        ),
        (
            ["experts", "--env", "CartPole-v1", "--prompts", "household"],
            "env must be a text game",
        ),
        (["experts", *SMALL, "--train-games", "25"], "train_games must be at most 24"),
        (["experts", *SMALL, "--env-kwargs", "3"], "env_kwargs must be an object"),
        (
            ["experts", *SMALL, "--env-kwargs", '{"split": "seen"}'],
            "env_kwargs must not choose the split",
        ),
        (["all", "--seeds", "1", "--seeds", "1"], "seeds must be different numbers"),
        (
            ["all", *SMALL, "--deciding.choose", "free"],
            "deciding.choose must be verbs or commands",
        ),
        (["all", *SMALL, *in_rows("prompted")], "rows prompted need agent_llm"),
        (
            ["all", *SMALL, *in_rows("kind"), "--writer", "gguf:x"],
            "The row kind needs the writer deterministic",
        ),
        (
            ["all", *SMALL, *in_rows("none"), "--agent-llm", "openai:x"],
            "rows none need a trained agent, and openai:x is elsewhere",
        ),
        (
            ["all", *SMALL, *in_rows("prompted-task"), "--agent-llm", "openai:x"],
            "compare needs a trained agent",
        ),
        (
            ["all", *SMALL, "--knowledge-llm", "openai:x"],
            "knowledge_llm must be scratch",
        ),
        (["all", *SMALL, "--test-games", "13"], "test_games must be at most 12"),
        (
            [
                *("all", *SMALL, "--deciding.choose", "commands"),
                *("--deciding.scoring", "first_token"),
            ],
            "deciding.scoring must be sum or mean",
        ),
        (
            ["all", "--resume", "nowhere"],
            "must be the folder of a run of cwm.knowledge",
        ),
    ],
)
def test_wrong_settings_are_named(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    assert message in capsys.readouterr().err


def test_every_command_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    listed = capsys.readouterr().out
    assert all(f"  {name} " in listed for name in pipeline_commands.STEPS)


@pytest.mark.text
def test_several_tasks_of_scienceworld_are_one_environment(tmp_path: Path) -> None:
    out, tasks = tmp_path / "run", ["lifespan-longest-lived", "find-plant"]
    games = ("--env", "scienceworld", "--env-kwargs", json.dumps({"task": tasks}))
    numbers = ("--train-games", "2", "--test-games", "2")
    words = (*games, *numbers, *in_rows("expert"), "--quiet")
    assert main(["all", *words, "--out", str(out)]) == 0
    for row in json.loads((out / "result.json").read_text())["rows"]:
        assert row["tasks"] == {task: 100.0 for task in sorted(tasks)}
