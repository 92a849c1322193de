"""What the data say about themselves."""

import gc
import weakref
from dataclasses import replace

import numpy as np
import pytest

from cwm.core.proposals import Task
from cwm.core.spaces import BoxSpec, DictSpec, DiscreteSpec, NestedSpec, TextSpec
from cwm.core.trajectories import Transition
from prompts import facts
from prompts.facts import data_facts, task_facts
from tests.support.prompt_tasks import (
    corridor_task_with_actions,
    task_of,
    task_of_values,
    wide_task,
)
from tests.support.tasks import ACTION_SPACE, corridor_task


def lines_of(task: Task) -> list[str]:
    return task_facts(task).splitlines()


def test_corridor_has_these_facts() -> None:
    assert lines_of(corridor_task()) == [
        "Recorded transitions: 9, in 2 trajectories. Ended in a terminal state: 2; cut "
        "off by a time limit: 0. Where they contradict the documentation, they are "
        "right.",
        "Rewards that occur: 0.0 (7 times), 1.0 (2 times).",
        "Rewards of transitions that terminated: 1.0 (2 times).",
        "Actions that occur: 0 (2 times), 1 (7 times).",
        "Numbers of an observation, before and after a step:",
        "- observation[0]: one of 0.0, 1.0, 2.0, 3.0; 88.9% of the steps change it",
        "- observation[1]: one of -1.0, 0.0, 1.0; 44.4% of the steps change it",
    ]


def test_time_limit_is_counted_apart_from_termination() -> None:
    steps = [Transition(0, 0, 1, 0.0, False, True)]
    assert (
        "in 1 trajectory. Ended in a terminal state: 0; cut off by a time limit: 1 "
        "(the world model has none)."
    ) in lines_of(task_of(steps, DiscreteSpec(3)))[0]
    both = [Transition(0, 0, 1, 0.0, True, True)]
    assert (
        "state: 1; cut off by a time limit: 0."
        in lines_of(task_of(both, DiscreteSpec(3)))[0]
    )


def test_many_different_rewards_are_a_range() -> None:
    steps = [Transition(0, 0, 0, float(n), n == 19, False) for n in range(20)]
    lines = lines_of(task_of(steps, DiscreteSpec(3)))
    assert lines[1] == "Rewards that occur: 20 different ones from 0.0 to 19.0."
    assert lines[2] == "Rewards of transitions that terminated: 19.0 (once)."


def test_constant_reward_is_said_once() -> None:
    steps = [Transition(0, 0, 0, 1.0, n == 2, False) for n in range(3)]
    text = task_facts(task_of(steps, DiscreteSpec(3)))
    assert "Rewards that occur: 1.0 (3 times)." in text
    assert "that terminated" not in text


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([2.5] * 5, "always 2.5"),
        ([0.0, 1.0] * 5, "one of 0.0, 1.0"),
        (list(range(20)), "from 0.0 to 19.0; whole numbers"),
        (np.linspace(-1, 1, 20).tolist(), "from -1.0 to 1.0"),
        (
            [*np.linspace(-1, 1, 20).tolist(), 1.0, 1.0],
            "from -1.0 to 1.0; exactly 1.0 in 5 of 42 cases; 90.5% of the steps "
            "change it",
        ),
        (
            [float("nan"), *np.linspace(-1, 1, 20).tolist()],
            "from -1 to 1, 1 of them not finite",
        ),
    ],
    ids=["constant", "few", "whole", "real", "limit", "not finite"],
)
def test_number_is_described_by_what_is_special_about_it(
    values: list[float], expected: str
) -> None:
    observations = [np.array([value]) for value in values]
    lines = lines_of(task_of_values(observations, BoxSpec((1,), "float64")))
    assert lines[-1] == f"- observation[0]: {expected}"


def test_number_that_no_step_changes_is_named_as_such() -> None:
    task = task_of_values([0, 1, 2, 0], DiscreteSpec(3))
    still = replace(task.train, next_observations=task.train.observations)
    assert lines_of(replace(task, train=still))[-1] == (
        "- observation: one of 0, 1, 2; no step changes it"
    )


def test_codes_say_how_many_of_them_occur() -> None:
    lines = lines_of(task_of_values([0, 7, 3, 9, 4, 1, 9, 0, 2], DiscreteSpec(10)))
    assert lines[-1] == "- observation: from 0 to 9; 7 different values"


def test_codes_that_are_all_different_are_a_range() -> None:
    task = task_of([Transition(0, 0, 1, 0.0, False, False)], DiscreteSpec(99))
    codes = np.arange(9)
    train = replace(
        task.train.select([0] * 9),
        observations={"": codes},
        next_observations={"": codes + 20},
    )
    assert lines_of(replace(task, train=train))[-1] == "- observation: from 0 to 28"


def test_neighbours_with_the_same_facts_share_a_line() -> None:
    observations = [np.array([0.0, 0.0, 0.0, n]) for n in (1.0, 2.0)]
    lines = lines_of(task_of_values(observations, BoxSpec((4,), "float64")))
    assert lines[-2:] == [
        "- observation[0] to observation[2]: always 0.0",
        "- observation[3]: one of 1.0, 2.0",
    ]


