"""Trees for other tools, and figures about them: networkx, GraphML, JSON."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcts.registry import search_from_json
from mcts.search import KINDS, TreeSearch
from mcts.tree import Node, Tree

if TYPE_CHECKING:
    import networkx as nx


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeStatistics:
    """Figures about a finished or running search; the root counts nowhere.

    Attributes:
        num_nodes: Nodes that were expanded: one for each evaluation.
        num_by_kind: Nodes of each kind.
        share_by_kind: The same as fractions of `num_nodes`; 0 without nodes.
        best_node_id: Running node of highest own value; `None` if nothing ran.
        best_value: Its own value; `None` likewise.
        best_path: Ids from the first node below the root to the best one.
        best_path_share_by_kind: Fraction of each kind among them.
        max_depth: Depth of the deepest node.
        mean_depth: Mean depth of the nodes; 0 without nodes.
        bug_fraction: Share of the nodes whose own evaluation failed.
        repaired_fraction: Share of the failures that a later fix made run; 0
            without failures.
        num_terminal: Nodes from which nothing may be expanded.
    """

    num_nodes: int
    num_by_kind: Mapping[str, int]
    share_by_kind: Mapping[str, float]
    best_node_id: int | None
    best_value: float | None
    best_path: tuple[int, ...]
    best_path_share_by_kind: Mapping[str, float]
    max_depth: int
    mean_depth: float
    bug_fraction: float
    repaired_fraction: float
    num_terminal: int

    def to_json(self) -> dict[str, Any]:
        """Returns the figures, JSON-able."""
        return {**asdict(self), "best_path": list(self.best_path)}


def tree_statistics(tree: Tree) -> TreeStatistics:
    """Returns figures about the tree of any search."""
    nodes = tree.nodes[1:]
    best = tree.best()
    path = [] if best is None else tree.path(best)[1:]
    bugs = [node for node in nodes if node.was_bug]
    depths = [node.depth for node in nodes]
    return TreeStatistics(
        num_nodes=len(nodes),
        num_by_kind=_count_by_kind(nodes),
        share_by_kind=_share_by_kind(nodes),
        best_node_id=None if best is None else best.node_id,
        best_value=None if best is None else best.value,
        best_path=tuple(node.node_id for node in path),
        best_path_share_by_kind=_share_by_kind(path),
        max_depth=max(depths, default=0),
        mean_depth=sum(depths) / max(1, len(nodes)),
        bug_fraction=len(bugs) / max(1, len(nodes)),
        repaired_fraction=sum(_is_repaired(tree, n) for n in bugs) / max(1, len(bugs)),
        num_terminal=sum(node.is_terminal for node in nodes),
    )


def _is_repaired(tree: Tree, bug: Node) -> bool:
    """Returns whether fixes below a failure, one after another, led to one that ran."""
    fixes = tree.children(bug)
    while fixes:
        fix = fixes.pop()
        if not fix.was_bug:
            return True
        fixes += tree.children(fix)
    return False


def _count_by_kind(nodes: Sequence[Node]) -> dict[str, int]:
    counts = Counter(node.kind for node in nodes)
    return {kind: counts[kind] for kind in KINDS}


def _share_by_kind(nodes: Sequence[Node]) -> dict[str, float]:
    counts = _count_by_kind(nodes)
    return {kind: count / max(1, len(nodes)) for kind, count in counts.items()}


def to_networkx(tree: Tree) -> "nx.DiGraph[int]":
    """Returns the tree as a directed graph from parents to children.

    Nodes are the ids, with the fields of `mcts.tree.Node` as attributes, their
    `value_estimate`, and `payload` as JSON text. Needs networkx.
    """
    import networkx as nx  # noqa: PLC0415 - loaded for export only

    graph: nx.DiGraph[int] = nx.DiGraph()
    for node in tree.nodes:
        graph.add_node(node.node_id, **_attributes(node))
    for node in tree.nodes:
        graph.add_edges_from((node.node_id, child) for child in node.children)
    return graph


def _attributes(node: Node) -> dict[str, Any]:
    """Attributes of types that GraphML has."""
    attributes = asdict(node)
    for link in ("node_id", "parent_id", "children"):
        del attributes[link]  # The graph's own nodes and edges say it.
    attributes["value_estimate"] = node.value_estimate
    attributes["payload"] = json.dumps(node.payload, sort_keys=True)
    return attributes


def write_graphml(tree: Tree, path: Path) -> None:
    """Writes the tree as GraphML, for yEd, Gephi and the like. Needs networkx."""
    import networkx as nx  # noqa: PLC0415 - loaded for export only

    # The lxml writer, networkx's default, is chosen by what happens to be
    # installed; this one always gives the same bytes.
    nx.write_graphml_xml(to_networkx(tree), path)


def write_json(search: TreeSearch, path: Path) -> None:
    """Writes the whole search as JSON, from which `read_json` continues."""
    path.write_text(json.dumps(search.to_json(), indent=1) + "\n", encoding="utf-8")


def read_json(path: Path) -> TreeSearch:
    """Returns the search, of any kind, that `write_json` wrote.

    Raises:
        ValueError: If the file is not JSON of this form.
    """
    return search_from_json(json.loads(path.read_text(encoding="utf-8")))
