from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest

from cwm.core.errors import DataError
from cwm.providers.hypotheses.evaluation.ranking import Ranking, rank
from cwm.providers.hypotheses.texts import TextTrajectory, transitions_of
from cwm.providers.hypotheses.worlds import WORLDS
from tests.support.table_statistician import TableStatistician

ONE_STEP = TextTrajectory(
    states=("s", "t"),
    actions=("a",),
    changes=("c",),
    types=("standing",),
    action_ids=(0,),
)
SCORES = {"a": -1.0, "b": -2.0, "c": -2.0, "d": -2.0, "e": -3.0}

MIXED = Ranking(
    num_better=(0, 1, 3),
    num_tied=(0, 1, 0),
    num_candidates=(2, 4, 10),
    types=("standing", "standing", "holding1"),
)


def ranked(candidates: Sequence[str] = "abcde") -> Ranking:
    statistician = TableStatistician(lambda _, one: SCORES[one.change])
    return rank(statistician, None, [ONE_STEP], lambda state: list(candidates))


def test_the_rank_is_the_number_of_strictly_better_candidates() -> None:
    found = ranked()
    assert (found.num_better, found.num_tied, found.num_candidates) == (
        (1,),
        (2,),
        (5,),
    )


def test_a_candidate_that_is_listed_twice_counts_once() -> None:
    assert ranked("aabcdde") == ranked()


def test_what_happened_must_be_among_the_candidates() -> None:
    with pytest.raises(DataError, match=r"must contain what happened, 'c', got 2 oth"):
        ranked("ab")


def test_top_k_by_hand() -> None:
    # In the second row one is ahead, and the truth is first or second of two equals.
    assert MIXED.in_top(1).tolist() == [1.0, 0.0, 0.0]
    assert MIXED.in_top(2).tolist() == [1.0, 0.5, 0.0]
    assert MIXED.in_top(3).tolist() == [1.0, 1.0, 0.0]
    assert MIXED.top(2) == pytest.approx(0.5)
    assert MIXED.top_by_type(2) == {"standing": 0.75, "holding1": 0.0}
    assert MIXED.mean_over_types(2) == 0.375
    assert MIXED.published_top(1) == pytest.approx(1 / 3)
    assert MIXED.published_top(2) == pytest.approx(2 / 3)


def test_chance_is_the_expectation_of_random_order() -> None:
    chance = MIXED.at_random()
    assert chance.in_top(3).tolist() == [1.0, 0.75, 0.3]
    assert chance.top(3) == pytest.approx((1.0 + 0.75 + 0.3) / 3)
    assert chance.mean_over_types(3) == pytest.approx((0.875 + 0.3) / 2)


def test_who_tells_nothing_apart_is_no_better_than_chance() -> None:
    world = WORLDS["playground"]
    statistician = TableStatistician(lambda *_: -1.0)
    found = rank(statistician, None, world.test_set(), world.candidates)
    assert found == found.at_random()
    assert found.published_top(1) == 1.0
    assert found.top(1) == pytest.approx(
        sum(1 / number for number in found.num_candidates) / 168
    )


@pytest.mark.parametrize("name", ["playground", "playground-reworded"])
def test_candidates_of_the_test_set_are_the_published_ones(name: str) -> None:
    """Fidelity check F8."""
    world = WORLDS[name]
    # The truth alone scores more than nothing.
    truths = {(one.state, one.action): one for one in transitions_of(world.test_set())}
    statistician = TableStatistician(
        lambda _, one: 0.0 if truths[one.state, one.action] == one else -1.0
    )
    found = rank(statistician, None, world.test_set(), world.candidates)
    assert len(found.num_candidates) == 168
    assert (min(found.num_candidates), max(found.num_candidates)) == (22, 47)
    assert sum(found.num_candidates) == statistician.num_scored == 5_994
    assert found.num_candidates[0] == 35
    assert found.top(1) == found.mean_over_types(1) == 1.0
    assert Counter(found.types) == {
        **{"standing": 120, "holding1": 20, "holding2": 7},
        **{"transformP": 12, "transformSH": 6, "transformBH": 3},
    }


def test_candidates_of_the_first_state_are_of_the_published_kinds() -> None:
    world = WORLDS["playground"]
    changes = world.candidates(world.test_set()[0].states[0])
    kinds = Counter(
        "standing"
        if "standing" in one
        else "holding1"
        if "there is" in one
        else "holding2"
        if "there are" in one
        else "growing"
        for one in changes
    )
    assert kinds == {"standing": 6, "holding1": 5, "holding2": 22, "growing": 2}


def test_all_of_nothing_is_not_a_number() -> None:
    empty = Ranking(num_better=(), num_tied=(), num_candidates=(), types=())
    assert empty.top(1) is empty.published_top(1) is empty.mean_over_types(1) is None


def test_impossible_places_are_refused() -> None:
    with pytest.raises(ValueError, match=r"together below num_candidates \(2\), got 1"):
        replace(MIXED, num_better=(1, 1, 3), num_tied=(1, 1, 0))
    with pytest.raises(ValueError, match="must be as many, got 1, 3, 3, 3"):
        replace(MIXED, num_better=(0,))


def test_what_was_written_is_read_again() -> None:
    assert Ranking.from_json(MIXED.to_json()) == MIXED
    assert MIXED.to_json()["top"]["1"] == pytest.approx(1 / 3)
    with pytest.raises(DataError, match="A ranking cannot be read"):
        Ranking.from_json({"num_better": [0]})
