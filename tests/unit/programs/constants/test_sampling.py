import numpy as np
import pytest

from cwm.programs.constants.sampling import sample_rows
from tests.support.known_systems import TRUE, oscillator, recorded

BATCH = recorded(oscillator(TRUE), num_trajectories=8)


@pytest.mark.parametrize("horizon", [1, 2, 3, 5])
def test_no_process_has_what_it_is_to_predict(horizon: int) -> None:
    sample = sample_rows(BATCH, 60, horizon=horizon, seed=0)
    assert sample is not None
    for part in sample.parts:
        starts = sample.starts[part]
        seen = {(int(BATCH.trajectory[r]), int(BATCH.time[r])) for r in starts}
        due = {
            (int(BATCH.trajectory[r]), int(BATCH.time[r]) + 1)
            for row in sample.rows[part]
            for r in row
        }
        assert not seen & due


def test_all_of_a_small_batch_is_taken_once() -> None:
    sample = sample_rows(BATCH, 10_000, horizon=1, seed=0)
    assert sample is not None
    assert sorted(sample.starts.tolist()) == list(range(len(BATCH)))
    assert sorted(np.concatenate(sample.parts).tolist()) == list(range(len(BATCH)))


def test_rows_of_several_steps_are_consecutive() -> None:
    sample = sample_rows(BATCH, 30, horizon=4, seed=0)
    assert sample is not None
    assert sample.rows.shape == (len(sample.starts), 4)
    times, trajectories = BATCH.time[sample.rows], BATCH.trajectory[sample.rows]
    assert (np.diff(times, axis=1) == 1).all()
    assert (trajectories == trajectories[:, :1]).all()


def test_ends_and_what_came_before_them_are_among_few_rows() -> None:
    assert BATCH.terminated.sum() >= 2
    sample = sample_rows(BATCH, 30, horizon=1, seed=0)
    assert sample is not None
    assert len(sample.starts) == 30
    ends = np.flatnonzero(BATCH.terminated)
    assert np.isin(ends, sample.starts).all()
    assert np.isin(ends - 1, sample.starts).all()


def test_episodes_that_are_too_short_have_no_rows() -> None:
    assert sample_rows(BATCH.select([0, 1, 2]), 8, horizon=4, seed=0) is None


def test_the_same_seed_draws_the_same_rows() -> None:
    one, same, other = (
        sample_rows(BATCH, 60, horizon=1, seed=seed) for seed in (3, 3, 4)
    )
    assert one is not None
    assert same is not None
    assert other is not None
    assert one.starts.tolist() == same.starts.tolist()
    assert one.starts.tolist() != other.starts.tolist()
