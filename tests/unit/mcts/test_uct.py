"""UCT and PUCT against hand-computed scores and problems with known answers."""

import math

import numpy as np
import pytest

from mcts.action_probabilities import value_probabilities, visit_probabilities
from mcts.selection import (
    Selection,
    ValueRange,
    argmax_at_random,
    min_max_scaled,
    puct_scores,
    puct_selection,
    uct_scores,
    uct_selection,
    untransformed,
)
from mcts.uct import UctSearch
from mcts.uct_nodes import LeafEvaluation, Step, Widening

ARMS = (0.2, 0.8, 0.5)


def bandit(select: Selection, seed: int = 0) -> UctSearch[str]:
    """Three arms that pay 1 with the probabilities of `ARMS`, then end."""

    def pull(state: str, action: int, rng: np.random.Generator) -> Step[str]:
        return Step(state="done", reward=ARMS[action], terminated=True)

    return UctSearch(
        step=pull,
        evaluate=lambda state, depth, rng: LeafEvaluation(value=0.0, actions=range(3)),
        select=select,
        rng=np.random.default_rng(seed),
    )


def corridor(length: int, **settings: float) -> UctSearch[int]:
    """Action 1 goes right, 0 left; reaching `length` pays 1 and ends."""

    def walk(state: int, action: int, rng: np.random.Generator) -> Step[int]:
        position = max(0, state + (1 if action == 1 else -1))
        arrived = position == length
        return Step(state=position, reward=float(arrived), terminated=arrived)

    return UctSearch(
        step=walk,
        evaluate=lambda state, depth, rng: LeafEvaluation(value=0.0, actions=range(2)),
        select=uct_selection(exploration=1.0),
        rng=np.random.default_rng(0),
        **settings,
    )


def test_uct_scores_are_those_worked_out_by_hand() -> None:
    scores = uct_scores([1, 1], [0.5, 0.7], exploration=1.0, own_visits=1)
    # ln 3 instead of ln 2.
    assert scores == pytest.approx([0.5 + 1.0481471, 0.7 + 1.0481471])
    scores = uct_scores([1, 3, 0], [0.5, 0.7, math.nan], exploration=2.0)
    assert scores[:2] == pytest.approx(
        [0.5 + 2 * math.sqrt(math.log(4)), 0.7 + 2 * math.sqrt(math.log(4) / 3)]
    )
    assert scores[2] == math.inf


def test_untried_action_may_have_a_finite_value() -> None:
    scores = uct_scores(
        np.array([2, 0]),
        np.array([0.5, np.nan]),
        exploration=1.0,
        untried_value=1.0,
        epsilon=1.0,
    )
    assert scores == pytest.approx(
        [0.5 + math.sqrt(math.log(2) / 3), 1.0 + math.sqrt(math.log(2))]
    )


def test_puct_scores_are_those_worked_out_by_hand() -> None:
    scores = puct_scores(
        np.array([3, 0, 1]),
        np.array([0.5, np.nan, -1.0]),
        np.array([0.2, 0.5, 0.3]),
        exploration=1.5,
    )
    assert scores == pytest.approx([0.5 + 0.15, 0.0 + 1.5, -1.0 + 0.45])


def test_prior_alone_decides_the_first_puct_selection() -> None:
    nothing = np.zeros(3, dtype=np.int64)
    scores = puct_scores(
        nothing, np.full(3, np.nan), np.array([0.2, 0.5, 0.3]), exploration=1.0
    )
    assert scores == pytest.approx([0.2, 0.5, 0.3])


def test_scaling_by_the_range_seen_keeps_untried_actions_apart() -> None:
    values = [-10.0, math.nan, 30.0]
    scaled = min_max_scaled(values, ValueRange(-10.0, 30.0))
    assert scaled == pytest.approx([0.0, math.nan, 1.0], nan_ok=True)
    flat = min_max_scaled(values, ValueRange(5.0, 5.0))
    assert flat == pytest.approx([0.5, math.nan, 0.5], nan_ok=True)
    assert math.isnan(min_max_scaled(values, ValueRange())[1])
    assert untransformed(values, ValueRange()) is values


