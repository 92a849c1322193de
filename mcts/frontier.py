"""What GIF-MCTS can still expand, kept up to date so that no step reads the tree.

Selection compares `value + c * sqrt(ln N / (n + epsilon))` over the open children
of a node. Children of equal `n` differ by their value alone, so that only the best
of each `n` needs a score; and as the `n` add up to less than `N`, there are at most
`sqrt(2 N)` different ones.
"""

import math
from bisect import bisect_left, insort
from collections.abc import Callable
from dataclasses import dataclass, field

from mcts.tree import Node, Tree


@dataclass(slots=True)
class _Branch:
    """What selection needs of a node and everything below it.

    Attributes:
        is_open: Whether something can be expanded at or below the node now.
        value: Its mean value.
        num_visits: Its visits, and the expansions in flight at and below it.
        num_in_flight: The latter alone.
        rank: Its position among its siblings of the same kind.
        groups: Its open children, `(value, id)` in rising order, by `num_visits`.
        child_values: The values of all its children of a kind, oldest first.
    """

    is_open: bool = False
    value: float = 0.0
    num_visits: int = 0
    num_in_flight: int = 0
    rank: int = 0
    groups: dict[int, list[tuple[float, int]]] = field(default_factory=dict)
    child_values: dict[str, list[float]] = field(default_factory=dict)


class Frontier:
    """The open part of a tree, told of each change by its owner.

    Each call costs time in proportion to the depth of the node that it names, and
    to the number of siblings on the way where it adds up their values.
    """

    def __init__(self, tree: Tree, *, has_untried: Callable[[Node], bool]) -> None:
        """Takes in a whole tree in which nothing is in flight.

        Args:
            tree: Read, never changed.
            has_untried: Whether a node itself can be expanded now.
        """
        self._tree = tree
        self._has_untried = has_untried
        self._branches: list[_Branch] = []
        for node in tree.nodes:
            self._insert(node)
        for node in reversed(tree.nodes):
            self._update(node, 0)

    def add(self, node: Node) -> None:
        """Takes in a new node, which answers an expansion of its parent."""
        self._insert(node)
        self._update(node, 0)
        self.walk_up(self._tree.nodes[node.parent_id or 0], in_flight=-1)

    def walk_up(self, node: Node, *, in_flight: int) -> None:
        """Takes in changes at a node and its ancestors.

        Args:
            node: The lowest node that changed.
            in_flight: Change of the number of expansions outstanding at `node`.
        """
        self._update(node, in_flight)
        for ancestor in self._tree.ancestors(node):
            self._update(ancestor, in_flight)

    def is_open(self, node: Node) -> bool:
        """Returns whether something can be expanded at or below a node now."""
        return self._branches[node.node_id].is_open

    def num_visits(self, node: Node) -> int:
        """Returns the visits of a node and what is in flight at and below it."""
        return self._branches[node.node_id].num_visits

    def local_mean(self, node: Node, kind: str) -> float | None:
        """Returns the mean value of the node's children of a kind, if any."""
        values = self._branches[node.node_id].child_values.get(kind)
        return sum(values) / len(values) if values else None

    def best_children(
        self, node: Node, bonus: Callable[[int], float]
    ) -> tuple[float, list[int]]:
        """Returns the highest score of an open child, and all ids that reach it.

        Args:
            node: The parent.
            bonus: What is added to the value of a child, by its `num_visits`.
        """
        best, ids = -math.inf, list[int]()
        for num_visits, group in self._branches[node.node_id].groups.items():
            added = bonus(num_visits)
            score = group[-1][0] + added
            if score < best:
                continue
            if score > best:
                best, ids = score, []
            for value, child_id in reversed(group):
                # Different values can have the same sum after rounding.
                if value + added < best:
                    break
                ids.append(child_id)
        return best, sorted(ids)

    def _insert(self, node: Node) -> None:
        branch = _Branch()
        if node.parent_id is not None:
            values = self._branches[node.parent_id].child_values
            same = values.setdefault(node.kind, [])
            branch.rank = len(same)
            same.append(0.0)
        self._branches.append(branch)

    def _update(self, node: Node, in_flight: int) -> None:
        """Brings a node's branch, and its place at its parent, up to date."""
        branch = self._branches[node.node_id]
        before = branch.is_open, branch.num_visits, branch.value
        branch.num_in_flight += in_flight
        branch.num_visits = node.visit_count + branch.num_in_flight
        branch.value = node.value_estimate
        branch.is_open = not node.is_terminal and (
            bool(branch.groups) or self._has_untried(node)
        )
        after = branch.is_open, branch.num_visits, branch.value
        if node.parent_id is None or before == after:
            return
        parent = self._branches[node.parent_id]
        parent.child_values[node.kind][branch.rank] = branch.value
        _move(parent.groups, node.node_id, before, after)


_Place = tuple[bool, int, float]
"""Whether a child is open, its `num_visits` and its value."""


def _move(
    groups: dict[int, list[tuple[float, int]]],
    child_id: int,
    before: _Place,
    after: _Place,
) -> None:
    """Moves a child from the group that it was in to the one where it belongs."""
    was_open, num_visits, value = before
    if was_open:
        group = groups[num_visits]
        del group[bisect_left(group, (value, child_id))]
        if not group:
            del groups[num_visits]
    is_open, num_visits, value = after
    if is_open:
        insort(groups.setdefault(num_visits, []), (value, child_id))
