"""What every search refuses: wrong values, and saved searches that fit nothing."""

import math
from typing import Any

import numpy as np
import pytest

from mcts.best_of_n import BestOfN
from mcts.gif import GifConfig, GifMcts
from mcts.growing import fix_chain
from mcts.linear import LinearSearch
from mcts.rex import RexConfig, RexSearch
from mcts.search import Expansion
from mcts.tree import Tree


def saved(num_told: int, num_outstanding: int) -> dict[str, Any]:
    search = BestOfN()
    for _ in range(num_told):
        expansion = search.ask()
        assert expansion is not None
        search.tell(expansion, value=0.5, is_bug=False)
    for _ in range(num_outstanding):
        search.ask()
    return search.to_json()


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan, math.inf])
def test_value_outside_the_unit_interval_is_refused(value: float) -> None:
    search = BestOfN()
    expansion = search.ask()
    assert expansion is not None
    with pytest.raises(ValueError, match=r"^value must be between 0 and 1, got"):
        search.tell(expansion, value=value, is_bug=False)
    assert len(search.tree) == 1
    assert search.outstanding == (expansion,)


def test_tell_of_another_expansion_names_what_is_outstanding() -> None:
    search = BestOfN()
    search.ask()
    other = Expansion(
        number=3, parent_id=0, kind="fix", depth=1, attempt=0, num_siblings=0
    )
    with pytest.raises(ValueError, match=r"one of .*number=0.*, got .*number=3"):
        search.tell(other, value=0.5, is_bug=False)


def test_search_of_another_version_is_refused() -> None:
    with pytest.raises(ValueError, match="version must be 2, got 99"):
        BestOfN.from_json({**saved(1, 0), "version": 99})


def test_search_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="search must be 'linear', got 'best-of-n'"):
        LinearSearch.from_json(saved(1, 0))


def test_unknown_kind_in_a_saved_tree_is_refused() -> None:
    data = saved(1, 0)
    data["nodes"][1]["kind"] = "mutate"
    with pytest.raises(ValueError, match=r"kind must be one of .*, got 'mutate'"):
        BestOfN.from_json(data)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"number": 9}, r"outstanding must have rising numbers below 3, got \[9, 2\]"),
        ({"number": 2}, r"outstanding must have rising numbers below 3, got \[2, 2\]"),
        ({"number": -1}, r"outstanding must have rising numbers .*\[-1, 2\]"),
        ({"parent_id": 2}, "parent_id of an outstanding .* below 2, got 2"),
        ({"parent_id": -1}, "parent_id of an outstanding .* below 2, got -1"),
        ({"kind": "mutate"}, "kind must be one of .*, got 'mutate'"),
    ],
)
def test_outstanding_expansion_that_fits_nothing_is_refused(
    change: dict[str, Any], message: str
) -> None:
    data = saved(1, 2)
    data["outstanding"][0] |= change
    with pytest.raises(ValueError, match=message):
        BestOfN.from_json(data)


@pytest.mark.parametrize("search", [GifMcts, RexSearch])
def test_generator_whose_state_could_not_be_saved_is_refused_at_once(
    search: type[Any],
) -> None:
    rng = np.random.Generator(np.random.MT19937(0))
    config = GifConfig() if search is GifMcts else RexConfig()
    with pytest.raises(ValueError, match=r"rng must be one of PCG64, .*, got MT19937"):
        search(config, rng)


def test_chain_of_fixes_ends_at_the_first_node_that_is_none() -> None:
    tree = Tree()
    node = tree.root
    for kind in ("generate", "improve", "fix", "fix"):
        node = tree.add(node, kind)
    assert [link.node_id for link in fix_chain(tree, node)] == [3, 2]
