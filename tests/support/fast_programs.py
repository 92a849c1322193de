"""Small programs for tests of fast forms, and running them in this process."""

import sys
import types
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cwm.core.spaces import BoxSpec, DiscreteSpec, SpaceSpec
from cwm.programs.acceleration.tracing import Traced, trace

LINE = BoxSpec((2,), "float64")
PUSH = BoxSpec((1,), "float64")
PLACES = DiscreteSpec(12)
MOVES = DiscreteSpec(3)

CART = """
import math
import random
import numpy as np


class Environment:
    def __init__(self):
        self.mass = 2.0
        self.limit = 1.5
        self.steps = 0
        self.reset()

    def reset(self):
        self.state = (random.uniform(-1, 1), 0.0)

    def set_state(self, state):
        values = np.asarray(state, dtype=np.float64).flatten()
        self.state = tuple(float(v) for v in values)
        self.steps = 0

    def step(self, action):
        push = float(np.clip(np.asarray(action).reshape(-1)[0], -1.0, 1.0))
        x, v = self.state
        v = v + 0.1 * (push - math.sin(x)) / self.mass
        x = x + 0.1 * v
        self.state = (x, v)
        self.steps += 1
        terminated = bool(x < -self.limit or x > self.limit)
        if terminated:
            reward = -1.0
        elif abs(v) < 0.05:
            reward = 1.0
        else:
            reward = 0.5 * push ** 2
        return np.array([x, v]), reward, terminated or self.steps >= 200
"""
"""A program with branches, a method that draws and is never reached by a step."""


def load(source: str) -> dict[str, Any]:
    """Executes one of our own programs as the sandbox does; returns its names."""
    module = types.ModuleType("candidate")
    sys.modules["candidate"] = module
    exec(compile(source, "<candidate>", "exec"), module.__dict__)
    return module.__dict__


def program(step: str, *, state: str = "self.s = state", extra: str = "") -> str:
    """Returns a program from the bodies of its methods, one statement a line."""

    def body(text: str) -> str:
        lines = text.strip("\n").splitlines()
        return "\n".join(f"        {line}" for line in lines)

    return (
        "import math\nimport numpy as np\n\n\nclass Environment:\n"
        f"    def __init__(self):\n        self.s = None\n{body(extra)}\n\n"
        f"    def set_state(self, state):\n{body(state)}\n\n"
        f"    def step(self, action):\n{body(step)}\n"
    )


def traced(source: str, observations: SpaceSpec, actions: SpaceSpec) -> Traced:
    """Returns what a step of one of our own programs computes."""
    return trace(
        source, load(source), observation_space=observations, action_space=actions
    )


def fast(source: str, form: str) -> Any:
    """Returns the environment of a program with a fast form behind it."""
    text = f"{source}\n\nimport numpy as np\n\n{form}\n\nEnvironment = Fast\n"
    return load(text)["Environment"]()


def steps(
    source: str, states: NDArray[Any], actions: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Returns what single steps of a program say, row by row."""
    environment = load(source)["Environment"]()
    rows = []
    for state, action in zip(states, actions, strict=True):
        environment.set_state(state.copy() if state.ndim else int(state))
        rows.append(environment.step(action.copy() if action.ndim else int(action)))
    return (
        np.array([row[0] for row in rows]),
        np.array([row[1] for row in rows], dtype=np.float64),
        np.array([row[2] for row in rows], dtype=np.bool_),
    )


def drawn(
    observations: SpaceSpec, actions: SpaceSpec, number: int = 200, seed: int = 0
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Returns states and actions, some of them far away."""
    rng = np.random.default_rng(seed)

    def values(space: SpaceSpec) -> NDArray[Any]:
        if isinstance(space, DiscreteSpec):
            return rng.integers(0, space.num_values, number)
        assert isinstance(space, BoxSpec)
        return rng.normal(0.0, 2.0, (number, *space.shape)).astype(space.dtype)

    return values(observations), values(actions)
