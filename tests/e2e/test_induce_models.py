"""Rules that an induction run has found, as a model of `cwm.plan` and `cwm.evaluate`.

With the stand-ins: no language model, no torch, and no sandbox but for programs.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from cwm import evaluate, induce, plan
from cwm.core.dataset_file import save_dataset
from cwm.named_models import read_model
from envs.collect import CollectConfig, collect
from envs.registry import find
from sandbox.errors import SandboxUnavailable

PLAYGROUND = "cwm/Playground-v0"
FEW = ("--episodes", "1", "--planner", "beam", "--model-steps", "20")
NAME = "rules, n-gram stand-in (3 words)"
PROGRAM = """\
class Environment:
    def set_state(self, observation):
        self.text = observation

    def step(self, action):
        return self.text, 0.0, False
"""


def induced(folder: Path, *words: str) -> None:
    short = ("--phases", "1", "--iterations", "1", "--evaluate", "none", "--quiet")
    assert induce.main([*short, "--json", *words, "--out", str(folder)]) == 0


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run in the Playground, one in front of the door, and data."""
    folder = tmp_path_factory.mktemp("made")
    induced(folder / "rules", "--env", "playground")
    induced(folder / "door", "--env", "door", "--experimenter", "random")
    (folder / "unfinished").mkdir()
    (folder / "unfinished" / "config.json").write_text("{}")
    (folder / "hopeless").mkdir()
    (folder / "hopeless" / "config.json").write_text('{"roles": {}}')
    (folder / "hopeless" / "hypotheses.json").write_text(
        '{"best": null, "environment": "cwm/Playground-v0"}'
    )
    (folder / "heavy").mkdir()
    (folder / "heavy" / "config.json").write_text('{"roles": {"llm": "hf:nowhere"}}')
    (folder / "heavy" / "hypotheses.json").write_bytes(
        (folder / "rules" / "hypotheses.json").read_bytes()
    )
    (folder / "mistaken").mkdir()
    (folder / "mistaken" / "config.json").write_text('{"roles": {"lm": "hf:x"}}')
    (folder / "mistaken" / "hypotheses.json").write_text("{}")
    config = CollectConfig(num_trajectories=4, min_transitions=40)
    save_dataset(collect(find(PLAYGROUND), config, 0), folder / "data.npz")
    (folder / "still.py").write_text(PROGRAM)
    return folder


@pytest.fixture(autouse=True)
def there(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(made)


def result(
    main: Any, capsys: pytest.CaptureFixture[str], *words: str
) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["--json", "--quiet", *words]) == 0
    data: dict[str, Any] = json.loads(capsys.readouterr().out)
    return data


def no_sandbox(*arguments: Any, **settings: Any) -> Any:
    raise SandboxUnavailable("not asked for")


def test_a_folder_of_rules_is_read() -> None:
    model = read_model("rules")
    assert (model.name, model.kind, model.source) == (NAME, "other", "")
    assert model.model is not None
    assert model.model.environment_id == PLAYGROUND
    best = json.loads(Path("rules/hypotheses.json").read_text())["best"]
    assert model.model.to_json()["hypothesis"] == best


def test_a_program_beside_the_rules_is_the_model(tmp_path: Path) -> None:
    for name in ("hypotheses.json", "config.json"):
        (tmp_path / name).write_bytes((Path("rules") / name).read_bytes())
    (tmp_path / "world_model.py").write_text(PROGRAM)
    assert read_model(str(tmp_path)).kind == "program"


