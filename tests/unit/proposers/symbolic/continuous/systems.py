"""Small systems with known equations, stepped here without any environment."""

from collections.abc import Callable

import numpy as np

from cwm.core.proposals import Task
from cwm.core.spaces import BoxSpec, DiscreteSpec, SpaceSpec
from cwm.core.trajectories import (
    Transition,
    TransitionBatch,
    batch_trajectories,
    make_trajectory,
)

Step = Callable[[np.ndarray, float], tuple[np.ndarray, float, bool]]


def box(size: int) -> BoxSpec:
    return BoxSpec((size,), "float32")


def record(
    step: Step,
    start: Callable[[np.random.Generator], np.ndarray],
    *,
    size: int,
    action_space: SpaceSpec | None = None,
    observe: Callable[[np.ndarray], np.ndarray] = lambda s: s,
    num_steps: int = 1200,
    episode_length: int = 60,
    seed: int = 0,
) -> TransitionBatch:
    """Records float32 observations of a float64 system under random actions."""
    rng = np.random.default_rng(seed)
    action_space = action_space or BoxSpec((1,), "float32", (-1.0,), (1.0,))
    trajectories = []
    total = 0
    while total < num_steps:
        state = start(rng)
        steps: list[Transition] = []
        for _ in range(episode_length):
            if isinstance(action_space, DiscreteSpec):
                action = int(rng.integers(action_space.num_values))
                value = float(action)
            else:
                action = rng.uniform(-1, 1, 1).astype(np.float32)
                value = float(action[0])
            following, reward, terminated = step(state, value)
            steps.append(
                Transition(
                    observe(state).astype(np.float32),
                    action,
                    observe(following).astype(np.float32),
                    reward,
                    terminated,
                    False,
                )
            )
            state = following
            if terminated:
                break
        total += len(steps)
        trajectories.append(
            make_trajectory(
                steps, observation_space=box(size), action_space=action_space
            )
        )
    return batch_trajectories(trajectories, box(size), action_space)


def task_of(batch: TransitionBatch, name: str = "test/System-v0") -> Task:
    return Task(
        environment_id=name,
        description="",
        observation_space=batch.observation_space,
        action_space=batch.action_space,
        train=batch,
    )


def rk4(
    rate: Callable[[np.ndarray, float], np.ndarray],
    state: np.ndarray,
    action: float,
    h: float,
) -> np.ndarray:
    k1 = rate(state, action)
    k2 = rate(state + 0.5 * h * k1, action)
    k3 = rate(state + 0.5 * h * k2, action)
    k4 = rate(state + h * k3, action)
    return state + h / 6.0 * (k1 + 2 * k2 + 2 * k3 + k4)


def hill(state: np.ndarray, action: float) -> tuple[np.ndarray, float, bool]:
    """A car on a hill: wave of frequency 2.5, a wall on the left, a goal."""
    v = float(
        np.clip(state[1] + 0.002 * action - 0.003 * np.cos(2.5 * state[0]), -1, 1)
    )
    x = state[0] + v
    if x <= -1.0:
        x, v = -1.0, 0.0
    terminated = bool(x >= 0.8)
    return np.array([x, v]), (10.0 if terminated else -1.0), terminated


def pendulum(state: np.ndarray, action: float) -> tuple[np.ndarray, float, bool]:
    """A driven pendulum with drag under one Runge-Kutta step of 0.1."""

    def rate(s: np.ndarray, u: float) -> np.ndarray:
        return np.array([s[1], -6.0 * np.sin(s[0]) - 0.25 * s[1] + 2.0 * u])

    following = rk4(rate, state, action, 0.1)
    return following, float(-(state[1] ** 2)), False


def cart(state: np.ndarray, action: float) -> tuple[np.ndarray, float, bool]:
    """A cart and a pole: two accelerations that depend on each other."""
    _, v, angle, spin = state
    push = 4.0 if action > 0.5 else -4.0
    mass = np.array([[1.0, 0.2 * np.cos(angle)], [1.6 * np.cos(angle), 1.0]])
    force = np.array([push + 0.2 * spin**2 * np.sin(angle), 12.0 * np.sin(angle)])
    a, b = np.linalg.solve(mass, force)
    following = state + 0.05 * np.array([v, a, spin, b])
    return following, 1.0, bool(abs(following[2]) > 0.5)


def parked(state: np.ndarray, action: float) -> tuple[np.ndarray, float, bool]:
    """A block pushed against a wall, where it stands still most of the time."""
    v = state[1] + 0.05 * (1.5 + 2.0 * action - 0.3 * state[1])
    x = state[0] + 0.05 * v
    if x >= 1.0:
        x, v = 1.0, 0.0
    return np.array([x, v]), 1.0, False