def test_wide_observation_is_told_by_runs_of_like_numbers() -> None:
    task = wide_task()
    steps = [task.train.transition(row) for row in range(1, 20)]
    lines = lines_of(task_of(steps, task.observation_space, task.action_space))
    where = lines.index("Numbers of an observation, before and after a step:")
    names = [line.partition(":")[0] for line in lines[where + 1 :]]
    assert names == [
        "- observation[0] to observation[39]",
        "- observation[40] to observation[49]",
        "- observation[50] to observation[59]",
    ]
    assert lines[where + 2].endswith(": all 2.5")
    assert lines[where + 3].endswith("; whole numbers")
    assert any(line.startswith("Actions that occur: elements from -") for line in lines)


def test_more_lines_than_can_be_shown_are_counted() -> None:
    values = [np.arange(24.0) ** 2 + step for step in range(2)]
    pair = {"a": values[0], "b": values[0] + 0.5}, {"a": values[1], "b": values[1] * 2}
    space = BoxSpec((24,), "float64")
    task = task_of_values(list(pair), DictSpec((("a", space), ("b", space))))
    lines = lines_of(task)
    shown = [line for line in lines if line.startswith("- observation/")]
    assert len(shown) == facts.MAX_LINES - 1
    assert lines[-1] == "- 25 more lines like these left out"


def test_elements_of_a_matrix_are_named_by_row_and_column() -> None:
    values = [np.zeros((30, 2), np.uint8), np.ones((30, 2), np.uint8)]
    assert lines_of(task_of_values(values, BoxSpec((30, 2), "uint8")))[-1] == (
        "- observation[0,0] to observation[29,1]: from 0 to 1, 60 of them 0"
    )


def test_text_is_told_by_its_number_and_length() -> None:
    space = DictSpec((("seen", TextSpec()), ("grid", NestedSpec())))
    values = [{"seen": "a door", "grid": [["x"]]}, {"seen": "", "grid": [["x"]]}]
    assert lines_of(task_of_values(values, space))[-2:] == [
        "- observation/seen: 2 different texts of 0 to 6 characters",
        "- observation/grid: 1 different texts of 7 to 7 characters",
    ]


@pytest.mark.parametrize(
    ("action_space", "actions", "expected"),
    [
        (TextSpec(), ["go", "go", "stay"], "2 different ones"),
        (DiscreteSpec(50), list(range(20)), "from 0 to 19, 1 of them 0"),
        (
            DictSpec((("a", DiscreteSpec(2)), ("b", BoxSpec((2,), "float32")))),
            [{"a": 1, "b": np.array([0.5, 1.0])}],
            "action/a: 1 (once); action/b: elements from 0.5 to 1",
        ),
        (BoxSpec((0,), "float32"), [np.zeros(0)], ""),
    ],
    ids=["text", "many", "dict", "empty"],
)
def test_actions_of_any_space_are_summarised(
    action_space: object, actions: list[object], expected: str
) -> None:
    steps = [Transition(0, action, 0, 0.0, False, False) for action in actions]
    text = task_facts(task_of(steps, DiscreteSpec(2), action_space))
    assert f"Actions that occur: {expected}." in text


def test_legal_actions_are_counted() -> None:
    assert (
        "After a step, 1 to 2 actions are legal; 2 different sets of legal actions "
        "occur."
    ) in lines_of(corridor_task_with_actions())
    assert "legal" not in task_facts(corridor_task())


def test_stochastic_task_says_how_often_outcomes_differ() -> None:
    steps = [
        Transition(0, 0, 1, 0.0, False, False),
        Transition(1, 0, 0, 0.0, False, False),
        Transition(0, 0, 2, 0.0, False, False),
        Transition(2, 1, 1, 0.0, False, False),
        Transition(1, 0, 0, 0.0, False, False),
    ]
    task = task_of(steps, DiscreteSpec(3))
    expected = (
        "2 pairs of observation and action occur more than once; 1 of them with "
        "different outcomes."
    )
    assert expected not in task_facts(task)
    assert expected in task_facts(replace(task, is_stochastic=True))


def test_facts_are_worked_out_once_in_a_tasks_life(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = []

    def counting(*args: object, **kwargs: object) -> str:
        calls.append(args)
        return data_facts(*args, **kwargs)

    monkeypatch.setattr(facts, "data_facts", counting)
    first, second = corridor_task(), corridor_task(is_stochastic=True)
    assert task_facts(first) == task_facts(first) != task_facts(second)
    assert len(calls) == 2
    gone = weakref.ref(first)
    gc.collect()  # Tasks of other tests.
    before = len(facts._REMEMBERED)
    del first
    calls.clear()
    gc.collect()
    assert gone() is None
    assert len(facts._REMEMBERED) == before - 1


def test_facts_of_another_task_at_the_same_place_are_not_taken() -> None:
    task, other = corridor_task(), corridor_task()
    facts._REMEMBERED[id(task)] = (weakref.ref(other), "of another")
    assert task_facts(task) == task_facts(other) != "of another"


def test_empty_observation_space_has_no_numbers() -> None:
    values = [np.zeros(0, np.float32)] * 2
    text = task_facts(task_of_values(values, BoxSpec((0,), "float32")))
    assert "Numbers of an observation" not in text
    assert ACTION_SPACE.num_values == 2
