"""What a user does wrong, and what the commands say about it."""

import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cwm import collect, evaluate, replay, scoring, synthesize
from cwm.core.dataset_file import save_dataset
from sandbox.errors import SandboxUnavailable
from sandbox.opt_in import CAPABILITIES
from tests.support.corridor import EXACT, corridor_dataset

Main = Callable[[list[str]], int]
COMMANDS = [synthesize.main, evaluate.main]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.py").write_text(EXACT)
    save_dataset(corridor_dataset(), tmp_path / "corridor.npz")
    return tmp_path


def words(main: Main, *rest: str) -> list[str]:
    return [*(["model.py"] if main is evaluate.main else []), "--quiet", *rest]


@pytest.mark.parametrize("main", COMMANDS)
def test_an_unknown_environment_is_answered_with_the_nearest_names(
    main: Main, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words(main, "--env", "CartPol-v1")) == 2
    message = capsys.readouterr().err
    assert "No environment called 'CartPol-v1'. Nearest: " in message
    assert "CartPole-v1" in message
    assert "Traceback" not in message


@pytest.mark.parametrize("main", COMMANDS)
def test_a_missing_data_file_is_named(
    main: Main, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words(main, "--data", "nowhere.npz")) == 1
    assert "nowhere.npz" in capsys.readouterr().err


