"""The tree's links, paths and saved form."""

import copy

import pytest

from mcts.tree import Tree


def small_tree() -> Tree:
    tree = Tree()
    first = tree.add(tree.root, "generate")
    tree.add(tree.root, "generate")
    tree.add(first, "improve")
    for node, value in zip(tree.nodes[1:], (0.5, 0.9, 0.9), strict=True):
        node.value = node.value_sum = value
        node.visit_count = 1
    return tree


def test_path_runs_from_the_root_to_the_node() -> None:
    tree = small_tree()
    assert [n.node_id for n in tree.path(tree.nodes[3])] == [0, 1, 3]
    assert [n.depth for n in tree.path(tree.nodes[3])] == [0, 1, 2]
    assert [n.node_id for n in tree.children(tree.root)] == [1, 2]


def test_best_is_the_oldest_of_the_highest_and_never_a_failure() -> None:
    tree = small_tree()
    best = tree.best()
    assert best is not None
    assert best.node_id == 2
    tree.nodes[2].was_bug = True
    best = tree.best()
    assert best is not None
    assert best.node_id == 3


def test_best_of_a_bare_root_is_none() -> None:
    assert Tree().best() is None


def test_value_estimate_without_a_visit_is_zero() -> None:
    assert Tree().root.value_estimate == 0.0


def test_saved_tree_comes_back_equal_and_unshared() -> None:
    tree = small_tree()
    data = tree.to_json()
    restored = Tree.from_json(data)
    assert restored.to_json() == data
    restored.add(restored.root, "generate")
    assert len(tree.root.children) == 2
    assert tree.to_json() == data


def test_record_with_other_fields_is_refused() -> None:
    data = small_tree().to_json()
    data[1]["colour"] = "red"
    with pytest.raises(ValueError, match=r"got a mismatch in \['colour'\]"):
        Tree.from_json(data)


@pytest.mark.parametrize("broken", ["parent", "child", "id", "empty"])
def test_records_whose_links_disagree_are_refused(broken: str) -> None:
    data = copy.deepcopy(small_tree().to_json())
    match broken:
        case "parent":
            data[3]["parent_id"] = 2
        case "child":
            data[1]["children"] = []
        case "id":
            data[3]["node_id"] = 4
        case _:
            data = []
    with pytest.raises(ValueError, match="nodes must have consecutive ids from 0"):
        Tree.from_json(data)
