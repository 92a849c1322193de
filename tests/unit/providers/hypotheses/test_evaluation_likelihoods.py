import math

import numpy as np
import pytest

from cwm.core.errors import DataError, InternalError
from cwm.core.protocols import FloatArray
from cwm.providers.hypotheses.evaluation.likelihoods import (
    Likelihood,
    likelihood,
    paired_difference,
)
from cwm.providers.hypotheses.texts import TextTrajectory
from cwm.providers.hypotheses.worlds import WORLDS
from tests.support.table_statistician import TableStatistician

TRAJECTORIES = (
    TextTrajectory(
        states=("s", "t", "u"),
        actions=("a", "b"),
        changes=("go", "take"),
        types=("standing", "holding1"),
        action_ids=(0, 1),
    ),
    TextTrajectory(
        states=("s", "v"),
        actions=("a",),
        changes=("stay",),
        types=("standing",),
        action_ids=(0,),
    ),
)
LOG_PROBS = {"go": -1.0, "take": -4.0, "stay": -2.0}


def known() -> Likelihood:
    statistician = TableStatistician(lambda _, one: LOG_PROBS[one.change])
    return likelihood(statistician, None, TRAJECTORIES)


def test_sums_over_all_transitions_and_means_by_type() -> None:
    found = known()
    assert found.log_probs == (-1.0, -4.0, -2.0)
    assert found.total == -7.0
    assert found.mean == pytest.approx(-7 / 3)
    assert found.by_type == {"standing": -1.5, "holding1": -4.0}


def test_the_hypothesis_is_asked_about_in_one_call() -> None:
    statistician = TableStatistician(lambda h, _: -1.0 if h == "all falls" else -2.0)
    assert likelihood(statistician, "all falls", TRAJECTORIES).total == -3.0
    assert statistician.num_calls == 1


@pytest.mark.parametrize(("name", "number"), [("playground", 168), ("door", 27)])
def test_test_sets_have_the_published_numbers_of_transitions(
    name: str, number: int
) -> None:
    statistician = TableStatistician(lambda *_: -2.0)
    found = likelihood(statistician, None, WORLDS[name].test_set())
    assert len(found.log_probs) == number
    assert found.total == -2.0 * number


def test_a_likelihood_that_is_not_a_number_is_a_bug_and_no_rank() -> None:
    statistician = TableStatistician(lambda *_: math.nan)
    with pytest.raises(InternalError, match=r"must be 3 numbers, got .* with 3 NaN"):
        likelihood(statistician, None, TRAJECTORIES)


def test_a_statistician_must_answer_about_every_transition() -> None:
    class Short(TableStatistician):
        def log_probs(self, *args: object) -> FloatArray:
            return np.zeros(2)

    with pytest.raises(InternalError, match=r"got the shape \(2,\)"):
        likelihood(Short(lambda *_: 0.0), None, TRAJECTORIES)


def test_differences_are_paired_with_the_interval_of_student() -> None:
    other = Likelihood(
        log_probs=(-2.0, -6.0, -5.0), types=("standing", "holding1", "standing")
    )
    found = paired_difference(known(), other)
    # Differences 1, 2, 3: mean 2, standard error 1 / sqrt(3), t of 2 degrees 4.3027.
    assert found.mean == pytest.approx(2.0)
    assert found.low == pytest.approx(2.0 - 4.302653 / math.sqrt(3), abs=1e-5)
    assert found.high == pytest.approx(2.0 + 4.302653 / math.sqrt(3), abs=1e-5)


def test_of_one_transition_there_is_no_interval() -> None:
    one = Likelihood(log_probs=(-1.0,), types=("opened",))
    found = paired_difference(one, one)
    assert (found.mean, found.low, found.high) == (0.0, None, None)


def test_other_transitions_cannot_be_compared() -> None:
    other = Likelihood(log_probs=(-1.0, -1.0, -1.0), types=("standing",) * 3)
    with pytest.raises(ValueError, match="must be of the same transitions"):
        paired_difference(known(), other)


def test_what_was_written_is_read_again() -> None:
    assert Likelihood.from_json(known().to_json()) == known()
    with pytest.raises(DataError, match="A likelihood cannot be read"):
        Likelihood.from_json({"log_probs": [-1.0], "types": []})