@pytest.mark.parametrize("main", COMMANDS)
def test_a_truncated_data_file_is_named(
    main: Main, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = (folder / "corridor.npz").read_bytes()
    (folder / "half.npz").write_bytes(content[: len(content) // 2])
    assert main(words(main, "--data", "half.npz")) == 1
    message = capsys.readouterr().err
    assert "half.npz" in message
    assert "Traceback" not in message


@pytest.mark.parametrize("main", COMMANDS)
def test_a_data_file_with_wrong_shapes_says_which(
    main: Main, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    short = io.BytesIO()
    np.save(short, np.zeros(3))
    with (
        zipfile.ZipFile(folder / "corridor.npz") as good,
        zipfile.ZipFile(folder / "bad.npz", "w") as bad,
    ):
        for name in good.namelist():
            content = good.read(name)
            bad.writestr(name, short.getvalue() if name == "rewards.npy" else content)
    assert main(words(main, "--data", "bad.npz")) == 1
    message = capsys.readouterr().err
    assert "bad.npz" in message
    assert "rewards" in message
    assert "Traceback" not in message


@pytest.mark.parametrize("main", COMMANDS)
@pytest.mark.parametrize(
    ("rest", "message"),
    [
        ([], "Exactly one of env and data must be given, got neither."),
        (["--env", "a", "--data", "b"], "got both."),
        (["--env", "CartPole-v1", "--env-kwargs", "{"], "--env-kwargs must be JSON"),
        (
            ["--env", "CartPole-v1", "--set", "gravity"],
            "--set must be given name=value",
        ),
        (["--env", "CartPole-v1", "--set", "grvity=1"], "gravity"),
    ],
)
def test_settings_that_make_no_sense_are_usage_errors(
    main: Main, rest: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words(main, *rest)) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["--call-budget", "--llm-call-budget"])
def test_a_budget_of_0_is_a_usage_error(
    flag: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert synthesize.main(["--env", "CartPole-v1", flag, "0"]) == 2
    message = capsys.readouterr().err
    assert "call_budget must be at least 1, got 0 (calls)." in message


def test_a_misspelt_option_is_answered_with_the_nearest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as end:
        synthesize.main(["--env", "CartPole-v1", "--cal-budget", "3"])
    assert end.value.code == 2
    assert "--call-budget" in capsys.readouterr().err


@pytest.mark.skipif(os.getuid() == 0, reason="root can write everywhere")
def test_a_folder_that_cannot_be_written_is_a_usage_error(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder.chmod(0o500)
    assert synthesize.main(["--quiet", "--data", "corridor.npz"]) == 2
    assert "folder cannot be written" in capsys.readouterr().err


def test_a_folder_below_a_file_is_a_usage_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = ["--quiet", "--data", "corridor.npz", "--out", "model.py/run"]
    assert synthesize.main(given) == 2
    assert "folder cannot be written" in capsys.readouterr().err


def test_a_folder_with_a_run_is_not_overwritten(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "run").mkdir()
    (folder / "run" / "journal.jsonl").touch()
    given = ["--quiet", "--data", "corridor.npz", "--out", "run"]
    assert synthesize.main(given) == 2
    assert "--resume run" in capsys.readouterr().err


def test_a_run_that_never_began_leaves_no_folder(folder: Path) -> None:
    assert synthesize.main(["--quiet", "--env", "CartPol-v1"]) == 2
    assert list((folder / "runs").iterdir()) == []


def test_a_missing_program_file_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate.main(["none.py", "--data", "corridor.npz"]) == 1
    assert "'none.py' cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize("main", [replay.main])
def test_a_folder_without_a_run_cannot_be_replayed(
    main: Main, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["."]) == 2
    assert "must be the folder of a run" in capsys.readouterr().err


def test_a_missing_extra_is_answered_with_the_line_that_installs_it() -> None:
    # A module that is None in `sys.modules` cannot be imported.
    program = (
        "import sys; sys.modules['mujoco'] = None; from cwm.synthesize import main;"
        "sys.exit(main(['--env', 'InvertedPendulum-v5']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "pip install 'gymnasium[mujoco]'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("main", COMMANDS)
def test_a_machine_without_a_sandbox_is_told_so_and_nothing_is_scored(
    main: Main,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def refuse(**settings: object) -> None:
        raise SandboxUnavailable("Isolation must be at least 'kernel', got 'process'.")

    monkeypatch.setattr(scoring, "open_sandbox", refuse)
    assert main(words(main, "--data", "corridor.npz")) == 1
    shown = capsys.readouterr()
    assert "SandboxUnavailable: Isolation must be" in shown.err
    assert "--isolation" in shown.err
    assert shown.out == ""


def test_a_missing_package_of_a_capability_is_named_with_its_option(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = replace(CAPABILITIES["physics"], preload=("no_such_engine",))
    monkeypatch.setitem(CAPABILITIES, "physics", absent)
    main = evaluate.main
    assert (
        main([*words(main, "--data", "corridor.npz"), "--capabilities", "physics"]) == 1
    )
    shown = capsys.readouterr().err
    assert "needs the package no_such_engine" in shown
    assert "code-world-models[mujoco]" in shown
    assert "(The option is --capabilities.)" in shown


@pytest.mark.parametrize("module", ["synthesize", "evaluate", "replay", "collect"])
def test_every_command_explains_itself(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"cwm.{module}", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"usage: python -m cwm.{module}" in done.stdout
    assert f"python -m cwm.{module} " in done.stdout.partition("usage:")[2]


ENVS = "tests.support.broken_envs"


@pytest.mark.parametrize(
    ("env_id", "code", "message"),
    [
        (f"{ENVS}:StepRaises-v0", 1, "RuntimeError: broken motor (broken_envs.py, "),
        (f"{ENVS}:ResetRaises-v0", 1, "KeyError: 'start' (broken_envs.py, line "),
        (f"{ENVS}:NoSpaces-v0", 2, "must have an observation_space, got none."),
        (f"{ENVS}:Text-v0", 2, "must be numeric for symbolic induction, got TextSpec"),
        (f"{ENVS}:Image-v0", 2, "at most 512 elements for symbolic induction, got 768"),
        ("broken:Any-v0", 2, "'broken:Any-v0' cannot be made: SyntaxError: "),
        ("needy:Any-v0", 1, "not installed: No module named 'no_such_package'"),
        ("none.here:Any-v0", 2, "there is no module 'none.here'"),
    ],
)
def test_an_environment_that_cannot_be_used_is_told_in_one_line_and_leaves_no_run(
    env_id: str,
    code: int,
    message: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.syspath_prepend(str(folder))
    (folder / "broken.py").write_text("def (:\n")
    (folder / "needy.py").write_text("import no_such_package\n")
    assert synthesize.main(["--quiet", "--env", env_id]) == code
    shown = capsys.readouterr().err
    assert message in shown
    assert shown.count("\n") == 1
    assert list((folder / "runs").iterdir()) == []


def test_what_an_environment_prints_is_not_part_of_the_result(
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = ["--json", "--out", "a.npz", "--env", f"{ENVS}:Talkative-v0"]
    assert collect.main([*given, "--planning-steps", "0"]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["file"] == "a.npz"
    assert "noise" in shown.err


@pytest.mark.parametrize(
    ("rest", "code", "message"),
    [
        (["--llm", "gpt"], 2, "No kind of language model called 'gpt'."),
        (["--llm", "scripted:none.json"], 1, "'none.json' cannot be read"),
        (["--tests", "model.py"], 1, "model.py must have at least one function test_"),
    ],
)
def test_a_setting_is_refused_before_a_folder_is_made(
    rest: list[str],
    code: int,
    message: str,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert synthesize.main(["--quiet", "--data", "corridor.npz", *rest]) == code
    shown = capsys.readouterr().err
    assert message in shown
    assert "--resume" not in shown
    assert not (folder / "runs").exists()


def test_evaluate_says_which_unit_tests_failed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "t.py").write_text(
        "def test_it_is_made(Environment):\n    Environment()\n\n\n"
        "def test_pigs_fly(Environment):\n    assert False, 'they do not'\n"
    )
    given = ["model.py", "--quiet", "--data", "corridor.npz", "--tests", "t.py"]
    assert evaluate.main(given) == 0
    expected = "model.py: unit tests: 1 of 2 passed; failed: test_pigs_fly"
    assert expected in capsys.readouterr().out
