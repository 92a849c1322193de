"""What all searches over candidates have in common: ask what to try, tell how it went.

A search grows a tree of evaluated candidates. The evaluation is slow and happens
outside, so that a search is driven by two calls: `ask` says what to try next,
`tell` takes how it went and makes the node. Several expansions may be outstanding
at a time, and may be told in any order.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, Self, TypeAlias, get_args

from mcts.tree import Node, Tree

Kind: TypeAlias = Literal["generate", "improve", "fix"]
"""What an expansion asks for."""

KINDS: tuple[Kind, ...] = get_args(Kind)


class SearchExhausted(ValueError):  # noqa: N818 - an event, not a mistake
    """Nothing can be selected any more: every branch has come to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expansion:
    """What to try next.

    Attributes:
        number: How many expansions were asked for before this one. Nodes get
            their ids when they are told, so that only a search that never has two
            outstanding gives this one's node the id `number + 1`.
        parent_id: The node to expand; 0 is the root, which has no payload.
        kind: generate, improve or fix.
        depth: Depth of the new node, from 1.
        attempt: Expansions of this kind that the parent had before: its children
            and those outstanding. No two of a parent and kind share it.
        num_siblings: The same for all kinds together.
    """

    number: int
    parent_id: int
    kind: Kind
    depth: int
    attempt: int
    num_siblings: int

    @property
    def parent_depth(self) -> int:
        """Depth of the node to expand: how many blocks its prefix has."""
        return self.depth - 1


class TreeSearch(Protocol):
    """A search over candidates, driven from outside by `ask` and `tell`.

    The same settings, generator state, and order of asks and tells give the same
    tree. `mcts.growing.GrowingSearch` has what all of them would repeat.
    """

    name: ClassVar[str]
    """What the search is called in settings and saved files."""

    @property
    def tree(self) -> Tree:
        """All nodes; `payload` of each is what `tell` was given."""

    @property
    def outstanding(self) -> tuple[Expansion, ...]:
        """Expansions that wait for their `tell`, oldest first."""

    @property
    def generates_below_root(self) -> bool:
        """Whether `generate` is asked of other nodes than the root.

        Only then can a candidate have nothing left to continue from.
        """

    def ask(self) -> Expansion | None:
        """Returns what to try next.

        `None` if everything that could be expanded waits for a `tell`.

        Raises:
            SearchExhausted: If nothing is outstanding and nothing can be expanded.
        """

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
            is_terminal: Whether nothing may be expanded from the new node.
            payload: Kept in the node; JSON-able, or `to_json` fails.

        Raises:
            ValueError: If `expansion` is not outstanding, or the value is outside
                `[0, 1]`.
        """

    def to_json(self) -> dict[str, Any]:
        """Returns the whole search, JSON-able; `from_json` goes on identically."""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Returns the search that `to_json` described.

        Raises:
            ValueError: If the description is of another search or version, or
                inconsistent.
        """
