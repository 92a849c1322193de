"""Small tasks of each family, and of shapes that prompts must cope with."""

from dataclasses import replace
from itertools import pairwise

import numpy as np

from cwm.core.proposals import ProgramExample, ProgramInterface, Task
from cwm.core.spaces import BoxSpec, SpaceSpec, Value
from cwm.core.trajectories import Transition, batch_trajectories, make_trajectory
from tests.support.tasks import ACTION_SPACE, corridor_task


def task_of(
    transitions: list[Transition],
    observation_space: SpaceSpec,
    action_space: SpaceSpec = ACTION_SPACE,
) -> Task:
    """A task of one trajectory."""
    trajectory = make_trajectory(
        transitions, observation_space=observation_space, action_space=action_space
    )
    return Task(
        environment_id="own",
        description="An environment.",
        observation_space=observation_space,
        action_space=action_space,
        train=batch_trajectories([trajectory], observation_space, action_space),
    )


def task_of_values(values: list[Value], observation_space: SpaceSpec) -> Task:
    """A task whose observations are these values, one after the other."""
    steps = [Transition(a, 0, b, 0.0, False, False) for a, b in pairwise(values)]
    return task_of(steps, observation_space)


def corridor_task_with_actions() -> Task:
    """The corridor, where one may go left everywhere but at its left end."""
    task = corridor_task()
    positions = task.train.next_observations[""]
    assert isinstance(positions, np.ndarray)
    legal = tuple((0, 1) if position > 0 else (1,) for position in positions[:, 0])
    return replace(task, next_legal_actions=legal)


def wide_task(num_elements: int = 60) -> Task:
    """Angles and speeds, then constants, then flags: too many to be listed."""
    space = BoxSpec((num_elements,), "float64")
    rng = np.random.default_rng(0)
    steps = []
    before = np.zeros(num_elements)
    for _ in range(20):
        after = rng.normal(size=num_elements)
        after[40:50] = 2.5
        after[50:] = rng.integers(0, 2, size=num_elements - 50)
        action = rng.uniform(-1.0, 1.0, size=30).astype(np.float32)
        reward = float(rng.normal())
        steps.append(Transition(before, action, after, reward, False, False))
        before = after
    return task_of(steps, space, BoxSpec((30,), "float32", (-1.0,), (1.0,)))


def sum_task() -> Task:
    """A program that reads numbers and writes their sum."""
    return Task.of_program(
        "sum",
        "The first line holds N, the second one N integers. Print their sum.",
        ProgramInterface(
            examples=(
                ProgramExample(input="2\n1 2\n", output="3\n"),
                ProgramExample(input="1\n-5\n", output="-5\n"),
            )
        ),
    )


def largest_gap_task() -> Task:
    """A method that is called with a list."""
    return Task.of_program(
        "largest-gap",
        "Return the largest difference of neighbours in a list; 0 if it is short.",
        ProgramInterface(
            function="Solution.largest_gap",
            examples=(ProgramExample(input="[1, 4, 2]", output="3"),),
            starter="class Solution:\n    def largest_gap(self, numbers):\n",
        ),
    )
