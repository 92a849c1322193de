"""Which transitions are shown."""

import numpy as np
import pytest

from cwm.core.spaces import BoxSpec, DictSpec, DiscreteSpec, SpaceSpec, TextSpec
from cwm.core.trajectories import (
    Transition,
    TransitionBatch,
    batch_trajectories,
    make_trajectory,
)
from prompts.examples import choose_examples, describe_examples
from tests.support.prompt_tasks import corridor_task_with_actions, sum_task
from tests.support.tasks import corridor_task


def long_episode(length: int, rare: int) -> TransitionBatch:
    """One action, reward 0 but for a single 1 at `rare`."""
    observation_space, action_space = BoxSpec((1,), "float64"), DiscreteSpec(2)
    steps = [
        Transition(
            observation=np.array([float(time)]),
            action=0,
            next_observation=np.array([time + 1.0]),
            reward=float(time == rare),
            terminated=False,
            truncated=False,
        )
        for time in range(length)
    ]
    trajectory = make_trajectory(
        steps, observation_space=observation_space, action_space=action_space
    )
    return batch_trajectories([trajectory], observation_space, action_space)


def test_rare_event_is_always_shown() -> None:
    assert choose_examples(long_episode(1_000, rare=617), 1) == [617]
    assert 617 in choose_examples(long_episode(1_000, rare=617), 2)


def test_transitions_that_terminate_and_every_action_are_shown() -> None:
    batch = corridor_task().train
    rows = choose_examples(batch, 4)
    assert batch.terminated[rows].any()
    assert set(batch.actions[""][rows]) == {0, 1}


def test_shown_transitions_of_one_kind_are_far_apart() -> None:
    rows = choose_examples(long_episode(1_000, rare=0), 9)
    assert rows == sorted(set(rows))
    gaps = np.diff([row for row in rows if row > 0])
    assert gaps.min() > 40


@pytest.mark.parametrize("num_examples", [1, 3, 9, 100])
def test_number_is_kept_and_never_more_than_there_are(num_examples: int) -> None:
    rows = choose_examples(long_episode(9, rare=5), num_examples)
    assert len(rows) == len(set(rows)) == min(num_examples, 9)


def test_nothing_is_shown_twice() -> None:
    batch = corridor_task().train
    rows = choose_examples(batch, 9)
    shown = [str(batch.transition(row)) for row in rows]
    # Of the nine transitions, (0, 0) and a step right occur twice, for instance.
    assert len(shown) == len(set(shown)) == 6


def test_examples_are_a_numbered_list_with_legal_actions_where_they_count() -> None:
    text = describe_examples(corridor_task_with_actions(), 1, max_value_chars=100)
    assert text == (
        "1. observation [0.0, 0.0], action 0\n"
        "   next observation [0.0, 0.0], reward 0.0, terminated False, "
        "then legal: [1]"
    )
    assert "legal" not in describe_examples(corridor_task(), 9, max_value_chars=100)


def test_no_examples_are_no_text() -> None:
    assert describe_examples(corridor_task(), 0, max_value_chars=100) == ""
    assert describe_examples(sum_task(), 5, max_value_chars=100) == ""


def test_choice_depends_on_the_data_alone() -> None:
    batch = long_episode(500, rare=3)
    assert choose_examples(batch, 8) == choose_examples(batch, 8)


@pytest.mark.parametrize(
    ("action_space", "actions"),
    [
        (TextSpec(), ["go", "stay"]),
        (BoxSpec((1,), "float32"), [np.array([-1.0]), np.array([1.0])]),
        (
            DictSpec((("a", DiscreteSpec(2)), ("b", TextSpec()))),
            [{"a": 0, "b": "x"}, {"a": 0, "b": "y"}],
        ),
    ],
    ids=["text", "box", "dict"],
)
def test_actions_of_any_space_are_told_apart(
    action_space: SpaceSpec, actions: list[object]
) -> None:
    steps = [
        Transition("a", actions[time == 7], "a", 0.0, False, False)
        for time in range(20)
    ]
    trajectory = make_trajectory(
        steps, observation_space=TextSpec(), action_space=action_space
    )
    batch = batch_trajectories([trajectory], TextSpec(), action_space)
    assert 7 in choose_examples(batch, 2)
