"""Learning to do what the bot did."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from cwm.core.errors import ConfigError
from cwm.providers.policies.agents.network import NetworkAgent
from cwm.providers.policies.episodes import TextEpisodes
from cwm.providers.policies.evaluation import play
from cwm.providers.policies.learning.cloning import (
    CloningConfig,
    CloningStep,
    Demonstration,
    agreement,
    clone,
    collect_demonstrations,
    split_by_episode,
)
from cwm.providers.policies.networks.symbolic import SymbolicNetwork

NO_DISTRACTORS = "cwm/BabyAI-GoToRedBallNoDists-v0"

babyai = pytest.mark.babyai
local = pytest.mark.local


def demonstrations(number: int, **settings: Any) -> list[Demonstration]:
    return collect_demonstrations(
        NO_DISTRACTORS, num_episodes=number, seed=0, window=2, **settings
    )


def network(found: list[Demonstration], width: int = 16) -> SymbolicNetwork:
    return SymbolicNetwork(found[0].view.actions, width=width, window=2)


@babyai
def test_demonstrations_are_episodes_of_the_bot_from_the_first_view() -> None:
    found = demonstrations(5, images=True)
    assert {one.episode for one in found} == set(range(5))
    for number in range(5):
        episode = [one for one in found if one.episode == number]
        assert len(episode[0].view.history.observations) == 1
        for one, following in pairwise(episode):
            name = one.view.actions[one.action]
            history = following.view.history
            assert history == one.view.history.after(name, history.observations[-1])
            assert len(following.view.images) == 2
            assert np.array_equal(following.view.images[0], one.view.images[-1])
    again = demonstrations(5)
    assert [one.action for one in again] == [one.action for one in found]
    assert again[0].view.images == ()


@babyai
def test_episodes_in_which_the_bot_fails_are_left_out() -> None:
    settings = {"level_settings": {"max_steps": 4}}
    found = demonstrations(20, kwargs=settings)
    episodes = {one.episode for one in found}
    assert 0 < len(episodes) < 20
    lengths = [sum(one.episode == number for one in found) for number in episodes]
    assert max(lengths) <= 4
    with pytest.raises(ConfigError, match=r"succeed in an episode of .*, got 0 of 2"):
        collect_demonstrations(
            "cwm/BabyAI-PutNextLocal-v0", {"num_actions": 3}, num_episodes=2, seed=0
        )


@babyai
def test_the_last_episodes_are_held_out_as_a_whole() -> None:
    found = demonstrations(5)
    trained, held_out = split_by_episode(found, 0.3)
    assert {one.episode for one in trained} == {0, 1, 2}
    assert {one.episode for one in held_out} == {3, 4}
    assert len(trained) + len(held_out) == len(found)
    assert split_by_episode(found, 0.0) == (found, [])
    with pytest.raises(
        ConfigError, match=r"must leave an episode .* 0\.5 of 1 episodes"
    ):
        split_by_episode([one for one in found if one.episode == 0], 0.5)


@babyai
@local
def test_cloning_raises_agreement_with_the_bot() -> None:
    found = demonstrations(40, images=True)
    one = network(found)
    assert agreement(one, found) < 0.4
    told: list[CloningStep] = []
    config = CloningConfig(learning_rate=3e-3, batch_size=32, num_epochs=12)
    result = clone(one, found, config, told.append)
    assert result.losses[0] == pytest.approx(math.log(6), abs=0.05)
    assert np.mean(result.losses[-5:]) < 0.7 * result.losses[0]
    assert result.agreement > 0.6
    assert result.held_out_agreement > 0.5
    trained, held_out = split_by_episode(found, 0.1)
    assert agreement(one, trained) == result.agreement
    assert agreement(one, held_out) == result.held_out_agreement
    assert [step.loss for step in told] == list(result.losses)
    steps = 12 * math.ceil(len(trained) / 32)
    assert [(step.number, step.num_steps) for step in told] == [
        (number, steps) for number in range(1, steps + 1)
    ]


@babyai
@local
def test_cloning_is_fixed_by_the_seed_and_leaves_the_value_alone() -> None:
    found = demonstrations(6, images=True)
    config = CloningConfig(batch_size=8, held_out_fraction=0.0)
    results = []
    for seed in (0, 0, 1):
        one = network(found)
        before = [weight.clone() for weight in one.value_parameters()]
        result = clone(one, found, CloningConfig(batch_size=8, seed=seed))
        results.append(result.losses)
        after = one.value_parameters()
        assert all((a == b).all() for a, b in zip(after, before, strict=True))
    assert results[0] == results[1] != results[2]
    assert math.isnan(clone(network(found), found, config).held_out_agreement)


@babyai
@local
def test_the_first_loss_is_the_mean_over_the_bots_actions() -> None:
    found = demonstrations(3, images=True)
    log_probs = network(found).evaluate([one.view for one in found]).log_probs
    log_probs = log_probs.detach()
    expected = [-float(log_probs[i, one.action]) for i, one in enumerate(found)]
    config = CloningConfig(batch_size=1000, held_out_fraction=0.0)
    result = clone(network(found), found, config)
    assert result.losses == pytest.approx([np.mean(expected)], rel=1e-5)


@babyai
@local
@pytest.mark.slow
def test_a_clone_of_the_bot_plays_like_it() -> None:
    found = demonstrations(300, images=True)
    one = network(found, width=32)
    config = CloningConfig(learning_rate=2e-3, batch_size=32, num_epochs=20)
    assert clone(one, found, config).held_out_agreement > 0.9
    source = TextEpisodes(NO_DISTRACTORS, 16, window=2, images=True)
    played = play(NetworkAgent(one), source, num_episodes=200, seed=1)
    assert played.success_rate().low > 0.9


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_epochs": 0}, "num_epochs must be at least 1, got 0"),
        ({"max_grad_norm": math.inf}, "max_grad_norm must be positive and finite"),
        ({"held_out_fraction": 1.0}, "held_out_fraction must be at least 0 and below"),
    ],
)
def test_settings_that_cannot_be_are_refused(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        CloningConfig(**settings)
