"""What a search takes over from the one before: programs that rival, transitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cwm.programs.evaluation import Evaluation
from cwm.synthesis.candidates import Candidate
from cwm.synthesis.next_round import (
    best_rivals,
    extended,
    pieces,
    with_as_many_others,
)
from tests.support.known_systems import TRUE, oscillator, record, recorded_dataset


def candidate(
    number: int, source: str, score: float, *, bug: bool = False
) -> Candidate:
    return Candidate(
        call_index=number,
        node_id=number,
        kind="generate",
        source=source,
        evaluation=Evaluation(
            outcome_kind="raised" if bug else "completed", score=score, is_bug=bug
        ),
    )


def test_rivals_run_differ_and_are_about_as_good() -> None:
    best = candidate(0, "x = 1", 0.9)
    others = [
        best,
        candidate(1, "x = 2", 0.8999),
        candidate(2, "x = 1  # said again", 0.9),
        candidate(3, "x = 3", 0.8),
        candidate(4, "x = 4", 0.9, bug=True),
        candidate(5, "x = 5", 0.895),
        candidate(6, "x = 6", 0.8999),
    ]

    found = best_rivals(others, best, 2)

    assert [one.source for one in found] == ["x = 2", "x = 6"]
    assert len(best_rivals(others, best, 9)) == 3
    assert best_rivals(others, best, 0) == []


@given(chosen=st.lists(st.booleans(), max_size=30), seed=st.integers(0, 9))
def test_as_many_others_are_taken_as_there_are(chosen: list[bool], seed: int) -> None:
    mask = np.array(chosen, dtype=bool)

    both = with_as_many_others(mask, np.random.default_rng(seed))

    assert both[mask].all()
    assert both.sum() == min(len(mask), 2 * mask.sum())
    assert mask.tolist() == chosen


def test_pieces_end_where_nothing_is_chosen_and_where_an_episode_ends() -> None:
    trajectories = record(oscillator(TRUE), num_trajectories=2, length=4)
    assert [len(one) for one in trajectories] == [4, 4]
    chosen = np.array([1, 1, 0, 1, 1, 0, 0, 1], dtype=bool)

    found = pieces(trajectories, chosen)

    assert [len(one) for one in found] == [2, 1, 1, 1]
    rewards = np.concatenate([one.rewards for one in trajectories])
    np.testing.assert_array_equal(
        np.concatenate([one.rewards for one in found]), rewards[chosen]
    )
    np.testing.assert_array_equal(
        found[1].observations[""], trajectories[0].observations[""][3:]
    )


@given(st.lists(st.booleans(), min_size=12, max_size=12))
def test_pieces_are_all_that_was_chosen(chosen: list[bool]) -> None:
    trajectories = record(oscillator(TRUE), num_trajectories=3, length=4)

    found = pieces(trajectories, np.array(chosen))

    assert sum(map(len, found)) == sum(chosen)


@pytest.mark.parametrize(("number", "validating"), [(0, 0), (4, 0), (5, 1), (11, 2)])
def test_one_in_five_new_trajectories_validates(number: int, validating: int) -> None:
    data = recorded_dataset(oscillator(TRUE), ("train", "held_out"))
    new = record(oscillator(TRUE), num_trajectories=number)

    found = extended(data, new)

    assert found.splits[:2] == ("train", "held_out")
    assert found.splits[2:].count("validation") == validating
    assert found.splits[2:].count("train") == number - validating
    assert len(found.trajectories) == 2 + number
