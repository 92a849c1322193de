"""A program with the physics engine, from the command line to the real environment."""

import io
import json
import shlex
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from cwm import evaluate, fit, plan, synthesize
from tests.support.physics_programs import exact_pendulum, with_values

pytestmark = pytest.mark.mujoco

ALLOWED = ("--capabilities", "physics")
LITTLE = (
    "--collect.num-trajectories=3",
    "--collect.min-transitions=60",
    "--collect.planning-steps=0",
)


class Done(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


def run(main: Callable[[Sequence[str]], int], *words: str) -> Done:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(words)
    return Done(code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("physics") / "pendulum.py"
    path.write_text(exact_pendulum(), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def searched(program: Path) -> tuple[Path, dict[str, Any]]:
    """A run that begins with the right program, and its result."""
    folder = program.parent / "run"
    words = ["--env", "InvertedPendulum-v5", *LITTLE, "--start-from", str(program)]
    words += [*ALLOWED, "--call-budget", "1", "--out", str(folder), "--json", "--quiet"]
    done = run(synthesize.main, *words)
    assert done.code == 0, done.err
    return folder, json.loads(done.out)


def test_run_says_what_its_programs_could_use(
    searched: tuple[Path, dict[str, Any]],
) -> None:
    folder, result = searched
    assert result["best"]["capabilities"] == ["physics"]
    (row,) = (r for r in result["rows"] if r["name"] == "program")
    assert row["scores"]["held_out"]["strict"] == 1.0
    assert json.loads((folder / "config.json").read_text())["capabilities"] == [
        "physics"
    ]
    command = next(line for line in result["next"] if "cwm.evaluate" in line)
    assert shlex.split(command)[-2:] == list(ALLOWED)


def test_program_is_scored_only_where_the_engine_is_switched_on(
    searched: tuple[Path, dict[str, Any]],
) -> None:
    folder, _ = searched
    words = (str(folder / "world_model.py"), "--data", str(folder / "dataset.npz"))
    refused = run(evaluate.main, *words, "--quiet")
    assert refused.code == 1
    assert "'physics' is off (--capabilities physics)" in refused.out
    done = run(evaluate.main, *words, *ALLOWED, "--quiet")
    assert done.code == 0
    assert "programs could use: physics" in done.out
    assert "audit: consistent" in done.out


def test_numbers_of_a_model_are_fitted(searched: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = searched
    guess = folder.parent / "guess.py"
    wrong = with_values(exact_pendulum(), {"gravity": 7.0, "rail_damping": 0.2})
    guess.write_text(wrong, encoding="utf-8")
    words = (str(guess), "--data", str(folder / "dataset.npz"), *ALLOWED)
    done = run(fit.main, *words, "--fit.max-seconds=600", "--json", "--quiet")
    assert done.code == 0, done.err
    held_out = json.loads(done.out)["strict"]["held_out"]
    assert held_out["before"] < 0.1
    assert held_out["after"] == 1.0


def test_program_is_planned_with(searched: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = searched
    words = [str(folder), *ALLOWED, "--planner", "cem", "--episodes", "1"]
    words += ["--max-steps", "8", "--model-steps", "200", "--json", "--quiet"]
    done = run(plan.main, *words)
    assert done.code == 0, done.err
    row = json.loads(done.out)["rows"][0]
    assert row["settings"]["capabilities"] == ["physics"]
    assert row["note"] == "the program could use physics"
    assert row["summary"]["returns"]["value"] == 8.0


def test_an_unknown_capability_is_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as end:
        evaluate.main(["program.py", "--env", "x", "--capabilities", "network"])
    assert end.value.code == 2
    assert "physics" in capsys.readouterr().err