def test_tie_is_broken_at_random_and_a_clear_winner_is_not() -> None:
    rng = np.random.default_rng(0)
    tied = {argmax_at_random([1.0, 0.0, 1.0], rng.random) for _ in range(30)}
    assert tied == {0, 2}
    assert argmax_at_random([0.0, 2.0, 1.0], rng.random) == 1


def test_root_visits_equal_the_simulations() -> None:
    root = bandit(uct_selection(exploration=1.0)).run("start", 50)
    assert root.visit_count == sum(root.child_visit_counts) == 50


@pytest.mark.parametrize(
    "select",
    [uct_selection(exploration=0.5), puct_selection(exploration=0.5)],
    ids=["uct", "puct"],
)
def test_share_of_the_best_arm_grows_with_the_simulations(select: Selection) -> None:
    shares = []
    for num_simulations in (10, 100, 1_000):
        roots = [bandit(select, s).run("start", num_simulations) for s in range(5)]
        visits = sum(root.child_visit_counts[1] for root in roots)
        shares.append(visits / (5 * num_simulations))
    assert shares == sorted(shares)
    assert shares[-1] > 0.9


def test_means_of_a_bandit_are_its_pays() -> None:
    root = bandit(uct_selection(exploration=1.0)).run("start", 30)
    assert root.child_values == pytest.approx(ARMS)


def test_corridor_is_solved_with_the_discounted_value_of_its_length() -> None:
    search = corridor(3, discount=0.5)
    root = search.run(0, 2_000)
    best = root.children[1]
    assert best is not None
    assert root.best() == 1
    # From position 2 the goal pays 1 at once, from 0 it is 0.5 ** 2 at best.
    assert root.child_values[1] <= 0.25
    assert best.child_values[1] <= 0.5
    assert best.child_values[1] > best.child_values[0]


def test_leaf_value_is_discounted_over_the_edges_above_it() -> None:
    search: UctSearch[int] = UctSearch(
        step=lambda state, action, rng: Step(
            state=state + 1, reward=1.0, terminated=False
        ),
        evaluate=lambda state, depth, rng: LeafEvaluation(value=10.0, actions=range(1)),
        select=uct_selection(exploration=1.0),
        discount=0.5,
        rng=np.random.default_rng(0),
    )
    search.run(0, 2)
    # First: 1 + 0.5 * 10 = 6. Second: 1 + 0.5 * (1 + 0.5 * 10) = 4.
    assert search.root.value_sum == 10.0
    assert search.nodes[1].value_estimate == (10.0 + 6.0) / 2


def test_dead_end_keeps_its_value_on_every_visit() -> None:
    def leaf(state: int, depth: int, rng: np.random.Generator) -> LeafEvaluation:
        return LeafEvaluation(value=-2.0 * state, actions=range(1 - state))

    search: UctSearch[int] = UctSearch(
        step=lambda state, action, rng: Step(state=1, reward=0.0, terminated=False),
        evaluate=leaf,
        select=uct_selection(exploration=1.0),
        rng=np.random.default_rng(0),
    )
    assert search.run(0, 5).child_values == [-2.0]


def test_step_is_called_once_for_each_new_edge_and_never_inside_the_tree() -> None:
    calls = 0

    def count(state: int, action: int, rng: np.random.Generator) -> Step[int]:
        nonlocal calls
        calls += 1
        return Step(state=state + 1, reward=0.0, terminated=state == 1)

    search: UctSearch[int] = UctSearch(
        step=count,
        evaluate=lambda state, depth, rng: LeafEvaluation(value=0.0, actions=range(2)),
        select=uct_selection(exploration=1.0),
        rng=np.random.default_rng(0),
    )
    search.run(0, 100)
    assert calls == len(search.nodes) - 1 == 6


def test_same_seed_gives_the_same_tree() -> None:
    counts = [
        bandit(uct_selection(exploration=1.0), seed=3).run("s", 40).child_visit_counts
        for _ in range(2)
    ]
    assert counts[0] == counts[1]


def test_visits_become_probabilities_by_temperature() -> None:
    counts = np.array([1, 3, 0])
    assert visit_probabilities(counts, temperature=1.0) == pytest.approx(
        [0.25, 0.75, 0]
    )
    assert visit_probabilities(counts, temperature=0.5) == pytest.approx([0.1, 0.9, 0])
    assert visit_probabilities(counts, temperature=0.0).tolist() == [0.0, 1.0, 0.0]


