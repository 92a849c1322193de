"""What is known of the edges of a stochastic model."""

import math

from mcts.uct_nodes import UctNode, outcomes_so_far


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
