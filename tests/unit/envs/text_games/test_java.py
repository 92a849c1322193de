import multiprocessing
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cwm.core.errors import PrerequisiteError
from envs.registry import find
from envs.text_games import java
from envs.text_games.express import PACKAGE, Express
from envs.text_games.java import JavaPackage, require, stop_machines

MISSING = JavaPackage(name="a_game_nobody_has", jar="game.jar", interface="game.Game")


def test_a_missing_package_is_named_with_the_line_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(java, "find_spec", lambda name: name == "py4j" or None)
    with pytest.raises(PrerequisiteError, match=r"need the package a_game_nobody_has"):
        require(MISSING)
    with pytest.raises(PrerequisiteError, match=r"code-world-models\[text\]"):
        find("twc")


def test_missing_java_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(java, "find_spec", lambda name: name)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(PrerequisiteError, match=r"needs Java 8 or later.*on the PATH"):
        require(MISSING)
    with pytest.raises(PrerequisiteError, match="'cwm/ScienceWorld-v0' cannot be made"):
        find("scienceworld")


@pytest.mark.text
def test_java_that_does_not_start_is_no_fault_of_the_game(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "java"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    stop_machines()
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    env = find("twc").make()
    with pytest.raises(PrerequisiteError, match="`java` did not start with -Xmx512m"):
        env.reset(seed=0)


def first_texts(env: Any, channel: Any) -> None:
    """Goes on with an episode, and begins another, in another process."""
    legal = env.unwrapped.legal_actions()
    channel.send((env.step("inventory")[0], legal, env.reset(seed=5)[0]))


@pytest.mark.text
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_forked_process_starts_its_own_and_goes_on_with_the_episode() -> None:
    env = find("twc").make()
    env.reset(seed=0)
    env.step("look around")
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=first_texts, args=(env, theirs))
    process.start()
    assert ours.poll(60)
    found = ours.recv()
    process.join(60)
    assert process.exitcode == 0
    first_texts(env, theirs)
    assert ours.recv() == found


@pytest.mark.text
def test_games_of_one_process_share_a_virtual_machine() -> None:
    stop_machines()
    games = [find(name).make() for name in ("twc", "coin")]
    for game in games:
        game.reset(seed=0)
    assert list(java._MACHINES) == [PACKAGE.name]
    held = [game.unwrapped for game in games]
    assert all(isinstance(one, Express) and one._is_there() for one in held)
    stop_machines()
    assert not any(isinstance(one, Express) and one._is_there() for one in held)
    stop_machines()


SCRIPT = """
from envs.registry import find
from envs.text_games import java

env = find("coin").make()
env.reset(seed=0)
print(java._MACHINES["textworld_express"].process.pid)
"""


@pytest.mark.text
def test_java_ends_with_the_process_and_without_a_warning() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", "-c", SCRIPT],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[4],
    )
    assert done.stderr == ""
    with pytest.raises(ProcessLookupError):
        os.kill(int(done.stdout), 0)
