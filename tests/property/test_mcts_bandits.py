"""REx and AB-MCTS-A against the same rules, looked up in the whole tree each time."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcts.ab_mcts import AbMcts, AbMctsConfig
from mcts.growing import GrowingSearch
from mcts.rex import RexConfig, RexSearch
from mcts.search import Expansion, Kind
from mcts.tree import Node, Tree

Place = tuple[int, Kind]
"""A parent's id, and the kind that is asked of it."""
Choice = Callable[[Tree, tuple[Expansion, ...], np.random.Generator], Place | None]

results = st.tuples(
    st.sampled_from([0.0, 0.5, 1.0]) | st.floats(0.0, 1.0),
    st.booleans(),
    st.integers(0, 5).map(lambda n: n == 0),
)
moves = st.lists(st.none() | st.tuples(st.integers(0, 9), results), max_size=50)
seeds = st.integers(0, 2**32)


def naive_rex(
    tree: Tree, outstanding: tuple[Expansion, ...], rng: np.random.Generator
) -> Place | None:
    best, chosen = -1.0, None
    for node in tree.nodes[1:]:
        if node.is_terminal:
            continue
        refined = [child.value == 1.0 for child in tree.children(node)]
        in_flight = sum(e.parent_id == node.node_id for e in outstanding)
        successes = 1 + 5 * node.value + refined.count(True)
        failures = 1 + 5 * (1 - node.value) + refined.count(False) + in_flight
        draw = rng.beta(successes, failures)
        if draw > best:
            best, chosen = draw, node
    if chosen is not None:
        return chosen.node_id, "fix" if chosen.was_bug else "improve"
    return None if outstanding else (0, "generate")


def naive_ab_mcts(
    tree: Tree, outstanding: tuple[Expansion, ...], rng: np.random.Generator
) -> Place | None:
    def below(node: Node) -> list[float]:
        parts = [below(child) for child in tree.children(node)]
        return [node.value, *(value for part in parts for value in part)]

    def draw(values: list[float]) -> float:
        total = sum(values)
        return float(rng.beta(0.5 + total, 0.5 + (len(values) - total)))

    node = tree.root
    while True:
        children = tree.children(node)
        options = [child for child in children if not child.is_terminal]
        if not options:
            break
        wider = draw([child.value for child in children])
        deeper = draw([value for child in children for value in below(child)[1:]])
        if wider >= deeper:
            break
        draws = [draw(below(child)) for child in options]
        node = options[draws.index(max(draws))]
    if node.parent_id is None:
        return 0, "generate"
    return node.node_id, "fix" if node.was_bug else "improve"


SEARCHES: dict[str, tuple[Callable[[np.random.Generator], GrowingSearch], Choice]] = {
    "worldcoder": (lambda rng: RexSearch(RexConfig(), rng), naive_rex),
    "ab-mcts": (lambda rng: AbMcts(AbMctsConfig(), rng), naive_ab_mcts),
}


def compare(
    search: GrowingSearch, choose: Choice, rng: np.random.Generator, script: list[Any]
) -> None:
    for move in script:
        if move is None or not search.outstanding:
            expected = choose(search.tree, search.outstanding, rng)
            asked = search.ask()
            found = None if asked is None else (asked.parent_id, asked.kind)
            assert found == expected
            continue
        choice, (value, is_bug, is_terminal) = move
        expansion = search.outstanding[choice % len(search.outstanding)]
        search.tell(expansion, value=value, is_bug=is_bug, is_terminal=is_terminal)


@pytest.mark.parametrize("name", SEARCHES)
@settings(deadline=None)
@given(script=moves, seed=seeds)
def test_search_asks_what_its_rule_asks(
    name: str, script: list[Any], seed: int
) -> None:
    new_search, choose = SEARCHES[name]
    search = new_search(np.random.default_rng(seed))
    compare(search, choose, np.random.default_rng(seed), script)


def test_comparison_notices_a_rule_that_does_not_see_what_is_in_flight() -> None:
    def blind(tree: Tree, _: Any, rng: np.random.Generator) -> Place | None:
        return naive_rex(tree, (), rng)

    # One good candidate and a bad one: in flight, the good one is passed over.
    script = [None, (0, (0.9, False, False)), None, (0, (0.1, False, False))]
    search = RexSearch(RexConfig(), np.random.default_rng(0))
    with pytest.raises(AssertionError):
        compare(search, blind, np.random.default_rng(0), script + [None] * 30)
