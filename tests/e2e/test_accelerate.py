"""Fast forms of programs, from the command line, and planning with them."""

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cwm import accelerate, plan
from tests.support.toy_envs import toy

LINE = toy("Line")
PROGRAM = """\
class Environment:
    def set_state(self, observation):
        self.place = observation

    def step(self, action):
        self.place = min(max(self.place + 2 * action - 1, 0), 5)
        return self.place, float(self.place), self.place == 5
"""
ANSWER = """\
Here it is:
```python
class Fast(Environment):
    def step_batch(self, states, actions):
        places = np.clip(states + 2 * actions - 1, 0, 5)
        return places, places.astype(np.float64), places == {last}
```
"""

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the filter needs Linux"
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "line.py").write_text(PROGRAM)
    return tmp_path


@pytest.fixture(autouse=True)
def _measures_briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accelerate, "Trials", partial(accelerate.Trials, seconds=0.03))


@pytest.fixture
def no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where numba is not installed; a worker with it takes seconds to start."""
    monkeypatch.setattr(accelerate, "find_spec", lambda name: None)


quickly = pytest.mark.usefixtures("no_compiler")


def run(command: Any, *words: str, code: int = 0) -> tuple[str, str]:
    """Returns what a command writes to its two streams."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        got = command.main(list(words))
    assert got == code, err.getvalue()
    return out.getvalue(), err.getvalue()


def accelerated(*words: str) -> dict[str, Any]:
    out, _ = run(accelerate, "line.py", "--env", LINE, "--json", "--quiet", *words)
    data: dict[str, Any] = json.loads(out)
    return data


def planned(*words: str, code: int = 0) -> tuple[str, str]:
    few = ("--planner", "mcts", "--model-steps", "60", "--max-steps", "4")
    return run(
        plan, "line.py", "--env", LINE, "--episodes", "2", "--quiet", *few, *words,
        code=code,
    )  # fmt: skip


@pytest.mark.fast
def test_the_fastest_form_lies_beside_the_program(folder: Path) -> None:
    found = accelerated()
    assert found["best"] in ("vectorised", "numba", "table")
    assert found["file"] == "line.fast.py"
    assert (folder / "line.fast.py").read_text().startswith(PROGRAM)
    ways = {way["way"]: way for way in found["ways"]}
    assert set(ways) == {"original", "vectorised", "numba", "table"}
    assert ways["vectorised"]["agreement"]["num_rows"] >= 3_000
    assert set(ways["table"]["steps_per_second"]) == {"1", "100", "1000"}
    record = json.loads((folder / "line.fast.json").read_text())
    assert record["best"] == found["best"]


@pytest.mark.fast
def test_planning_uses_it_and_plans_the_same(folder: Path) -> None:
    before = json.loads(planned("--json")[0])["rows"][0]["episodes"]
    accelerated()
    (row,) = json.loads(planned("--json")[0])["rows"]
    assert row["settings"]["is_fast"]
    assert "steps by the program's fast form" in planned()[0]
    after = row["episodes"]
    assert [e["return"] for e in after] == [e["return"] for e in before]


@quickly
def test_a_stale_form_is_refused_by_the_planner(folder: Path) -> None:
    accelerated()
    (folder / "line.py").write_text(PROGRAM.replace("5)", "5 )"))
    _, err = planned(code=1)
    assert "was made from another program" in err
    assert "python -m cwm.accelerate" in err


@quickly
def test_a_language_model_writes_one_more_candidate(folder: Path) -> None:
    script = folder / "answers.json"
    script.write_text(json.dumps([ANSWER.format(last=5)]))
    name = f"scripted:{script}"
    ways = {way["way"]: way for way in accelerated("--llm", name)["ways"]}
    assert ways[name]["accepted"]


@quickly
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (ANSWER.format(last=4), "differs: terminated"),
        ("I cannot.", "there is no text"),
        (ANSWER.format(last=5).replace("np.clip", "open"), "open is not allowed"),
    ],
)
def test_a_wrong_answer_is_not_accepted(folder: Path, answer: str, reason: str) -> None:
    script = folder / "answers.json"
    script.write_text(json.dumps([answer]))
    ways = {
        way["way"]: way for way in accelerated("--llm", f"scripted:{script}")["ways"]
    }
    way = ways[f"scripted:{script}"]
    assert not way["accepted"]
    assert reason in way["reason"]


@quickly
def test_the_table_says_what_was_compared() -> None:
    out, _ = run(accelerate, "line.py", "--env", LINE, "--quiet")
    assert "equal to the program" in out
    assert "recorded transitions and 3,0" in out
    assert "Fast form: line.fast.py" in out


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("line.py",), 2, "Exactly one of env and data must be given"),
        (("line.py", "--env", LINE, "--samples", "10"), 2, "samples must be at least"),
        ((".", "--env", LINE), 2, "folder of a run with world_model.py"),
        (("nope", "--env", LINE), 2, "got 'nope', which does not exist.\n"),
        (("line.py", "--env", LINE, "--tolerance", "1"), 2, "below 1, got 1.0"),
    ],
)
def test_wrong_settings_are_named(
    words: tuple[str, ...], code: int, message: str
) -> None:
    assert message in run(accelerate, *words, "--quiet", code=code)[1]


@quickly
def test_a_program_that_hangs_is_refused_in_one_sentence(folder: Path) -> None:
    text = PROGRAM.replace("self.place = min", "while True: pass\n        x = min")
    (folder / "line.py").write_text(text)
    words = ("line.py", "--env", LINE, "--quiet", "--limits.wall-s", "0.5")
    _, err = run(accelerate, *words, code=1)
    assert "TimeLimit: the program did not finish within 0.5 s" in err
    assert ".." not in err


@pytest.mark.parametrize("text", ["# A title\n\nSome words.\n", "a = 1\n\n)"])
def test_what_is_no_python_is_refused_before_the_work(folder: Path, text: str) -> None:
    (folder / "line.py").write_text(text)
    _, err = run(accelerate, "line.py", "--env", "no/such-env", code=1)
    assert err.startswith("'line.py' is no Python program: ")
    assert err.endswith(" in line 3.\n")


@quickly
@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("class Other: pass", " must define a class 'Environment'.\n"),
        (f"raise KeyError({'words ' * 60!r})", " words ...\n"),
    ],
)
def test_a_refusal_ends_in_one_stop_and_behind_a_word(
    folder: Path, text: str, end: str
) -> None:
    (folder / "line.py").write_text(text)
    _, err = run(accelerate, "line.py", "--env", LINE, "--quiet", code=1)
    assert err.endswith(end)


def test_a_program_that_draws_is_refused(folder: Path) -> None:
    (folder / "line.py").write_text(
        "import random\n" + PROGRAM.replace("2 * action", "random.choice([0, 2])")
    )
    _, err = run(accelerate, "line.py", "--env", LINE, "--quiet", code=1)
    assert "draw at random" in err


@quickly
def test_without_a_compiler_its_way_says_what_to_install() -> None:
    ways = {way["way"]: way for way in accelerated()["ways"]}
    assert "code-world-models[fast]" in ways["numba"]["reason"]
    assert ways["vectorised"]["accepted"]


def test_a_physics_engine_has_no_other_form(folder: Path) -> None:
    (folder / "line.py").write_text("import mujoco.viewer as v\n" + PROGRAM)
    _, err = run(accelerate, "line.py", "--env", LINE, code=1)
    told = " ".join(err.split())
    assert "'line.py' has no fast form: its steps are made by mujoco.viewer" in told
