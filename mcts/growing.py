"""The part of a search that does not depend on how it selects.

Which expansions are outstanding, adding what was told to the tree, refusing what
does not fit, and the saved form.
"""

import math
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any, ClassVar, Self

from mcts.search import KINDS, Expansion, Kind, SearchExhausted
from mcts.tree import Node, Tree

JSON_VERSION = 2
"""Form of `GrowingSearch.to_json`; another one is refused."""


class GrowingSearch(ABC):
    """A `TreeSearch` that lacks nothing but its rule of selection.

    Attributes:
        tree: All nodes; `payload` of each is what `tell` was given.
    """

    name: ClassVar[str]

    def __init__(self) -> None:
        self.tree = Tree()
        self._outstanding: dict[int, Expansion] = {}
        self._num_asked: dict[tuple[int, Kind], int] = defaultdict(int)

    @property
    def outstanding(self) -> tuple[Expansion, ...]:
        """Expansions that wait for their `tell`, oldest first."""
        return tuple(self._outstanding.values())

    @property
    def generates_below_root(self) -> bool:
        """Whether `generate` is asked of other nodes than the root."""
        return False

    def ask(self) -> Expansion | None:
        """Returns what to try next; `None` if that depends on what is outstanding.

        Raises:
            SearchExhausted: If nothing is outstanding and nothing can be expanded.
        """
        choice = self._choose()
        if choice is None:
            if self._outstanding:
                return None
            raise SearchExhausted(
                f"All {len(self.tree) - 1} nodes of the search are at their end."
            )
        parent, kind = choice
        expansion = Expansion(
            # Whatever was asked for is either outstanding or a node by now.
            number=len(self.tree) - 1 + len(self._outstanding),
            parent_id=parent.node_id,
            kind=kind,
            depth=parent.depth + 1,
            attempt=self.num_asked(parent, kind),
            num_siblings=sum(self.num_asked(parent, each) for each in KINDS),
        )
        self._outstanding[expansion.number] = expansion
        self._num_asked[parent.node_id, kind] += 1
        self._note_ask(parent)
        return expansion

    def tell(
        self,
        expansion: Expansion,
        *,
        value: float,
        is_bug: bool,
        is_terminal: bool = False,
        payload: Any = None,
    ) -> Node:
        """Adds the result of an expansion to the tree and returns its node.

        Args:
            expansion: Any outstanding one.
            value: The evaluation, in `[0, 1]`; a bug counts as 0, whatever is
                said here.
            is_bug: Whether it failed in a way that a fix may repair.
            is_terminal: Whether nothing may be expanded from the new node. A bug
                that is terminal gets no fix.
            payload: Kept in the node; JSON-able, or `to_json` fails.

        Raises:
            ValueError: If `expansion` is not outstanding, or the value is outside
                `[0, 1]`.
        """
        if self._outstanding.get(expansion.number) != expansion:
            raise ValueError(
                "tell must answer one of the outstanding expansions "
                f"{list(self.outstanding)}, got {expansion}."
            )
        check_setting("value", value, "be between 0 and 1", 0.0, 1.0)
        del self._outstanding[expansion.number]
        node = self.tree.add(self.tree.nodes[expansion.parent_id], expansion.kind)
        node.value = 0.0 if is_bug else float(value)
        node.is_bug = node.was_bug = is_bug
        node.is_terminal = is_terminal
        node.payload = payload
        self._learn(node)
        return node

    def to_json(self) -> dict[str, Any]:
        """Returns the whole search, JSON-able; `from_json` goes on identically."""
        return {
            "version": JSON_VERSION,
            "search": self.name,
            **self._state_to_json(),
            "outstanding": [asdict(expansion) for expansion in self.outstanding],
            "nodes": self.tree.to_json(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Returns the search that `to_json` described, state of `rng` included.

        Raises:
            ValueError: If the description is of another search or version, or
                inconsistent.
        """
        if data.get("version") != JSON_VERSION:
            raise ValueError(
                f"version must be {JSON_VERSION}, got {data.get('version')!r}."
            )
        if data.get("search") != cls.name:
            raise ValueError(
                f"search must be {cls.name!r}, got {data.get('search')!r}."
            )
        search = cls._from_state(data)
        search.tree = Tree.from_json(data["nodes"])
        search._outstanding = _read_outstanding(data["outstanding"], search.tree)
        for node in search.tree.nodes[1:]:
            assert node.parent_id is not None, "only the root has no parent"
            search._num_asked[node.parent_id, as_kind(node.kind)] += 1
        for expansion in search.outstanding:
            search._num_asked[expansion.parent_id, expansion.kind] += 1
        search._recall()
        return search

    def num_asked(self, parent: Node, kind: Kind) -> int:
        """Returns how many of a kind a node has, outstanding ones included."""
        return self._num_asked.get((parent.node_id, kind), 0)

    @abstractmethod
    def _choose(self) -> tuple[Node, Kind] | None:
        """Returns which node to expand and how; `None` if none can be."""

    @abstractmethod
    def _learn(self, node: Node) -> None:
        """Takes in a node that was just told; only its own fields are set yet."""

    @abstractmethod
    def _state_to_json(self) -> dict[str, Any]:
        """Returns settings and what cannot be worked out from the tree."""

    @classmethod
    @abstractmethod
    def _from_state(cls, data: Mapping[str, Any]) -> Self:
        """Returns a search with an empty tree that `_state_to_json` described."""

    def _recall(self) -> None:  # noqa: B027 - many keep nothing
        """Works out from tree and outstanding expansions what is kept beside them."""

    def _note_ask(self, parent: Node) -> None:  # noqa: B027 - the same
        """Takes in that an expansion of `parent` is outstanding."""


def back_up(tree: Tree, node: Node) -> None:
    """Adds the node's own value to its mean and to those of its ancestors.

    A fix that runs clears the bug flag of the failures that it repairs.
    """
    for visited in (node, *tree.ancestors(node)):
        visited.value_sum += node.value
        visited.visit_count += 1
    if node.kind == "fix" and not node.was_bug:
        for link in fix_chain(tree, node):
            link.is_bug = False


def fix_chain(tree: Tree, fix: Node) -> Iterator[Node]:
    """Yields what a fix stands for: its parent and up, to the first non-fix."""
    for node in tree.ancestors(fix):
        yield node
        if node.kind != "fix":
            return


def refinement(node: Node) -> Kind:
    """Returns how a whole candidate is made better: `fix` if it failed."""
    return "fix" if node.was_bug else "improve"


def as_kind(kind: str) -> Kind:
    """Returns `kind` as one.

    Raises:
        ValueError: If it is none.
    """
    for known in KINDS:
        if kind == known:
            return known
    raise ValueError(f"kind must be one of {KINDS}, got {kind!r}.")


def check_setting(
    name: str, value: float, rule: str, low: float, high: float = math.inf
) -> None:
    """Refuses a number that is not finite or outside `[low, high]`.

    Raises:
        ValueError: If so; `rule` says in words what it must do.
    """
    if not (math.isfinite(value) and low <= value <= high):
        raise ValueError(f"{name} must {rule}, got {value!r}.")


def _read_outstanding(
    records: Iterable[Mapping[str, Any]], tree: Tree
) -> dict[int, Expansion]:
    """Returns saved expansions by number; refuses what no search can have."""
    expansions = [Expansion(**record) for record in records]
    numbers = [expansion.number for expansion in expansions]
    num_asked = len(tree) - 1 + len(numbers)
    if numbers != sorted({n for n in numbers if 0 <= n < num_asked}):
        raise ValueError(
            f"outstanding must have rising numbers below {num_asked}, got {numbers}."
        )
    for expansion in expansions:
        as_kind(expansion.kind)
        if not 0 <= expansion.parent_id < len(tree):
            raise ValueError(
                "parent_id of an outstanding expansion must be at least 0 and below "
                f"{len(tree)}, got {expansion.parent_id}."
            )
    return dict(zip(numbers, expansions, strict=True))
