"""Searches whose answers are programs that a language model once wrote.

A right program must end the search at the call that brings it: no artefact of the
score (rounding of rewards, time limits, float32) may send it on.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from cwm import synthesize
from cwm.core.journal import read_journal

PROGRAMS = Path(__file__).parents[1] / "fixtures" / "world_models"

# A constant of each program, and another value that makes it wrong.
CASES = {
    "CartPole-v1": ("gravity = 9.8", "gravity = 9.9"),
    "MountainCar-v0": ("self.force = 0.001", "self.force = 0.0011"),
    "Pendulum-v1": ("self.g = 10.0", "self.g = 10.1"),
    "Acrobot-v1": ("self.GRAVITY = 9.8", "self.GRAVITY = 9.9"),
    "Taxi-v4": ("reward = -10", "reward = -9"),
    "CliffWalking-v1": ("-100", "-99"),
}


@pytest.mark.parametrize("env", CASES)
def test_a_search_ends_at_the_first_right_program(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    env: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    result = searched(env, capsys, "--fit.mode", "off")
    assert (result["stopped_by"], result["num_calls"]) == ("perfect", 4)
    assert result["num_repeated"] == 1
    assert held_out_strict(result) == 1.0
    records = read_journal(Path("run/journal.jsonl")).records
    kinds = [
        r.body["evaluation"]["outcome_kind"] for r in records if r.kind == "evaluation"
    ]
    assert kinds == ["completed", "unparsed", "completed", "completed"]


@pytest.mark.parametrize("env", CASES)
def test_a_wrong_constant_is_mended_before_anybody_is_asked_again(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    env: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    result = searched(env, capsys)
    assert (result["stopped_by"], result["num_calls"]) == ("perfect", 1)
    assert held_out_strict(result) == 1.0


def searched(
    env: str, capsys: pytest.CaptureFixture[str], *words: str
) -> dict[str, Any]:
    """Returns the result of a search whose first answers have a wrong constant."""
    right = (PROGRAMS / f"{env.partition('-')[0]}.txt").read_text()
    constant, other = CASES[env]
    assert constant in right
    wrong = right.replace(constant, other)
    answers = [wrong, "no program", wrong, right, wrong]
    Path("answers.json").write_text(
        json.dumps([f"Here it is.\n```python\n{text}\n```" for text in answers])
    )
    given = ["--env", env, "--llm", "scripted:answers.json", *words]
    small = ["--collect.min-transitions", "300", "--collect.num-trajectories", "5"]
    out = ["--quiet", "--json", "--out", "run"]
    assert synthesize.main([*given, *small, *out]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def held_out_strict(result: dict[str, Any]) -> float:
    program = next(row for row in result["rows"] if row["name"] == "program")
    return float(program["scores"]["held_out"]["strict"])
