"""Scenes read off numbers, and the oracle as an expert."""

import numpy as np
import pytest

from envs.playground.expert import OracleExpert
from envs.playground.reading import check_readable, scene_of
from envs.playground.rules import GONE, GROUND, HELD, UNDER
from envs.playground.things import THINGS
from envs.registry import find

SPEC = find("cwm/PlaygroundSymbolic-v0", kwargs={"reward": "growth"})
WATER, PEA_SEED = (12, 1), (11, 0)


@pytest.mark.parametrize("seed", range(5))
def test_the_scene_of_an_observation_is_that_of_the_environment(seed: int) -> None:
    env = SPEC.make().unwrapped
    observation, _ = env.reset(seed=seed)
    for action in (25, 26, 11, 27, 26):
        assert scene_of(observation) == env.scene
        observation, *_ = env.step(action)


def test_what_cannot_be_is_read_as_what_can() -> None:
    places = [UNDER, UNDER, HELD, HELD, HELD, GROUND, GONE, GROUND]
    numbers = [n for place in places for n in (*PEA_SEED, place)]
    numbers[0] = 0  # There is no type 0.
    scene = scene_of(np.array([*numbers, 0, 0]))
    assert scene.places == (UNDER, GROUND, HELD, HELD, GONE, GROUND, GONE, GROUND)
    assert scene.things == (THINGS["baby elephant"], *[THINGS["pea seed"]] * 7)


@pytest.mark.parametrize("seed", range(3))
def test_the_oracle_reaches_the_whole_goal(seed: int) -> None:
    actions = OracleExpert(SPEC).actions(seed, 30)
    env = SPEC.make()
    env.reset(seed=seed)
    steps = [env.step(action) for action in actions]
    assert len(actions) == 19
    assert sum(float(step[1]) for step in steps) == 5.0
    assert steps[-1][2]


def test_other_environments_are_refused() -> None:
    with pytest.raises(ValueError, match="The oracle plays the Playground only"):
        OracleExpert(find("Taxi-v4"))
    with pytest.raises(ValueError, match="Scenes are read off"):
        check_readable(find("cwm/Playground-v0"))
