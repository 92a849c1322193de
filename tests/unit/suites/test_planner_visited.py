from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from cwm.core.codec import decode_columns
from cwm.core.errors import ConfigError
from cwm.core.spaces import BoxSpec, DiscreteSpec
from cwm.suites.planner_visited import (
    MIN_MODEL_STEPS,
    PlannerWalker,
    VisitConfig,
    Visits,
    small_planner,
)
from cwm.suites.query_sample import QUERY_POLICY
from envs.registry import find
from envs.spaces import to_gymnasium, to_value
from planners.registry import PlannerConfig
from tests.support.toy_envs import toy

SMALL = VisitConfig(num_transitions=80, max_walk_steps=20)


def visits(env_id: str, config: VisitConfig = SMALL, seed: int = 0) -> Visits:
    walker = PlannerWalker(find(env_id), None, planning_steps=400, seed=0)
    with walker:
        return walker.visit(config, seed)


def num_transitions(found: Visits) -> tuple[int, int]:
    return sum(map(len, found.walks)), sum(map(len, found.queries))


@pytest.mark.parametrize("env_id", ["CartPole-v1", "Pendulum-v1"])
def test_about_half_is_walked_and_half_is_imagined(env_id: str) -> None:
    found = visits(env_id)
    walked, imagined = num_transitions(found)
    assert walked == 40
    # Whole rollouts of at most 25 steps.
    assert 40 <= imagined < 40 + 25
    assert found.num_rollouts > len(found.queries)
    assert {t.policy for t in found.queries} == {QUERY_POLICY}
    assert all(t.policy.startswith("planner-") for t in found.walks)
    assert max(map(len, found.walks)) <= 20


def test_walks_are_genuine_episodes_from_their_seeds() -> None:
    spec = find("Pendulum-v1")
    env = spec.make()
    for walk in visits("Pendulum-v1").walks:
        shown, _ = env.reset(seed=walk.seed)
        observations = decode_columns(spec.observation_space, walk.observations)
        for row, action in enumerate(decode_columns(spec.action_space, walk.actions)):
            value = to_value(spec.observation_space, shown)
            assert np.array_equal(value, observations[row])
            shown, *_ = env.step(to_gymnasium(spec.action_space, action))


def test_what_was_imagined_is_what_the_environment_does() -> None:
    spec = find("Pendulum-v1")
    env = spec.make()
    env.reset(seed=0)
    for query in visits("Pendulum-v1").queries:
        observations = decode_columns(spec.observation_space, query.observations)
        cosine, sine, speed = observations[0]
        env.unwrapped.state = np.asarray([np.arctan2(sine, cosine), speed])  # type: ignore[attr-defined]
        for row, action in enumerate(decode_columns(spec.action_space, query.actions)):
            shown, reward, *_ = env.step(to_gymnasium(spec.action_space, action))
            assert np.allclose(shown, observations[row + 1], atol=1e-3)
            assert np.isclose(reward, query.rewards[row], atol=1e-2)


def test_what_was_imagined_says_nothing_that_is_hidden() -> None:
    found = visits("CartPole-v1")
    assert all(query.states is None for query in found.queries)
    assert all(query.seed is None for query in found.queries)


def test_the_same_seed_gives_the_same_visits() -> None:
    def content(found: Visits) -> list[list[float]]:
        return [t.rewards.tolist() for t in (*found.walks, *found.queries)]

    one, two = visits("Blackjack-v1", seed=3), visits("Blackjack-v1", seed=3)
    assert content(one) == content(two)
    assert content(visits("Blackjack-v1", seed=4)) != content(one)


def test_one_start_is_walked_from_once_where_nothing_varies() -> None:
    found = visits("CliffWalking-v1")
    assert len(found.walks) == 1
    assert found.walks[0].terminated[-1]
    assert sum(num_transitions(found)) >= 80


def test_many_walks_begin_alike_where_outcomes_vary() -> None:
    found = visits(toy("NoisyLine"))
    assert len(found.walks) > 1
    starts = {int(np.asarray(walk.observations[""])[0]) for walk in found.walks}
    assert starts == {2}


def test_walks_take_legal_actions() -> None:
    found = visits(toy("Declared"))
    for trajectory in (*found.walks, *found.queries):
        assert trajectory.legal_actions is not None
        actions = decode_columns(DiscreteSpec(2), trajectory.actions)
        for action, legal in zip(actions, trajectory.legal_actions, strict=False):
            assert action in legal


def test_a_model_that_knows_its_chances_is_refused() -> None:
    with pytest.raises(ConfigError, match="must give the same episode"):
        PlannerWalker(find(toy("Unrepeatable")), None, planning_steps=100, seed=0)


def test_the_walker_is_an_expert() -> None:
    spec = find("Pendulum-v1")
    with PlannerWalker(spec, None, planning_steps=4_000, seed=0) as walker:
        actions = walker.actions(5, 30)
        again = walker.actions(5, 30)
        assert walker.policy == "planner-icem"
    assert len(actions) == 30
    assert np.array_equal(actions, again)


@pytest.mark.parametrize(
    ("planning_steps", "name", "expected"),
    [
        (4_000, "icem", 250),
        (4_000, "mcts", 250),
        (4_000, "beam", 20_000),
        (200, "beam", 1_000),
        (0, "icem", MIN_MODEL_STEPS),
    ],
)
def test_effort_follows_what_a_trajectory_may_cost(
    planning_steps: int, name: str, expected: int
) -> None:
    planner = small_planner(
        PlannerConfig(name=name),
        DiscreteSpec(2),
        is_stochastic=False,
        planning_steps=planning_steps,
    )
    assert planner.model_steps == expected


def test_the_task_s_planner_is_used_with_no_more_than_its_own_budget() -> None:
    own = PlannerConfig(name="cem", horizon=7, model_steps=60)
    space = BoxSpec((1,), "float32", (-1.0,), (1.0,))
    found = small_planner(own, space, is_stochastic=False, planning_steps=4_000)
    assert found == own
    chosen = small_planner(None, space, is_stochastic=False, planning_steps=4_000)
    assert chosen.name == "icem"


def test_each_walk_is_reported() -> None:
    told: list[int] = []
    walker = PlannerWalker(find("CartPole-v1"), None, planning_steps=100, seed=0)
    report: Callable[..., None] = lambda walk: told.append(len(walk))  # noqa: E731
    with walker:
        found = walker.visit(replace(SMALL, num_transitions=20), 0, report=report)
    assert told == [len(walk) for walk in found.walks]


def test_a_planner_of_laws_sees_what_the_environment_shows() -> None:
    """Its laws are about observations, and the true model's states are none."""
    planner = PlannerConfig(name="feedback")
    walker = PlannerWalker(find("Pendulum-v1"), planner, planning_steps=400, seed=0)
    with walker:
        assert len(walker.actions(seed=1, length=5)) == 5
