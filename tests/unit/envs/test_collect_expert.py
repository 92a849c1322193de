from dataclasses import replace

import numpy as np

from cwm.core.codec import decode_columns
from cwm.core.spaces import Value
from envs.collect import EXPERT_EVERY, CollectConfig, collect
from envs.registry import find

CONFIG = CollectConfig(
    num_trajectories=EXPERT_EVERY,
    min_transitions=20,
    max_transitions=800,
    planning_steps=0,
)


class Pusher:
    """Pushes the cart to the right all the time.

    Attributes:
        asked: Seed and length of each episode that it was asked for.
    """

    policy = "always right"

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def actions(self, seed: int, length: int) -> list[Value]:
        self.asked.append((seed, length))
        return [1] * length


def test_every_tenth_of_the_fewest_trajectories_is_the_experts() -> None:
    expert = Pusher()
    dataset = collect(find("CartPole-v1"), CONFIG, expert=expert)
    own = [t for t in dataset.trajectories if t.policy == expert.policy]
    # One for training and validation, one for held-out data.
    assert len(own) == 2
    assert sorted(t.seed or 0 for t in own) == sorted(seed for seed, _ in expert.asked)
    for trajectory in own:
        actions = decode_columns(dataset.action_space, trajectory.actions)
        assert set(actions) == {1}
        assert trajectory.terminated[-1]


def test_without_enough_trajectories_the_expert_is_not_asked() -> None:
    expert = Pusher()
    few = replace(CONFIG, num_trajectories=EXPERT_EVERY - 1, min_transitions=400)
    collect(find("CartPole-v1"), few, expert=expert)
    # More than the fewest were recorded, none of them by the expert.
    assert expert.asked == []


def test_others_are_recorded_as_without_an_expert() -> None:
    spec = find("CartPole-v1")
    plain, with_expert = collect(spec, CONFIG), collect(spec, CONFIG, expert=Pusher())
    seeds = {t.seed for t in with_expert.trajectories if t.policy != "always right"}
    known = {t.seed: t for t in plain.trajectories}
    assert len(seeds) >= 2 * (EXPERT_EVERY - 1)
    for trajectory in with_expert.trajectories:
        if trajectory.seed in seeds:
            assert np.array_equal(trajectory.rewards, known[trajectory.seed].rewards)
