"""Who acts: at random, the bot, a network."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from cwm.core.errors import ConfigError
from cwm.providers.policies.agents.base import Agent
from cwm.providers.policies.agents.bot import FALLBACK, BotAgent
from cwm.providers.policies.agents.network import NetworkAgent
from cwm.providers.policies.agents.random import RandomAgent
from cwm.providers.policies.episodes import TextEpisodes
from cwm.providers.policies.evaluation import play
from cwm.providers.policies.networks.base import Evaluated
from cwm.providers.policies.views import View
from prompts.glam import History

LOCAL = "cwm/BabyAI-GoToLocal-v0"
SEQUENCES = "cwm/BabyAI-PickUpSeqGoToLocal-v0"


def views_of(lengths: Sequence[int]) -> list[View]:
    """Views with prompts of different lengths."""
    return [
        View(
            goal="go to the door",
            history=History.begin(["You see a door"] * length),
            actions=("turn left", "go forward", "pick up"),
        )
        for length in lengths
    ]


class ByLength:
    """A network whose log-probabilities are a table's row for each number of sentences.

    It is of the simplest kind that shows which view was answered with what.
    """

    name = "by length"
    module: Any = None
    needs_images = False

    def __init__(self, table: Sequence[Sequence[float]]) -> None:
        import torch  # noqa: PLC0415

        self.table = torch.tensor(table, dtype=torch.float32).log_softmax(dim=-1)
        self.seen: list[list[int]] = []

    def evaluate(self, views: Sequence[View]) -> Evaluated:
        lengths = [len(view.history.observations[-1]) for view in views]
        self.seen.append(lengths)
        rows = self.table[lengths]
        return Evaluated(rows, rows[:, 0])

    def value_parameters(self) -> list[Any]:
        return []

    def saved(self) -> dict[str, Any]:
        return {}

    def restore(self, weights: dict[str, Any]) -> None:
        pass


def test_random_actions_are_uniform() -> None:
    views = views_of([1] * 9000)
    actions = RandomAgent().act(views, np.random.default_rng(0))
    assert np.bincount(actions) / 9000 == pytest.approx([1 / 3] * 3, abs=0.02)


@pytest.mark.babyai
def test_random_actions_succeed_as_often_as_published() -> None:
    source = TextEpisodes(LOCAL, 8)
    played = play(RandomAgent(), source, num_episodes=150, seed=0)
    assert played.success_rate().rate == pytest.approx(0.30, abs=0.07)


@pytest.mark.babyai
@pytest.mark.parametrize(("env_id", "number"), [(LOCAL, 60), (SEQUENCES, 20)])
def test_the_bot_always_succeeds(env_id: str, number: int) -> None:
    source = TextEpisodes(env_id, 8)
    agent: Agent = BotAgent(source)
    assert play(agent, source, num_episodes=number, seed=0).success_rate().rate == 1.0


@pytest.mark.babyai
def test_the_bot_goes_on_after_an_interruption() -> None:
    source, other = TextEpisodes(SEQUENCES, 4), TextEpisodes(SEQUENCES, 4)
    bot, rng = BotAgent(source), np.random.default_rng(0)
    views = source.reset(range(4))
    for _ in range(3):
        views = source.step(bot.act(views, rng)).views
    kept = json.loads(json.dumps(source.progress()))
    for _ in range(5):
        views = source.step(bot.act(views, rng)).views
    for resumed, agent in ((source, bot), (other, BotAgent(other))):
        views = resumed.resume(kept)
        returns = dict[int, float]()
        while len(returns) < 4:
            found = resumed.step(agent.act(views, rng))
            returns |= {i: one.episode_return for i, one in found.ended.items()}
            views = found.views
        assert min(returns.values()) > 0.5


@pytest.mark.babyai
def test_where_the_bot_gives_up_it_turns_left_to_the_end() -> None:
    # To put an object somewhere takes actions that there are not.
    source = TextEpisodes("cwm/BabyAI-PutNextLocal-v0", 1, {"num_actions": 3})
    bot, rng = BotAgent(source), np.random.default_rng(0)
    assert source.action_names[FALLBACK] == "turn left"
    views = source.reset([0])
    taken = []
    while True:
        taken.append(int(bot.act(views, rng)[0]))
        found = source.step([taken[-1]])
        views = found.views
        if found.ended:
            break
    assert found.truncated[0]
    assert FALLBACK not in taken[:4] or 2 in taken
    assert set(taken[-100:]) == {FALLBACK}


@pytest.mark.babyai
def test_the_bot_acts_in_some_episodes_and_not_on_old_views() -> None:
    source = TextEpisodes(LOCAL, 4)
    bot, rng = BotAgent(source), np.random.default_rng(0)
    views = source.reset(range(4))
    actions = bot.act(views, rng)
    assert bot.act([views[3], views[1]], rng).tolist() == actions[[3, 1]].tolist()
    source.step(actions)
    with pytest.raises(ValueError, match="must be those that the bot's episodes show"):
        bot.act(views, rng)


@pytest.mark.local
def test_a_network_is_asked_in_batches_of_similar_lengths() -> None:
    network = ByLength([[0, 0, 0], [9, 0, 0], [0, 9, 0], [0, 0, 9], [9, 0, 0]])
    agent = NetworkAgent(network, greedy=True, batch_size=2)
    actions = agent.act(views_of([4, 2, 3, 1, 2]), np.random.default_rng(0))
    assert network.seen == [[1, 2], [2, 3], [4]]
    assert actions.tolist() == [0, 1, 2, 0, 1]


@pytest.mark.local
@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_actions_are_drawn_with_the_networks_probabilities(temperature: float) -> None:
    probs = np.array([0.1, 0.6, 0.3])
    network = ByLength([[0.0] * 3, np.log(probs).tolist()])
    views = views_of([1] * 20_000)
    agent = NetworkAgent(network, temperature=temperature, batch_size=9_000)
    actions = agent.act(views, np.random.default_rng(0))
    expected = probs ** (1 / temperature) / (probs ** (1 / temperature)).sum()
    assert np.bincount(actions) / 20_000 == pytest.approx(expected, abs=0.012)
    other = NetworkAgent(network, temperature=temperature, batch_size=20_000)
    assert (other.act(views, np.random.default_rng(0)) == actions).all()


@pytest.mark.local
def test_an_action_that_is_impossible_is_never_drawn() -> None:
    minus = -float("inf")
    agent = NetworkAgent(ByLength([[0.0] * 3, [minus, 0.0, minus]]))
    assert set(agent.act(views_of([1] * 500), np.random.default_rng(0))) == {1}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": 0.0}, "temperature must be positive and finite, got 0.0"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
    ],
)
@pytest.mark.local
def test_settings_that_cannot_be_are_refused(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        NetworkAgent(ByLength([[0.0]]), **settings)
