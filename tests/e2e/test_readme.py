"""Short commands of the README, as they are written there."""

import re
import shlex
import shutil
from pathlib import Path

import pytest

from tests.support.installed import Installed, run

README = (Path(__file__).parents[2] / "README.md").read_text()

COMMANDS = {
    "python -m cwm.collect --env Acrobot-v1 --out acrobot.npz": "Written to",
    "python -m cwm.synthesize --data transitions.npz": "│ program │ 1.0000 │ 1.0000 │",
    "python -m cwm.synthesize --env Taxi-v4": "│ program │ 1.0000 │ 1.0000 │",
    "python -m cwm.evaluate runs/.../world_model.py --env Taxi-v4": "│ held-out │ prog",
    "python -m cwm.synthesize --env CartPole-v1 --set gravity=3.7": "│ program │ 1.000",
    "python -m cwm.synthesize --env CartPole-v1": "│ program │ 1.0000 │ 1.0000 │",
    "python -m cwm.fit world_model.py --env CartPole-v1 --set gravity=3.7 "
    "--out mars.py": "-> 1.0000 program: mars.py",
    "python -m cwm.accelerate runs/...": "│ to the last bit │",
    "python -m cwm.replay runs/...": "tree.json is the tree",
    "python -m sandbox run program.py --wall-s 2": "42",
}
"""Command -> a part of what it prints, in the order in which they are run."""


@pytest.mark.slow
def test_the_commands_of_the_readme_run_as_they_are_written(
    installed: Installed, tmp_path: Path
) -> None:
    (tmp_path / "program.py").write_text("print(6 * 7)\n")
    for line, part in COMMANDS.items():
        words = [
            word.replace("runs/...", newest(tmp_path)) for word in shlex.split(line)
        ]
        done = run([installed.python, *words[1:]], cwd=tmp_path)
        assert part in " ".join(done.stdout.split()), line
        if (tmp_path / "acrobot.npz").exists():
            shutil.copy(tmp_path / "acrobot.npz", tmp_path / "transitions.npz")
        if newest(tmp_path):
            program = Path(newest(tmp_path)) / "world_model.py"
            shutil.copy(program, tmp_path / "world_model.py")


def newest(folder: Path) -> str:
    """The run that was made last; nothing before the first one."""
    runs = sorted((folder / "runs").glob("*"), key=lambda path: path.stat().st_mtime)
    return str(runs[-1]) if runs else ""


@pytest.mark.slow
def test_the_examples_of_the_library_run_as_they_are_written(
    installed: Installed, tmp_path: Path
) -> None:
    examples = re.findall(
        r"^```python\n((?:from|import) .*?)^```$", README, re.M | re.S
    )
    assert len(examples) == 2
    first, second = (
        run([installed.python, "-c", text], cwd=tmp_path).stdout for text in examples
    )
    score, strict = map(float, first.split())
    assert 0.0 <= strict <= score < 1.0
    assert second == "(1, 1, 1, 1)\n"