def test_rules_are_planned_in_where_they_were_found(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cwm.evaluation.setups.open_decider", no_sandbox)
    data = result(plan.main, capsys, "rules", "random", *FEW)
    assert data["environment"] == PLAYGROUND
    row, random = data["rows"]
    assert row["model"] == NAME
    assert row["settings"]["kind"] == "other"
    assert row["settings"]["model"]["world"] == "playground"
    assert "model" not in random["settings"]
    (episode,) = row["episodes"]
    assert episode["num_decisions"] > 0
    assert episode["num_failures"] == 0
    assert max(episode["model_steps"]) <= 20


@pytest.mark.parametrize("planner", ["exhaustive", "beam", "mcts"])
def test_growing_is_planned_for(
    capsys: pytest.CaptureFixture[str], planner: str
) -> None:
    words = ("--env", PLAYGROUND, "--env-kwargs", '{"reward": "growth"}')
    steps = ("--horizon", "1", "--model-steps", "40", "--max-steps", "4")
    data = result(
        plan.main, capsys, "rules", *words, "--planner", planner, *steps, *FEW[:2]
    )
    assert data["rows"][0]["summary"]["num_failures"] == 0


def test_rules_hold_in_other_words_and_the_door_opens(
    capsys: pytest.CaptureFixture[str],
) -> None:
    reworded = "cwm/PlaygroundReworded-v0"
    data = result(plan.main, capsys, "rules", "--env", reworded, *FEW)
    assert data["environment"] == reworded
    data = result(plan.main, capsys, "door", *FEW, "--workers", "2")
    assert data["environment"] == "cwm/Door-v0"
    assert data["rows"][0]["episodes"][0]["num_steps"] == 1


def test_workers_do_what_one_does(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("rules", "--episodes", "2", *FEW[2:], "--max-steps", "5")
    rows = [
        result(plan.main, capsys, *words, "--workers", number)["rows"][0]
        for number in ("1", "2")
    ]
    one, two = ([e["rewards"] for e in row["episodes"]] for row in rows)
    assert one == two


def test_rules_are_scored_by_steps_and_by_likelihood(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cwm.scoring.open_sandbox", no_sandbox)
    data = result(evaluate.main, capsys, "rules", "--data", "data.npz")
    assert data["files"] == []
    (model,) = data["models"]
    assert model["row"]["name"] == NAME
    assert model["model"]["statistician"] == "n-gram stand-in (3 words)"
    for split in ("train", "held_out"):
        found = model["log_likelihood"][split]
        assert found["num_transitions"] >= 40
        assert -20.0 < found["mean"] < 0.0
        assert model["row"]["scores"][split]["part_accuracy"]["terminated"] > 0.8


def test_rules_and_programs_stand_in_one_table(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ("rules", "still.py", "rules", "--data", "data.npz")
    data = result(evaluate.main, capsys, *words)
    scores = [*data["files"], *data["models"]]
    assert [score["row"]["name"] for score in scores] == ["still.py", NAME]
    assert evaluate.main(["--quiet", *words]) == 0
    out = capsys.readouterr().out
    assert f"accuracy by part: {NAME}" in out
    assert out.count("mean log-likelihood of what happened, in nats") == 1


def test_rules_alone_are_scored_where_they_were_found(
    capsys: pytest.CaptureFixture[str],
) -> None:
    few = ("--collect.min-transitions", "20", "--collect.planning-steps", "0")
    data = result(evaluate.main, capsys, "door", *few)
    assert data["environment"] == "cwm/Door-v0"


@pytest.mark.parametrize(
    ("main", "words", "code", "message"),
    [
        (plan.main, ["hopeless"], 1, "'hopeless' has found no hypothesis."),
        (evaluate.main, ["hopeless"], 1, "'hopeless' has found no hypothesis."),
        (plan.main, ["unfinished"], 2, "or hypotheses.json, got 'unfinished', a fol"),
        (plan.main, ["door", "--env", PLAYGROUND], 2, "must be cwm/Door-v0, where"),
        (plan.main, ["heavy", "--workers", "2"], 2, "workers must be 1 with hf:now"),
        (plan.main, ["mistaken"], 2, "has an unknown key roles.lm."),
        (plan.main, ["rules", "door"], 2, "must be cwm/Door-v0, where"),
        (evaluate.main, ["rules", "--env", "CartPole-v1"], 2, "must be cwm/Playground"),
        (evaluate.main, ["door", "--data", "data.npz"], 2, "must be cwm/Door-v0, whe"),
        (evaluate.main, ["rules", "still.py"], 2, "Exactly one of env and data must"),
    ],
)
def test_what_makes_no_sense_is_told_in_one_line(
    capsys: pytest.CaptureFixture[str],
    main: Any,
    words: list[str],
    code: int,
    message: str,
) -> None:
    capsys.readouterr()
    assert main(["--quiet", *words]) == code
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


def test_the_environment_of_data_must_be_at_hand(
    made: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("cwm.sources.environment_of", lambda dataset: None)
    assert evaluate.main(["--quiet", "rules", "--data", "data.npz"]) == 2
    assert "must be at hand to open a model" in capsys.readouterr().err


def test_another_environment_is_refused_before_its_data_are_collected(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(evaluate, "obtain", None)
    assert evaluate.main(["--quiet", "rules", "--env", "CartPole-v1"]) == 2
    assert "got 'CartPole-v1'" in capsys.readouterr().err
