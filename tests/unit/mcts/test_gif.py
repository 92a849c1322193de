"""GIF-MCTS against numbers worked out by hand."""

import math
import re

import numpy as np
import pytest

from mcts.gif import GifConfig, GifMcts
from mcts.kind_statistics import KindStatistics
from mcts.search import Expansion, SearchExhausted


def new_search(seed: int = 0, **settings: float) -> GifMcts:
    return GifMcts(GifConfig(**settings), np.random.default_rng(seed))


def ask_and_tell(
    search: GifMcts, value: float, *, is_bug: bool = False, is_terminal: bool = False
) -> Expansion:
    expansion = search.ask()
    assert expansion is not None
    search.tell(expansion, value=value, is_bug=is_bug, is_terminal=is_terminal)
    return expansion


def means(search: GifMcts) -> list[float]:
    return [node.value_estimate for node in search.tree.nodes]


def visits(search: GifMcts) -> list[int]:
    return [node.visit_count for node in search.tree.nodes]


def test_first_expansion_generates_from_the_root() -> None:
    expansion = new_search().ask()
    assert expansion == Expansion(
        number=0, parent_id=0, kind="generate", depth=1, attempt=0, num_siblings=0
    )
    assert expansion.parent_depth == 0


def test_root_offers_generate_only_and_a_running_node_generate_and_improve() -> None:
    search = new_search()
    assert [o.kind for o in search.options(search.tree.root)] == ["generate"]
    ask_and_tell(search, 0.6)
    node = search.tree.nodes[1]
    assert [o.kind for o in search.options(node)] == ["generate", "improve"]


def test_selection_values_are_those_worked_out_by_hand() -> None:
    search = new_search()
    ask_and_tell(search, 0.6)
    # N = 2 at the root. Untried: v_G = 0.5 + 0.1 / 3, v_L = 0.6, n = 1.
    untried, child = search.options(search.tree.root)
    assert untried.value_estimate == pytest.approx(0.5 * (0.53333333 + 0.6))
    assert untried.score == pytest.approx(0.62553717, abs=1e-7)
    assert child.score == pytest.approx(0.65887050, abs=1e-7)
    # Below it N = 1, so that ln N = 0 and the priors alone decide: improve.
    assert ask_and_tell(search, 0.8).kind == "improve"
    untried, child = search.options(search.tree.root)
    assert untried.score == pytest.approx(0.69078190, abs=1e-7)
    assert child.score == pytest.approx(0.76051472, abs=1e-7)
    generate, improve, grandchild = search.options(search.tree.nodes[1])
    assert generate.score == pytest.approx(0.61658879, abs=1e-7)
    assert improve.score == pytest.approx(0.77553717, abs=1e-7)
    assert grandchild.score == pytest.approx(0.85887050, abs=1e-7)
    assert search.ask() == Expansion(
        number=2, parent_id=2, kind="improve", depth=3, attempt=0, num_siblings=0
    )


def test_running_value_is_backed_up_to_the_root_which_starts_with_one_visit() -> None:
    search = new_search()
    ask_and_tell(search, 0.6)
    ask_and_tell(search, 0.8)
    assert visits(search) == [3, 2, 1]
    assert [n.value_sum for n in search.tree.nodes] == pytest.approx([1.4, 1.4, 0.8])


def test_tried_generate_leaves_another_beside_it_with_the_next_attempt() -> None:
    search = new_search()
    ask_and_tell(search, 0.0)
    expansion = search.ask()
    assert (expansion.parent_id, expansion.kind, expansion.attempt) == (
        0,
        "generate",
        1,
    )


def test_without_widening_every_kind_is_tried_once_below_a_node() -> None:
    search = new_search(widening=False)
    ask_and_tell(search, 0.0)
    kinds = {ask_and_tell(search, 0.0, is_terminal=True).kind for _ in range(2)}
    assert kinds == {"generate", "improve"}
    with pytest.raises(SearchExhausted, match="All 3 nodes"):
        search.ask()


def test_weights_move_towards_the_better_predictor_by_one_gradient_step() -> None:
    statistics = KindStatistics(mean=0.6, count=3, weight_global=0.5, weight_local=0.5)
    # estimate 0.7, error -0.3, rate 1/4: step = 2 * -0.3 / 4 = -0.15.
    statistics.update(1.0, local=0.8)
    assert statistics.weight_global == pytest.approx(0.485)
    assert statistics.weight_local == pytest.approx(0.515)
    assert statistics.mean == pytest.approx(0.7)
    assert statistics.count == 4


