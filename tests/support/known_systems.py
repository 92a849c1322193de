"""Systems whose constants are known, as programs and as recorded transitions."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from cwm.core.spaces import BoxSpec, DiscreteSpec, SpaceSpec
from cwm.core.trajectories import (
    Dataset,
    Split,
    Trajectory,
    Transition,
    TransitionBatch,
    batch_trajectories,
    make_trajectory,
)

ACTIONS = DiscreteSpec(3)

OSCILLATOR = """import math

import numpy as np


class Environment:
    def __init__(self):
        self.stiffness = {stiffness!r}
        self.friction = {friction!r}
        self.push = {push!r}
        self.max_speed = {max_speed!r}
        self.wall = {wall!r}

    def set_state(self, state):
        self.x, self.v = float(state[0]), float(state[1])

    def step(self, action):
        force = (action - 1) * self.push
        v = self.v + force - self.stiffness * math.sin(self.x) - self.friction * self.v
        v = min(max(v, -self.max_speed), self.max_speed)
        x = self.x + 0.1 * v
        terminated = bool(abs(x) > self.wall)
        return np.array([x, v], dtype=np.{dtype}), -(x**2), terminated
"""
"""A pushed rod: everything about it can be told from what it does."""

TRUE = {
    "stiffness": 0.23,
    "friction": 0.04,
    "push": 0.35,
    "max_speed": 1.2,
    "wall": 1.2,
}
GUESS = {
    "stiffness": 0.5,
    "friction": 0.1,
    "push": 0.2,
    "max_speed": 1.9,
    "wall": 0.9,
}


def oscillator(constants: dict[str, float], *, dtype: str = "float32") -> str:
    """Returns the program of the rod with some constants."""
    return OSCILLATOR.format(**constants, dtype=dtype)


def recorded(
    source: str, *, dtype: str = "float32", **settings: Any
) -> TransitionBatch:
    """Returns what a program does, in one batch; see `record`."""
    trajectories = record(source, dtype=dtype, **settings)
    return batch_trajectories(trajectories, _space(trajectories, dtype), ACTIONS)


def recorded_dataset(
    source: str, splits: Sequence[Split], *, is_stochastic: bool = False
) -> Dataset:
    """Returns what a program for the rod does, a trajectory for each of the splits."""
    trajectories = record(source, num_trajectories=len(splits))
    return Dataset(
        environment_id="rod",
        description="A rod that is pushed.",
        observation_space=_space(trajectories, "float32"),
        action_space=ACTIONS,
        trajectories=tuple(trajectories),
        splits=tuple(splits),
        is_stochastic=is_stochastic,
    )


def _space(trajectories: Sequence[Trajectory], dtype: str) -> BoxSpec:
    return BoxSpec(trajectories[0].observations[""].shape[1:], dtype)


def record(
    source: str,
    *,
    dtype: str = "float32",
    noise: float = 0.0,
    hidden: bool = False,
    num_trajectories: int = 12,
    length: int = 40,
    seed: int = 0,
    start: Callable[[np.random.Generator], np.ndarray] | None = None,
) -> list[Trajectory]:
    """Returns what a program does, as if it were an environment.

    Args:
        source: The program, of our own.
        dtype: Of observations.
        noise: Standard deviation of what is added to each observation.
        hidden: Whether the system goes on without the noise: what a step starts from
            is not known exactly then.
        num_trajectories: How many.
        length: Transitions of each, at most.
        seed: Of starts, actions and noise.
        start: Draws the first observation; two numbers within 1 if not given.
    """
    namespace: dict[str, type] = {}
    exec(source, namespace)
    environment = namespace["Environment"]()
    rng = np.random.default_rng(seed)
    first = start or (lambda drawn: drawn.uniform(-1.0, 1.0, size=2))
    space = BoxSpec(np.shape(first(rng)), dtype)
    return [
        _trajectory(
            environment,
            first(rng),
            space,
            noise=noise,
            hidden=hidden,
            length=length,
            rng=rng,
        )
        for _ in range(num_trajectories)
    ]


def _trajectory(
    environment: object,
    state: np.ndarray,
    space: BoxSpec,
    *,
    noise: float,
    hidden: bool,
    length: int,
    rng: np.random.Generator,
) -> Trajectory:
    steps = []
    observation = state.astype(space.dtype)
    action = 1
    for _ in range(length):
        action = int(rng.integers(3)) if rng.random() < 0.3 else action
        environment.set_state(state)
        state, reward, terminated = environment.step(action)
        shown = state + noise * rng.normal(size=state.shape)
        following = shown.astype(space.dtype)
        steps.append(
            Transition(observation, action, following, reward, terminated, False)
        )
        observation = following
        state = state if hidden else following
        if terminated:
            break
    spaces: dict[str, SpaceSpec] = {"observation_space": space, "action_space": ACTIONS}
    return make_trajectory(steps, **spaces)
