"""The models that `benchmarks.planning` asks: one program, held in several ways.

bare      the program's class itself, without checks or copies
program   as it is beside a planner in the sandbox, but in this process
batch     the same of a program with `step_batch`
sandbox   program and planner in a sandbox (made where it is timed)
true      the environment itself (`envs.true_model`)
"""

from collections.abc import Callable, Hashable
from typing import Any

import numpy as np

from benchmarks.evaluation_throughput import PROGRAM as CARTPOLE
from benchmarks.sandbox_sessions import BATCHED as CARTPOLE_BATCHED
from cwm.core.protocols import StepResult, WorldModel
from cwm.core.spaces import SpaceSpec, Value
from cwm.evaluation.inside_model import ProgramModel, inside_model, observation_key
from cwm.programs.model_inside import Model
from cwm.programs.rollouts import model_spec

PENDULUM = """
import math
import numpy as np


class Environment:
    def __init__(self):
        self.max_speed = 8.0
        self.max_torque = 2.0
        self.dt = 0.05
        self.state = (0.0, 0.0)

    def set_state(self, observation):
        cosine, sine, speed = observation.tolist()
        self.state = (math.atan2(sine, cosine), speed)

    def step(self, action):
        angle, speed = self.state
        torque = min(max(float(action[0]), -self.max_torque), self.max_torque)
        reward = -(angle**2 + 0.1 * speed**2 + 0.001 * torque**2)
        speed = speed + (15.0 * math.sin(angle) + 3.0 * torque) * self.dt
        speed = min(max(speed, -self.max_speed), self.max_speed)
        angle = angle + speed * self.dt
        self.state = (angle, speed)
        observation = [math.cos(angle), math.sin(angle), speed]
        return np.array(observation, dtype=np.float32), reward, False
"""

PENDULUM_BATCHED = (
    PENDULUM
    + """
    def step_batch(self, states, actions):
        cosine, sine, speed = states.astype(np.float64).T
        angle = np.arctan2(sine, cosine)
        torque = np.clip(
            actions[:, 0].astype(np.float64), -self.max_torque, self.max_torque
        )
        rewards = -(angle**2 + 0.1 * speed**2 + 0.001 * torque**2)
        speed = speed + (15.0 * np.sin(angle) + 3.0 * torque) * self.dt
        speed = np.clip(speed, -self.max_speed, self.max_speed)
        angle = angle + speed * self.dt
        following = np.stack([np.cos(angle), np.sin(angle), speed], axis=1)
        return (
            following.astype(np.float32),
            rewards,
            np.zeros(len(states), dtype=np.bool_),
        )
"""
)

PROGRAMS = {
    "CartPole-v1": (CARTPOLE, CARTPOLE_BATCHED),
    "Pendulum-v1": (PENDULUM, PENDULUM_BATCHED),
}
"""For each environment a program, and the same with `step_batch`."""


class BareModel:
    """A program's class as a world model, and nothing between; trusted code.

    Args:
        source: The program.
    """

    def __init__(self, source: str) -> None:
        self._environment = loader(source)()["Environment"]()

    def step(self, state: Any, action: Value, rng: np.random.Generator) -> StepResult:
        """Returns the outcome of one step."""
        self._environment.set_state(state)
        observation, reward, terminated = self._environment.step(action)
        return StepResult(observation, observation, reward, terminated)

    def legal_actions(self, state: Any) -> None:
        """Returns `None`: everything is legal."""
        return

    def state_key(self, state: Any) -> Hashable | None:
        """Returns what an observation is told apart by."""
        return observation_key(state)


def loader(source: str) -> Callable[..., dict[str, Any]]:
    """Returns what executes a benchmark's own program and returns its names."""

    def load() -> dict[str, Any]:
        namespace: dict[str, Any] = {}
        exec(source, namespace)  # noqa: S102 - one of the texts above
        return namespace

    return load


def program_model(
    source: str, observation_space: SpaceSpec, action_space: SpaceSpec
) -> WorldModel:
    """Returns a program as planners beside it have it, in this process."""
    spec = model_spec(source, observation_space, action_space, 0)
    return inside_model(ProgramModel(Model(loader(source), spec)))