def test_first_learning_rate_is_a_third() -> None:
    search = new_search()
    ask_and_tell(search, 0.5)
    generate = search.statistics["generate"]
    assert generate.count == 3
    # The second generate at the root: v_G = v_L = 0.5, so the weights stay ...
    generate.update(1.0, local=0.5)
    assert (generate.weight_global, generate.weight_local) == (0.5, 0.5)
    # ... and with a fresh prior and a sibling at 1: 2 * (0.75 - 0) / 3 = 0.5.
    fresh = KindStatistics(mean=0.5, count=2, weight_global=0.5, weight_local=0.5)
    fresh.update(0.0, local=1.0)
    assert fresh.weight_global == pytest.approx(0.5 - 0.5 * (0.5 - 0.75))
    assert fresh.weight_local == pytest.approx(0.5 - 0.5 * (1.0 - 0.75))


def test_estimate_is_clipped_and_a_clipped_estimate_moves_no_weight() -> None:
    statistics = KindStatistics(mean=1.0, count=2, weight_global=-0.5, weight_local=1.0)
    assert statistics.estimate(0.0) == 0.0  # -0.5 * 1 / 0.5 = -1
    assert statistics.estimate(None) == 1.0
    statistics.update(1.0, local=0.0)
    assert (statistics.weight_global, statistics.weight_local) == (-0.5, 1.0)


def test_weights_that_cancel_leave_the_global_mean() -> None:
    statistics = KindStatistics(
        mean=0.25, count=2, weight_global=-0.5, weight_local=0.5
    )
    assert statistics.estimate(0.75) == 0.25
    statistics.update(1.0, local=0.75)
    assert (statistics.weight_global, statistics.weight_local) == (-0.5, 0.5)


def test_buggy_result_counts_as_zero_in_what_its_kind_has_learnt() -> None:
    search = new_search()
    ask_and_tell(search, 0.9, is_bug=True)
    assert search.statistics["generate"].mean == pytest.approx(1.0 / 3.0)
    assert search.tree.nodes[1].value == 0.0


def test_siblings_count_with_their_current_means_optimism_of_bugs_included() -> None:
    search = new_search()
    ask_and_tell(search, 0.0, is_bug=True)
    untried, bug = search.options(search.tree.root)
    assert bug.value_estimate == pytest.approx(0.99)
    assert untried.value_estimate == pytest.approx(0.5 * (1.0 / 3.0 + 0.99))


def test_fresh_bug_is_optimistic_and_leaves_the_means_above_it_alone() -> None:
    search = new_search()
    ask_and_tell(search, 0.6)
    ask_and_tell(search, 0.0, is_bug=True)
    root, parent, bug = search.tree.nodes
    assert (bug.value_estimate, bug.fixes_left, bug.is_bug) == (0.99, 3, True)
    assert (parent.value_estimate, parent.visit_count) == (pytest.approx(0.6), 2)
    assert (root.value_estimate, root.visit_count) == (pytest.approx(0.3), 3)


def test_bug_offers_one_fix_and_nothing_else() -> None:
    search = new_search()
    ask_and_tell(search, 0.0, is_bug=True)
    assert [o.kind for o in search.options(search.tree.nodes[1])] == ["fix"]
    assert search.ask() == Expansion(
        number=1, parent_id=1, kind="fix", depth=2, attempt=0, num_siblings=0
    )


def test_optimism_shrinks_evenly_with_the_fixes_left() -> None:
    config = GifConfig()
    values = [config.bug_value(fixes_left) for fixes_left in range(4)]
    assert values == pytest.approx([0.0, 0.33, 0.66, 0.99])
    assert GifConfig(num_fixes=0).bug_value(0) == 0.0


def test_fix_that_runs_repairs_the_chain_and_gives_it_its_value() -> None:
    search = new_search()
    ask_and_tell(search, 0.0, is_bug=True)
    ask_and_tell(search, 0.0, is_bug=True)
    ask_and_tell(search, 0.7)
    assert [n.kind for n in search.tree.nodes] == ["root", "generate", "fix", "fix"]
    assert not any(n.is_bug for n in search.tree.nodes)
    assert [n.was_bug for n in search.tree.nodes] == [False, True, True, False]
    # The root is above the chain: 0 + 0 (kept) + 0 (kept) + 0.7 over 4 visits.
    assert means(search) == pytest.approx([0.7 / 4, 0.7, 0.7, 0.7])
    assert visits(search) == [4, 3, 2, 1]


