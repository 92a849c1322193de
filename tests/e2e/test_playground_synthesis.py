"""The Playground in the main job: collected, written, judged by its texts, planned."""

import json
from pathlib import Path

import pytest

from cwm import collect, evaluate, plan, synthesize
from cwm.core.codec import decode_columns
from cwm.core.dataset_file import load_dataset
from cwm.core.trajectories import Trajectory
from envs.playground.applying import apply_change
from envs.playground.texts import change_between

EXACT = (Path(__file__).parents[1] / "fixtures" / "playground" / "text.txt").read_text()
# Small animals grow by water: what legal actions do is wrong now and then.
WRONG = EXACT.replace('("small", ["plant", "small"])', '("small", ["small", "water"])')


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("playground")
    words = ["--env", "playground", "--min-transitions", "300"]
    assert collect.main([*words, "--out", str(path / "data.npz"), "--json"]) == 0
    (path / "exact.py").write_text(EXACT)
    (path / "wrong.py").write_text(WRONG)
    return path


def share_told(trajectories: tuple[Trajectory, ...], folder: Path) -> float:
    """Returns for how many transitions words say what is seen next."""
    data = load_dataset(folder / "data.npz")
    told = []
    for trajectory in trajectories:
        texts = decode_columns(data.observation_space, trajectory.observations)
        actions = decode_columns(data.action_space, trajectory.actions)
        for before, action, after in zip(texts, actions, texts[1:], strict=False):
            step = (str(before), int(action), str(after))  # type: ignore[arg-type]
            told.append(apply_change(*step[:2], change_between(*step)) == after)
    return sum(told) / len(told)


def test_texts_are_compared_exactly(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    words = ["exact.py", "wrong.py", "--data", "data.npz", "--quiet", "--json"]
    assert evaluate.main(words) == 0
    exact, wrong = (
        one["evaluation"] for one in json.loads(capsys.readouterr().out)["files"]
    )
    data = load_dataset("data.npz")
    for split in ("train", "validation"):
        parts = exact[split]["part_accuracy"]
        told = share_told(data.in_split(split), folder)  # type: ignore[arg-type]
        assert 0.8 < told < 1.0
        assert parts == {
            "observation": pytest.approx(told),
            **dict.fromkeys(("reward", "terminated", "legal_actions"), 1.0),
        }
        assert exact[split]["strict"] == pytest.approx(told)
    assert wrong["train"]["strict"] < exact["train"]["strict"]
    assert wrong["train"]["part_accuracy"]["legal_actions"] < 1.0


def test_a_language_models_program_is_found(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    answers = [f"```python\n{source}```\n" for source in (WRONG, EXACT, WRONG)]
    Path("answers.json").write_text(json.dumps(answers))
    words = ["--data", "data.npz", "--llm", "scripted:answers.json"]
    words += ["--call-budget", "3", "--out", "run", "--quiet", "--json"]
    assert synthesize.main(words) == 0
    assert Path("run/world_model.py").read_text().strip() == EXACT.strip()


def test_planning_in_a_program_of_texts_grows_things(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    ending = "float(is_over and grown not in PLANTS)"
    assert ending in EXACT
    Path("growth.py").write_text(EXACT.replace(ending, "1.0"))
    capsys.readouterr()
    words = ["growth.py", "--env", "playground", "--env-kwargs", '{"reward": "growth"}']
    words += ["--planner", "beam", "--horizon", "30", "--model-steps", "2000"]
    assert plan.main([*words, "--episodes", "1", "--quiet", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)["rows"][0]
    assert row["summary"]["returns"]["value"] >= 3
