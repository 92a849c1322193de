import numpy as np
import pytest

from envs.collect import CollectConfig, collect, record
from envs.coverage import coverage, distinct_pairs, end_labels
from envs.registry import find
from tests.support.toy_envs import toy


def test_pairs_are_counted_once() -> None:
    spec = find(toy("Line"))
    walk = record(spec, spec.make(), [1, 0, 1, 0], policy="x", seed=0)
    assert len(distinct_pairs(walk)) == 2


def test_ends_are_named_by_the_element_that_crossed() -> None:
    spec = find("CartPole-v1")
    env = spec.make()
    rng = np.random.default_rng(0)
    falls = [
        record(spec, env, rng.integers(2, size=200).tolist(), policy="x", seed=seed)
        for seed in range(40)
    ]
    labels = end_labels(falls, spec.observation_space)
    for fall, label in zip(falls, labels, strict=True):
        place, _, angle, _ = np.asarray(fall.observations[""])[-1].tolist()
        element, value = (0, place) if abs(place) > 2.4 else (2, angle)
        sign = ">" if value > 0 else "<"
        assert label.startswith(f"terminated, reward 1, observation[{element}] {sign} ")
    stopped = record(spec, env, [0, 1], policy="x", seed=0)
    assert end_labels([stopped], spec.observation_space) == ["recording stopped"]


def test_a_summary_counts_what_is_there() -> None:
    config = CollectConfig(
        num_trajectories=3, min_transitions=30, max_transitions=100, planning_steps=0
    )
    dataset = collect(find("CliffWalking-v1"), config)
    covered = coverage(dataset)
    seen = dataset.num_transitions["train"] + dataset.num_transitions["validation"]
    assert covered.num_transitions == seen
    assert sum(covered.rewards.values()) == seen
    assert sum(covered.ends.values()) == covered.num_trajectories
    assert covered.num_pairs is not None
    assert np.all(covered.low >= 0)
    assert np.all(covered.high <= 47)


def test_no_trajectory_has_no_coverage() -> None:
    config = CollectConfig(num_trajectories=2, min_transitions=1, max_transitions=50)
    dataset = collect(find(toy("Line")), config)
    with pytest.raises(ValueError, match="at least 1 trajectory"):
        coverage(dataset, ())
