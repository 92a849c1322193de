"""AB-MCTS-A against numbers worked out by hand."""

import pytest

from mcts.ab_mcts import AbMcts, AbMctsConfig
from mcts.search import Expansion
from tests.support.scripted_draws import ScriptedDraws


def ask(search: AbMcts, *draws: float) -> Expansion:
    assert isinstance(search.rng, ScriptedDraws)
    search.rng.add(*draws)
    expansion = search.ask()
    assert expansion is not None
    return expansion


def test_golden_tree() -> None:
    """Each result r adds (r, 1 - r) to a Beta(0.5, 0.5)."""
    rng = ScriptedDraws()
    search = AbMcts(AbMctsConfig(), rng)

    # The root has no children: no draw.
    first = ask(search)
    assert (first.parent_id, first.kind, rng.take()) == (0, "generate", [])
    search.tell(first, value=0.6, is_bug=False)

    # The root: wider knows 0.6, deeper nothing. Deeper; node 1 knows 0.6.
    second = ask(search, 0.3, 0.8, 0.5)
    assert (second.parent_id, second.kind) == (1, "improve")
    assert rng.take() == [(1.1, 0.9), (0.5, 0.5), (1.1, 0.9)]
    search.tell(second, value=0.2, is_bug=False)

    # The root: wider knows 0.6 still, deeper 0.2. Wider.
    third = ask(search, 0.9, 0.1)
    assert (third.parent_id, third.kind, third.attempt) == (0, "generate", 1)
    assert rng.take() == [(1.1, 0.9), (0.7, 1.3)]
    search.tell(third, value=0.9, is_bug=True)  # A failure counts as 0.

    # The root: wider knows 0.6 and 0. Deeper; node 1 knows 0.6 and 0.2, node 3 0.
    fourth = ask(search, 0.1, 0.2, 0.3, 0.4)
    assert (fourth.parent_id, fourth.kind) == (3, "fix")
    assert rng.take() == [(1.1, 1.9), (0.7, 1.3), (1.3, 1.7), (0.5, 1.5)]
    search.tell(fourth, value=0.9, is_bug=False)

    # The root: deeper knows 0.2 and 0.9; node 3 knows 0 and 0.9. To node 1, whose
    # wider knows 0.2 and whose deeper knows nothing: equal draws go wider.
    fifth = ask(search, 0.1, 0.2, 0.9, 0.4, 0.5, 0.5)
    assert (fifth.parent_id, fifth.kind, fifth.attempt) == (1, "improve", 1)
    assert rng.take() == [
        (1.1, 1.9),
        (1.6, 1.4),
        (1.3, 1.7),
        (1.4, 1.6),
        (0.7, 1.3),
        (0.5, 0.5),
    ]
    search.tell(fifth, value=0.5, is_bug=False)

    # The root: deeper knows 0.2, 0.9, 0.5; node 1 knows 0.6, 0.2, 0.5. Node 1:
    # wider knows 0.2 and 0.5. Deeper; node 2 knows 0.2, node 5 knows 0.5.
    sixth = ask(search, 0.1, 0.2, 0.9, 0.4, 0.1, 0.2, 0.5, 0.6)
    assert (sixth.parent_id, sixth.kind) == (5, "improve")
    assert rng.take() == [
        (1.1, 1.9),
        (2.1, 1.9),
        (1.8, 2.2),
        (1.4, 1.6),
        (1.2, 1.8),
        (0.5, 0.5),
        (0.7, 1.3),
        (1.0, 1.0),
    ]
    search.tell(sixth, value=0.4, is_bug=False)

    # 0.4 reached deeper at the root and at node 1, wider at node 5, and the
    # children on the way.
    nodes = search.tree.nodes
    assert search.wider(nodes[0]) == pytest.approx((1.1, 1.9))
    assert search.deeper(nodes[0]) == pytest.approx((2.5, 2.5))
    assert search.below(nodes[1]) == pytest.approx((2.2, 2.8))
    assert search.wider(nodes[1]) == pytest.approx((1.2, 1.8))
    assert search.deeper(nodes[1]) == pytest.approx((0.9, 1.1))
    assert search.below(nodes[5]) == pytest.approx((1.4, 1.6))
    assert search.wider(nodes[5]) == pytest.approx((0.9, 1.1))
    assert [node.parent_id for node in nodes] == [None, 0, 1, 0, 3, 1, 5]
    # The fix of node 3 has repaired it.
    assert [node.is_bug for node in nodes] == [False] * 7


def test_terminal_child_is_no_option_but_its_result_counts() -> None:
    search = AbMcts(AbMctsConfig(), ScriptedDraws())
    search.tell(ask(search), value=1.0, is_bug=False, is_terminal=True)
    assert search.wider(search.tree.root) == (1.5, 0.5)
    # No child can be selected: the root is expanded without a draw.
    assert ask(search).parent_id == 0


def test_what_is_in_flight_counts_nowhere() -> None:
    rng = ScriptedDraws()
    search = AbMcts(AbMctsConfig(), rng)
    search.tell(ask(search), value=0.6, is_bug=False)
    ask(search, 0.9, 0.1)
    ask(search, 0.9, 0.1)
    assert rng.take() == [(1.1, 0.9), (0.5, 0.5)] * 2


def test_prior_is_where_every_distribution_starts() -> None:
    config = AbMctsConfig(prior_successes=2.0, prior_failures=3.0)
    search = AbMcts(config, ScriptedDraws())
    assert search.wider(search.tree.root) == search.deeper(search.tree.root) == (2, 3)
    search.tell(ask(search), value=0.25, is_bug=False)
    assert search.below(search.tree.nodes[1]) == (2.25, 3.75)


@pytest.mark.parametrize("name", ["prior_successes", "prior_failures"])
@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_prior_that_breaks_its_rule_is_named(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be positive and finite"):
        AbMctsConfig(**{name: value})