def test_values_become_probabilities_by_temperature() -> None:
    values = np.array([0.0, math.log(3.0), np.nan])
    assert value_probabilities(values, temperature=1.0) == pytest.approx(
        [0.25, 0.75, 0]
    )
    shared = value_probabilities(np.array([1.0, 1.0]), temperature=0.0)
    assert shared.tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: uct_selection(exploration=-1.0), "exploration must be at least 0"),
        (lambda: puct_selection(exploration=math.nan), "exploration must be at least"),
        (
            lambda: uct_selection(exploration=1.0, untried_value=1.0),
            "epsilon must be positive with a finite untried_value",
        ),
        (lambda: corridor(3, discount=0.0), "discount must be above 0"),
        (lambda: corridor(3).run(0, 0), "num_simulations must be at least 1, got 0"),
        (
            lambda: LeafEvaluation(value=math.nan, actions=range(1)),
            "value must be finite, got nan",
        ),
        (
            lambda: LeafEvaluation(value=0.0, actions=(0, 1), prior=(1.0, 1.0, 1.0)),
            "prior must have 2 entries",
        ),
        (
            lambda: visit_probabilities(np.zeros(2, np.int64), temperature=1.0),
            "visit_counts must not all be 0",
        ),
        (
            lambda: value_probabilities(np.full(2, np.nan), temperature=1.0),
            "values must not all be NaN",
        ),
        (
            lambda: value_probabilities(np.zeros(2), temperature=-1.0),
            "temperature must be at least 0",
        ),
    ],
)
def test_setting_that_breaks_its_rule_is_refused(call: object, message: str) -> None:
    assert callable(call)
    with pytest.raises(ValueError, match=message):
        call()


def test_root_without_actions_is_refused() -> None:
    search: UctSearch[int] = UctSearch(
        step=lambda state, action, rng: Step(state=0, reward=0.0, terminated=True),
        evaluate=lambda state, depth, rng: LeafEvaluation(value=0.0, actions=range(0)),
        select=uct_selection(exploration=1.0),
        rng=np.random.default_rng(0),
    )
    with pytest.raises(ValueError, match="The root must have at least 1 action"):
        search.run(0, 1)


def test_untried_action_may_count_as_the_mean_of_its_node() -> None:
    select = puct_selection(exploration=0.0, untried_value=None)
    search = bandit(select)
    search.plant("start", LeafEvaluation(value=0.0, actions=range(3)))
    root = search.root
    root.visit_count, root.value_sum = 2, 1.0
    root.child_visit_counts, root.child_values = [1, 1, 0], [0.7, 0.3, math.nan]
    assert select(root, search.value_range, lambda: 0.0) == 0
    root.child_values = [0.4, 0.3, math.nan]
    assert select(root, search.value_range, lambda: 0.0) == 2


def diamond(*, shares: bool, exploration: float = 1.0) -> UctSearch[int]:
    """0 leads to 1 (pays 0) and 2 (pays 1), both to 3; leaving 3 pays 2 and ends."""

    def step(state: int, action: int, rng: np.random.Generator) -> Step[int]:
        if state == 0:
            return Step(1 + action, float(action), False)
        return Step(3 if state < 3 else 4, 2.0 * (state == 3), state == 3)

    def evaluate(state: int, depth: int, rng: np.random.Generator) -> LeafEvaluation:
        actions = range(2 if state == 0 else 1)
        return LeafEvaluation(value=2.0, actions=actions)

    return UctSearch(
        step=step,
        evaluate=evaluate,
        select=uct_selection(exploration=exploration),
        key=(lambda state: state) if shares else None,
        rng=np.random.default_rng(0),
    )


def test_state_reached_in_two_ways_is_one_node() -> None:
    search, tree = diamond(shares=True), diamond(shares=False)
    search.run(0, 40)
    tree.run(0, 40)
    assert len(search.nodes) == 5
    assert len(tree.nodes) == 7
    left, right = search.root.children
    assert left is not None
    assert right is not None
    assert left.children[0] is right.children[0]
    # What one way has seen counts for the other.
    below = left.children[0]
    assert below is not None
    assert below.visit_count == left.child_visit_counts[0] + right.child_visit_counts[0]


