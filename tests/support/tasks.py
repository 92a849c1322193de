"""Small tasks whose every transition is known."""

import numpy as np

from cwm.core.proposals import Task
from cwm.core.spaces import BoxSpec, DiscreteSpec
from cwm.core.trajectories import Transition, batch_trajectories, make_trajectory

OBSERVATION_SPACE = BoxSpec((2,), "float32", (0.0, -1.0), (3.0, 1.0))
ACTION_SPACE = DiscreteSpec(2)


def corridor_task(*, is_stochastic: bool = False) -> Task:
    """A corridor of three steps: action 1 goes right, at the end it pays 1.

    The observation is the position and the last change of it.
    """
    trajectories = []
    for actions in ((1, 1, 1), (0, 1, 0, 1, 1, 1)):
        position, change = 0.0, 0.0
        steps = []
        for action in actions:
            before = np.array([position, change], dtype=np.float32)
            after = max(0.0, position + (1.0 if action == 1 else -1.0))
            position, change = after, after - position
            arrived = position == 3.0
            steps.append(
                Transition(
                    observation=before,
                    action=action,
                    next_observation=np.array([position, change], dtype=np.float32),
                    reward=float(arrived),
                    terminated=arrived,
                    truncated=False,
                )
            )
        trajectories.append(
            make_trajectory(
                steps,
                observation_space=OBSERVATION_SPACE,
                action_space=ACTION_SPACE,
            )
        )
    return Task(
        environment_id="corridor",
        description="A corridor of three cells. The goal is at its right end.",
        observation_space=OBSERVATION_SPACE,
        action_space=ACTION_SPACE,
        train=batch_trajectories(trajectories, OBSERVATION_SPACE, ACTION_SPACE),
        is_stochastic=is_stochastic,
    )


CORRIDOR_PROGRAM = '''"""A corridor of three steps."""

import numpy as np


class Environment:
    def __init__(self):
        self.position = 0.0

    def set_state(self, observation):
        self.position = float(observation[0])

    def step(self, action):
        before = self.position
        self.position = max(0.0, before + (1.0 if action == 1 else -1.0))
        change = self.position - before
        arrived = self.position == 3.0
        observation = np.array([self.position, change], dtype=np.float32)
        return observation, float(arrived), arrived
'''
