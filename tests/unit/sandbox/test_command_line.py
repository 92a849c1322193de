"""`python -m sandbox`: what it prints, and its exit codes."""

import json
from pathlib import Path

import pytest

from sandbox.__main__ import diagnosis, main
from sandbox.isolation import Surroundings, summarise

SUM = "import sys\nprint(sum(int(word) for word in sys.stdin.read().split()))\n"


def written(folder: Path, source: str) -> str:
    path = folder / "program.py"
    path.write_text(source)
    return str(path)


def test_a_program_reads_its_input_and_writes_its_output(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    (tmp_path / "input").write_text("1 2 3")
    program = written(tmp_path, SUM)
    assert main(["run", program, "--stdin", str(tmp_path / "input")]) == 0
    assert capfdbinary.readouterr().out == b"6\n"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("while True:\n    pass\n", "did not finish within 0.5 s"),
        ("open('/etc/hostname')\n", "Operation not permitted"),
        ("x = bytearray(1 << 30)\n", "more than 64 MiB"),
        ("print('x' * (1 << 20))\n", "larger than 8 KiB"),
        ("import sys\nsys.exit(3)\n", "exit code was 3"),
        ("import socket\n", "socket"),
    ],
)
def test_a_program_that_fails_says_how(
    source: str, said: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    options = ["--wall-s", "0.5", "--memory-mib", "64", "--max-stdout-kib", "8"]
    assert main(["run", written(tmp_path, source), *options]) == 1
    assert said in capfd.readouterr().err


def test_json_has_outcome_use_and_isolation(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", written(tmp_path, "print('done')\n"), "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert (found["outcome"], found["stdout"], found["exit_code"]) == (
        "completed",
        "done\n",
        0,
    )
    assert found["usage"]["cpu_s"] > 0.0
    assert found["isolation"]["level"] == "kernel"


def test_a_file_that_is_not_there_is_a_usage_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(tmp_path / "nothing.py")]) == 2
    assert "nothing.py" in capfd.readouterr().err


def test_a_setting_out_of_range_is_a_usage_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", written(tmp_path, SUM), "--wall-s", "-1"]) == 2
    assert "wall_s must be" in capfd.readouterr().err


def test_the_doctor_finds_this_machine_well(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert main(["doctor", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["level"] == "kernel"


def test_the_doctor_names_an_action_for_each_missing_layer() -> None:
    report = summarise(
        {"rlimits": "active", "seccomp": "absent: refused", "landlock": "absent: old"},
        {"allocate_too_much": "MemoryError", "open_beyond_limit": "OSError 24"},
        Surroundings(platform="a machine"),
    )
    text = "\n".join(diagnosis(report))
    assert "level: process" in text
    assert "seccomp: run on Linux" in text
    assert "landlock: use Linux 5.13" in text
