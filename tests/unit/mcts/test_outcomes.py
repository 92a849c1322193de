"""What is known of the edges of a stochastic model."""

import math

import numpy as np
import pytest

from mcts.selection import uct_selection
from mcts.uct import UctSearch
from mcts.uct_nodes import LeafEvaluation, Step, UctNode, outcomes_so_far


def node(num_actions: int = 0) -> UctNode[int]:
    return UctNode(
        state=0,
        depth=0,
        terminated=False,
        leaf_value=0.0,
        limit_value=0.0,
        actions=list(range(num_actions)),
        prior=[1.0 / max(1, num_actions)] * num_actions,
        is_terminal=num_actions == 0,
        child_visit_counts=[0] * num_actions,
        child_value_sums=[0.0] * num_actions,
        child_values=[math.nan] * num_actions,
        rewards=[0.0] * num_actions,
        children=[None] * num_actions,
    )


def test_visits_that_came_out_the_same_count_as_samples() -> None:
    root = node(4)
    root.children[:3] = [node(), node(), node()]
    root.child_visit_counts[:] = [5, 1, 30, 0]
    root.rewards[0] = 2.0
    found = outcomes_so_far(root)
    # Each of the first 8 visits was checked, later ones hardly ever.
    assert [len(one.samples) for one in found] == [5, 1, 8, 0]
    (tally,) = found[0].tallies.values()
    assert (tally.count, tally.reward_sum) == (5, 10.0)


@pytest.mark.parametrize("chance", [0.05, 0.1])
def test_a_rare_loss_is_not_taken_for_a_common_one(chance: float) -> None:
    """Found while the search goes on, it must not begin as one of two outcomes."""

    def step(state: int, action: int, rng: np.random.Generator) -> Step[int]:
        is_loss = action == 0 and rng.random() < chance
        return Step(state=1, reward=-1.0 if is_loss else 0.0, terminated=True)

    values = []
    for seed in range(60):
        search = UctSearch(
            rng=np.random.default_rng(seed),
            step=step,
            evaluate=lambda state, below, rng: LeafEvaluation(
                value=0.0, actions=(0, 1)
            ),
            select=uct_selection(exploration=1.0),
            key=lambda state: state,
            num_checks=64,
        )
        search.run(0, 200)
        if search.is_stochastic:
            values.append(search.root.child_values[0])
    assert len(values) > 20
    # With one sample of the usual outcome it is below -0.15 for both chances.
    assert -2.0 * chance - 0.03 < np.mean(values) < 0.0
