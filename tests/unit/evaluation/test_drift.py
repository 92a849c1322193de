"""What a model makes of the actions of an episode when nobody corrects it."""

import sys
from typing import Any

import pytest

from cwm.evaluation.drift import Drift, follow
from cwm.evaluation.episodes import ActingConfig, EpisodeResult
from cwm.evaluation.parallel import run_episodes
from cwm.evaluation.setups import EnvironmentRef, Setup
from cwm.programs.tolerances import Tolerances
from envs.registry import find
from planners.registry import PlannerConfig
from sandbox.limits import Limits
from tests.support.toy_envs import toy

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the filter needs Linux"
)

EXACT = Tolerances(observation={}, reward=1e-4, reward_dtype="float64")

RIGHT = """
class Environment:
    def set_state(self, observation):
        self.place = observation

    def step(self, action):
        self.place = min(max(self.place + 2 * action - 1, 0), 5)
        return self.place, float(self.place), self.place == 5
"""
AHEAD = RIGHT.replace("2 * action - 1", "1")
STUCK = RIGHT.replace(
    "        self.place = min", "        1 / (self.place - 3)\n        self.place = min"
)
ENDLESS = RIGHT.replace(
    "        self.place = min",
    "        while self.place == 3: pass\n        self.place = min",
)
EXITING = "class Environment:\n    def (:\n"


def setup(source: str = RIGHT, **changes: Any) -> Setup:
    settings: dict[str, Any] = {
        "name": "model",
        "environment": EnvironmentRef.of(find(toy("Line"))),
        "kind": "program",
        "source": source,
        "planner": PlannerConfig(name="random-shooting", model_steps=20, horizon=4),
        "acting": ActingConfig(max_steps=30),
        "tolerances": EXACT,
        "seed": 0,
        "limits": Limits(wall_s=20.0, memory_mib=128),
    }
    return Setup(**(settings | changes))


@pytest.fixture(scope="module")
def walk() -> EpisodeResult:
    """A walk of random actions, with steps to both sides, for longer than the rest."""
    for index in range(50):
        random = setup(kind="random", seed=index)
        (episode,) = run_episodes(random, 1)
        actions = episode.trajectory.actions[""]
        if len(episode.steps) > 8 and actions[0] == 1 and actions[1] == 0:
            return episode
    raise AssertionError("no such walk")


def places(drift: Drift) -> list[int]:
    return [step.observation for step in drift.predictions]


def real(episode: EpisodeResult) -> list[int]:
    return [int(o) for o in episode.trajectory.observations[""]][1:]


def test_a_right_model_stays_with_the_real_episode(walk: EpisodeResult) -> None:
    drift = follow(setup(), walk, max_steps=1_000)
    assert places(drift) == real(walk)
    assert [step.reward for step in drift.predictions] == [
        step.reward for step in walk.steps
    ]
    assert {error.size for error in drift.errors} == {0.0}
    assert drift.ending == ""


def test_no_more_steps_are_followed_than_were_asked_for(walk: EpisodeResult) -> None:
    drift = follow(setup(), walk, max_steps=4)
    assert places(drift) == real(walk)[:4]
    assert len(drift.errors) == 4
    assert drift.ending == ""


def test_a_wrong_model_goes_on_from_its_own_predictions(walk: EpisodeResult) -> None:
    drift = follow(setup(AHEAD), walk, max_steps=1_000)
    assert real(walk)[:2] == [3, 2]
    assert places(drift) == [3, 4, 5]
    assert drift.errors[0].size == 0.0
    assert drift.errors[1].size > 0.0
    assert "observation" in drift.errors[1].wrong
    assert drift.ending == "The model says that the episode is over."


def test_where_a_program_raises_what_came_before_is_kept(walk: EpisodeResult) -> None:
    drift = follow(setup(STUCK), walk, max_steps=1_000)
    assert places(drift) == [3]
    assert drift.ending.startswith("The model has no answer. ")
    assert "ZeroDivisionError" in drift.ending


@pytest.mark.slow
def test_a_program_that_does_not_end_costs_one_limit_of_time(
    walk: EpisodeResult,
) -> None:
    limits = Limits(wall_s=1.0, memory_mib=128)
    drift = follow(setup(ENDLESS, limits=limits), walk, max_steps=1_000)
    assert places(drift) == [3]
    assert drift.ending.startswith("The model has no answer. ")


@pytest.mark.slow
def test_slow_steps_share_one_limit_of_time(walk: EpisodeResult) -> None:
    slow = RIGHT.replace(
        "        self.place = min",
        "        for _ in range(20_000_000): pass\n        self.place = min",
    )
    drift = follow(setup(slow, limits=Limits(wall_s=2.0)), walk, max_steps=1_000)
    assert 0 < len(drift.predictions) < 9 <= len(walk.steps)
    assert drift.ending.startswith("The model has no answer. ")


def test_a_program_that_cannot_be_opened_says_nothing(walk: EpisodeResult) -> None:
    drift = follow(setup(EXITING), walk, max_steps=1_000)
    assert drift.predictions == drift.errors == ()
    assert "could not be opened" in drift.ending


def test_the_oracle_stays_with_the_real_episode(walk: EpisodeResult) -> None:
    drift = follow(setup(kind="true", source=""), walk, max_steps=1_000)
    assert places(drift) == real(walk)
    assert drift.ending == ""
