"""The two searches that others are compared with, by hand."""

import pytest

from mcts.best_of_n import BestOfN
from mcts.linear import LinearSearch
from mcts.search import Expansion


def ask(search: BestOfN | LinearSearch) -> Expansion:
    expansion = search.ask()
    assert expansion is not None
    return expansion


def test_golden_tree_of_best_of_n() -> None:
    search = BestOfN()
    for value, is_bug in [(0.5, False), (0.0, True), (0.9, False)]:
        expansion = ask(search)
        search.tell(expansion, value=value, is_bug=is_bug)
    assert [n.parent_id for n in search.tree.nodes[1:]] == [0, 0, 0]
    assert {n.kind for n in search.tree.nodes[1:]} == {"generate"}
    assert search.tree.root.visit_count == 3
    assert search.tree.root.value_estimate == pytest.approx(1.4 / 3)
    assert expansion.attempt == expansion.num_siblings == 2


def test_best_of_n_never_waits() -> None:
    search = BestOfN()
    assert [ask(search).attempt for _ in range(20)] == list(range(20))


def test_golden_tree_of_linear() -> None:
    """generate -> improve (bug) -> fix (bug) -> fix -> improve (worse) -> improve."""
    search = LinearSearch()
    script = [(0.3, False), (0.0, True), (0.0, True), (0.5, False), (0.1, False)]
    nodes = search.tree.nodes
    for value, is_bug in script:
        if len(nodes) == 4:
            # A fix that fails repairs nothing.
            assert [n.is_bug for n in nodes] == [False, False, True, True]
        search.tell(ask(search), value=value, is_bug=is_bug)
    assert [n.kind for n in nodes[1:]] == [
        "generate",
        "improve",
        "fix",
        "fix",
        "improve",
    ]
    assert [n.parent_id for n in nodes[1:]] == [0, 1, 2, 3, 4]
    assert (ask(search).parent_id, search.outstanding[0].kind) == (5, "improve")
    # Each node is the mean of itself and what came after: 0.9 / 5, 0.6 / 4, ...
    means = [n.value_estimate for n in nodes]
    assert means == pytest.approx([0.18, 0.18, 0.15, 0.2, 0.3, 0.1])
    # The second fix repaired both failures.
    assert not any(n.is_bug for n in nodes)


def test_linear_has_one_expansion_in_flight_at_most() -> None:
    search = LinearSearch()
    first = ask(search)
    assert search.ask() is None
    search.tell(first, value=0.5, is_bug=False)
    assert ask(search).parent_id == 1


def test_linear_passes_over_a_terminal_candidate() -> None:
    search = LinearSearch()
    search.tell(ask(search), value=0.5, is_bug=False, is_terminal=True)
    assert ask(search).parent_id == 0
    search.tell(search.outstanding[0], value=0.4, is_bug=False)
    search.tell(ask(search), value=0.9, is_bug=False, is_terminal=True)
    again = ask(search)
    assert (again.parent_id, again.kind, again.attempt) == (2, "improve", 1)
