"""Agents learn: the smallest levels, from nothing, in minutes of one core.

Slow. Success is that of the last 200 episodes while training goes on, actions drawn;
random actions succeed in 0.26 of GoToRedBallNoDists and 0.36 of GoToLocalS5N2.
"""

import pytest

from cwm.agents.runs import PolicyRunConfig, TaskConfig
from cwm.agents.training import PolicyTraining
from cwm.providers.policies.learning.training import train
from cwm.providers.policies.networks.config import NetworkConfig
from cwm.providers.policies.scoring.config import ScoringConfig

pytestmark = [pytest.mark.slow, pytest.mark.local, pytest.mark.babyai]


def curve(level, num_frames, *, until=1.1, normalise="token"):
    """Returns the success rate after each update, up to the first that is enough."""
    config = PolicyRunConfig(
        task=TaskConfig(env=f"BabyAI-{level}-v0"),
        network=NetworkConfig(scoring=ScoringConfig(normalise=normalise)),
    )
    training, rates = PolicyTraining(config).training, []
    training.start()

    def on_update(record):
        rates.append((record.num_frames, record.success_rate, record.num_episodes))
        return record.num_episodes >= 200 and record.success_rate >= until

    train(training, num_frames=num_frames, on_update=on_update)
    return rates


def test_red_ball_alone_is_found_within_20_000_frames():
    frames, rate, _ = curve("GoToRedBallNoDists", 20_000, until=0.9)[-1]
    assert rate >= 0.9, f"{rate} after {frames} frames"


def test_missions_are_read_within_45_000_frames():
    frames, rate, _ = curve("GoToLocalS5N2", 45_000, until=0.9)[-1]
    assert rate >= 0.9, f"{rate} after {frames} frames"


def test_sums_of_log_probabilities_do_not_learn_in_that_time():
    """One-token actions, which do nothing here, get almost all of the probability."""
    _, rate, _ = curve("GoToRedBallNoDists", 12_800, normalise="sum")[-1]
    assert rate <= 0.15  # Uniform actions have 0.26.
