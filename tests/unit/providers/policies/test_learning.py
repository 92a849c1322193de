"""Agents learn: the smallest levels, from nothing.

With the default settings in minutes of one core, which are long tests; with a network
of one narrow layer and a high learning rate in seconds, which stay with the slow ones.
Success is that of the last 200 episodes while training goes on, actions drawn; random
actions succeed in 0.26 of GoToRedBallNoDists and 0.36 of GoToLocalS5N2.
"""

from dataclasses import replace

import pytest

from cwm.agents.runs import PolicyRunConfig, TaskConfig
from cwm.agents.training import PolicyTraining
from cwm.llm.local.config import DeviceConfig
from cwm.providers.policies.learning.config import PPOConfig
from cwm.providers.policies.learning.training import train
from cwm.providers.policies.networks.config import NetworkConfig, ScratchConfig
from cwm.providers.policies.scoring.config import ScoringConfig

pytestmark = [pytest.mark.slow, pytest.mark.local, pytest.mark.babyai]

DEFAULT = PolicyRunConfig()
SMALL = PolicyRunConfig(
    network=NetworkConfig(
        scratch=ScratchConfig(layers=1, width=16, heads=2), head_width=16, window=1
    ),
    ppo=PPOConfig(num_envs=16, rollout_steps=20, minibatch_size=64, learning_rate=3e-3),
    local=DeviceConfig(num_threads=1),
)


def curve(level, num_frames, *, until=1.1, normalise="token", config=DEFAULT):
    """Returns the success rate after each update, up to the first that is enough."""
    scoring = ScoringConfig(normalise=normalise)
    config = replace(
        config,
        task=TaskConfig(env=f"BabyAI-{level}-v0"),
        network=replace(config.network, scoring=scoring),
    )
    training, rates = PolicyTraining(config).training, []
    training.start()

    def on_update(record):
        rates.append((record.num_frames, record.success_rate, record.num_episodes))
        return record.num_episodes >= 200 and record.success_rate >= until

    train(training, num_frames=num_frames, on_update=on_update)
    return rates


def test_a_small_network_finds_the_red_ball_within_6_400_frames():
    """Those of other seeds, too: 0.97 or more of seeds 0 to 2."""
    frames, rate, _ = curve("GoToRedBallNoDists", 6_400, until=0.9, config=SMALL)[-1]
    assert rate >= 0.9, f"{rate} after {frames} frames"


def test_a_small_network_that_sums_log_probabilities_does_not_begin_to():
    settings = {"normalise": "sum", "config": SMALL}
    _, rate, num_episodes = curve("GoToRedBallNoDists", 2_560, **settings)[-1]
    assert num_episodes >= 32
    assert rate <= 0.1  # Of means, 0.33 or more of seeds 0 to 2; uniform actions 0.26.


@pytest.mark.long
def test_red_ball_alone_is_found_within_20_000_frames():
    frames, rate, _ = curve("GoToRedBallNoDists", 20_000, until=0.9)[-1]
    assert rate >= 0.9, f"{rate} after {frames} frames"


@pytest.mark.long
def test_missions_are_read_within_45_000_frames():
    frames, rate, _ = curve("GoToLocalS5N2", 45_000, until=0.9)[-1]
    assert rate >= 0.9, f"{rate} after {frames} frames"


@pytest.mark.long
def test_sums_of_log_probabilities_do_not_learn_in_that_time():
    """One-token actions, which do nothing here, get almost all of the probability."""
    _, rate, _ = curve("GoToRedBallNoDists", 12_800, normalise="sum")[-1]
    assert rate <= 0.15  # Uniform actions have 0.26.
