"""`python -m cwm.fit`, in this process, on transitions of a system of our own."""

import json
from pathlib import Path

import pytest

from cwm import fit
from cwm.core.dataset_file import save_dataset
from cwm.programs.acceleration.files import FastFiles
from tests.support.known_systems import GUESS, TRUE, oscillator, recorded_dataset

SPLITS = ("train",) * 9 + ("held_out",) * 3
QUICK = ("--fit.num-rows", "100", "--fit.max-steps", "60000", "--quiet")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "rod.npz"
    save_dataset(recorded_dataset(oscillator(TRUE), SPLITS), path)
    return path


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "rod.py"
    path.write_text(oscillator(GUESS), encoding="utf-8")
    return path


def test_the_program_is_written_with_other_numbers(
    program: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "fitted.py"
    words = [str(program), "--data", str(data), "--out", str(out), *QUICK]
    assert fit.main(words) == 0
    shown = capsys.readouterr().out
    assert "stiffness = 0.23 (was 0.5), between 0.2" in shown
    assert "strict accuracy, train: 0.0000 -> 1.0000" in shown
    assert f"program: {out}" in shown
    assert "self.stiffness = 0.23\n" in out.read_text()
    assert program.read_text() == oscillator(GUESS)


@pytest.mark.parametrize(
    ("text", "reasons"),
    [
        ("", ("(raised)", "Environment")),
        ("class Environment:\n    def :\n", ("SyntaxError", "Line 2: ")),
        ("import os\n" + oscillator(GUESS), ("(rejected)", "ine 1: ")),
        (
            oscillator(GUESS).replace(
                "def step(self, action):", "def step(self, action):\n        while 1: 1"
            ),
            ("(timed_out)", "TimeLimit: the program did not finish within 0.5 s"),
        ),
    ],
)
def test_a_program_that_does_not_run_is_refused_with_its_reason(
    program: Path,
    data: Path,
    capsys: pytest.CaptureFixture[str],
    *,
    text: str,
    reasons: tuple[str, ...],
) -> None:
    assert text != oscillator(GUESS)
    program.write_text(text, encoding="utf-8")
    words = [str(program), "--data", str(data), "--limits.wall-s", "0.5", *QUICK]
    assert fit.main(words) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "rod.py' is a bug" in shown.err
    assert [reason for reason in reasons if reason not in shown.err] == []


def test_a_fast_form_of_what_is_written_over_goes(
    program: Path, data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "fitted.py"
    old = FastFiles.beside(out)
    old.write("# before", "# before", {})
    assert fit.main([str(program), "--data", str(data), "--out", str(out), *QUICK]) == 0
    assert not old.program.exists()


def test_what_was_found_is_there_for_machines(
    program: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit.main([str(program), "--data", str(data), "--json", *QUICK]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["strict"]["held_out"]["before"] < 0.1
    assert result["strict"]["held_out"]["after"] > 0.9
    names = [constant["name"] for constant in result["fit"]["constants"]]
    assert names[:5] == ["stiffness", "friction", "push", "max_speed", "wall"]


def test_a_folder_that_does_not_exist_is_refused_before_the_work(
    program: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(program), "--data", str(data), "--out", "none/such.py"]
    assert fit.main(words) == 2
    assert "out must be in a folder that exists" in capsys.readouterr().err


def test_where_outcomes_vary_nothing_is_fitted(
    program: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "random.npz"
    save_dataset(recorded_dataset(oscillator(TRUE), SPLITS, is_stochastic=True), path)
    assert fit.main([str(program), "--data", str(path), *QUICK]) == 2
    assert "outcomes do not vary" in capsys.readouterr().err


def test_off_is_no_mode_of_a_command_that_fits(
    program: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(program), "--data", str(data), "--fit.mode", "off"]
    assert fit.main(words) == 2
    assert "fit.mode must be all or declared" in capsys.readouterr().err


PAID = oscillator(TRUE).replace(
    "-(x**2)", "float(-(x**2) + (0.5 if x >= 0.45 else 0.0))"
)
RESIDUAL = ("--residual.mode", "sparse", "--fit.mode", "declared", "--quiet")
"""There are no declared constants: nothing is fitted, which takes no time."""


@pytest.fixture
def paid(tmp_path: Path) -> Path:
    path = tmp_path / "paid.npz"
    splits = ("train",) * 17 + ("held_out",) * 3
    save_dataset(recorded_dataset(PAID, splits), path)
    return path


@pytest.fixture
def law(tmp_path: Path) -> Path:
    path = tmp_path / "law.py"
    path.write_text(oscillator(TRUE), encoding="utf-8")
    return path


def test_a_residual_is_told_apart_from_the_law(
    law: Path, paid: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "corrected.py"
    words = [str(law), "--data", str(paid), "--out", str(out), *RESIDUAL]
    assert fit.main(words) == 0
    shown = capsys.readouterr().out
    assert "(as it was, fitted, with the residual)" in shown
    assert "reward + 0.5 where next observation[0] >= 0.4" in shown
    assert "  everything, train: law 0." in shown
    assert "law + residual 1.0000" in shown
    written = out.read_text()
    assert "stiffness = 0.23" in written
    assert "# Learned residual, not law." in written


def test_machines_get_the_terms_and_three_accuracies(
    law: Path, paid: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(law), "--data", str(paid), "--json", *RESIDUAL]
    assert fit.main(words) == 0
    result = json.loads(capsys.readouterr().out)
    held_out = result["strict"]["held_out"]
    assert held_out["before"] == held_out["after"] < held_out["with_residual"]
    assert [term["part"] for term in result["residual"]["terms"]] == ["reward"]


def test_a_program_with_a_residual_needs_a_new_one(
    law: Path, paid: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "corrected.py"
    words = ["--data", str(paid)]
    assert fit.main([str(law), *words, "--out", str(out), *RESIDUAL]) == 0
    assert fit.main([str(out), *words]) == 2
    shown = capsys.readouterr().err
    assert "has a learned residual, which would be wrong for other constants" in shown
    assert "Learn it anew with --residual.mode sparse." in shown
