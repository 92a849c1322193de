"""The state base: entries, and what is found for a state."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cwm.core.errors import DataError
from cwm.providers.knowledge.base.encoders import HashedEncoder, Vectors
from cwm.providers.knowledge.base.entries import Entry, entries_of, entries_of_all
from cwm.providers.knowledge.base.states import (
    NO_NEIGHBOURS,
    RetrievalConfig,
    StateBase,
    num_neighbours,
)
from cwm.providers.knowledge.base.verbs import (
    FIRST_ACTION,
    cut_action,
    is_choice,
    join_verb,
    verb_of,
)
from cwm.providers.knowledge.records import StateNotes
from tests.support.knowledge_episodes import HOT_MUG, episode, step


class AngleEncoder:
    """Texts are angles in degrees, vectors point there."""

    name = "angles"
    content_hash = "angles"

    def encode(self, texts: Sequence[str]) -> Vectors:
        radians = np.radians([float(text) for text in texts]).reshape(-1)
        return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def entry(state: str, previous: str, following: str, of: str = "e") -> Entry:
    return Entry(state=state, previous=previous, next=following, task="t", episode=of)


ENTRIES = [
    entry("0", "go to desk 1", "take mug 1", "a"),
    entry("10", "go to desk 2", "open desk 2", "a"),
    entry("20", "take mug 1", "go to shelf 1", "b"),
    entry("30", "go to shelf 1", "put mug 1 in/on shelf 1", "b"),
    entry("90", "go to sink 1", "Take mug 1", "c"),
    entry("180", FIRST_ACTION, "go to desk 1", "c"),
]
BASE = StateBase.from_entries(ENTRIES, AngleEncoder())


def states(found: Sequence[Entry]) -> list[str]:
    return [one.state for one in found]


@pytest.mark.parametrize(
    ("action", "verb"),
    [
        ("go to desk 1", "go"),
        ("search[red shoes]", "search"),
        ("click[Buy Now]", "click"),
        ("Look around", "look"),
        ("wait1", "wait1"),
        ("3", "3"),
        ("", ""),
        ("[x]", ""),
    ],
)
def test_a_verb_is_the_first_word_before_a_bracket(action: str, verb: str) -> None:
    assert verb_of(action) == verb


def test_an_action_is_cut_at_the_first_bracket() -> None:
    assert cut_action("search[red [x]]") == "search"
    assert cut_action("put mug 1 in/on desk 1") == "put mug 1 in/on desk 1"


def test_a_number_is_a_choice() -> None:
    assert is_choice("3")
    assert not is_choice("wait1")
    assert not is_choice("")


@pytest.mark.parametrize(
    ("verb", "continuation", "action"),
    [
        ("go", "to desk 1", "go to desk 1"),
        ("go", " to desk 1\n", "go to desk 1"),
        ("look", "", "look"),
        ("wait", "1", "wait1"),
        ("wait", "10", "wait 10"),
        ("take", "1", "take 1"),
        ("3", "anything", "3"),
        ("search", "[red shoes]", "search[red shoes]"),
    ],
)
def test_a_verb_and_what_follows_make_an_action(
    verb: str, continuation: str, action: str
) -> None:
    assert join_verb(verb, continuation) == action


def test_there_is_an_entry_for_each_action_and_look_comes_first() -> None:
    notes = StateNotes(
        episode="e1", texts=tuple(f"S{number}" for number in range(9)), made_by="w"
    )
    found = entries_of(HOT_MUG, notes)
    assert len(found) == len(HOT_MUG.actions) == 8
    assert found[0] == Entry(
        state="S0",
        previous="look",
        next="go to drawer 1",
        task="pick_heat_then_place",
        episode="e1",
    )
    assert found[1].previous == "go to drawer 1"
    assert [one.next for one in found] == list(HOT_MUG.actions)
    assert states(found) == [f"S{number}" for number in range(8)]


def test_actions_of_webshop_are_cut() -> None:
    shop = episode(step("search[red shoes]", "o"), step("click[Buy]", "o"))
    notes = StateNotes(episode="e1", texts=("a", "b", "c"), made_by="w")
    found = [(one.previous, one.next) for one in entries_of(shop, notes)]
    assert found == [("look", "search"), ("search", "click")]


def test_notes_that_do_not_belong_to_the_episode_are_refused() -> None:
    notes = StateNotes(episode="e1", texts=("a", "b"), made_by="w")
    with pytest.raises(DataError, match="needs 9 state notes of its own, got 2"):
        entries_of(HOT_MUG, notes)
    with pytest.raises(DataError, match=r"^Episode 'e1' has no state notes"):
        entries_of_all([HOT_MUG], [])
    silent = episode(step("", "Error."))
    with pytest.raises(DataError, match=r"^Every action of 'e1' must be a command"):
        entries_of(silent, notes)


@pytest.mark.parametrize(
    ("size", "expected"),
    [(0, 0), (3, 3), (5, 5), (100, 5), (167, 5), (200, 6), (621, 19), (200_000, 3000)],
)
def test_three_percent_are_taken_between_five_and_three_thousand(
    size: int, expected: int
) -> None:
    assert num_neighbours(size) == expected


def test_the_papers_number_is_taken_as_it_is() -> None:
    config = RetrievalConfig(num_neighbours=3_000)
    assert num_neighbours(2_000, config) == 2_000
    assert num_neighbours(9_000, config) == 3_000


def test_what_follows_near_states_is_counted_by_verb_and_by_action() -> None:
    config = RetrievalConfig(num_neighbours=3, filter="none")
    found = BASE.neighbours("2", "go to desk 7", config)
    assert states(found.entries) == ["0", "10", "20"]
    assert found.verbs == {"take": 1.0, "open": 1.0, "go": 1.0}
    config = RetrievalConfig(num_neighbours=4)
    found = BASE.neighbours("2", "go to desk 7", config)
    assert states(found.entries) == ["0", "10", "30", "90"]
    assert found.verbs == {"take": 2.0, "open": 1.0, "put": 1.0}
    assert found.actions["take mug 1"] == 2.0
    assert found.support == 4
    assert found.best_similarity == pytest.approx(np.cos(np.radians(2)))


def test_a_filter_before_and_one_after_the_search_differ() -> None:
    before = RetrievalConfig(num_neighbours=3, filter="before")
    after = RetrievalConfig(num_neighbours=3, filter="after")
    assert states(BASE.neighbours("12", "go to x", before).entries) == ["10", "0", "30"]
    # The three nearest are 10, 20 and 0; after the filter two of them are left.
    assert states(BASE.neighbours("12", "go to x", after).entries) == ["10", "0"]
    # The state before which one looked is not among the three nearest.
    assert BASE.neighbours("12", "look", after).support == 0
    assert states(BASE.neighbours("12", "look", before).entries) == ["180"]


def test_after_a_number_nothing_is_left_out() -> None:
    for where in ("before", "after"):
        config = RetrievalConfig(num_neighbours=6, filter=where)
        assert BASE.neighbours("0", "4", config).support == 6


def test_after_a_verb_that_nobody_used_nothing_is_found() -> None:
    found = BASE.neighbours("0", "dance")
    assert (found.support, found.verbs, found.best_similarity) == (0, {}, -1.0)
    assert NO_NEIGHBOURS.best_similarity == -1.0


def bigrams(previous: str) -> Counter[str]:
    return Counter(
        verb_of(one.next) for one in ENTRIES if verb_of(one.previous) == previous
    )


@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize("state", ["0", "95", "200"])
def test_with_all_entries_the_state_has_no_effect(where: str, state: str) -> None:
    config = RetrievalConfig(num_neighbours=len(ENTRIES), filter=where)  # type: ignore[arg-type]
    for previous in ("go", "take", "look"):
        found = BASE.neighbours(state, previous, config)
        assert found.verbs == dict(bigrams(previous))


def test_similarity_weighs_entries_by_a_softmax_and_keeps_their_number() -> None:
    config = RetrievalConfig(
        num_neighbours=2, filter="none", weights="similarity", temperature=0.5
    )
    found = BASE.neighbours("0", "go", config)
    one, other = np.exp(1.0 / 0.5), np.exp(np.cos(np.radians(10)) / 0.5)
    assert found.verbs["take"] == pytest.approx(2 * one / (one + other), abs=1e-6)
    assert sum(found.verbs.values()) == pytest.approx(2.0)


def test_the_entries_of_an_episode_can_be_left_out() -> None:
    config = RetrievalConfig(num_neighbours=2)
    found = BASE.neighbours("0", "go", config, without_episode="a")
    assert states(found.entries) == ["30", "90"]
    assert states(BASE.neighbours("0", "go", config).entries) == ["0", "10"]
    found = BASE.neighbours("0", "go", config, without_episode="b")
    assert states(found.entries) == ["0", "10"]


def test_equally_near_entries_come_in_their_order() -> None:
    states_of = ["10", "20"] * 40
    entries = [entry(state, "go", f"v{n}") for n, state in enumerate(states_of)]
    base = StateBase.from_entries(entries, AngleEncoder())
    found = base.neighbours("0", "go", RetrievalConfig(num_neighbours=60))
    nearer, farther = range(0, 80, 2), range(1, 41, 2)
    expected = [f"v{number}" for number in (*nearer, *farther)]
    assert [one.next for one in found.entries] == expected


def naive(query: str, previous: str, num: int) -> list[Entry]:
    """Sorts all entries with the same verb by their distance."""
    (vector,) = AngleEncoder().encode([query])
    rows = AngleEncoder().encode(states(ENTRIES))
    near = sorted(
        (
            place
            for place, one in enumerate(ENTRIES)
            if verb_of(one.previous) == previous
        ),
        key=lambda place: (-float(rows[place] @ vector), place),
    )
    return [ENTRIES[place] for place in near[:num]]


@settings(deadline=None)
@given(st.integers(-180, 180), st.sampled_from(["go", "take"]), st.integers(1, 7))
def test_the_search_is_exact(angle: int, previous: str, num: int) -> None:
    found = BASE.neighbours(str(angle), previous, RetrievalConfig(num_neighbours=num))
    expected = naive(str(angle), previous, num)
    assert [one.next for one in found.entries] == [one.next for one in expected]


def test_many_states_at_once_are_found_as_one_by_one() -> None:
    queries, previous = ["0", "15", "100"], ["go", "2", "dance"]
    together = BASE.neighbours_of_all(queries, previous)
    for query, action, found in zip(queries, previous, together, strict=True):
        assert found.entries == BASE.neighbours(query, action).entries


def test_each_different_state_is_encoded_once() -> None:
    asked: list[str] = []

    class Counting(AngleEncoder):
        def encode(self, texts: Sequence[str]) -> Vectors:
            asked.extend(texts)
            return super().encode(texts)

    StateBase.from_entries([*ENTRIES, *ENTRIES], Counting())
    assert asked == states(ENTRIES)


def test_a_base_must_have_entries_and_a_vector_for_each() -> None:
    with pytest.raises(DataError, match="got 0 entries"):
        StateBase.from_entries([], HashedEncoder())
    with pytest.raises(DataError, match=r"6 entries and vectors of shape \(5, 2\)"):
        StateBase(ENTRIES, BASE.vectors[:5], AngleEncoder())


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            {"num_neighbours": 0},
            "num_neighbours must be at least 1 or not given, got 0",
        ),
        ({"filter": "both"}, "filter must be one of before, after, none, got 'both'"),
        ({"weights": "x"}, "weights must be one of counts, similarity, got 'x'"),
        ({"temperature": 0.0}, r"temperature must be above 0, got 0\.0"),
    ],
)
def test_settings_keep_their_rules(setting: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RetrievalConfig(**setting)  # type: ignore[arg-type]


def test_verbs_of_a_base_are_those_that_follow() -> None:
    assert BASE.verbs == ("go", "open", "put", "take")
    assert len(BASE) == 6
