"""Best of N: every expansion generates anew, none looks at what came before.

The control that any search has to beat at an equal number of expansions. As many
as one likes may be outstanding, and nothing is random.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from mcts.growing import GrowingSearch, back_up
from mcts.search import Kind
from mcts.tree import Node


class BestOfN(GrowingSearch):
    """A tree of children of the root; see `mcts.search.TreeSearch`."""

    name: ClassVar[str] = "best-of-n"

    def _choose(self) -> tuple[Node, Kind] | None:
        return self.tree.root, "generate"

    def _learn(self, node: Node) -> None:
        back_up(self.tree, node)

    def _state_to_json(self) -> dict[str, Any]:
        return {}

    @classmethod
    def _from_state(cls, data: Mapping[str, Any]) -> Self:
        return cls()
