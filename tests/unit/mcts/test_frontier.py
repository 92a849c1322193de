"""The open part of a tree, and the best children in it."""

from mcts.frontier import Frontier
from mcts.tree import Node, Tree


def tree_of(*values: float) -> Tree:
    """Returns a root with a child of each value, all visited once."""
    tree = Tree()
    for value in values:
        node = tree.add(tree.root, "generate")
        node.value_sum, node.visit_count = value, 1
    tree.root.visit_count = 1 + len(values)
    return tree


def frontier_of(tree: Tree) -> Frontier:
    return Frontier(tree, has_untried=lambda node: node.parent_id is not None)


def no_bonus(num_visits: int) -> float:
    return 0.0


def test_best_children_are_all_that_reach_the_highest_score() -> None:
    tree = tree_of(0.5, 0.7, 0.2, 0.7)
    assert frontier_of(tree).best_children(tree.root, no_bonus) == (0.7, [2, 4])


def test_values_that_differ_too_little_to_change_the_score_are_a_tie() -> None:
    tree = tree_of(0.1 + 0.2, 0.3, 0.2)
    frontier = frontier_of(tree)
    assert tree.nodes[1].value_sum > tree.nodes[2].value_sum
    assert frontier.best_children(tree.root, no_bonus)[1] == [1]
    assert frontier.best_children(tree.root, lambda _: 1.0) == (1.3, [1, 2])


def test_bonus_goes_by_visits_and_what_is_in_flight() -> None:
    tree = tree_of(0.5, 0.5, 0.5)
    frontier = frontier_of(tree)
    frontier.walk_up(tree.nodes[2], in_flight=1)
    assert [frontier.num_visits(node) for node in tree.nodes] == [5, 1, 2, 1]
    assert frontier.best_children(tree.root, float) == (2.5, [2])


def test_closed_children_are_left_out_and_close_their_parent_with_the_last() -> None:
    tree = tree_of(0.5, 0.9)
    frontier = frontier_of(tree)
    for node, best in ((tree.nodes[2], [1]), (tree.nodes[1], [])):
        node.is_terminal = True
        frontier.walk_up(node, in_flight=0)
        assert frontier.best_children(tree.root, no_bonus)[1] == best
    assert not frontier.is_open(tree.root)


def test_local_mean_is_that_of_the_present_values_of_a_kind() -> None:
    tree = tree_of(0.5, 0.9)
    frontier = frontier_of(tree)
    assert frontier.local_mean(tree.root, "generate") == 0.7
    assert frontier.local_mean(tree.root, "improve") is None
    tree.nodes[1].value_sum = 0.1
    frontier.walk_up(tree.nodes[1], in_flight=0)
    assert frontier.local_mean(tree.root, "generate") == 0.5


def test_new_node_takes_the_place_of_what_was_in_flight() -> None:
    tree = tree_of(0.5)
    frontier = frontier_of(tree)
    parent: Node = tree.nodes[1]
    frontier.walk_up(parent, in_flight=1)
    node = tree.add(parent, "improve")
    for visited in (node, parent, tree.root):
        visited.visit_count += 1
        visited.value_sum += 0.8
    frontier.add(node)
    assert [frontier.num_visits(each) for each in tree.nodes] == [3, 2, 1]
    assert frontier.best_children(parent, no_bonus) == (0.8, [2])