def test_chain_ends_at_the_first_node_that_no_fix_has_made() -> None:
    search = new_search()
    ask_and_tell(search, 0.6)
    ask_and_tell(search, 0.0, is_bug=True)
    fix = ask_and_tell(search, 0.9)
    assert (fix.kind, fix.parent_id) == ("fix", 2)
    # Node 1 is an ordinary ancestor: (0.6 + 0.6 (kept) + 0.9) / 3.
    assert means(search)[1:] == pytest.approx([0.7, 0.9, 0.9])


def test_repaired_node_passes_the_search_on_to_its_fix() -> None:
    search = new_search()
    ask_and_tell(search, 0.0, is_bug=True)
    ask_and_tell(search, 1.0)
    options = search.options(search.tree.nodes[1])
    assert [(o.kind, o.child is not None) for o in options] == [("fix", True)]
    assert search.ask().parent_id == 2


def test_buggy_fix_with_fixes_left_takes_the_bug_over_from_its_parents() -> None:
    search = new_search()
    ask_and_tell(search, 0.0, is_bug=True)
    ask_and_tell(search, 0.0, is_bug=True)
    _, parent, child = search.tree.nodes
    assert (parent.is_bug, child.is_bug) == (False, True)
    assert (parent.fixes_left, child.fixes_left) == (3, 2)
    assert means(search) == pytest.approx([0.0, 0.66, 0.66])
    assert (parent.visit_count, child.visit_count) == (2, 1)
    assert search.ask().parent_id == 2


def test_buggy_fix_with_none_left_ends_the_whole_chain_at_zero() -> None:
    search = new_search(exploration=0.0, prior_generate=0.0)
    for _ in range(4):
        ask_and_tell(search, 0.0, is_bug=True)
    root, *chain = search.tree.nodes
    assert [n.kind for n in chain] == ["generate", "fix", "fix", "fix"]
    assert [n.fixes_left for n in chain] == [3, 2, 1, 0]
    assert all(n.is_terminal and n.value_estimate == 0.0 for n in chain)
    assert not root.is_terminal
    assert search.ask().parent_id == 0


def test_bug_without_any_fix_allowed_is_a_dead_end() -> None:
    search = new_search(num_fixes=0)
    ask_and_tell(search, 0.0, is_bug=True)
    assert search.tree.nodes[1].is_terminal
    assert search.ask().parent_id == 0


def test_bug_that_is_told_to_be_terminal_gets_no_fix() -> None:
    search = new_search()
    ask_and_tell(search, 0.0, is_bug=True, is_terminal=True)
    node = search.tree.nodes[1]
    assert (node.is_terminal, node.fixes_left, node.value_estimate) == (True, 0, 0.0)


def test_terminal_node_of_highest_value_is_never_selected() -> None:
    search = new_search()
    ask_and_tell(search, 1.0, is_terminal=True)
    for _ in range(5):
        assert ask_and_tell(search, 0.0, is_terminal=True).parent_id == 0


def test_chain_whose_fix_is_terminal_is_not_entered_again() -> None:
    search = new_search()
    ask_and_tell(search, 0.0, is_bug=True)
    ask_and_tell(search, 1.0, is_terminal=True)
    assert not search.tree.nodes[1].is_terminal
    assert search.ask().parent_id == 0


def test_ties_are_broken_by_the_generator() -> None:
    def first_choice(seed: int) -> tuple[int, str]:
        search = new_search(seed, prior_improve=0.5)
        ask_and_tell(search, 0.5)
        expansion = search.ask()
        return expansion.parent_id, expansion.kind

    # All of these have a mean of exactly 0.5 and equal counts.
    tied = {(0, "generate"), (1, "generate"), (1, "improve")}
    assert {first_choice(seed) for seed in range(40)} == tied


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("exploration", -0.1),
        ("exploration", math.inf),
        ("epsilon", 0.0),
        ("num_fixes", -1),
        ("max_bug_value", 1.1),
        ("prior_generate", -0.1),
        ("prior_improve", math.nan),
        ("prior_fix", 2.0),
        ("prior_count", 0),
        ("weight_global", 0.0),
        ("weight_local", -1.0),
        ("kinds", ("improve", "improve")),
    ],
)
def test_setting_that_breaks_its_rule_is_named(name: str, value: object) -> None:
    match = f"^{name} must .*, got {re.escape(repr(value))}"
    with pytest.raises(ValueError, match=match):
        GifConfig(**{name: value})


def test_generator_whose_state_could_not_be_saved_is_refused_at_once() -> None:
    rng = np.random.Generator(np.random.MT19937(0))
    with pytest.raises(ValueError, match=r"rng must be one of PCG64, .*, got MT19937"):
        GifMcts(GifConfig(), rng)
