"""UCT and PUCT against hand-computed scores and problems with known answers."""

import math

import numpy as np
import pytest

from mcts.action_probabilities import value_probabilities, visit_probabilities
from mcts.uct import (
    LeafEvaluation,
    Selection,
    Step,
    UctSearch,
    ValueRange,
    argmax_at_random,
    min_max_scaled,
    puct_scores,
    puct_selection,
    uct_scores,
    uct_selection,
    untransformed,
)

ARMS = (0.2, 0.8, 0.5)


def bandit(select: Selection, seed: int = 0) -> UctSearch[str]:
    """Three arms that pay 1 with the probabilities of `ARMS`, then end."""

    def pull(state: str, action: int, rng: np.random.Generator) -> Step[str]:
        return Step(state="done", reward=ARMS[action], terminated=True)

    return UctSearch(
        step=pull,
        evaluate=lambda state, rng: LeafEvaluation(value=0.0, num_actions=3),
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
        evaluate=lambda state, rng: LeafEvaluation(value=0.0, num_actions=2),
        select=uct_selection(exploration=1.0),
        rng=np.random.default_rng(0),
        **settings,
    )


def test_uct_scores_are_those_worked_out_by_hand() -> None:
    scores = uct_scores(
        np.array([1, 3, 0]), np.array([0.5, 0.7, np.nan]), exploration=2.0
    )
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
    values = np.array([-10.0, np.nan, 30.0])
    scaled = min_max_scaled(values, ValueRange(-10.0, 30.0))
    assert scaled[[0, 2]].tolist() == [0.0, 1.0]
    assert np.isnan(scaled[1])
    flat = min_max_scaled(values, ValueRange(5.0, 5.0))
    assert flat[[0, 2]].tolist() == [0.5, 0.5]
    assert np.isnan(min_max_scaled(values, ValueRange())[1])
    assert untransformed(values, ValueRange()) is values


def test_tie_is_broken_at_random_and_a_clear_winner_is_not() -> None:
    rng = np.random.default_rng(0)
    tied = {argmax_at_random(np.array([1.0, 0.0, 1.0]), rng) for _ in range(30)}
    assert tied == {0, 2}
    assert argmax_at_random(np.array([0.0, 2.0, 1.0]), rng) == 1


def test_root_visits_equal_the_simulations() -> None:
    root = bandit(uct_selection(exploration=1.0)).run("start", 50)
    assert root.visit_count == int(root.child_visit_counts.sum()) == 50


@pytest.mark.parametrize(
    "select",
    [uct_selection(exploration=0.5), puct_selection(exploration=0.5)],
    ids=["uct", "puct"],
)
def test_share_of_the_best_arm_grows_with_the_simulations(select: Selection) -> None:
    shares = []
    for num_simulations in (10, 100, 1_000):
        root = bandit(select).run("start", num_simulations)
        shares.append(int(root.child_visit_counts[1]) / num_simulations)
    assert shares == sorted(shares)
    assert shares[-1] > 0.9


def test_means_of_a_bandit_are_its_pays() -> None:
    root = bandit(uct_selection(exploration=1.0)).run("start", 30)
    assert root.child_values == pytest.approx(ARMS)


def test_corridor_is_solved_with_the_discounted_value_of_its_length() -> None:
    search = corridor(3, discount=0.5)
    root = search.run(0, 2_000)
    best = search.nodes[int(root.children[1])]
    assert int(root.child_visit_counts.argmax()) == 1
    # From position 2 the goal pays 1 at once, from 0 it is 0.5 ** 2 at best.
    assert root.child_values[1] <= 0.25
    assert best.child_values[1] <= 0.5
    assert best.child_values[1] > best.child_values[0]


def test_leaf_value_is_discounted_over_the_edges_above_it() -> None:
    search: UctSearch[int] = UctSearch(
        step=lambda state, action, rng: Step(
            state=state + 1, reward=1.0, terminated=False
        ),
        evaluate=lambda state, rng: LeafEvaluation(value=10.0, num_actions=1),
        select=uct_selection(exploration=1.0),
        discount=0.5,
        rng=np.random.default_rng(0),
    )
    search.run(0, 2)
    # First: 1 + 0.5 * 10 = 6. Second: 1 + 0.5 * (1 + 0.5 * 10) = 4.
    assert search.root.value_sum == 10.0
    assert search.nodes[1].value_estimate == (10.0 + 6.0) / 2


def test_dead_end_keeps_its_value_on_every_visit() -> None:
    def leaf(state: int, rng: np.random.Generator) -> LeafEvaluation:
        return LeafEvaluation(value=-2.0 * state, num_actions=1 - state)

    search: UctSearch[int] = UctSearch(
        step=lambda state, action, rng: Step(state=1, reward=0.0, terminated=False),
        evaluate=leaf,
        select=uct_selection(exploration=1.0),
        rng=np.random.default_rng(0),
    )
    assert search.run(0, 5).child_values.tolist() == [-2.0]


def test_step_is_called_once_for_each_new_edge_and_never_inside_the_tree() -> None:
    calls = 0

    def count(state: int, action: int, rng: np.random.Generator) -> Step[int]:
        nonlocal calls
        calls += 1
        return Step(state=state + 1, reward=0.0, terminated=state == 1)

    search: UctSearch[int] = UctSearch(
        step=count,
        evaluate=lambda state, rng: LeafEvaluation(value=0.0, num_actions=2),
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
    assert counts[0].tolist() == counts[1].tolist()


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
            lambda: LeafEvaluation(value=math.nan, num_actions=1),
            "value must be finite, got nan",
        ),
        (lambda: LeafEvaluation(value=0.0, num_actions=-1), "num_actions must be"),
        (
            lambda: LeafEvaluation(value=0.0, num_actions=2, prior=np.ones(3)),
            r"prior must have shape \(2,\)",
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
        evaluate=lambda state, rng: LeafEvaluation(value=0.0, num_actions=0),
        select=uct_selection(exploration=1.0),
        rng=np.random.default_rng(0),
    )
    with pytest.raises(ValueError, match="The root must have at least 1 action"):
        search.run(0, 1)
