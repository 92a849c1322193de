"""GIF-MCTS with several expansions outstanding, and with fewer kinds, by hand."""

import pytest

from mcts.gif import GifConfig, GifMcts
from mcts.search import Expansion, Kind, SearchExhausted
from tests.unit.mcts.test_gif import ask_and_tell, new_search


def ask(search: GifMcts) -> Expansion:
    expansion = search.ask()
    assert expansion is not None
    return expansion


def with_kinds(*kinds: Kind) -> GifMcts:
    search = new_search()
    return GifMcts(GifConfig(kinds=kinds), search.rng)


def test_expansion_in_flight_counts_as_a_visit_of_the_root_and_of_its_kind() -> None:
    search = new_search()
    ask(search)
    (untried,) = search.options(search.tree.root)
    # N = 1 + 1 and n = 1: 0.5 + 0.1 * sqrt(ln 2 / (1 + 1)).
    assert untried.value_estimate == 0.5
    assert untried.score == pytest.approx(0.55887050, abs=1e-7)
    assert search.tree.root.visit_count == 1


def test_expansion_in_flight_counts_all_along_its_path_and_leaves_the_means() -> None:
    search = new_search()
    ask_and_tell(search, 0.6)
    assert ask(search).parent_id == 1
    # The root: N = 2 + 1; its child n = 1 + 1; its untried kind n = 1 as before.
    untried, child = search.options(search.tree.root)
    assert untried.value_estimate == pytest.approx(0.5 * (0.53333333 + 0.6))
    assert untried.score == pytest.approx(0.64078183, abs=1e-7)  # sqrt(ln 3 / 2)
    assert child.value_estimate == pytest.approx(0.6)
    assert child.score == pytest.approx(0.66051480, abs=1e-7)  # sqrt(ln 3 / 3)
    # The child: N = 1 + 1; improve n = 0 + 1, generate n = 0.
    generate, improve = search.options(search.tree.nodes[1])
    assert generate.score == pytest.approx(0.61658879, abs=1e-7)  # sqrt(ln 2 / 1)
    assert improve.score == pytest.approx(0.60887050, abs=1e-7)  # sqrt(ln 2 / 2)


def test_second_expansion_in_flight_goes_where_the_first_made_room() -> None:
    search = new_search()
    ask_and_tell(search, 0.6)
    first, second = ask(search), ask(search)
    assert (first.parent_id, first.kind) == (1, "improve")
    assert (second.parent_id, second.kind) == (1, "generate")
    assert (first.num_siblings, second.num_siblings) == (0, 1)


def test_told_expansion_is_a_visit_and_no_longer_in_flight() -> None:
    search = new_search()
    first, second = ask(search), ask(search)
    search.tell(second, value=0.6, is_bug=False)
    # N = 1 + 1 visit + 1 in flight; the child was visited once, its kind tried twice.
    untried, child = search.options(search.tree.root)
    assert untried.score == pytest.approx(0.56666667 + 0.06051480, abs=1e-7)
    assert child.score == pytest.approx(0.6 + 0.07411523, abs=1e-7)
    search.tell(first, value=0.3, is_bug=False)
    assert search.tree.root.visit_count == 3
    assert search.tree.root.value_sum == pytest.approx(0.9)


def test_siblings_in_flight_have_attempts_of_their_own() -> None:
    search = new_search()
    first, second = ask(search), ask(search)
    search.tell(second, value=0.0, is_bug=False, is_terminal=True)
    third = ask(search)
    assert [e.attempt for e in (first, second, third)] == [0, 1, 2]
    assert [e.number for e in (first, second, third)] == [0, 1, 2]


def test_bug_whose_fix_is_in_flight_has_no_option_until_it_is_told() -> None:
    search = new_search()
    ask_and_tell(search, 0.0, is_bug=True)
    fix = ask(search)
    assert fix.kind == "fix"
    assert search.options(search.tree.nodes[1]) == []
    # The bug's optimistic 0.99 would be chosen if it could be.
    assert [(o.kind, o.child) for o in search.options(search.tree.root)] == [
        ("generate", None)
    ]
    assert ask(search).parent_id == 0
    search.tell(fix, value=0.0, is_bug=True)
    assert ask(search).parent_id == 2


def test_search_without_widening_waits_for_what_is_in_flight() -> None:
    search = new_search(widening=False)
    first = ask(search)
    assert search.ask() is None
    search.tell(first, value=0.5, is_bug=False)
    below = [ask(search), ask(search)]
    assert {e.kind for e in below} == {"generate", "improve"}
    assert search.ask() is None
    for expansion in below:
        search.tell(expansion, value=0.5, is_bug=False, is_terminal=True)
    with pytest.raises(SearchExhausted, match="All 3 nodes"):
        search.ask()


def test_weights_learn_from_the_siblings_known_when_the_result_is_told() -> None:
    search = new_search()
    first, second = ask(search), ask(search)
    search.tell(first, value=1.0, is_bug=False)
    # v_G = (0.5 * 2 + 1) / 3 and v_L = 1: the estimate 5/6 was too high by 5/6, so
    # with the rate 1/4 the step is 2 * 5/6 / 4 = 5/12, towards the smaller v_G.
    search.tell(second, value=0.0, is_bug=False)
    learnt = search.statistics["generate"]
    assert learnt.weight_global == pytest.approx(0.5 + 5 / 12 * (1 / 6))
    assert learnt.weight_local == pytest.approx(0.5 - 5 / 12 * (1 / 6))


def test_search_without_fix_takes_every_bug_for_a_dead_end() -> None:
    search = with_kinds("generate", "improve")
    ask_and_tell(search, 0.0, is_bug=True)
    bug = search.tree.nodes[1]
    assert (bug.is_terminal, bug.fixes_left, bug.value_estimate) == (True, 0, 0.0)
    assert ask(search).parent_id == 0


@pytest.mark.parametrize(
    ("kinds", "below"),
    [
        (("generate",), ["generate"]),
        (("improve", "generate"), ["generate", "improve"]),
        (("fix", "improve"), ["improve"]),
        ((), []),
    ],
)
def test_root_generates_whatever_kinds_there_are_below_it(
    kinds: tuple[Kind, ...], below: list[Kind]
) -> None:
    search = with_kinds(*kinds)
    ask_and_tell(search, 0.9)
    assert [o.kind for o in search.options(search.tree.nodes[1])] == below
    assert [o.kind for o in search.options(search.tree.root)][:1] == ["generate"]
    assert search.generates_below_root == ("generate" in kinds)


def test_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match=r"kind must be one of .*, got 'mutate'"):
        GifConfig(kinds=("mutate",))  # type: ignore[arg-type]
