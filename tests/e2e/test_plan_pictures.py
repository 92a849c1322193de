"""Pictures of planning, from the command line."""

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from importlib import util
from pathlib import Path
from typing import Any

import pytest

from cwm import plan
from tests.support.drawn_envs import drawn
from tests.support.planning_programs import BY_NAME
from tests.support.toy_envs import toy

PROGRAM = """\
class Environment:
    def set_state(self, observation):
        self.place = observation

    def step(self, action):
        self.place = min(max(self.place + 2 * action - 1, 0), 5)
        return self.place, float(self.place), self.place == 5
"""
FEW = ("--planner", "random-shooting", "--model-steps", "50", "--horizon", "5")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "line.py").write_text(PROGRAM)
    for name in ("cartpole", "pendulum"):
        (tmp_path / f"{name}.py").write_text(BY_NAME[name].source)
    return tmp_path


def run(*words: str, code: int = 0) -> tuple[str, str]:
    """Returns what the command writes to its two streams."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        got = plan.main([*words, "--quiet"])
    assert got == code, err.getvalue()
    return out.getvalue(), err.getvalue()


@pytest.mark.plot
@pytest.mark.parametrize(
    ("program", "env"), [("cartpole.py", "CartPole-v1"), ("pendulum.py", "Pendulum-v1")]
)
def test_a_program_is_shown_beside_the_real_environment(
    folder: Path, program: str, env: str
) -> None:
    image: Any = pytest.importorskip("PIL.Image")
    pytest.importorskip("matplotlib")
    pytest.importorskip("pygame")
    out, _ = run(
        *("random", program, "--env", env, "--episodes", "2", "--max-steps", "12"),
        *(*FEW, "--plot", "p.png", "--video", "v.gif", "--video-steps", "8"),
    )
    assert "plot: p.png" in out
    title = f"{program}, random-shooting"
    assert f"video of {title}, episode 0, 8 steps: v.gif" in out
    with image.open(folder / "p.png") as opened:
        opened.load()
        assert opened.format == "PNG"
    with image.open(folder / "v.gif") as opened:
        assert opened.n_frames == 9
        opened.seek(8)
        assert opened.convert("RGB").size[0] == 808


@pytest.mark.plot
def test_pictures_do_not_change_the_result() -> None:
    pytest.importorskip("PIL.Image")
    pytest.importorskip("matplotlib")

    def rows(*words: str) -> list[Any]:
        out, _ = run("line.py", "--env", drawn(), "--episodes", "2", "--json", *words)
        return [
            {k: v for k, v in episode.items() if k != "decision_ms"}
            for row in json.loads(out)["rows"]
            for episode in row["episodes"]
        ]

    plain = rows(*FEW)
    assert rows(*FEW, "--plot", "p.png", "--video", "v.gif") == plain


@pytest.mark.plot
def test_a_picture_that_fails_after_the_work_does_not_cost_its_result(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("PIL.Image")
    from cwm.report import pictures  # noqa: PLC0415

    def fail(*_: Any, **__: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pictures, "write_video", fail)
    out, _ = run(
        *("line.py", "--env", drawn(), "--episodes", "1", *FEW),
        *("--video", "v.gif", "--out", "r.json"),
        code=1,
    )
    assert "no video: [Errno 28] No space left on device" in out
    assert "line.py" in out
    assert json.loads((folder / "r.json").read_text())["rows"]


@pytest.mark.plot
def test_an_interrupt_while_a_video_is_drawn_does_not_cost_the_result(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("PIL.Image")
    from cwm.report import pictures  # noqa: PLC0415

    def interrupt(*_: Any, **__: Any) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(pictures, "write_video", interrupt)
    run(
        *("line.py", "--env", drawn(), "--episodes", "1", *FEW),
        *("--video", "v.gif", "--out", "r.json", "--save-transitions", "t.npz"),
        code=130,
    )
    assert json.loads((folder / "r.json").read_text())["rows"]
    assert (folder / "t.npz").exists()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["line.py", "--plot", "a.jpg"], 2, "plot must end in .png, got 'a.jpg'."),
        (["line.py", "--video", "a.avi"], 2, "video must end in .gif or .mp4"),
        (["random", "--video", "a.gif"], 2, "video must have a world model to show"),
        (["line.py", "--video-steps", "0"], 2, "video_steps must be at least 1"),
    ],
)
def test_what_cannot_be_shown_is_said_before_the_work(
    monkeypatch: pytest.MonkeyPatch, words: list[str], code: int, message: str
) -> None:
    _no_episodes(monkeypatch)
    _, err = run(*words, "--env", drawn(), *FEW, code=code)
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("option", "package"), [("--plot=p.png", "matplotlib"), ("--video=v.gif", "PIL")]
)
def test_a_missing_package_is_said_before_the_work(
    monkeypatch: pytest.MonkeyPatch, option: str, package: str
) -> None:
    _no_episodes(monkeypatch)
    real = util.find_spec

    def find_spec(name: str) -> Any:
        return None if name == package else real(name)

    monkeypatch.setattr(util, "find_spec", find_spec)
    _, err = run("line.py", "--env", drawn(), *FEW, option, code=1)
    name = option.partition("=")[0]
    assert f"{name} needs the package {package}, of the extra [plot]." in err


@pytest.mark.plot
def test_a_file_that_cannot_be_written_or_drawn_is_said_before_the_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("PIL.Image")
    pytest.importorskip("matplotlib")
    _no_episodes(monkeypatch)
    _, err = run("line.py", "--env", toy("Line"), *FEW, "--video", "v.gif", code=2)
    assert "must have the render mode 'rgb_array'" in err
    for option in ("--plot=line.py/p.png", "--video=line.py/v.gif"):
        _, err = run("line.py", "--env", drawn(), *FEW, option, code=1)
        assert "must be writable" in err


def _no_episodes(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("episodes were run")

    monkeypatch.setattr(sys.modules["cwm.planning"], "run_episodes", refuse)
