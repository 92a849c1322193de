from itertools import pairwise

import numpy as np
import pytest

from cwm.core.spaces import DiscreteSpec
from cwm.core.trajectories import (
    Dataset,
    Split,
    Trajectory,
    Transition,
    batch_trajectories,
    make_trajectory,
)

STATES, ACTIONS = DiscreteSpec(10), DiscreteSpec(2)


def walk(*states: int, ends: bool = False) -> Trajectory:
    steps = [
        Transition(a, b % 2, b, float(b - a), False, False) for a, b in pairwise(states)
    ]
    steps[-1] = steps[-1]._replace(terminated=ends)
    return make_trajectory(steps, observation_space=STATES, action_space=ACTIONS)


def dataset(*splits: Split) -> Dataset:
    return Dataset(
        environment_id="Walk-v0",
        description="",
        observation_space=STATES,
        action_space=ACTIONS,
        trajectories=(walk(0, 1, 3), walk(4, 5, ends=True), walk(7, 9)),
        splits=splits,
    )


def test_a_trajectory_keeps_each_observation_once() -> None:
    trajectory = walk(0, 1, 3)
    assert np.asarray(trajectory.observations[""]).tolist() == [0, 1, 3]
    assert len(trajectory) == 2
    assert trajectory.episode_return == 3.0


def test_a_batch_pairs_observations_with_the_next_within_each_trajectory() -> None:
    batch = batch_trajectories([walk(0, 1, 3), walk(4, 5)], STATES, ACTIONS)
    assert np.asarray(batch.observations[""]).tolist() == [0, 1, 4]
    assert np.asarray(batch.next_observations[""]).tolist() == [1, 3, 5]
    assert batch.trajectory.tolist() == [0, 0, 1]
    assert batch.time.tolist() == [0, 1, 0]


def test_a_mask_and_its_indices_select_the_same_rows() -> None:
    batch = batch_trajectories([walk(0, 1, 3), walk(4, 5)], STATES, ACTIONS)
    by_mask = batch.select(np.array([False, True, True]))
    by_index = batch.select([1, 2])
    assert by_mask.rewards.tolist() == by_index.rewards.tolist() == [2.0, 1.0]
    assert by_mask.transition(0) == Transition(1, 1, 3, 2.0, False, False)


def test_an_end_in_the_middle_is_refused() -> None:
    steps = [
        Transition(0, 0, 1, 0.0, True, False),
        Transition(1, 0, 2, 0.0, False, False),
    ]
    with pytest.raises(ValueError, match="Only the last transition"):
        make_trajectory(steps, observation_space=STATES, action_space=ACTIONS)


def test_an_empty_trajectory_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 transition, got 0"):
        make_trajectory([], observation_space=STATES, action_space=ACTIONS)


def test_columns_of_different_lengths_are_refused() -> None:
    good = walk(0, 1, 3)
    with pytest.raises(
        ValueError, match="actions must have 2 rows for 2 rewards, got 1"
    ):
        Trajectory(
            observations=good.observations,
            actions={"": np.array([1])},
            rewards=good.rewards,
            terminated=good.terminated,
            truncated=good.truncated,
        )


def test_splits_partition_the_trajectories() -> None:
    data = dataset("train", "held_out", "train")
    counts = {"train": 3, "validation": 0, "held_out": 1, "planner": 0}
    assert data.num_transitions == counts
    assert len(data.batch("train")) == 3
    assert data.in_split("validation") == ()


def test_an_empty_split_has_no_batch() -> None:
    with pytest.raises(ValueError, match="'validation' of Walk-v0 has no trajectory"):
        dataset("train", "train", "train").batch("validation")


def test_each_trajectory_has_one_split() -> None:
    with pytest.raises(ValueError, match="splits must have 3 members"):
        dataset("train")
    with pytest.raises(ValueError, match="got \\['test'\\]"):
        dataset("train", "train", "test")  # type: ignore[arg-type]
