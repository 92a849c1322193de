"""Sequential refinement: each expansion refines what the last one brought.

The first generates, each further one asks for a `fix` if the last candidate failed
and for `improve` if not, whatever its value. Only one can be outstanding, since
the next depends on it; nothing is random. A terminal candidate is passed over: the
last one that is not is refined, or, if there is none, a new one generated.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from mcts.growing import GrowingSearch, back_up, refinement
from mcts.search import Kind
from mcts.tree import Node


class LinearSearch(GrowingSearch):
    """A tree that is one chain; see `mcts.search.TreeSearch`."""

    name: ClassVar[str] = "linear"

    def __init__(self) -> None:
        super().__init__()
        self._last = self.tree.root

    def _choose(self) -> tuple[Node, Kind] | None:
        if self.outstanding:
            return None
        if self._last.parent_id is None:
            return self._last, "generate"
        return self._last, refinement(self._last)

    def _learn(self, node: Node) -> None:
        back_up(self.tree, node)
        if not node.is_terminal:
            self._last = node

    def _recall(self) -> None:
        self._last = next(n for n in reversed(self.tree.nodes) if not n.is_terminal)

    def _state_to_json(self) -> dict[str, Any]:
        return {}

    @classmethod
    def _from_state(cls, data: Mapping[str, Any]) -> Self:
        return cls()