def test_graph_and_tree_agree_where_nothing_is_left_to_chance() -> None:
    values = []
    for shares in (True, False):
        root = diamond(shares=shares, exploration=50.0).run(0, 400)
        values.append(root.child_values)
    assert values[0] == values[1] == [2.0, 3.0]


def coin(*, is_stochastic: bool, num_checks: int = 0) -> UctSearch[int]:
    """Action 0 leads to state 1 or 2, which pay 0 and 4; action 1 pays 1."""

    def step(state: int, action: int, rng: np.random.Generator) -> Step[int]:
        if state == 0 and action == 0:
            return Step(1 + int(rng.integers(2)), 0.0, False)
        return Step(9, 1.0 if state == 0 else 4.0 * (state - 1), True)

    return UctSearch(
        step=step,
        evaluate=lambda state, depth, rng: LeafEvaluation(
            value=0.0, actions=range(2 if state == 0 else 1)
        ),
        select=uct_selection(exploration=4.0),
        key=lambda state: state,
        is_stochastic=is_stochastic,
        num_checks=num_checks,
        rng=np.random.default_rng(1),
    )


def test_chance_is_sampled_again_on_every_visit() -> None:
    search = coin(is_stochastic=True)
    search.run(0, 3_000)
    assert search.root.child_values == pytest.approx([2.0, 1.0], abs=0.15)
    assert len(search.root.outcomes[0].tallies) == 2
    assert len(search.nodes) == 5
    fixed = coin(is_stochastic=False).run(0, 3_000)
    assert fixed.child_values[0] in (
        pytest.approx(0, abs=0.1),
        pytest.approx(4, abs=0.1),
    )


def test_chance_outcomes_are_worth_what_all_ways_to_them_have_shown() -> None:
    def step(state: int, action: int, rng: np.random.Generator) -> Step[int]:
        if state == 0:  # Either action leads to 1 or 2; the second one pays 1 more.
            return Step(1 + int(rng.integers(2)), float(action), False)
        return Step(9, 10.0 * state * int(rng.random() < 0.1), True)

    search: UctSearch[int] = UctSearch(
        step=step,
        evaluate=lambda state, depth, rng: LeafEvaluation(
            value=0.0, actions=range(2 if state == 0 else 1)
        ),
        select=uct_selection(exploration=10.0),
        discount=0.5,
        key=lambda state: state,
        is_stochastic=True,
        rng=np.random.default_rng(1),
    )
    root = search.run(0, 200)
    for index, outcomes in enumerate(root.outcomes):
        # The same again, naively: each sample counts with its state's own mean.
        worth = [
            reward + 0.5 * child.value_sum / child.visit_count
            for child, reward in outcomes.samples
        ]
        assert root.child_values[index] == pytest.approx(np.mean(worth), abs=0.2)
    shown = [child for child in search.nodes if child.depth == 1]
    assert sum(child.visit_count for child in shown) == 200
    # Both ways lead to the same two states: what is between them is the reward.
    # Each by its own returns would be apart by chance, by more than half of that.
    first, second = root.child_values
    assert second - first == pytest.approx(1.0, abs=0.25)
    own = [
        total / count
        for total, count in zip(
            root.child_value_sums, root.child_visit_counts, strict=True
        )
    ]
    assert abs(own[1] - own[0] - 1.0) > abs(second - first - 1.0)


def test_second_visit_shows_that_a_model_is_stochastic() -> None:
    search = coin(is_stochastic=False, num_checks=64)
    search.run(0, 3_000)
    assert search.is_stochastic
    assert search.root.child_values == pytest.approx([2.0, 1.0], abs=0.15)
    certain = diamond(shares=True)
    certain.num_checks = 16
    certain.run(0, 50)
    assert not certain.is_stochastic
    assert certain.num_checks < 16


