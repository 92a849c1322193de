"""Every search over candidates keeps the contract, and the checks would notice."""

import itertools
from collections.abc import Callable, Mapping
from typing import Any, Self

import numpy as np
import pytest

from mcts.best_of_n import BestOfN
from mcts.gif import GifConfig
from mcts.linear import LinearSearch
from mcts.registry import SEARCH_NAMES, SearchConfig, new_search
from mcts.search import Expansion, Kind, SearchExhausted, TreeSearch
from mcts.tree import Node
from tests.support import search_checks
from tests.support.search_checks import CHECKS, NewSearch

VARIANTS: dict[str, SearchConfig] = {
    "gif-mcts without widening": SearchConfig(gif=GifConfig(widening=False)),
    "gif-mcts without fix": SearchConfig(gif=GifConfig(kinds=("generate", "improve"))),
    "gif-mcts without generate": SearchConfig(gif=GifConfig(kinds=("improve", "fix"))),
}
SEARCHES: dict[str, NewSearch] = {
    name: lambda name=name: new_search(
        name.split()[0],
        np.random.default_rng(7),
        config=VARIANTS.get(name),
    )
    for name in (*SEARCH_NAMES, *VARIANTS)
}


@pytest.mark.parametrize("name", SEARCHES)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_search_keeps_the_contract(
    name: str, check: Callable[[NewSearch], None]
) -> None:
    check(SEARCHES[name])


class Renumbering(BestOfN):
    """Counts its asks from 1."""

    def ask(self) -> Expansion | None:
        asked = super().ask()
        assert asked is not None
        del self._outstanding[asked.number]
        shifted = Expansion(
            number=asked.number + 1,
            parent_id=0,
            kind="generate",
            depth=1,
            attempt=asked.attempt,
            num_siblings=asked.num_siblings,
        )
        self._outstanding[shifted.number] = shifted
        return shifted


class Forgetful(BestOfN):
    """Says that nothing is outstanding when two are."""

    @property
    def outstanding(self) -> tuple[Expansion, ...]:
        return () if len(super().outstanding) == 2 else super().outstanding


class Uncounted(BestOfN):
    """Does not count what is in flight as an attempt."""

    def num_asked(self, parent: Node, kind: Kind) -> int:
        return len(parent.children) if kind == "generate" else 0


class Unforgiving(LinearSearch):
    """Never fixes, always improves."""

    def _choose(self) -> tuple[Node, Kind] | None:
        choice = super()._choose()
        return choice and (choice[0], "improve" if choice[1] == "fix" else choice[1])


class Undead(LinearSearch):
    """Refines what is terminal, too."""

    def _learn(self, node: Node) -> None:
        super()._learn(node)
        self._last = node


class Flattering(BestOfN):
    """Keeps the value of a failure."""

    def tell(self, expansion: Expansion, *, value: float, **rest: Any) -> Node:
        node = super().tell(expansion, value=value, **rest)
        node.value = value
        return node


class Eager(BestOfN):
    """Counts a visit at the ask."""

    def _note_ask(self, parent: Node) -> None:
        parent.visit_count += 1


class Moody(LinearSearch):
    """Passes over a candidate now and then, whoever asks."""

    moods = itertools.cycle([False] * 6 + [True])

    def _learn(self, node: Node) -> None:
        last = self._last
        super()._learn(node)
        if next(self.moods):
            self._last = last


class Amnesiac(LinearSearch):
    """Does not work out what to refine when it is loaded."""

    def _recall(self) -> None:
        self._last = self.tree.root


class Unsaved(BestOfN):
    """Loses what is outstanding."""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        return super().from_json({**data, "outstanding": []})


class Waiting(BestOfN):
    """Waits from the fourth node on, whatever is outstanding."""

    def ask(self) -> Expansion | None:
        return None if len(self.tree) > 3 and not self._outstanding else super().ask()


class Impatient(BestOfN):
    """Gives up while two are outstanding."""

    def ask(self) -> Expansion | None:
        if len(self.outstanding) == 2:
            raise SearchExhausted
        return super().ask()


class Credulous(BestOfN):
    """Accepts any expansion."""

    def tell(self, expansion: Expansion, **rest: Any) -> Node:
        self._outstanding[expansion.number] = expansion
        return super().tell(expansion, **rest)


class Reversed(BestOfN):
    """Gives a new node the second id."""

    def tell(self, expansion: Expansion, **rest: Any) -> Node:
        node = super().tell(expansion, **rest)
        nodes = self.tree.nodes
        nodes.insert(1, nodes.pop())
        for node_id, each in enumerate(nodes):
            each.node_id = node_id
        return node


BROKEN: list[tuple[Callable[[NewSearch], None], type[TreeSearch], str]] = [
    (
        search_checks.ids_count_tells_and_numbers_count_asks,
        Renumbering,
        "an ask has a wrong number",
    ),
    (
        search_checks.ids_count_tells_and_numbers_count_asks,
        Reversed,
        "a tell made a node of a wrong id",
    ),
    (
        search_checks.ids_follow_numbers_if_one_is_in_flight,
        Renumbering,
        "an id is not its number",
    ),
    (
        search_checks.outstanding_is_what_was_asked_and_not_told,
        Forgetful,
        "outstanding is wrong",
    ),
    (search_checks.expansions_fit_the_tree, Uncounted, "an attempt is wrong"),
    (search_checks.kinds_fit_the_parent, Unforgiving, "only failures are fixed"),
    (search_checks.kinds_fit_the_parent, Undead, "a terminal node was expanded"),
    (search_checks.results_are_kept, Flattering, "another value than was told"),
    (search_checks.asking_makes_no_node, Eager, "ask has changed the tree"),
    (search_checks.same_tells_bring_the_same_asks, Moody, "went differently"),
    (search_checks.saved_search_goes_on_identically, Amnesiac, "went on differently"),
    (search_checks.saved_search_goes_on_identically, Unsaved, "was not saved"),
    (search_checks.nothing_waits_for_nothing, Waiting, "nothing is outstanding"),
    (
        search_checks.exhausted_stays_exhausted_and_leaves_nothing,
        Impatient,
        "exhausted while something",
    ),
    (search_checks.strangers_are_refused_unharmed, Credulous, "was accepted"),
]


@pytest.mark.parametrize(
    ("check", "broken", "message"),
    BROKEN,
    ids=lambda value: getattr(value, "__name__", None),
)
def test_check_notices_a_broken_search(
    check: Callable[[NewSearch], None], broken: type[Any], message: str
) -> None:
    with pytest.raises(AssertionError, match=message):
        check(broken)


def test_every_check_has_a_broken_search() -> None:
    assert {check for check, _, _ in BROKEN} == set(CHECKS)


def test_some_play_without_widening_comes_to_an_end() -> None:
    """Else the check of exhausted searches would look at none."""
    ends = [
        move.asked == "exhausted"
        for _, moves in search_checks.plays(SEARCHES["gif-mcts without widening"])
        for move in moves
    ]
    assert any(ends)
