"""Short recordings of real environments, for tests of scoring and evaluation."""

from functools import cache

import gymnasium
import numpy as np

from cwm.core.proposals import Task
from cwm.core.spaces import BoxSpec, DiscreteSpec, SpaceSpec
from cwm.core.trajectories import (
    Trajectory,
    Transition,
    TransitionBatch,
    batch_trajectories,
    make_trajectory,
)


def spec_of(space: gymnasium.Space) -> SpaceSpec:
    if isinstance(space, gymnasium.spaces.Discrete):
        return DiscreteSpec(int(space.n))
    assert isinstance(space, gymnasium.spaces.Box)
    return BoxSpec(space.shape, str(space.dtype))


@cache
def record(
    env_id: str, *, num_episodes: int = 5, max_steps: int = 60, seed: int = 0
) -> TransitionBatch:
    """Returns transitions under random actions."""
    env = gymnasium.make(env_id)
    env.action_space.seed(seed)
    observation_space = spec_of(env.observation_space)
    action_space = spec_of(env.action_space)
    trajectories: list[Trajectory] = []
    for episode in range(num_episodes):
        observation, _ = env.reset(seed=seed + episode)
        steps: list[Transition] = []
        while len(steps) < max_steps:
            action = env.action_space.sample()
            following, reward, terminated, truncated, _ = env.step(action)
            steps.append(
                Transition(
                    plain(observation),
                    plain(action),
                    plain(following),
                    float(reward),
                    bool(terminated),
                    bool(truncated),
                )
            )
            observation = following
            if terminated or truncated:
                break
        trajectories.append(
            make_trajectory(
                steps, observation_space=observation_space, action_space=action_space
            )
        )
    env.close()
    return batch_trajectories(trajectories, observation_space, action_space)


def plain(value: object) -> object:
    return int(value) if isinstance(value, int | np.integer) else value


def task_of(batch: TransitionBatch, *, is_stochastic: bool = False) -> Task:
    """Returns the task that a batch is the training data of."""
    return Task(
        environment_id="recorded",
        description="",
        observation_space=batch.observation_space,
        action_space=batch.action_space,
        train=batch,
        is_stochastic=is_stochastic,
    )


CARTPOLE = """
import math
import numpy as np

TAU = 0.02
FORCE = 10.0
GRAVITY = 9.8


class Environment:
    def set_state(self, observation):
        self.state = tuple(observation.tolist())

    def step(self, action):
        x, x_dot, theta, theta_dot = self.state
        force = FORCE if action == 1 else -FORCE
        cosine, sine = math.cos(theta), math.sin(theta)
        temp = (force + 0.05 * theta_dot**2 * sine) / 1.1
        theta_acc = (GRAVITY * sine - cosine * temp) / (
            0.5 * (4.0 / 3.0 - 0.1 * cosine**2 / 1.1)
        )
        x_acc = temp - 0.05 * theta_acc * cosine / 1.1
        x, x_dot = x + TAU * x_dot, x_dot + TAU * x_acc
        theta, theta_dot = theta + TAU * theta_dot, theta_dot + TAU * theta_acc
        terminated = abs(x) > 2.4 or abs(theta) > 12 * 2 * math.pi / 360
        self.state = (x, x_dot, theta, theta_dot)
        return np.array(self.state, dtype=np.float32), 1.0, terminated
"""

MOUNTAIN_CAR = """
import math
import numpy as np

FORCE = 0.001


class Environment:
    def set_state(self, observation):
        self.position, self.velocity = observation.tolist()

    def step(self, action):
        self.velocity += (action - 1) * FORCE + math.cos(3 * self.position) * -0.0025
        self.velocity = min(max(self.velocity, -0.07), 0.07)
        self.position = min(max(self.position + self.velocity, -1.2), 0.6)
        if self.position == -1.2 and self.velocity < 0:
            self.velocity = 0.0
        terminated = self.position >= 0.5 and self.velocity >= 0
        observation = np.array([self.position, self.velocity], dtype=np.float32)
        return observation, -1.0, terminated
"""

PENDULUM = """
import math
import numpy as np


class Environment:
    def set_state(self, observation):
        cosine, sine, self.speed = observation.tolist()
        self.angle = math.atan2(sine, cosine)

    def step(self, action):
        torque = min(max(float(action[0]), -2.0), 2.0)
        angle = (self.angle + math.pi) % (2 * math.pi) - math.pi
        cost = angle**2 + 0.1 * self.speed**2 + 0.001 * torque**2
        self.speed += (15 * math.sin(self.angle) + 3 * torque) * 0.05
        self.speed = min(max(self.speed, -8.0), 8.0)
        self.angle += self.speed * 0.05
        observation = [math.cos(self.angle), math.sin(self.angle), self.speed]
        return np.array(observation, dtype=np.float32), -cost, False
"""
