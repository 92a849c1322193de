import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cwm.core.errors import DataError
from cwm.runs.figures import Figures
from cwm.runs.kinds import FoundRun
from cwm.runs.looking_commands import read_run
from cwm.runs.showing import next_commands, show_run
from cwm.runs.summaries import RunSummary
from cwm.runs.tables import show_cost, show_size, show_value
from tests.support.run_folders import synthesize_run


def shown(one: RunSummary) -> str:
    stream = io.StringIO()
    show_run(one, stream, as_json=False)
    return stream.getvalue()


def test_a_run_shows_its_table_files_and_how_to_go_on(tmp_path: Path) -> None:
    run = synthesize_run(tmp_path / "a", held_out=0.9)
    (run / "notes.txt").write_text("x")
    text = shown(read_run(run))
    words = " ".join(text.replace("│", " ").split())
    assert "program 1.0000 0.9000 (1 wrong)" in words
    assert f"{run / 'world_model.py'} (" in text
    assert "and 1 that no command of ours writes" in text
    assert "  python -m cwm.replay somewhere" in text


def test_an_interrupted_run_is_gone_on_with(tmp_path: Path) -> None:
    one = read_run(synthesize_run(tmp_path / "a", is_finished=False))
    assert (
        next_commands(one)[0] == f"python -m cwm.synthesize --resume {tmp_path / 'a'}"
    )
    assert "interrupted" in shown(one)


def test_a_broken_run_shows_why(tmp_path: Path) -> None:
    run = synthesize_run(tmp_path / "a")
    (run / "result.json").write_text("{")
    assert "problem: " in shown(read_run(run))


def test_a_result_of_another_form_is_named(tmp_path: Path) -> None:
    run = synthesize_run(tmp_path / "a")
    result = json.loads((run / "result.json").read_text())
    del result["rows"][1]["scores"]["train"]
    (run / "result.json").write_text(json.dumps(result))
    with pytest.raises(DataError, match="cannot be shown: KeyError"):
        shown(read_run(run))


SUMMARY = {"returns": {"value": 7.5}, "num_episodes": 3, "num_wrong": 2}

RESULTS: dict[str, tuple[dict[str, Any], str]] = {
    "induce": ({"best": "Water makes\nplants grow."}, "Water makes"),
    "ppo": ({"success_rate": 0.25}, "success rate: 0.25"),
    "knowledge": ({"rows": [{"row": "wkm", "reward": 0.5, "tasks": {}}]}, "wkm"),
    "online": ({"rounds": [{"number": 1, "mean_return": -13.0}]}, "-13"),
    "problem": ({"accuracy": 0.75}, "accuracy: 0.75"),
    "plan": (
        {
            "environment": "E",
            "rows": [{"model": "true", "planner": "beam", "summary": SUMMARY}],
        },
        "│ true        │ beam    │ 7.5    │ 3        │ 2     │",
    ),
}


@pytest.mark.parametrize("kind", RESULTS)
def test_runs_of_each_kind_show_what_they_found(tmp_path: Path, kind: Any) -> None:
    result, expected = RESULTS[kind]
    name = "online.json" if kind == "online" else "result.json"
    path = tmp_path / name
    path.write_text(json.dumps(result))
    one = summary(path if kind == "plan" else tmp_path, kind)
    assert expected in shown(one)


def summary(path: Path, kind: Any, **more: Any) -> RunSummary:
    return RunSummary(
        run=FoundRun(path, kind, {}),
        state="finished",
        figures=Figures(**more),
        made_at=datetime(2026, 1, 1, tzinfo=UTC),
        num_bytes=0,
    )


@pytest.mark.parametrize(
    ("num_bytes", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (5 * 2**40, "5.0 TiB")],
)
def test_sizes_have_their_unit(num_bytes: int, text: str) -> None:
    assert show_size(num_bytes) == text


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"usd": 0.5}, "$0.5000"),
        ({"usd": 0.0}, "-"),
        ({"usd": None, "tokens": 1_500}, "1,500 tokens"),
        ({"usd": None}, "not known"),
    ],
)
def test_a_cost_that_is_not_known_is_no_zero(
    tmp_path: Path, more: dict[str, Any], text: str
) -> None:
    assert show_cost(summary(tmp_path, "synthesize", **more)) == text


def test_long_values_are_cut() -> None:
    assert show_value("x" * 100) == "x" * 57 + "..."
    assert (show_value(None), show_value(1 / 3)) == ("-", "0.333333")
