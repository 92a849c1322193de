"""Searches whose answers are programs that a language model once wrote.

A right program must end the search at the call that brings it: no artefact of the
score (rounding of rewards, time limits, float32) may send it on.
"""

import json
from pathlib import Path

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
    right = (PROGRAMS / f"{env.partition('-')[0]}.txt").read_text()
    constant, other = CASES[env]
    assert constant in right
    wrong = right.replace(constant, other)
    answers = [wrong, "no program", wrong, right, wrong]
    Path("answers.json").write_text(
        json.dumps([f"Here it is.\n```python\n{text}\n```" for text in answers])
    )
    words = ["--env", env, "--llm", "scripted:answers.json"]
    small = ["--collect.min-transitions", "300", "--collect.num-trajectories", "5"]
    out = ["--quiet", "--json", "--out", "run"]
    assert synthesize.main([*words, *small, *out]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["stopped_by"], result["num_calls"]) == ("perfect", 4)
    assert result["num_repeated"] == 1
    program = next(row for row in result["rows"] if row["name"] == "program")
    assert program["scores"]["held_out"]["strict"] == 1.0
    records = read_journal(Path("run/journal.jsonl")).records
    kinds = [
        r.body["evaluation"]["outcome_kind"] for r in records if r.kind == "evaluation"
    ]
    assert kinds == ["completed", "unparsed", "completed", "completed"]
