"""What holds for GIF-MCTS whatever the evaluations say."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcts.gif import GifConfig, GifMcts, SearchExhausted
from mcts.tree import Node


@dataclass(frozen=True)
class Result:
    value: float
    is_bug: bool = False
    is_terminal: bool = False


values = st.floats(0.0, 1.0)
results = st.lists(st.builds(Result, values, st.booleans(), st.booleans()), max_size=40)
running = st.lists(st.builds(Result, values), max_size=30)
seeds = st.integers(0, 2**32)


def play(search: GifMcts, script: Sequence[Result]) -> None:
    for result in script:
        search.tell(
            search.ask(),
            value=result.value,
            is_bug=result.is_bug,
            is_terminal=result.is_terminal,
        )


def new_search(seed: int, config: GifConfig | None = None) -> GifMcts:
    return GifMcts(config or GifConfig(), np.random.default_rng(seed))


@settings(deadline=None)
@given(script=results, seed=seeds)
def test_counts_of_a_node_are_one_and_those_of_its_children(
    script: list[Result], seed: int
) -> None:
    search = new_search(seed)
    play(search, script)
    assert search.tree.root.visit_count == 1 + len(script)
    for node in search.tree.nodes:
        below = sum(child.visit_count for child in search.tree.children(node))
        assert node.visit_count == 1 + below


@settings(deadline=None)
@given(script=results, seed=seeds)
def test_every_mean_stays_in_the_unit_interval(script: list[Result], seed: int) -> None:
    search = new_search(seed)
    play(search, script)
    for node in search.tree.nodes:
        assert 0.0 <= node.value_estimate <= 1.0 + 1e-12
    for statistics in search.statistics.values():
        assert 0.0 <= statistics.estimate(0.5) <= 1.0


@settings(deadline=None)
@given(value=values, num=st.integers(1, 20), seed=seeds)
def test_backup_of_a_constant_gives_that_constant(
    value: float, num: int, seed: int
) -> None:
    search = new_search(seed)
    play(search, [Result(value)] * num)
    for node in search.tree.nodes[1:]:
        assert node.value_estimate == pytest.approx(value)


@settings(deadline=None)
@given(script=running, seed=seeds)
def test_mean_of_a_node_is_the_mean_of_all_results_at_and_below_it(
    script: list[Result], seed: int
) -> None:
    search = new_search(seed)
    play(search, script)

    def below(node: Node) -> list[float]:
        lists = [below(child) for child in search.tree.children(node)]
        return [node.value, *(value for each in lists for value in each)]

    for node in search.tree.nodes[1:]:
        assert node.value_estimate == pytest.approx(np.mean(below(node)))


@settings(deadline=None)
@given(script=results, seed=seeds)
def test_selection_descends_by_the_highest_of_naively_computed_scores(
    script: list[Result], seed: int
) -> None:
    search = new_search(seed)
    play(search, script)
    for node in search.tree.nodes:
        for option in search.options(node):
            if option.child is not None:
                visits = option.child.visit_count
                mean = option.child.value_sum / option.child.visit_count
            else:
                same = [
                    n
                    for n in search.tree.nodes
                    if n.parent_id == node.node_id and n.kind == option.kind
                ]
                visits = len(same)
                learnt = search.statistics[option.kind]
                mean = learnt.mean
                if same:
                    local = np.mean([n.value_sum / n.visit_count for n in same])
                    weights = learnt.weight_global, learnt.weight_local
                    mean = float(np.average([mean, local], weights=weights))
                mean = float(np.clip(mean, 0.0, 1.0))
            bonus = math.sqrt(math.log(node.visit_count) / (visits + 1.0))
            assert option.score == pytest.approx(mean + 0.1 * bonus)


@settings(deadline=None)
@given(script=results, seed=seeds)
def test_nothing_is_ever_expanded_from_a_terminal_node(
    script: list[Result], seed: int
) -> None:
    search = new_search(seed)
    for result in script:
        expansion = search.ask()
        assert not search.tree.nodes[expansion.parent_id].is_terminal
        search.tell(
            expansion,
            value=result.value,
            is_bug=result.is_bug,
            is_terminal=result.is_terminal,
        )


@settings(deadline=None)
@given(script=results, seed=seeds)
def test_bugs_are_expanded_by_fixes_only_and_have_one_child_at_most(
    script: list[Result], seed: int
) -> None:
    search = new_search(seed)
    play(search, script)
    for node in search.tree.nodes:
        children = search.tree.children(node)
        if node.was_bug:
            assert [c.kind for c in children] in ([], ["fix"])
        else:
            assert all(c.kind != "fix" for c in children)
        # The bug flag rests on the last node of a chain alone.
        if node.is_bug and not node.is_terminal:
            assert not children


@settings(deadline=None)
@given(script=results, rest=results, seed=seeds)
def test_search_saved_at_any_moment_goes_on_identically(
    script: list[Result], rest: list[Result], seed: int
) -> None:
    search = new_search(seed)
    play(search, script)
    restored = GifMcts.from_json(json.loads(json.dumps(search.to_json())))
    assert restored.to_json() == search.to_json()
    for each in (search, restored):
        play(each, rest)
    assert restored.to_json() == search.to_json()


@settings(deadline=None)
@given(script=results, seed=seeds)
def test_same_seed_and_results_give_the_same_tree(
    script: list[Result], seed: int
) -> None:
    first, second = new_search(seed), new_search(seed)
    play(first, script)
    play(second, script)
    assert first.to_json() == second.to_json()


@settings(deadline=None)
@given(script=st.lists(st.builds(Result, values, st.booleans()), min_size=1))
def test_search_without_widening_ends_where_every_branch_has_ended(
    script: list[Result],
) -> None:
    search = new_search(0, GifConfig(widening=False))
    ended = False
    for result in script * 2:
        try:
            expansion = search.ask()
        except SearchExhausted:
            ended = True
            break
        is_terminal = expansion.depth >= 2 and not result.is_bug
        search.tell(
            expansion,
            value=result.value,
            is_bug=result.is_bug,
            is_terminal=is_terminal,
        )
    if ended:
        assert not search.options(search.tree.root)
