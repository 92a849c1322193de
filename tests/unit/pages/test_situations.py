from dataclasses import replace

import numpy as np
import pytest

from cwm.core.predictions import Predictions
from cwm.core.spaces import BoxSpec
from cwm.core.trajectories import TransitionBatch
from cwm.pages.situations import heat_map, situations
from tests.support.corridor import corridor_dataset

DATASET = corridor_dataset()
TRAIN = DATASET.batch("train")


def predictions(batch: TransitionBatch, **changes: object) -> Predictions:
    true = Predictions(
        next_observations=batch.next_observations,
        rewards=batch.rewards,
        terminated=batch.terminated,
        valid=np.ones(len(batch), dtype=np.bool_),
        messages={},
    )
    return replace(true, **changes)  # type: ignore[arg-type]


def masks(batch: TransitionBatch) -> dict[str, list[int]]:
    return {
        one.name: np.flatnonzero(one.mask).tolist() for one in situations(batch, TRAIN)
    }


def test_situations_of_the_corridor_can_be_counted() -> None:
    # Actions 1 0 0 1 1 0 1 1 0 1 1; the last of the 11 steps reaches the goal.
    found = masks(TRAIN)
    assert found["action 0"] == [1, 2, 5, 8]
    assert found["action 1"] == [0, 3, 4, 6, 7, 9, 10]
    assert found["last step"] == [10]
    assert found["≤ 5 steps before"] == [5, 6, 7, 8, 9]
    assert found["reward not 0"] == [10]
    assert found["never in training"] == []
    times = [rows for name, rows in found.items() if name.startswith("step")]
    assert sorted(row for rows in times for row in rows) == list(range(11))


def test_steps_before_the_end_are_of_the_same_episode() -> None:
    # The second of two episodes is one step long.
    batch = TRAIN.select([8, 9, 10, 10])
    batch = replace(batch, trajectory=np.array([0, 0, 0, 1]))
    assert masks(batch)["≤ 5 steps before"] == [0, 1]


def test_states_that_training_never_had_are_told() -> None:
    train = TRAIN.select([0, 1])  # It was in the cells 0 and 1.
    found = {one.name: one.mask.sum() for one in situations(TRAIN, train)}
    starts = np.asarray(TRAIN.observations[""])
    assert found["never in training"] == (starts > 1).sum()


def test_real_actions_are_told_in_thirds_and_real_states_by_their_edges() -> None:
    values = np.linspace(0, 1, 9, dtype=np.float32).reshape(-1, 1)
    space = BoxSpec(shape=(1,), dtype="float32", low=(0.0,), high=(1.0,))
    batch = replace(
        TRAIN.select(range(9)),
        observation_space=space,
        action_space=space,
        observations={"": values},
        next_observations={"": values},
        actions={"": values},
    )
    train = replace(batch, observations={"": values / 2})
    found = {one.name: int(one.mask.sum()) for one in situations(batch, train)}
    assert found["action[0] ≤ 0.333"] == 3
    assert found["action[0] between"] == 3
    assert found["action[0] > 0.667"] == 3
    assert found["beyond training"] == 4  # 0.625 to 1.


def test_a_perfect_program_is_right_everywhere() -> None:
    found = heat_map("train", [predictions(TRAIN)], TRAIN, train=TRAIN)
    counts = tuple(float(total) for _, _, total in found.situations)
    assert set(found.right) == {counts}
    assert found.parts == ("everything", "observation", "reward", "terminated")


def test_a_program_that_never_ends_is_wrong_at_the_end_only() -> None:
    never = predictions(TRAIN, terminated=np.zeros(11, dtype=np.bool_))
    found = heat_map("train", [never], TRAIN, train=TRAIN)
    names = [name for _, name, _ in found.situations]
    ended = dict(zip(names, found.right[found.parts.index("terminated")], strict=True))
    assert (ended["all"], ended["last step"], ended["action 0"]) == (10.0, 0.0, 4.0)
    assert found.right[0] == found.right[3]
    assert found.right[1][0] == 11.0


def test_of_several_draws_the_mean_counts() -> None:
    never = predictions(TRAIN, terminated=np.zeros(11, dtype=np.bool_))
    draws = [predictions(TRAIN), never]
    found = heat_map("train", draws, TRAIN, train=TRAIN)
    names = [name for _, name, _ in found.situations]
    assert found.right[3][names.index("last step")] == pytest.approx(0.5)


def test_situations_without_a_transition_are_left_out() -> None:
    batch = TRAIN.select([0, 1, 2])
    found = heat_map("some", [predictions(batch)], batch, train=TRAIN)
    assert "last step" not in {name for _, name, _ in found.situations}
