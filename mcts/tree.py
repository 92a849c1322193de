"""A tree of evaluated nodes: counts, values and links, without any policy."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from typing import Any

ROOT_KIND = "root"
"""Kind of the node that no action made."""


@dataclass(slots=True, kw_only=True)
class Node:
    """One node and the statistics that selection reads.

    Attributes:
        node_id: Position in the order of creation; the root is 0.
        parent_id: The node that this one was expanded from; `None` for the root.
        kind: The action that made the node; `"root"` for the root.
        depth: Edges from the root.
        value: The result of the node's own evaluation, in `[0, 1]`; 0 for a bug.
            It never changes, unlike the running mean below.
        visit_count: Backups that went through the node.
        value_sum: Sum that the mean `value_estimate` is taken from.
        is_bug: Whether the node is an unrepaired failure now.
        was_bug: Whether its own evaluation failed; never cleared.
        fixes_left: Fix attempts that remain on the node's chain; 0 if it ran.
        is_terminal: Whether nothing may be expanded from the node.
        children: Ids of the expanded children, oldest first.
        payload: What the caller stored with it; JSON-able.
    """

    node_id: int
    parent_id: int | None
    kind: str
    depth: int
    value: float = 0.0
    visit_count: int = 0
    value_sum: float = 0.0
    is_bug: bool = False
    was_bug: bool = False
    fixes_left: int = 0
    is_terminal: bool = False
    children: list[int] = field(default_factory=list)
    payload: Any = None

    @property
    def value_estimate(self) -> float:
        """Mean value; 0 before the first visit."""
        return self.value_sum / self.visit_count if self.visit_count else 0.0


_FIELDS = frozenset(f.name for f in fields(Node))


class Tree:
    """Nodes by id, from a root that exists from the start.

    Attributes:
        nodes: All nodes; the index of a node is its id.
    """

    def __init__(self) -> None:
        self.nodes: list[Node] = [
            Node(node_id=0, parent_id=None, kind=ROOT_KIND, depth=0)
        ]

    def __len__(self) -> int:
        return len(self.nodes)

    @property
    def root(self) -> Node:
        """The node that everything hangs from."""
        return self.nodes[0]

    def add(self, parent: Node, kind: str) -> Node:
        """Returns a new node below `parent`, without a visit."""
        node = Node(
            node_id=len(self.nodes),
            parent_id=parent.node_id,
            kind=kind,
            depth=parent.depth + 1,
        )
        self.nodes.append(node)
        parent.children.append(node.node_id)
        return node

    def children(self, node: Node) -> list[Node]:
        """Returns the expanded children, oldest first."""
        return [self.nodes[child_id] for child_id in node.children]

    def ancestors(self, node: Node) -> Iterator[Node]:
        """Yields the parent, its parent, and so on up to the root."""
        while node.parent_id is not None:
            node = self.nodes[node.parent_id]
            yield node

    def path(self, node: Node) -> list[Node]:
        """Returns the nodes from the root to `node`, both included."""
        return [*reversed(list(self.ancestors(node))), node]

    def best(self) -> Node | None:
        """Returns the running node of highest own value, the oldest on a tie.

        `None` if no node has run yet.
        """
        running = [n for n in self.nodes[1:] if not n.was_bug]
        return max(running, key=lambda n: (n.value, -n.node_id), default=None)

    def to_json(self) -> list[dict[str, Any]]:
        """Returns all nodes as JSON-able dictionaries, in order of their ids."""
        return [asdict(node) for node in self.nodes]

    @classmethod
    def from_json(cls, data: list[dict[str, Any]]) -> "Tree":
        """Returns the tree that `to_json` described.

        Raises:
            ValueError: If a node has other fields, ids are not consecutive, or
                the links of parents and children disagree.
        """
        tree = cls()
        for record in data:
            if set(record) != _FIELDS:
                wrong = sorted(set(record) ^ _FIELDS)
                raise ValueError(
                    f"A node must have the fields of Node, got a mismatch in {wrong}."
                )
        tree.nodes = [Node(**record) for record in data]
        for node in tree.nodes:
            # Links are per record, so that a shared list cannot couple two trees.
            node.children = list(node.children)
        tree._check_links()
        return tree

    def _check_links(self) -> None:
        linked = [(c, n.node_id) for n in self.nodes for c in n.children]
        stated = [(n.node_id, n.parent_id) for n in self.nodes[1:]]
        ids = [n.node_id for n in self.nodes]
        if ids != list(range(len(ids))) or not ids or sorted(linked) != stated:
            raise ValueError(
                "nodes must have consecutive ids from 0 and agreeing links, got "
                f"ids {ids} and parent links {stated}."
            )
