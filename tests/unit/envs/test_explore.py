import numpy as np
import pytest

from cwm.core.spaces import BoxSpec, DiscreteSpec
from envs.actions import ActionSource
from envs.archive import Archive
from envs.explore import Explorer
from envs.novelty import Extreme, FeatureMap, Novelty, Rollout
from envs.registry import find
from envs.snapshots import open_with_snapshots


def rollout(*rows: list[float], terminated: bool = False) -> Rollout:
    return Rollout(
        actions=[0] * len(rows),
        features=np.asarray(rows, dtype=float),
        rewards=np.ones(len(rows)),
        terminated=terminated,
        truncated=False,
    )


def explorer_of(env_id: str, *, is_stochastic: bool = False) -> Explorer:
    """Returns an explorer at the start of an episode."""
    spec = find(env_id)
    explorer = Explorer(
        open_with_snapshots(spec),
        observation_space=spec.observation_space,
        source=ActionSource(spec.action_space),
        is_stochastic=is_stochastic,
        rng=np.random.default_rng(0),
    )
    explorer.env.reset(0)
    return explorer


@pytest.fixture
def novelty() -> Novelty:
    found = Novelty(ActionSource(DiscreteSpec(2)))
    found.add(rollout([-1.0, -1.0], [0.0, 0.0], [1.0, 1.0]))
    return found


def test_what_was_seen_adds_less_than_what_was_not(novelty: Novelty) -> None:
    new = rollout([0.5, -0.5])
    before = novelty.score(new)
    assert before > novelty.score(rollout([0.0, 0.0]))
    novelty.add(new)
    assert novelty.score(new) < before


def test_staying_in_one_place_adds_only_once(novelty: Novelty) -> None:
    once, thrice = rollout([0.5, -0.5]), rollout(*[[0.5, -0.5]] * 3)
    assert novelty.score(thrice) == novelty.score(once)


def test_the_element_beyond_its_range_is_the_kind_of_end(novelty: Novelty) -> None:
    right = rollout([0.9, 0.0], [2.0, 0.0], terminated=True)
    below = rollout([0.0, -0.9], [0.0, -2.0], terminated=True)
    novelty.see([right, below])
    assert novelty.terminal_kind(right) == (0, 1, 1)
    assert novelty.terminal_kind(below) == (1, -1, 1)
    assert novelty.terminal_kind(rollout([0.0, 0.0], terminated=True)) == (-1, 0, 1)


def test_of_two_crossed_ranges_the_one_that_explains_more_ends_counts(
    novelty: Novelty,
) -> None:
    ends = [rollout([0.9, 0.0], [2.0, 0.1 * i], terminated=True) for i in range(5)]
    both = rollout([0.9, 0.9], [2.0, 1.5], terminated=True)
    novelty.see([*ends, both])
    assert novelty.terminal_kind(both) == (0, 1, 1)


def test_an_end_is_rare_until_it_was_recorded_twice(novelty: Novelty) -> None:
    end = rollout([0.9, 0.0], [2.0, 0.0], terminated=True)
    novelty.see([end])
    for _ in range(2):
        assert novelty.is_rare_terminal(end)
        novelty.add(end)
    assert not novelty.is_rare_terminal(end)
    assert not novelty.is_rare_terminal(rollout([0.0, 0.0]))


def test_the_other_side_of_a_known_threshold_is_missing(novelty: Novelty) -> None:
    assert novelty.missing_sides() == []
    novelty.add(rollout([0.9, 0.0], [2.0, 0.0], terminated=True))
    assert novelty.missing_sides() == [(0, -1)]
    novelty.add(rollout([-0.9, 0.0], [-2.0, 0.0], terminated=True))
    assert novelty.missing_sides() == []


