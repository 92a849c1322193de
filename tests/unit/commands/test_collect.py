import json
from pathlib import Path

import pytest

from cwm.collect import default_path, main, table_rows
from cwm.core.dataset_file import load_dataset
from cwm.core.errors import ConfigError
from cwm.core.trajectories import SPLIT_TITLES
from cwm.sources import parse_changes, parse_kwargs

FAST = [
    *("--num-trajectories", "2", "--min-transitions", "20"),
    *("--max-transitions", "60", "--planning-steps", "0"),
]


def test_a_file_is_written_and_the_table_states_its_transitions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "new" / "cart.npz"
    code = main(["--env", "CartPole-v1", "--out", str(target), *FAST])
    assert code == 0
    dataset = load_dataset(target)
    shown = capsys.readouterr().out
    for split, number in dataset.num_transitions.items():
        if split != "planner":
            assert f"{number} {SPLIT_TITLES[split]}" in shown
    assert SPLIT_TITLES["planner"] not in shown
    assert "python -m cwm.synthesize --data" in shown
    assert len(table_rows(dataset)) == len(dataset.trajectories)


def test_machines_get_one_json_object(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "lake.npz"
    arguments = ["--env", "FrozenLake-v1", "--env-kwargs", '{"is_slippery": false}']
    assert main([*arguments, "--out", str(target), "--json", *FAST]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["file"] == str(target)
    assert found["is_stochastic"] is False
    assert (
        sum(found["ends"].values())
        == found["trajectories"]["train"] + (found["trajectories"]["validation"])
    )


def test_options_change_constants_and_the_description(tmp_path: Path) -> None:
    words = tmp_path / "words.md"
    words.write_text("A pole on a cart.")
    target = tmp_path / "cart.npz"
    changes = ["--set", "gravity=3.7", "--set", "length=0.8"]
    options = [*changes, "--description", str(words)]
    assert main(["--env", "CartPole-v1", "--out", str(target), *options, *FAST]) == 0
    dataset = load_dataset(target)
    assert dataset.description == "A pole on a cart."
    assert dataset.collection["env_changes"] == {"gravity": 3.7, "length": 0.8}


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--env", "CartPol-v1"], 2, "Nearest: CartPole-v1"),
        (["--env", "CartPole-v1", "--seed", "-1"], 2, "--seed must be at least 0"),
        (["--env", "CartPole-v1", "--num-trajectories", "0"], 2, "at least 2"),
        (["--env", "CartPole-v1", "--env-kwargs", "["], 2, "--env-kwargs must be JSON"),
        (["--env", "CartPole-v1", "--set", "gravity"], 2, "must be given name=value"),
        (["--env", "CartPole-v1", "--description", "none.md"], 2, "readable text file"),
        (["--env", "CartPole-v1", "--out", "."], 1, "must be writable"),
    ],
)
def test_mistakes_end_in_one_message_and_a_code(
    arguments: list[str],
    code: int,
    message: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == code
    shown = capsys.readouterr().err
    assert message in shown
    assert "Traceback" not in shown
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_option_is_a_usage_error() -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--env", "CartPole-v1", "--colour", "red"])
    assert ended.value.code == 2


def test_values_of_constants_are_read_as_json_or_text() -> None:
    assert parse_changes(("a=1", "b=[1, 2]", "c=euler")) == {
        "a": 1,
        "b": [1, 2],
        "c": "euler",
    }
    with pytest.raises(ConfigError, match="must be a JSON object"):
        parse_kwargs("[1]")


def test_a_file_name_has_no_odd_characters() -> None:
    assert default_path("my.module:Env/Thing-v0") == Path("my.module-Env-Thing-v0.npz")
