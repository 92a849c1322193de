"""What holds for every search over candidates, as checks that name what is wrong.

A check takes a way to make a fresh search and raises an `AssertionError` with a
sentence if the search breaks its contract (`mcts.search.TreeSearch`).
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pytest

from mcts.search import KINDS, Expansion, SearchExhausted, TreeSearch
from mcts.tree import Node

NewSearch = Callable[[], TreeSearch]
"""Makes the search to check, always the same one."""

SEEDS = range(8)


@dataclass(frozen=True)
class Move:
    """One step of a play.

    Attributes:
        asked: What `ask` returned, or `"exhausted"`; `None` if this was a tell.
        told: The expansion that was told; `None` if this was an ask.
        node: The node that it made.
    """

    asked: Expansion | str | None = None
    told: Expansion | None = None
    node: Node | None = None


def result_of(expansion: Expansion, seed: int) -> dict[str, Any]:
    """Returns how an expansion goes: the same whenever it is told."""
    rng = np.random.default_rng([seed, expansion.number])
    is_bug = bool(rng.random() < 0.3)
    return {
        "value": float(rng.integers(5)) / 4,
        "is_bug": is_bug,
        "is_terminal": bool(rng.random() < 0.1),
        "payload": {"number": expansion.number},
    }


def play(
    search: TreeSearch, *, seed: int, max_in_flight: int, num_moves: int = 60
) -> Iterator[Move]:
    """Yields what happens in a random order of asks and tells."""
    rng = np.random.default_rng([seed, max_in_flight, 1])
    for _ in range(num_moves):
        outstanding = search.outstanding
        full = len(outstanding) >= max_in_flight
        if outstanding and (full or rng.random() < 0.4):
            yield tell(search, outstanding[int(rng.integers(len(outstanding)))], seed)
            continue
        try:
            expansion = search.ask()
        except SearchExhausted:
            yield Move(asked="exhausted")
            return
        yield Move(asked=expansion)
        if expansion is None:
            yield tell(search, search.outstanding[0], seed)


def tell(search: TreeSearch, expansion: Expansion, seed: int) -> Move:
    """Tells an expansion how it went."""
    node = search.tell(expansion, **result_of(expansion, seed))
    return Move(told=expansion, node=node)


def plays(new_search: NewSearch) -> Iterator[tuple[TreeSearch, Iterator[Move]]]:
    """Yields fresh searches with plays of one, two and eight in flight."""
    for seed in SEEDS:
        for max_in_flight in (1, 2, 8):
            search = new_search()
            yield search, play(search, seed=seed, max_in_flight=max_in_flight)


def ids_count_tells_and_numbers_count_asks(new_search: NewSearch) -> None:
    for search, moves in plays(new_search):
        num_asks = 0
        for move in moves:
            if isinstance(move.asked, Expansion):
                assert move.asked.number == num_asks, "an ask has a wrong number"
                num_asks += 1
            if move.node is not None:
                last = len(search.tree) - 1
                assert move.node.node_id == last, "a tell made a node of a wrong id"
                assert search.tree.nodes[last] is move.node, "the node is not in it"


def ids_follow_numbers_if_one_is_in_flight(new_search: NewSearch) -> None:
    for seed in SEEDS:
        for move in play(new_search(), seed=seed, max_in_flight=1):
            if move.told is not None and move.node is not None:
                expected = move.told.number + 1
                assert move.node.node_id == expected, "an id is not its number + 1"


def outstanding_is_what_was_asked_and_not_told(new_search: NewSearch) -> None:
    for search, moves in plays(new_search):
        expected: list[Expansion] = []
        for move in moves:
            if isinstance(move.asked, Expansion):
                expected.append(move.asked)
            if move.told is not None:
                expected.remove(move.told)
            assert list(search.outstanding) == expected, "outstanding is wrong"


def expansions_fit_the_tree(new_search: NewSearch) -> None:
    for search, moves in plays(new_search):
        asked: list[tuple[int, str]] = []
        for move in moves:
            if not isinstance(move.asked, Expansion):
                continue
            expansion, parent = move.asked, search.tree.nodes[move.asked.parent_id]
            place = expansion.parent_id, expansion.kind
            assert expansion.depth == parent.depth + 1, "a depth is wrong"
            assert expansion.attempt == asked.count(place), "an attempt is wrong"
            siblings = sum(asked.count((place[0], kind)) for kind in KINDS)
            assert expansion.num_siblings == siblings, "num_siblings is wrong"
            asked.append(place)


def kinds_fit_the_parent(new_search: NewSearch) -> None:
    for search, moves in plays(new_search):
        for move in moves:
            if not isinstance(move.asked, Expansion):
                continue
            kind, parent = move.asked.kind, search.tree.nodes[move.asked.parent_id]
            assert not parent.is_terminal, "a terminal node was expanded"
            is_root = parent.parent_id is None
            assert kind == "generate" or not is_root, "the root did not generate"
            assert (kind == "fix") == parent.was_bug, "only failures are fixed"
            if not search.generates_below_root:
                assert is_root or kind != "generate", "generate was asked below"


def results_are_kept(new_search: NewSearch) -> None:
    for seed in SEEDS:
        search = new_search()
        for move in play(search, seed=seed, max_in_flight=4):
            if move.told is None or move.node is None:
                continue
            node, result = move.node, result_of(move.told, seed)
            value = 0.0 if result["is_bug"] else result["value"]
            assert node.value == value, "a node has another value than was told"
            assert node.was_bug == result["is_bug"], "was_bug is not what was told"
            assert node.payload == result["payload"], "a payload is lost"
            assert (node.parent_id, node.kind, node.depth) == (
                move.told.parent_id,
                move.told.kind,
                move.told.depth,
            ), "a node is at another place than was asked for"
            # A chain of fixes can end above the told node, never the told flag.
            assert node.is_terminal or not result["is_terminal"], "it goes on"


def asking_makes_no_node(new_search: NewSearch) -> None:
    for search, moves in plays(new_search):
        before = search.tree.to_json()
        for move in moves:
            if move.told is None:
                assert search.tree.to_json() == before, "ask has changed the tree"
            before = search.tree.to_json()


def same_tells_bring_the_same_asks(new_search: NewSearch) -> None:
    for seed in SEEDS:
        both = [
            [asdict(m) for m in play(new_search(), seed=seed, max_in_flight=3)]
            for _ in range(2)
        ]
        assert both[0] == both[1], "two equal plays went differently"


def saved_search_goes_on_identically(new_search: NewSearch) -> None:
    for seed in SEEDS:
        search = new_search()
        for _ in play(search, seed=seed, max_in_flight=5, num_moves=3 * seed + 1):
            pass
        saved = json.loads(json.dumps(search.to_json()))
        other = type(search).from_json(saved)
        assert other.outstanding == search.outstanding, "outstanding was not saved"
        assert json.loads(json.dumps(other.to_json())) == saved, "it was saved wrong"
        first, second = (
            [asdict(move) for move in play(each, seed=seed + 100, max_in_flight=5)]
            for each in (search, other)
        )
        assert first == second, "a saved search went on differently"
        assert other.to_json() == search.to_json(), "it ended differently"


def nothing_waits_for_nothing(new_search: NewSearch) -> None:
    """An ask is only put off while a tell may change the answer."""
    for seed in SEEDS:
        search = new_search()
        for _ in play(search, seed=seed, max_in_flight=6):
            while search.outstanding:
                tell(search, search.outstanding[-1], seed)
            try:
                asked = search.ask()
            except SearchExhausted:
                break
            assert asked is not None, "ask waits although nothing is outstanding"


def exhausted_stays_exhausted_and_leaves_nothing(new_search: NewSearch) -> None:
    for search, moves in plays(new_search):
        for move in moves:
            if move.asked != "exhausted":
                continue
            assert not search.outstanding, "exhausted while something is outstanding"
            with pytest.raises(SearchExhausted):
                search.ask()


def strangers_are_refused_unharmed(new_search: NewSearch) -> None:
    search = new_search()
    first = search.ask()
    assert isinstance(first, Expansion), "the first ask has no answer"
    wrong = [
        (Expansion(**{**asdict(first), "attempt": 9}), 0.5),
        (Expansion(**{**asdict(first), "number": 7}), 0.5),
        (first, 1.5),
        (first, float("nan")),
    ]
    before = search.to_json()
    for expansion, value in wrong:
        refuses(search, expansion, value)
        assert search.to_json() == before, "a refused tell changed something"
    search.tell(first, value=0.5, is_bug=False)
    refuses(search, first, 0.5)


def refuses(search: TreeSearch, expansion: Expansion, value: float) -> None:
    """Raises an `AssertionError` unless a tell is refused."""
    try:
        search.tell(expansion, value=value, is_bug=False)
    except ValueError:
        return
    raise AssertionError("a tell that fits nothing was accepted")


CHECKS: tuple[Callable[[NewSearch], None], ...] = (
    ids_count_tells_and_numbers_count_asks,
    ids_follow_numbers_if_one_is_in_flight,
    outstanding_is_what_was_asked_and_not_told,
    expansions_fit_the_tree,
    kinds_fit_the_parent,
    results_are_kept,
    asking_makes_no_node,
    same_tells_bring_the_same_asks,
    saved_search_goes_on_identically,
    nothing_waits_for_nothing,
    exhausted_stays_exhausted_and_leaves_nothing,
    strangers_are_refused_unharmed,
)
