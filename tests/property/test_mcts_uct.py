"""What holds for UCT and PUCT in any tree."""

import operator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcts.selection import (
    Selection,
    min_max_scaled,
    puct_scores,
    puct_selection,
    uct_scores,
    uct_selection,
)
from mcts.uct import UctSearch
from mcts.uct_nodes import LeafEvaluation, Step

SELECTIONS: dict[str, Selection] = {
    "uct": uct_selection(exploration=1.0, qtransform=min_max_scaled),
    "uct with a finite value of untried actions": uct_selection(
        exploration=1.0,
        untried_value=1.0,
        epsilon=1.0,
        qtransform=min_max_scaled,
    ),
    "puct": puct_selection(exploration=1.0, qtransform=min_max_scaled),
}


def random_tree(
    select: Selection, seed: int, reward: float | None = None
) -> UctSearch[int]:
    """A tree of states that are numbers; outcomes depend on state and action only."""

    def outcome(state: int, action: int) -> np.random.Generator:
        return np.random.default_rng([seed, state, action])

    def step(state: int, action: int, rng: np.random.Generator) -> Step[int]:
        chance = outcome(state, action)
        return Step(
            state=7 * state + action + 1,
            reward=float(chance.normal()) if reward is None else reward,
            terminated=reward is None and bool(chance.random() < 0.2),
        )

    def evaluate(state: int, depth: int, rng: np.random.Generator) -> LeafEvaluation:
        num_actions = 1 + state % 3
        prior = np.random.default_rng([seed, state]).dirichlet(np.ones(num_actions))
        value = 0.0 if reward is not None else float(rng.normal())
        return LeafEvaluation(
            value=value, actions=range(num_actions), prior=prior.tolist()
        )

    return UctSearch(
        step=step,
        evaluate=evaluate,
        select=select,
        discount=0.9,
        rng=np.random.default_rng(seed),
    )


@pytest.mark.parametrize("name", SELECTIONS)
@given(seed=st.integers(0, 2**31), num_simulations=st.integers(1, 40))
@settings(max_examples=30, deadline=None)
def test_visits_add_up_everywhere(name: str, seed: int, num_simulations: int) -> None:
    search = random_tree(SELECTIONS[name], seed)
    root = search.run(1, num_simulations)
    assert root.visit_count == num_simulations
    for node in search.nodes:
        through_edges = sum(node.child_visit_counts)
        assert node.visit_count >= through_edges
        for action, child in enumerate(node.children):
            if child is not None:
                visits = child.visit_count
                assert visits == node.child_visit_counts[action]
            else:
                assert node.child_visit_counts[action] == 0


@given(seed=st.integers(0, 2**31), num_simulations=st.integers(1, 40))
@settings(max_examples=30, deadline=None)
def test_edge_value_is_its_reward_plus_the_discounted_mean_of_its_child(
    seed: int, num_simulations: int
) -> None:
    search = random_tree(SELECTIONS["uct"], seed)
    search.run(1, num_simulations)
    for node in search.nodes:
        for action, child in enumerate(node.children):
            if child is not None:
                below = child.value_estimate
                expected = node.rewards[action] + 0.9 * below
                assert node.child_values[action] == pytest.approx(expected)


@given(seed=st.integers(0, 2**31))
@settings(max_examples=30, deadline=None)
def test_constant_reward_gives_the_geometric_sum(seed: int) -> None:
    search = random_tree(SELECTIONS["uct"], seed, reward=1.0)
    # One simulation reaches depth 1 and backs up exactly the reward.
    assert search.run(1, 1).value_estimate == 1.0
    search.run(1, 30)
    assert 1.0 <= search.root.value_estimate < 10.0


@settings(deadline=None)
@given(
    counts=st.lists(st.integers(0, 30), min_size=2, max_size=6),
    seed=st.integers(0, 2**31),
    exploration=st.floats(0.0, 10.0),
)
def test_one_more_visit_never_raises_the_share_of_exploration(
    counts: list[int], seed: int, exploration: float
) -> None:
    rng = np.random.default_rng(seed)
    visits = list(counts)
    prior = rng.dirichlet(np.ones(len(counts)))
    values = [0.0] * len(counts)
    action = int(rng.integers(len(counts)))
    more = list(visits)
    more[action] += 1

    def relative(visits: list[int]) -> np.ndarray:
        # Without the factor sqrt(N) that all actions share.
        scores = puct_scores(visits, values, prior, exploration=exploration)
        return np.array(scores) / np.sqrt(max(1, sum(visits)))

    before, after = relative(visits), relative(more)
    assert after[action] <= before[action]
    others = np.arange(len(counts)) != action
    assert after[others] == pytest.approx(before[others])


@settings(deadline=None)
@given(
    counts=st.lists(st.integers(1, 30), min_size=2, max_size=6),
    low=st.floats(-1.0, 1.0),
    gain=st.floats(0.0, 1.0),
)
def test_higher_value_never_lowers_a_score(
    counts: list[int], low: float, gain: float
) -> None:
    visits = list(counts)
    prior = [1.0 / len(counts)] * len(counts)
    values = [low] * len(counts)
    higher = [low + gain] * len(counts)
    for scores in (
        lambda v: uct_scores(visits, v, exploration=1.0),
        lambda v: puct_scores(visits, v, prior, exploration=1.0),
    ):
        assert all(map(operator.ge, scores(higher), scores(values)))
