import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager

import numpy as np
import pytest

from cwm.core.errors import ConfigError, DataError, PrerequisiteError
from envs.registry import find
from envs.rendering import USUAL_FPS, RenderedEnv
from envs.restart import Restarter, find_restarter
from tests.support.drawn_envs import SIDE, drawn
from tests.support.toy_envs import toy


@contextmanager
def opened(env_id: str, seed: int = 3) -> Iterator[RenderedEnv]:
    with closing(RenderedEnv(find(env_id), seed)) as env:
        yield env


def restarter_of(env_id: str) -> Restarter:
    found = find_restarter(find(env_id))
    assert found is not None
    return found


def place(picture: np.ndarray) -> int:
    lit = np.flatnonzero(picture[0, :, 0])
    assert len(lit) == SIDE
    return int(lit[0]) // SIDE


def test_an_episode_is_drawn_step_by_step() -> None:
    with opened(drawn()) as env:
        assert env.frames_per_second == 5.0
        assert env.reset() == 2
        assert place(env.picture()) == 2
        assert [env.step(action) for action in (1, 1, 0)] == [3, 4, 3]
        assert place(env.picture()) == 3


def test_a_picture_stays_as_it_was() -> None:
    with opened(drawn()) as env:
        env.reset()
        before = env.picture()
        env.step(1)
        env.picture()
        assert place(before) == 2


@pytest.mark.parametrize("observation", [0, 4])
def test_a_state_is_drawn_that_only_an_observation_tells_of(observation: int) -> None:
    with opened(drawn()) as env:
        picture = env.picture_of(restarter_of(drawn()), observation)
        assert place(picture) == observation


def test_a_picture_that_fails_is_told_apart_from_ours() -> None:
    restarter = restarter_of(drawn("Shy"))
    with opened(drawn("Shy")) as env:
        with pytest.raises(DataError, match=r"must draw itself .*nobody may see this"):
            env.picture_of(restarter, 0)
        assert place(env.picture_of(restarter, 1)) == 1


@pytest.mark.plot
def test_numbers_that_are_not_finite_are_not_drawn() -> None:
    pytest.importorskip("pygame")
    restarter = restarter_of("CartPole-v1")
    broken = np.array([0.0, 0.0, np.nan, 0.0], dtype=np.float32)
    with opened("CartPole-v1") as env:
        with pytest.raises(DataError, match="must be finite"):
            env.picture_of(restarter, broken)
        assert env.picture_of(restarter, np.zeros(4, np.float32)).shape[2] == 3


def test_what_no_observation_shows_is_that_of_the_seed() -> None:
    restarter = restarter_of(drawn("Dealt"))
    with opened(drawn("Dealt"), seed=7) as env, opened(drawn("Dealt"), 7) as other:
        env.reset()
        dealt = env.env.get_wrapper_attr("number")
        assert dealt > 0
        for observation in (4, 1):
            other.picture_of(restarter, observation)
            assert other.env.get_wrapper_attr("number") == dealt


@pytest.mark.parametrize(
    ("env_id", "message"),
    [
        (toy("Line"), "must have the render mode 'rgb_array' to be shown"),
        (drawn("Unseen"), "cannot be drawn: .*nobody may see this"),
        (drawn("Grey"), r"must draw bytes of shape \[height, width, 3\]"),
    ],
)
def test_an_environment_that_cannot_be_drawn_is_refused_at_once(
    env_id: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        RenderedEnv(find(env_id), 0)


def test_a_missing_package_comes_with_the_install_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pygame", None)
    with pytest.raises(PrerequisiteError, match="pip install 'gymnasium"):
        RenderedEnv(find("CartPole-v1"), 0)


def test_a_changed_constant_is_changed_in_the_picture_too() -> None:
    spec = find(drawn(), kwargs={"start": 4})
    with closing(RenderedEnv(spec, 0)) as env:
        env.reset()
        assert place(env.picture()) == 4


def test_an_environment_says_how_fast_or_the_usual_speed_is_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from tests.support import drawn_envs  # noqa: PLC0415

    silent = {"render_modes": ["rgb_array"]}
    monkeypatch.setattr(drawn_envs.Drawn, "metadata", silent)
    with opened(drawn()) as env:
        assert env.frames_per_second == USUAL_FPS


DRAWING = """
import os, signal
from envs.registry import find
from envs.rendering import RenderedEnv
env = RenderedEnv(find("CartPole-v1"), 0)
env.reset(); env.picture()
os.kill(os.getpid(), signal.SIGTERM)
print("still here")
"""


@pytest.mark.plot
def test_a_process_that_draws_can_still_be_ended() -> None:
    pytest.importorskip("pygame")
    done = subprocess.run(
        [sys.executable, "-c", DRAWING], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (-signal.SIGTERM, ""), done.stderr
