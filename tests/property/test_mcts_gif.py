"""What holds for GIF-MCTS whatever the evaluations say."""

import json
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mcts.gif import GifConfig, GifMcts
from mcts.search import KINDS, Expansion, SearchExhausted
from mcts.tree import Node
from tests.support.naive_gif import NaiveGif


@dataclass(frozen=True)
class Result:
    value: float
    is_bug: bool = False
    is_terminal: bool = False


values = st.floats(0.0, 1.0)
results = st.lists(st.builds(Result, values, st.booleans(), st.booleans()), max_size=40)
running = st.lists(st.builds(Result, values), max_size=30)
seeds = st.integers(0, 2**32)


def ask(search: GifMcts) -> Expansion:
    expansion = search.ask()
    assert expansion is not None
    return expansion


def play(search: GifMcts, script: Sequence[Result]) -> None:
    for result in script:
        search.tell(
            ask(search),
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
        expansion = ask(search)
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
            expansion = ask(search)
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


configs = st.builds(
    GifConfig,
    exploration=st.sampled_from([0.0, 0.1, 1.0]),
    widening=st.booleans(),
    num_fixes=st.integers(0, 3),
    prior_improve=st.sampled_from([0.5, 0.55]),
    kinds=st.lists(st.sampled_from(KINDS), unique=True).map(tuple),
)
# Few different values, so that ties are frequent.
coarse = st.builds(
    Result,
    st.sampled_from([0.0, 0.25, 0.5, 1.0]) | values,
    st.booleans(),
    st.integers(0, 7).map(lambda n: n == 0),
)
moves = st.lists(st.none() | st.tuples(st.integers(0, 9), coarse), max_size=60)
"""Asks, and tells of one of the outstanding expansions."""


def ask_both(search: GifMcts, naive: NaiveGif) -> bool:
    """Returns whether the searches can go on; they must answer alike."""
    answers: list[Expansion | str | None] = []
    for each in (search, naive):
        try:
            answers.append(each.ask())
        except SearchExhausted:
            answers.append("exhausted")
    assert answers[0] == answers[1]
    return answers[0] != "exhausted"


def play_both(
    search: GifMcts, naive: NaiveGif, script: list[tuple[int, Result] | None]
) -> None:
    for move in script:
        if move is None or not naive.outstanding:
            if not ask_both(search, naive):
                break
            continue
        choice, result = move
        expansion = naive.outstanding[choice % len(naive.outstanding)]
        for each in (search, naive):
            each.tell(
                expansion,
                value=result.value,
                is_bug=result.is_bug,
                is_terminal=result.is_terminal,
            )
    assert search.tree.to_json() == naive.tree.to_json()
    assert search.statistics == naive.statistics
    assert list(search.outstanding) == naive.outstanding
    assert search.rng.bit_generator.state == naive.rng.bit_generator.state


@settings(deadline=None, max_examples=300)
@given(config=configs, script=moves, seed=seeds)
def test_search_is_bit_for_bit_the_naive_one(
    config: GifConfig, script: list[tuple[int, Result] | None], seed: int
) -> None:
    search = new_search(seed, config)
    play_both(search, NaiveGif(config, np.random.default_rng(seed)), script)


class Blind(GifMcts):
    """Does not see what is in flight."""

    def _note_ask(self, parent: Node) -> None:
        self._frontier.walk_up(parent, in_flight=0)


def test_comparison_notices_a_search_that_does_not_see_what_is_in_flight() -> None:
    config = GifConfig()
    blind = Blind(config, np.random.default_rng(0))
    naive = NaiveGif(config, np.random.default_rng(0))
    script: list[tuple[int, Result] | None] = [None, (0, Result(0.6))] + [None] * 9
    with pytest.raises(AssertionError):
        play_both(blind, naive, script)


@settings(deadline=None)
@given(config=configs, script=moves, seed=seeds)
def test_options_name_what_is_asked_next(
    config: GifConfig, script: list[tuple[int, Result] | None], seed: int
) -> None:
    search = new_search(seed, config)
    play_both(search, NaiveGif(config, np.random.default_rng(seed)), script)
    node = search.tree.root
    path = []
    while options := search.options(node):
        best = max(option.score for option in options)
        ties = [option for option in options if option.score == best]
        assume(len(ties) == 1)  # Else the generator decides.
        path.append(ties[0])
        if ties[0].child is None:
            break
        node = ties[0].child
    if path:
        expansion = ask(search)
        assert (expansion.parent_id, expansion.kind) == (node.node_id, path[-1].kind)


@pytest.mark.parametrize(
    "result",
    [Result(0.5, is_terminal=True), Result(0.0, is_bug=True), Result(0.0)],
    ids=["terminal", "bugs", "running"],
)
def test_cost_of_a_step_does_not_grow_with_the_tree(result: Result) -> None:
    """Counted in calls of functions, on trees whose depth does not grow either."""
    search = new_search(0)
    costs = [count_calls(lambda: play(search, [result])) for _ in range(2000)]
    assert np.mean(costs[-200:]) < 1.5 * np.mean(costs[100:300])


def count_calls(action: Callable[[], object]) -> int:
    """Returns how many functions, ours or built in, an action calls."""
    num_calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal num_calls
        num_calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        action()
    finally:
        sys.setprofile(None)
    return num_calls
