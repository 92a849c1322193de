from collections import Counter

import numpy as np
import pytest

from cwm.suites.query_sample import QUERY_POLICY, Query, QuerySample, RecordedModel
from envs.registry import find
from envs.snapshots import open_with_snapshots
from envs.spaces import to_value
from envs.true_model import TrueModel


def offered(sample: QuerySample, lengths: list[int]) -> list[int]:
    """Offers rollouts of these lengths; returns which are kept."""
    for number, length in enumerate(lengths):
        key = sample.draw()
        if key is not None:
            steps = [number] * length
            sample.add(key, Query([number] * (length + 1), steps, [0.0] * length))
    return [query.actions[0] for query in sample.queries()]


def test_what_is_kept_has_just_enough_transitions() -> None:
    sample = QuerySample(10, np.random.default_rng(0))
    kept = offered(sample, [3] * 50)
    assert len(kept) == 4  # 12 transitions; 3 rollouts would have 9.
    assert kept == sorted(kept)
    assert sample.num_offered == 50


def test_everything_is_kept_where_there_is_little() -> None:
    assert offered(QuerySample(100, np.random.default_rng(0)), [3, 5]) == [0, 1]


def test_nothing_is_kept_where_nothing_is_wanted() -> None:
    assert offered(QuerySample(0, np.random.default_rng(0)), [3, 5]) == []


def test_every_rollout_is_as_likely_to_be_kept() -> None:
    # 2 of 8 are kept, whenever they were offered: 250 of 1,000 samples each.
    counts: Counter[int] = Counter()
    for seed in range(1_000):
        counts.update(offered(QuerySample(2, np.random.default_rng(seed)), [1] * 8))
    assert sum(counts.values()) == 2_000
    # Five standard deviations of a binomial of 1,000 and 1/4.
    assert all(abs(counts[number] - 250) < 69 for number in range(8))


def test_a_smaller_sample_is_what_would_have_been_drawn_at_once() -> None:
    large, small = (QuerySample(n, np.random.default_rng(5)) for n in (40, 10))
    offered(large, [3] * 50)
    large.shrink(10)
    kept = [query.actions[0] for query in large.queries()]
    assert kept == offered(small, [3] * 50)


@pytest.fixture
def model() -> TrueModel:
    return TrueModel(find("MountainCar-v0"))


def test_steps_that_go_on_are_one_rollout(model: TrueModel) -> None:
    sample = QuerySample(100, np.random.default_rng(0))
    recorded, rng = RecordedModel(model, sample), np.random.default_rng(0)
    env = open_with_snapshots(model.spec)
    start = model.state_of(env, to_value(model.spec.observation_space, env.reset(1)))
    first = recorded.step(start, 2, rng)
    second = recorded.step(first.next_state, 1, rng)
    recorded.step(start, 0, rng)
    recorded.finish()
    long, short = sample.queries()
    assert long.actions == [2, 1]
    assert [list(o) for o in long.observations] == [
        list(o) for o in (start.observation, first.observation, second.observation)
    ]
    assert long.rewards == [-1.0, -1.0]
    assert short.actions == [0]


def test_rollouts_of_plans_are_offered_one_by_one(model: TrueModel) -> None:
    sample = QuerySample(100, np.random.default_rng(0))
    recorded = RecordedModel(model, sample)
    env = open_with_snapshots(model.spec)
    start = model.state_of(env, to_value(model.spec.observation_space, env.reset(1)))
    plans = [[2, 2, 2], [0, 0, 0]]
    batch = recorded.roll_out(start, plans, np.random.default_rng(0))
    again = model.roll_out(start, plans, np.random.default_rng(0))
    assert np.array_equal(batch.rewards, again.rewards)
    queries = sample.queries()
    assert [query.actions for query in queries] == plans
    spaces = model.spec.observation_space, model.spec.action_space
    trajectory = queries[0].trajectory(*spaces)
    assert (len(trajectory), trajectory.policy) == (3, QUERY_POLICY)
    assert trajectory.seed is None
    assert trajectory.states is None
    assert not trajectory.truncated.any()


def test_an_imagined_end_is_kept() -> None:
    model = TrueModel(find("CartPole-v1"))
    sample = QuerySample(1_000, np.random.default_rng(0))
    recorded = RecordedModel(model, sample)
    env = open_with_snapshots(model.spec)
    start = model.state_of(env, to_value(model.spec.observation_space, env.reset(1)))
    recorded.roll_out(start, [[1] * 30], np.random.default_rng(0))
    (query,) = sample.queries()
    assert query.terminated
    assert len(query) < 30
    spaces = model.spec.observation_space, model.spec.action_space
    assert query.trajectory(*spaces).terminated.tolist()[-1] is True