def test_outcomes_that_never_come_twice_do_not_grow_without_end() -> None:
    def step(state: float, action: int, rng: np.random.Generator) -> Step[float]:
        return Step(float(rng.random()), 0.0, False)

    search: UctSearch[float] = UctSearch(
        step=step,
        evaluate=lambda state, depth, rng: LeafEvaluation(value=0.0, actions=(0,)),
        select=uct_selection(exploration=1.0),
        key=lambda state: state,
        is_stochastic=True,
        rng=np.random.default_rng(0),
    )
    root = search.run(0.0, 400)
    assert 15 <= len(root.outcomes[0].tallies) <= 22
    assert max(node.depth for node in search.nodes) >= 3


def test_action_that_is_impossible_is_taken_away() -> None:
    def step(state: int, action: int, rng: np.random.Generator) -> Step[int] | None:
        if state == 1 or action == 1:
            return None  # In state 1 nothing is possible.
        return Step(1 if action == 0 else 2, -float(action) - 1.0, action == 2)

    search: UctSearch[int] = UctSearch(
        step=step,
        evaluate=lambda state, depth, rng: LeafEvaluation(value=0.0, actions=range(3)),
        select=uct_selection(exploration=1.0),
        rng=np.random.default_rng(0),
    )
    root = search.run(0, 50)
    assert root.actions == [0, 2]
    dead = root.children[0]
    assert dead is not None
    assert dead.is_terminal
    # As bad as the worst that was seen when it turned out to be a dead end.
    assert dead.leaf_value in (-1.0, -3.0)


def test_more_visits_bring_more_actions() -> None:
    search = bandit(puct_selection(exploration=1.0))
    search.step = lambda state, action, rng: Step("done", float(action), True)
    search.widening = Widening(
        coefficient=1.0, exponent=0.5, propose=lambda state, count, rng: count
    )
    search.plant("start", LeafEvaluation(value=0.0, actions=(0,)))
    sizes = []
    for _ in range(101):
        search.simulate()
        sizes.append(len(search.root.actions))
    # Before simulation n + 1 a node with n visits may have ceil(sqrt(n)) actions.
    assert [sizes[n] for n in (1, 4, 9, 16, 100)] == [1, 2, 3, 4, 10]
    assert search.root.prior == [1 / 10] * 10


def test_depth_is_limited_and_the_limit_has_a_value_of_its_own() -> None:
    search: UctSearch[int] = UctSearch(
        step=lambda state, action, rng: Step(state + 1, 1.0, False),
        evaluate=lambda state, depth, rng: LeafEvaluation(
            value=50.0, actions=(0,), limit_value=7.0
        ),
        select=uct_selection(exploration=1.0),
        max_depth=2,
        rng=np.random.default_rng(0),
    )
    root = search.run(0, 3)
    # First 1 + 50, then 2 + 50 by the new leaf, then 2 + 7 at the limit.
    assert root.value_sum == 51.0 + 52.0 + 9.0
    assert len(search.nodes) == 3


def test_simulation_that_is_broken_off_counts_nowhere() -> None:
    search = corridor(3)
    search.run(0, 5)

    def refuse(state: int, action: int, rng: np.random.Generator) -> Step[int]:
        raise TimeoutError

    search.step = refuse

    def simulate_on() -> None:
        for _ in range(100):
            search.simulate()

    with pytest.raises(TimeoutError):
        simulate_on()
    for node in search.nodes:
        assert node.visit_count >= sum(node.child_visit_counts)
    assert search.root.visit_count == sum(search.root.child_visit_counts)


def test_search_goes_on_from_a_state_of_another_and_leaves_that_as_it_was() -> None:
    first = corridor(6)
    first.key = lambda state: state
    first.run(0, 60)
    before = [(n.state, n.visit_count, list(n.child_values)) for n in first.nodes]
    child = first.find(1, 1)
    assert child is first.root.children[1]
    assert child is not None
    second = corridor(6)
    second.key = first.key
    second.adopt(first, child)
    assert second.root.visit_count == child.visit_count
    assert second.root.child_visit_counts == child.child_visit_counts
    assert {id(n) for n in second.nodes}.isdisjoint(id(n) for n in first.nodes)
    assert second.find(2, 1) is second.root.children[1]
    second.simulate()
    assert second.root.visit_count == child.visit_count + 1
    after = [(n.state, n.visit_count, list(n.child_values)) for n in first.nodes]
    assert repr(after) == repr(before)