def test_long_observations_are_projected_alike_each_time() -> None:
    space = BoxSpec(shape=(10, 10), dtype="float32")
    features = FeatureMap(space, np.random.default_rng(0))
    image = np.random.default_rng(1).random((10, 10))
    assert features(image).shape == (8,)
    assert np.array_equal(features(image), features(image))


def test_the_archive_keeps_the_shortest_way_to_a_cell() -> None:
    archive = Archive("start", np.zeros(2), np.ones(2))
    archive.add([0, 0, 0], np.array([0.51, 0.51]), "long")
    archive.add([0], np.array([0.52, 0.52]), "short")
    archive.add([0, 0], np.array([0.53, 0.53]), "between")
    assert [entry.snapshot for entry in archive.entries] == ["start", "short"]


def test_the_archive_grows_with_what_it_holds() -> None:
    archive = Archive("start", np.zeros(1), np.ones(1))
    for step in range(1, 40):
        archive.add([0] * step, np.array([0.5 * step]), step)
    places = [float(e.features[0]) for e in archive.entries if e.features is not None]
    assert max(places) == 19.5
    assert len(places) > 10


def test_a_rollout_is_repeatable_from_its_start() -> None:
    explorer = explorer_of("CartPole-v1")
    start = explorer.env.save()
    rng = np.random.default_rng(1)
    plans = explorer.random_plans(3, 20, rng)
    first = explorer.rollouts(start, plans=plans, rng=rng)
    again = explorer.rollouts(start, plans=plans, rng=rng)
    for one, two in zip(first, again, strict=True):
        assert np.array_equal(one.features, two.features)
    # Restoring six times costs something, too.
    assert explorer.num_steps == sum(map(len, first)) + sum(map(len, again)) + 6


def test_chances_differ_between_rollouts_where_there_are_any() -> None:
    explorer = explorer_of("FrozenLake-v1", is_stochastic=True)
    plans = [[1, 1, 1]] * 20
    found = explorer.rollouts(
        explorer.env.save(), plans=plans, rng=np.random.default_rng(0)
    )
    assert len({tuple(r.features[:, 0]) for r in found}) > 1


def test_a_far_goal_is_found_by_returning_to_the_rim() -> None:
    explorer = explorer_of("MountainCar-v0")
    start = explorer.env.save()
    seen = explorer.run([0] * 30)
    explorer.novelty.add(seen)
    found = explorer.search_far(
        start,
        sides=[(0, 1), (0, -1), (1, 1), (1, -1)],
        max_steps=8_000,
        length=200,
        rng=np.random.default_rng(0),
    )
    assert len(found.ends) == 1
    assert found.to_rarest
    explorer.restore(start)
    replayed = explorer.run(found.ends[0].actions)
    assert replayed.terminated
    assert replayed.features[-1, 0] >= 0.5
    for (element, _), value, actions in found.extremes:
        explorer.restore(start)
        assert explorer.run(actions).features[-1, element] == value
    assert {side for side, _, _ in found.extremes} == {
        *((0, 1), (0, -1), (1, 1), (1, -1))
    }


def test_a_search_stops_when_each_side_has_ended_an_episode() -> None:
    explorer = explorer_of("CartPole-v1")
    start = explorer.env.save()
    explorer.novelty.add(explorer.run([0] * 5))
    explorer.search_far(
        start,
        sides=[(2, 1), (2, -1)],
        until_ended=True,
        max_steps=50_000,
        length=200,
        rng=np.random.default_rng(0),
    )
    assert explorer.num_steps < 5_000


def test_an_extreme_is_reached_by_those_that_come_as_far(novelty: Novelty) -> None:
    far = Extreme((0, 1), 2.0, [0])
    novelty.see([rollout([2.0, 0.0])])
    assert novelty.num_reached(far) == 0
    assert novelty.excess(far) == pytest.approx(1 / 3)
    novelty.add(rollout([2.0, 0.0]))
    assert novelty.num_reached(far) == 1
    assert novelty.num_reached(Extreme((0, -1), -1.0, [0])) == 1
