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


Layers = list[list[list[tuple[int, float]]]]
"""By depth, state and action: the state of the next depth, and the reward."""


def random_layers(seed: int) -> Layers:
    """A graph without cycles, with 3 states at each of 4 depths."""
    rng = np.random.default_rng(seed)
    return [
        [
            [(int(rng.integers(3)), float(rng.integers(-4, 5)) / 4) for _ in range(2)]
            for _ in range(3)
        ]
        for _ in range(4)
    ]


def search_layers(layers: Layers, *, shares: bool) -> UctSearch[tuple[int, int]]:
    def step(
        state: tuple[int, int], action: int, rng: np.random.Generator
    ) -> Step[tuple[int, int]]:
        depth, number = state
        following, reward = layers[depth][number][action]
        return Step((depth + 1, following), reward, depth + 1 == len(layers))

    return UctSearch(
        step=step,
        evaluate=lambda state, depth, rng: LeafEvaluation(value=0.0, actions=range(2)),
        select=uct_selection(exploration=1.0, qtransform=min_max_scaled),
        key=(lambda state: state) if shares else None,
        rng=np.random.default_rng(0),
    )


def best_pays(layers: Layers) -> list[float]:
    """The highest return of each first action, backwards from the last depth."""
    values = [0.0] * 3
    for layer in reversed(layers):
        pays = [[reward + values[to] for to, reward in actions] for actions in layer]
        values = [max(found) for found in pays]
    return pays[0]


@given(seed=st.integers(0, 2**31))
@settings(max_examples=25, deadline=None)
def test_graph_comes_to_the_same_as_the_tree_with_fewer_nodes(seed: int) -> None:
    layers = random_layers(seed)
    pays = best_pays(layers)
    for shares, most_nodes in ((True, 1 + 3 * 4), (False, 2**5 - 1)):
        search = search_layers(layers, shares=shares)
        root = search.run((0, 0), 1_000)
        assert len(search.nodes) <= most_nodes
        places = [(node.depth, node.state, node.terminated) for node in search.nodes]
        assert not shares or len(set(places)) == len(places)
        assert pays[root.best()] == max(pays)
        # But for simulations that try what is worse.
        assert root.value_estimate == pytest.approx(max(pays), abs=0.4)


@given(seed=st.integers(0, 2**31), num_simulations=st.integers(1, 60))
@settings(max_examples=25, deadline=None)
def test_graph_is_the_tree_where_no_state_is_reached_twice(
    seed: int, num_simulations: int
) -> None:
    values = []
    for shares in (True, False):
        search = random_tree(SELECTIONS["puct"], seed)
        if shares:
            search.key = lambda state: state
        root = search.run(1, num_simulations)
        values.append((root.child_visit_counts, root.child_values))
    np.testing.assert_equal(values[0][0], values[1][0])
    np.testing.assert_allclose(values[0][1], values[1][1], rtol=1e-9)
