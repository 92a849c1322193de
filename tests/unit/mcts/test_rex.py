"""REx against numbers worked out by hand."""

import numpy as np
import pytest

from mcts.rex import RexConfig, RexSearch
from mcts.search import Expansion
from tests.support.scripted_draws import ScriptedDraws


def ask(search: RexSearch, *draws: float) -> Expansion:
    assert isinstance(search.rng, ScriptedDraws)
    search.rng.add(*draws)
    expansion = search.ask()
    assert expansion is not None
    return expansion


def test_golden_tree() -> None:
    """C = 5, so that a value v starts as Beta(1 + 5 v, 1 + 5 (1 - v))."""
    rng = ScriptedDraws()
    search = RexSearch(RexConfig(), rng)

    seed = ask(search)
    assert (seed.parent_id, seed.kind, rng.take()) == (0, "generate", [])
    search.tell(seed, value=0.4, is_bug=False)

    # Node 1: Beta(1 + 2, 1 + 3).
    first = ask(search, 0.5)
    assert (first.parent_id, first.kind) == (1, "improve")
    assert rng.take() == [(3, 4)]
    search.tell(first, value=0.9, is_bug=True)  # A bug counts as 0.

    # Node 1 has a failure; node 2: Beta(1 + 0, 1 + 5).
    second = ask(search, 0.2, 0.7)
    assert (second.parent_id, second.kind) == (2, "fix")
    assert rng.take() == [(3, 5), (1, 6)]
    search.tell(second, value=0.8, is_bug=False)

    # Node 2 has a failure, since 0.8 is not perfect; node 3: Beta(1 + 4, 1 + 1).
    third = ask(search, 0.9, 0.1, 0.5)
    assert (third.parent_id, third.kind, third.attempt) == (1, "improve", 1)
    assert rng.take() == [(3, 5), (1, 7), (5, 2)]
    search.tell(third, value=1.0, is_bug=False)

    # Node 1 has a success beside its failure; node 4: Beta(1 + 5, 1 + 0).
    fourth = ask(search, 0.1, 0.2, 0.3, 0.4)
    assert (fourth.parent_id, fourth.kind) == (4, "improve")
    assert rng.take() == [(4, 5), (1, 7), (5, 2), (6, 1)]

    parents = [node.parent_id for node in search.tree.nodes]
    assert parents == [None, 0, 1, 2, 1]
    # Plain means over a node and all below it: (0.4 + 0 + 0.8 + 1) / 4 and so on.
    means = [node.value_estimate for node in search.tree.nodes[1:]]
    assert means == pytest.approx([0.55, 0.4, 0.8, 1.0])


def test_refinement_in_flight_counts_as_a_failure_until_it_is_told() -> None:
    rng = ScriptedDraws()
    search = RexSearch(RexConfig(), rng)
    search.tell(ask(search), value=0.4, is_bug=False)
    node = search.tree.nodes[1]
    first = ask(search, 0.5)
    assert search.posterior(node) == (3, 5)
    second = ask(search, 0.5)
    assert search.posterior(node) == (3, 6)
    assert rng.take() == [(3, 4), (3, 5)]
    search.tell(first, value=0.0, is_bug=False)
    assert search.posterior(node) == (3, 6)
    search.tell(second, value=1.0, is_bug=False)
    assert search.posterior(node) == (4, 5)


def test_nothing_can_be_refined_while_the_seed_is_in_flight() -> None:
    search = RexSearch(RexConfig(), np.random.default_rng(0))
    seed = search.ask()
    assert seed is not None
    assert search.ask() is None
    search.tell(seed, value=0.5, is_bug=False)
    assert search.ask() is not None


def test_search_whose_candidates_are_all_terminal_generates_again() -> None:
    search = RexSearch(RexConfig(), ScriptedDraws())
    search.tell(ask(search), value=0.9, is_bug=False, is_terminal=True)
    again = ask(search)
    assert (again.parent_id, again.kind, again.attempt) == (0, "generate", 1)


def test_weight_of_the_value_sets_how_many_failures_it_outweighs() -> None:
    search = RexSearch(RexConfig(value_weight=20.0), ScriptedDraws())
    search.tell(ask(search), value=0.25, is_bug=False)
    assert search.posterior(search.tree.nodes[1]) == (6, 16)


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf")])
def test_weight_that_breaks_its_rule_is_named(weight: float) -> None:
    with pytest.raises(ValueError, match=r"^value_weight must be at least 0"):
        RexConfig(value_weight=weight)


def test_better_candidate_is_refined_more_often() -> None:
    """Beta(5.5, 2.5) against Beta(1.5, 5.5), and Beta(5.5, 1.5) against (1.5, 6.5)."""
    for better in (1, 2):
        wins = 0
        for seed in range(200):
            search = RexSearch(RexConfig(value_weight=5.0), np.random.default_rng(seed))
            for node_id in (1, 2):
                expansion = search.ask()
                assert expansion is not None
                value = 0.9 if node_id == better else 0.1
                search.tell(expansion, value=value, is_bug=False)
            chosen = search.ask()
            wins += chosen is not None and chosen.parent_id == better
        assert wins > 170
