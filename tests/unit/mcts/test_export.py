"""Figures about a tree, and its form for other tools."""

import json
from pathlib import Path

import networkx as nx
import numpy as np
import pytest

from mcts.export import (
    read_json,
    to_networkx,
    tree_statistics,
    write_graphml,
    write_json,
)
from mcts.gif import GifConfig, GifMcts
from mcts.registry import SEARCH_NAMES, new_search
from mcts.search import TreeSearch
from mcts.tree import Tree


def tell_next(
    search: TreeSearch,
    *,
    value: float = 0.0,
    is_bug: bool = False,
    is_terminal: bool = False,
    payload: object = None,
) -> None:
    expansion = search.ask()
    assert expansion is not None
    search.tell(
        expansion, value=value, is_bug=is_bug, is_terminal=is_terminal, payload=payload
    )


def repaired_search() -> GifMcts:
    """generate (0.4) -> improve (bug) -> fix (0.8); then a bug with nothing left."""
    config = GifConfig(num_fixes=1, exploration=0.0, prior_generate=0.0)
    search = GifMcts(config, np.random.default_rng(0))
    for call, (value, is_bug) in enumerate([(0.4, False), (0.0, True), (0.8, False)]):
        tell_next(search, value=value, is_bug=is_bug, payload={"call": call})
    tell_next(search, is_bug=True, is_terminal=True)
    return search


def test_statistics_are_those_counted_by_hand() -> None:
    statistics = tree_statistics(repaired_search().tree)
    assert statistics.num_nodes == 4
    assert statistics.num_by_kind == {"generate": 1, "improve": 2, "fix": 1}
    assert statistics.share_by_kind == {"generate": 0.25, "improve": 0.5, "fix": 0.25}
    assert (statistics.best_node_id, statistics.best_value) == (3, 0.8)
    assert statistics.best_path == (1, 2, 3)
    assert statistics.best_path_share_by_kind == pytest.approx(
        {"generate": 1 / 3, "improve": 1 / 3, "fix": 1 / 3}
    )
    assert (statistics.max_depth, statistics.mean_depth) == (4, 2.5)
    assert statistics.bug_fraction == 0.5
    assert statistics.repaired_fraction == 0.5
    assert statistics.num_terminal == 1
    assert json.loads(json.dumps(statistics.to_json()))["best_path"] == [1, 2, 3]


def test_statistics_of_a_bare_root_are_zeros() -> None:
    search = GifMcts(GifConfig(), np.random.default_rng(0))
    statistics = tree_statistics(search.tree)
    assert (statistics.num_nodes, statistics.max_depth, statistics.mean_depth) == (
        0,
        0,
        0,
    )
    assert statistics.best_node_id is None
    assert statistics.share_by_kind == {"generate": 0.0, "improve": 0.0, "fix": 0.0}


def test_graph_is_an_arborescence_with_the_nodes_fields() -> None:
    graph = to_networkx(repaired_search().tree)
    assert nx.is_arborescence(graph)
    assert sorted(graph.edges) == [(0, 1), (1, 2), (2, 3), (3, 4)]
    assert graph.nodes[3]["kind"] == "fix"
    assert graph.nodes[3]["payload"] == '{"call": 2}'
    assert graph.nodes[1]["value_estimate"] == pytest.approx((0.4 + 0.4 + 0.8) / 3)


def test_graphml_is_read_back_with_the_same_nodes_and_edges(tmp_path: Path) -> None:
    tree = repaired_search().tree
    write_graphml(tree, tmp_path / "tree.graphml")
    graph = nx.read_graphml(tmp_path / "tree.graphml", node_type=int)
    assert sorted(graph.edges) == sorted(to_networkx(tree).edges)
    assert dict(graph.nodes(data=True)) == dict(to_networkx(tree).nodes(data=True))


def test_json_file_is_read_back_as_a_search_that_goes_on_alike(tmp_path: Path) -> None:
    search = repaired_search()
    write_json(search, tmp_path / "tree.json")
    restored = read_json(tmp_path / "tree.json")
    assert restored.to_json() == search.to_json()
    assert restored.ask() == search.ask()


@pytest.mark.parametrize("name", SEARCH_NAMES)
def test_every_search_can_be_exported_while_something_is_outstanding(
    name: str, tmp_path: Path
) -> None:
    search = new_search(name, np.random.default_rng(0))
    for call, (value, is_bug) in enumerate([(0.4, False), (0.0, True), (0.8, False)]):
        tell_next(search, value=value, is_bug=is_bug, payload={"call": call})
    search.ask()
    statistics = tree_statistics(search.tree)
    assert (statistics.num_nodes, statistics.best_value) == (3, 0.8)
    graph = to_networkx(search.tree)
    assert nx.is_arborescence(graph)
    assert [graph.nodes[i]["payload"] for i in (1, 3)] == ['{"call": 0}', '{"call": 2}']
    write_json(search, tmp_path / "tree.json")
    restored = read_json(tmp_path / "tree.json")
    assert restored.to_json() == search.to_json()
    assert restored.outstanding == search.outstanding != ()


def test_failure_with_several_fixes_is_repaired_if_one_of_them_led_to_success() -> None:
    tree = Tree()
    bug = tree.add(tree.root, "generate")
    first, second = tree.add(bug, "fix"), tree.add(bug, "fix")
    third = tree.add(first, "fix")
    other = tree.add(tree.root, "generate")
    fourth = tree.add(other, "fix")
    fifth = tree.add(fourth, "fix")
    for node in (bug, first, second, other, fourth, fifth):
        node.was_bug = True
    # Node 4 ran: 1 and 2 led to it; 3, 5, 6 and 7 did not.
    assert (third.node_id, fifth.node_id) == (4, 7)
    assert tree_statistics(tree).repaired_fraction == 2 / 6
