"""How often an agent succeeds, counted without favouring short episodes."""

import zlib
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from cwm.core.errors import ConfigError
from cwm.providers.policies.episodes import TextEpisodes
from cwm.providers.policies.evaluation import (
    EpisodesPlayed,
    evaluation_seeds,
    play,
)
from cwm.providers.policies.views import View
from envs.babyai.env import BabyAIText
from prompts.glam import History

LOCAL = "cwm/BabyAI-GoToLocal-v0"


class ByPrompt:
    """Does what the prompt alone decides, so that it plays alike in any company."""

    name = "by prompt"
    needs_images = False

    def __init__(self) -> None:
        self.num_asked = 0

    def act(self, views: Sequence[View], rng: np.random.Generator) -> NDArray[np.int64]:
        self.num_asked += len(views)
        return np.array([zlib.crc32(v.prompt().encode()) % 6 for v in views])


class Uniform(ByPrompt):
    """Draws, and needs images."""

    needs_images = True

    def act(self, views: Sequence[View], rng: np.random.Generator) -> NDArray[np.int64]:
        return rng.integers(6, size=len(views))


def alone(seed: int, num_episodes: int) -> list[tuple[float, int]]:
    """Return and length of the first episodes of one environment."""
    env, found = BabyAIText(), []
    env.reset(seed=seed)
    agent, rng = ByPrompt(), np.random.default_rng(0)
    for _ in range(num_episodes):
        history = History.begin(env.descriptions)
        reward, length = 0.0, 0
        while not env.is_over:
            view = View(goal=env.instruction, history=history, actions=env.action_names)
            _, reward, _, _, info = env.step(agent.act([view], rng)[0])
            history = history.after(info["action"], info["descriptions"])
            length = info["step"]
        found.append((reward, length))
        env.reset()
    return found


@pytest.mark.babyai
def test_the_first_episodes_to_begin_are_counted() -> None:
    num_envs, num_episodes = 4, 26
    agent = ByPrompt()
    played = play(
        agent, TextEpisodes(LOCAL, num_envs), num_episodes=num_episodes, seed=3
    )
    expected = [(0.0, 0)] * num_episodes
    for index, seed in enumerate(evaluation_seeds(3, num_envs)):
        places = range(index, num_episodes, num_envs)
        for place, one in zip(places, alone(seed, len(places)), strict=True):
            expected[place] = one
    assert list(zip(played.returns, played.lengths, strict=True)) == expected
    assert played.successes.tolist() == [one[0] > 0 for one in expected]
    assert 0 < played.successes.sum() < num_episodes
    # Lengths differ, or any way of counting would do.
    assert len({length for _, length in expected}) > 3
    assert agent.num_asked == played.lengths.sum()


@pytest.mark.babyai
def test_fewer_episodes_than_environments() -> None:
    source = TextEpisodes(LOCAL, 4)
    few = play(ByPrompt(), source, num_episodes=2, seed=1)
    many = play(ByPrompt(), source, num_episodes=4, seed=1)
    assert few.lengths.tolist() == many.lengths[:2].tolist()
    assert few.returns.tolist() == many.returns[:2].tolist()


@pytest.mark.babyai
def test_the_seed_fixes_what_is_drawn() -> None:
    source = TextEpisodes(LOCAL, 4, images=True)
    one, again, other = (
        play(Uniform(), source, num_episodes=12, seed=seed).lengths.tolist()
        for seed in (1, 1, 2)
    )
    assert one == again != other


def test_the_seeds_of_the_paper() -> None:
    assert evaluation_seeds(2, 3, "published") == [2 * 10**9 + i for i in range(3)]
    streams = evaluation_seeds(2, 3)
    assert len({*streams, *evaluation_seeds(3, 3)}) == 6


@pytest.mark.parametrize(
    ("num_succeeded", "number", "low", "high"),
    # Newcombe, Statistics in Medicine 17, 1998, table I, method 3.
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_the_interval_is_wilsons(
    num_succeeded: int, number: int, low: float, high: float
) -> None:
    successes = np.arange(number) < num_succeeded
    rate = EpisodesPlayed(
        returns=np.where(successes, 0.5, 0.0),
        lengths=np.where(successes, 4, 64),
        successes=successes,
    ).success_rate()
    assert (rate.low, rate.high) == pytest.approx((low, high), abs=5e-5)
    assert rate.rate == num_succeeded / number
    assert rate.mean_return == pytest.approx(0.5 * rate.rate)
    assert rate.mean_length == pytest.approx(64 - 60 * rate.rate)
    assert rate.num_episodes == number


@pytest.mark.babyai
def test_what_cannot_be_played_is_refused() -> None:
    source = TextEpisodes(LOCAL, 1)
    with pytest.raises(ConfigError, match="num_episodes must be at least 1, got 0"):
        play(ByPrompt(), source, num_episodes=0, seed=0)
    with pytest.raises(ConfigError, match="images must be True for agent 'by prompt'"):
        play(Uniform(), source, num_episodes=1, seed=0)
