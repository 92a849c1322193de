"""What memory alone predicts, by hand."""

from dataclasses import replace

import numpy as np
import pytest

from cwm.core.predictions import Predictions
from cwm.core.spaces import BoxSpec, DiscreteSpec, SpaceSpec, Value
from cwm.core.trajectories import (
    Transition,
    TransitionBatch,
    batch_trajectories,
    make_trajectory,
)
from cwm.evaluation.nearest import nearest_neighbour
from cwm.programs.accuracy import score_draws, score_predictions
from cwm.programs.tolerances import Tolerances
from tests.support.corridor import corridor_dataset
from tests.support.prompt_tasks import corridor_task_with_actions

LINE = BoxSpec((1,), "float64")
TWO = DiscreteSpec(3)


def batch_of(
    rows: list[tuple[float, Value, float, float, bool]],
    actions: SpaceSpec = TWO,
) -> TransitionBatch:
    trajectories = [
        make_trajectory(
            [Transition(np.array([a]), action, np.array([b]), reward, end, False)],
            observation_space=LINE,
            action_space=actions,
        )
        for a, action, b, reward, end in rows
    ]
    return batch_trajectories(trajectories, LINE, actions)


TRAIN = batch_of(
    [
        (0.0, 0, -1.0, 5.0, False),
        (0.0, 1, 1.0, 6.0, False),
        (10.0, 0, 7.0, 7.0, True),
        (10.0, 1, 14.0, 8.0, False),
    ]
)


def predicted(train: TransitionBatch, batch: TransitionBatch) -> Predictions:
    (found,) = nearest_neighbour(train)(batch)
    return found


def test_it_adds_the_change_of_the_nearest_with_the_same_action() -> None:
    batch = batch_of([(1.0, 0, 0.0, 0.0, False), (9.0, 1, 0.0, 0.0, False)])
    found = predicted(TRAIN, batch)
    # 1 - 1 with the first, 9 + 4 with the last; without actions both differ.
    assert np.asarray(found.next_observations[""]).tolist() == [[0.0], [13.0]]
    assert found.rewards.tolist() == [5.0, 8.0]
    assert found.terminated.tolist() == [False, False]


def test_another_action_is_never_nearer() -> None:
    rows = [(float(place), 0, 0.0, 5.0, False) for place in range(10)]
    train = batch_of([*rows, (100.0, 1, 0.0, 9.0, False)])
    found = predicted(train, batch_of([(0.0, 1, 0.0, 0.0, False)]))
    assert found.rewards.tolist() == [9.0]


def test_a_new_action_has_all_transitions_for_neighbours() -> None:
    found = predicted(TRAIN, batch_of([(10.1, 2, 0.0, 0.0, False)]))
    assert found.rewards[0] in (7.0, 8.0)


def test_what_it_has_seen_it_repeats_exactly() -> None:
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(50, 2)) * 10.0 ** rng.integers(-8, 8, size=(50, 1))
    train = batch_of([(float(a), 0, float(b), 0.0, False) for a, b in numbers])
    found = predicted(train, train)
    expected = np.asarray(train.next_observations[""])
    assert np.array_equal(np.asarray(found.next_observations[""]), expected)
    assert score_predictions(found, train, Tolerances.from_batch(train)).strict == 1.0


def test_real_actions_are_part_of_what_is_near() -> None:
    force = BoxSpec((1,), "float64", (-1.0,), (1.0,))
    train = batch_of(
        [
            (0.0, np.array([-1.0]), -1.0, 0.0, False),
            (0.0, np.array([1.0]), 1.0, 1.0, False),
        ],
        force,
    )
    batch = batch_of([(0.0, np.array([0.6]), 0.0, 0.0, False)], force)
    assert predicted(train, batch).rewards.tolist() == [1.0]


def test_codes_are_copied_and_counted_by_hand() -> None:
    # The corridor: of the 6 held-out steps, all 6 are among the 8 of training.
    dataset = corridor_dataset()
    train, held_out = dataset.batch("train"), dataset.batch("held_out")
    tolerances = Tolerances.from_batch(train)
    whole = predicted(train, held_out)
    assert score_predictions(whole, held_out, tolerances).strict == 1.0
    # Without the step to the goal (two of the held-out ones go right from cells that
    # are left, and one to the goal), that one is copied from elsewhere.
    lacking = train.select(np.flatnonzero(train.rewards == 0.0))
    part = score_predictions(predicted(lacking, held_out), held_out, tolerances)
    assert part.strict == pytest.approx(5 / 6)


def test_legal_actions_come_from_the_neighbour() -> None:
    train = corridor_task_with_actions().train
    assert predicted(train, train).legal_actions == train.next_legal_actions
    plain = replace(train, next_legal_actions=None)
    assert predicted(plain, plain).legal_actions is None


def test_draws_go_round_the_neighbours_that_are_equally_near() -> None:
    # From 0 three times to 1 and once to 2: a coin that is remembered.
    outcomes = [1.0, 1.0, 2.0, 1.0]
    train = batch_of([(0.0, 0, after, 0.0, False) for after in outcomes])
    far = batch_of([(50.0, 0, 60.0, 0.0, False)])
    both = replace(
        train,
        **{
            name: {"": np.concatenate([getattr(b, name)[""] for b in (train, far)])}
            for name in ("observations", "actions", "next_observations")
        },
        **{
            name: np.concatenate([getattr(b, name) for b in (train, far)])
            for name in ("rewards", "terminated", "truncated", "trajectory", "time")
        },
    )
    draws = nearest_neighbour(both, num_draws=8)(train)
    drawn = [float(np.asarray(d.next_observations[""])[0, 0]) for d in draws]
    assert sorted(drawn) == [1.0] * 6 + [2.0] * 2
    score = score_draws(draws, train, Tolerances.from_batch(both))
    assert score.strict == pytest.approx(0.75 * 0.75 + 0.25 * 0.25)


def test_what_it_is_compared_with_has_no_influence() -> None:
    batch = batch_of([(1.0, 0, 0.0, 0.0, False)])
    other = batch_of([(1.0, 0, 99.0, 9.0, True)])
    first, second = predicted(TRAIN, batch), predicted(TRAIN, other)
    assert first.rewards.tolist() == second.rewards.tolist()
    assert first.terminated.tolist() == second.terminated.tolist()
