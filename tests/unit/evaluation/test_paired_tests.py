import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cwm.evaluation import paired_tests
from cwm.evaluation.paired_tests import (
    mean_interval,
    paired_test,
    sign_flip_p,
    wilcoxon_p,
)


def test_the_mean_is_that_of_the_groups() -> None:
    # A task with more seeds weighs no more.
    found = mean_interval([[0.0, 0.0, 0.0], [1.0], []], seed=0)
    assert found is not None
    assert found.value == 0.5
    assert mean_interval([], seed=0) is None
    assert mean_interval([[]], seed=0) is None


def test_seeds_of_one_task_are_no_evidence_about_tasks() -> None:
    # Five tasks, ever so many seeds: the interval stays as wide as five tasks make it.
    # Of a binomial share of 5 with p = 2/5: 95 % are between 0 and 4/5.
    found = mean_interval([[0.0] * 50] * 3 + [[1.0] * 50] * 2, seed=0)
    assert found is not None
    assert (found.low, found.high) == (0.0, 0.8)


@pytest.mark.parametrize(
    ("groups", "has_interval"),
    [
        ([[0.977]], False),
        ([[0.0, 1.0, 0.0, 1.0]], False),
        ([[0.0, 1.0, 0.0, 1.0, 0.5]], True),
        # Many seeds do not make up for few tasks.
        ([[0.0, 1.0] * 10] * 4, False),
        ([[0.0], [1.0], [0.5], [0.25], [], [0.75]], True),
    ],
)
def test_so_few_have_no_interval(groups: list[list[float]], has_interval: bool) -> None:
    found = mean_interval(groups, seed=0)
    assert found is not None
    assert (found.low is not None, found.high is not None) == (has_interval,) * 2


def test_seeds_are_resampled_within_a_task() -> None:
    found = mean_interval([[0.0, 1.0] * 8], seed=0)
    assert found is not None
    # Of a binomial share of 16 with p = 1/2: 95 % are between 4/16 and 12/16.
    assert (found.low, found.high) == (0.25, 0.75)


def test_many_groups_are_resampled_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = [[0.1 * i, 0.2 * i] for i in range(7)]
    monkeypatch.setattr(paired_tests, "_CHUNK", 1_000)
    found = mean_interval(groups, seed=3)
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.value < found.high
    assert found == mean_interval(groups, seed=3)


def test_sign_flips_are_counted_by_hand() -> None:
    # Sums of (+-1, +-2, +-3): |sum| >= 6 for 2 of 8.
    assert sign_flip_p(np.array([1.0, 2.0, 3.0]), seed=0) == 2 / 8
    # Of (1, 2, -3) the sum is 0, and every other one is as far.
    assert sign_flip_p(np.array([1.0, 2.0, -3.0]), seed=0) == 1.0
    # |sum| >= 4 of (3, 2, -1): +-6, +-4 are.
    assert sign_flip_p(np.array([3.0, 2.0, -1.0]), seed=0) == 4 / 8
    assert sign_flip_p(np.array([0.0, 0.0]), seed=0) == 1.0


def test_random_flips_come_near_to_all_of_them() -> None:
    values = np.random.default_rng(0).normal(0.6, 1.0, size=14)
    exact = sign_flip_p(values, seed=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paired_tests, "MAX_EXACT", 0)
        drawn = sign_flip_p(values, seed=0)
        # All of one sign: no random flip is as far, and p is not 0.
        assert 0 < sign_flip_p(np.full(40, 1.0), seed=0) < 1e-4
    assert drawn == pytest.approx(exact, abs=0.005)


def test_signed_ranks_are_counted_by_hand() -> None:
    # Ranks 1..5 all of one sign: 2 of 32 ways.
    assert wilcoxon_p(np.array([1.0, 2.0, 3.0, 4.0, 5.0])) == pytest.approx(2 / 32)
    # Zeros are left out.
    values = np.array([0.0, 1.0, 2.0, 3.0, 4.0, 5.0])
    assert wilcoxon_p(values) == pytest.approx(2 / 32)
    assert wilcoxon_p(np.zeros(3)) is None


def test_wins_ties_and_losses_are_counted() -> None:
    found = paired_test({"a": [0.5, 1e-15], "b": [-0.25, 0.5]}, seed=0)
    assert found is not None
    counts = (found.num_pairs, found.num_wins, found.num_ties, found.num_losses)
    assert counts == (4, 2, 1, 1)
    # (0.25 + 0.125) / 2: the mean of the means of the tasks.
    assert found.mean.value == pytest.approx(0.1875)
    assert found.smallest_p == 2 / 8
    assert paired_test({}, seed=0) is None


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=8))
@settings(deadline=None, max_examples=50)
def test_flipping_all_signs_changes_no_p(whole: list[int]) -> None:
    values = np.array(whole, dtype=np.float64)
    found = sign_flip_p(values, seed=1)
    assert found == sign_flip_p(-values, seed=1)
    assert found >= min(1.0, 2.0 ** (1 - np.count_nonzero(values)))
    assert wilcoxon_p(values) == pytest.approx(wilcoxon_p(-values))
