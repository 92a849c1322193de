"""Many episodes at once, with views."""

import json
from typing import Any

import numpy as np
import pytest

from cwm.providers.policies.episodes import EpisodeSource, TextEpisodes
from cwm.providers.policies.views import View
from envs.babyai.env import BabyAIText
from prompts.glam import History

pytestmark = pytest.mark.babyai

LOCAL = "cwm/BabyAI-GoToLocal-v0"


def same(one: View, other: View) -> bool:
    return (one.goal, one.history, one.actions) == (
        other.goal,
        other.history,
        other.actions,
    ) and np.array_equal(one.images, other.images)


def minigrid_image(env: BabyAIText) -> Any:
    """What minigrid itself works out, which our levels have switched off."""
    return type(env.level).gen_obs(env.level)["image"]


def test_views_are_those_of_environments_played_alone() -> None:
    num_envs, window = 3, 2
    source: EpisodeSource = TextEpisodes(LOCAL, num_envs, window=window, images=True)
    views = source.reset(range(num_envs))
    singles = [BabyAIText() for _ in range(num_envs)]
    histories, images = [], []
    for seed, env in enumerate(singles):
        env.reset(seed=seed)
        histories.append(History.begin(env.descriptions, window))
        images.append([minigrid_image(env)])
    rng = np.random.default_rng(0)
    num_ended = 0
    for _ in range(150):
        actions = rng.integers(6, size=num_envs)
        found = source.step(actions)
        for index, env in enumerate(singles):
            goal = env.instruction
            _, reward, terminated, truncated, info = env.step(actions[index])
            histories[index] = histories[index].after(
                info["action"], info["descriptions"]
            )
            images[index] = [*images[index], minigrid_image(env)][-window:]
            assert found.rewards[index] == reward
            assert found.terminated[index] == terminated
            assert found.truncated[index] == truncated
            assert (index in found.ended) == (terminated or truncated)
            if index in found.ended:
                num_ended += 1
                ended = found.ended[index]
                assert (ended.view.goal, ended.view.history) == (goal, histories[index])
                assert np.array_equal(ended.view.images, images[index])
                assert (ended.episode_return, ended.num_steps) == (reward, info["step"])
                env.reset()
                histories[index] = History.begin(env.descriptions, window)
                images[index] = [minigrid_image(env)]
            view = found.views[index]
            assert (view.goal, view.history) == (env.instruction, histories[index])
            assert np.array_equal(view.images, images[index])
        views = found.views
    assert num_ended > num_envs
    assert views[0].actions == source.action_names


def test_a_prompt_begins_anew_with_each_episode() -> None:
    source = TextEpisodes(LOCAL, 1, {"level_settings": {"max_steps": 2}})
    (view,) = source.reset([1])
    assert view.prompt().endswith("steps forward, \n Action 0: ")
    first = source.step([0])
    assert " \n Action 0: turn left \n Observation 1:" in first.views[0].prompt()
    second = source.step([0])
    assert "Observation 2:" in second.ended[0].view.prompt()
    assert "Observation 1:" not in second.views[0].prompt()
    assert second.truncated[0]
    assert second.views[0].images == ()


@pytest.mark.parametrize("images", [False, True])
def test_episodes_go_on_exactly_from_their_progress(images: bool) -> None:
    env_id = "cwm/BabyAI-MixedTrainLocal-v0"
    one, other = (TextEpisodes(env_id, 3, images=images) for _ in range(2))
    one.reset([5, 6, 7])
    other.reset([1, 2, 3])
    rng = np.random.default_rng(0)
    for _ in range(100):
        found = one.step(rng.integers(6, size=3))
    resumed = other.resume(json.loads(json.dumps(one.progress())))
    assert all(map(same, found.views, resumed))
    num_ended = 0
    for _ in range(150):
        actions = rng.integers(6, size=3)
        steps, others = one.step(actions), other.step(actions)
        assert all(map(same, steps.views, others.views))
        assert steps.rewards.tolist() == others.rewards.tolist()
        assert steps.ended.keys() == others.ended.keys()
        for index, ended in steps.ended.items():
            num_ended += 1
            assert same(ended.view, others.ended[index].view)
            assert ended.num_steps == others.ended[index].num_steps
            assert ended.episode_return == others.ended[index].episode_return
    assert num_ended > 3


def test_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="window must be at least 1 observation"):
        TextEpisodes(LOCAL, 1, window=0)
    one, two = TextEpisodes(LOCAL, 1), TextEpisodes(LOCAL, 2)
    one.reset([0])
    with pytest.raises(ValueError, match="must be of 2 environments, got 1"):
        two.resume(one.progress())
