"""Episodes in a world model: with a perfect one they are the real ones."""

import json

import numpy as np
import pytest

from cwm.core.protocols import StepResult
from cwm.providers.policies.episodes import TextEpisodes
from cwm.providers.policies.imagined import ImaginedEpisodes
from envs.babyai.telling import StateTeller
from envs.registry import find

pytest.importorskip("minigrid")
pytestmark = pytest.mark.babyai

LEVEL = "GoToLocalS5N2"
SEEDS = [3, 4, 5]


def privileged():
    return find(f"cwm/PrivilegedBabyAI-{LEVEL}-v0").make().unwrapped


class TrueSteps:
    """The level itself, put into each state: a model that makes no mistake."""

    def __init__(self):
        self.env = privileged()
        self.env.reset(seed=0)

    def single_steps(self, observations, actions, rngs):
        found = []
        for state, action in zip(observations, actions, strict=True):
            self.env.state, self.env.is_over = np.array(state), False
            seen, reward, terminated, _, _ = self.env.step(action)
            found.append(StepResult(seen, seen, reward, terminated))
        return found


class Failing(TrueSteps):
    """Has no answer to dropping, and a wall of type 99 for toggling."""

    def single_steps(self, observations, actions, rngs):
        found = super().single_steps(observations, actions, rngs)
        for index, action in enumerate(actions):
            if action == 4:
                found[index] = None
            if action == 5:
                wrong = found[index].observation.copy()
                wrong[18::3] = 99
                found[index] = found[index]._replace(observation=wrong)
        return found


class Standing(TrueSteps):
    """Nothing ever happens, and no step counts."""

    def single_steps(self, observations, actions, rngs):
        return [StepResult(one, one, 0.0, False) for one in observations]


def starts():
    env = privileged()
    return [env.reset(seed=seed)[0] for seed in SEEDS]


def imagined(model=None, *, given=None, num_envs=3, images=False):
    level = privileged().level
    return ImaginedEpisodes(
        model or TrueSteps(),
        given or starts(),
        StateTeller(width=level.width, height=level.height),
        ("turn left", "turn right", "go forward", "pick up", "drop", "toggle"),
        num_envs=num_envs,
        window=2,
        images=images,
    )


def look(view):
    images = [image.tolist() for image in view.images]
    return view.goal, view.history, view.actions, images


@pytest.mark.parametrize("seed", SEEDS)
def test_episode_in_a_perfect_model_is_the_real_one(seed):
    real = TextEpisodes(f"cwm/BabyAI-{LEVEL}-v0", 1, window=2, images=True)
    first = privileged().reset(seed=seed)[0]
    dreamt = imagined(given=[first], num_envs=1, images=True)
    assert [look(v) for v in real.reset([seed])] == [look(v) for v in dreamt.reset([0])]
    rng = np.random.default_rng(seed)
    for _ in range(60):
        action = [int(rng.integers(6))]
        one, other = real.step(action), dreamt.step(action)
        assert one.rewards.tolist() == other.rewards.tolist()
        assert one.terminated.tolist() == other.terminated.tolist()
        assert one.truncated.tolist() == other.truncated.tolist()
        if one.ended:
            (end,), (same) = one.ended.values(), other.ended[0]
            assert look(end.view) == look(same.view)
            assert end.episode_return == same.episode_return
            assert end.num_steps == same.num_steps
            return
        assert [look(v) for v in one.views] == [look(v) for v in other.views]
    pytest.fail("the episode did not end")


def test_steps_without_an_answer_or_a_meaning_cut_the_episode_off():
    dreamt = imagined(Failing())
    dreamt.reset([0, 1, 2])
    found = dreamt.step([0, 4, 5])
    assert found.truncated.tolist() == [False, True, True]
    assert not found.terminated.any()
    assert found.rewards.tolist() == [0.0, 0.0, 0.0]
    assert sorted(found.ended) == [1, 2]
    assert dreamt.counts.num_failures == 2
    assert dreamt.counts.num_steps == 3


def test_it_goes_on_from_its_progress():
    rng = np.random.default_rng(0)
    actions = [rng.integers(6, size=3).tolist() for _ in range(80)]
    straight = imagined(images=True)
    straight.reset([7, 8, 9])
    for one in actions[:40]:
        straight.step(one)
    kept = json.loads(json.dumps(straight.progress()))
    other = imagined(images=True)
    assert [look(v) for v in other.resume(kept)] == [look(v) for v in straight._views()]
    for one in actions[40:]:
        left, right = straight.step(one), other.step(one)
        assert [look(v) for v in left.views] == [look(v) for v in right.views]
        assert left.rewards.tolist() == right.rewards.tolist()
        assert sorted(left.ended) == sorted(right.ended)


def test_an_episode_ends_though_the_model_does_not_count_its_steps():
    first = starts()[0]
    most = int(first[4])
    dreamt = imagined(Standing(), given=[first], num_envs=1)
    dreamt.reset([0])
    for _ in range(most - 2):
        assert not dreamt.step([0]).ended
    kept = json.loads(json.dumps(dreamt.progress()))
    # Not what the model says by now.
    kept["episodes"][0]["state"][4] = 10 * most
    other = imagined(Standing(), given=[first], num_envs=1)
    other.resume(kept)
    for one in (dreamt, other):
        assert not one.step([0]).ended
        found = one.step([0])
        assert found.truncated.tolist() == [True]
        assert found.ended[0].num_steps == most
        assert not one.step([0]).ended


def test_wrong_numbers_are_refused():
    with pytest.raises(ValueError, match="num_envs must be at least 1"):
        imagined(num_envs=0)
    with pytest.raises(ValueError, match="one for each of 3"):
        imagined().reset([0])
