"""Small programs to plan with, with their spaces; each of another kind."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from cwm.core.spaces import BoxSpec, DiscreteSpec, SpaceSpec, TupleSpec, Value


@dataclass(frozen=True, kw_only=True)
class PlanningProgram:
    """A program with its spaces and an observation to start from."""

    name: str
    source: str
    observation_space: SpaceSpec
    action_space: SpaceSpec
    start: Value


_CARTPOLE = """
import math

import numpy as np


class Environment:
    def set_state(self, observation):
        self.state = observation.tolist()

    def step(self, action):
        x, v, angle, spin = self.state
        force = 10.0 if action == 1 else -10.0
        cos, sin = math.cos(angle), math.sin(angle)
        push = (force + 0.05 * spin * spin * sin) / 1.1
        turn = (9.8 * sin - cos * push) / (0.5 * (4 / 3 - 0.1 * cos * cos / 1.1))
        speed_up = push - 0.05 * turn * cos / 1.1
        x, v = x + 0.02 * v, v + 0.02 * speed_up
        angle, spin = angle + 0.02 * spin, spin + 0.02 * turn
        ends = abs(x) > 2.4 or abs(angle) > 12 * math.pi / 180
        return np.array([x, v, angle, spin], dtype=np.float32), 1.0, ends
"""

# `step_batch` rounds in other places than `step`.
_PENDULUM = """
import math

import numpy as np


class Environment:
    def set_state(self, observation):
        self.state = observation

    def step(self, action):
        push = min(max(float(action[0]), -2.0), 2.0)
        cos, sin, spin = self.state.tolist()
        angle = math.atan2(sin, cos)
        reward = -(angle**2 + 0.1 * spin**2 + 0.001 * push**2)
        spin = min(max(spin + 0.05 * (15.0 * math.sin(angle) + 3.0 * push), -8.0), 8.0)
        angle = angle + 0.05 * spin
        following = [math.cos(angle), math.sin(angle), spin]
        return np.array(following, dtype=np.float32), reward, False

    def step_batch(self, states, actions):
        push = np.clip(actions[:, 0].astype(np.float64), -2.0, 2.0)
        angle = np.arctan2(states[:, 1], states[:, 0]).astype(np.float64)
        spin = states[:, 2].astype(np.float64)
        rewards = -(angle**2 + 0.1 * spin**2 + 0.001 * push**2)
        spin = np.clip(spin + 0.05 * (15.0 * np.sin(angle) + 3.0 * push), -8.0, 8.0)
        angle = angle + 0.05 * spin
        following = np.stack([np.cos(angle), np.sin(angle), spin], axis=1)
        return following.astype(np.float32), rewards, np.zeros(len(push), dtype=bool)
"""

# Fields 0 to 24 of a square; a wall, a hole at 12, the goal at 24.
_GRID = """
class Environment:
    def set_state(self, observation):
        self.field = observation

    def step(self, action):
        row, column = divmod(self.field, 5)
        moves = ((0, 1), (1, 0), (0, -1), (-1, 0))
        row = min(max(row + moves[action][0], 0), 4)
        column = min(max(column + moves[action][1], 0), 4)
        field = 5 * row + column
        if field == 7:
            field = self.field
        if field == 12:
            return field, -10.0, True
        return field, -1.0, field == 24
"""

# The same, and a slip to the side once in five steps.
_SLIPPERY = _GRID.replace(
    "row, column = divmod",
    "if self.rng.random() < 0.2:\n"
    "            action = (action + 1) % 4\n"
    "        row, column = divmod",
)

# A sum and a number of cards; drawing beyond 21 loses.
_CARDS = """
class Environment:
    def set_state(self, observation):
        self.total, self.cards = observation

    def legal_actions(self):
        return [0, 1] if self.cards < 4 else [0]

    def step(self, action):
        if action == 0:
            return (self.total, self.cards), (self.total - 15) / 6, True
        total = self.total + int(self.rng.integers(1, 11))
        if total > 21:
            return (total, self.cards + 1), -1.0, True
        return (total, self.cards + 1), 0.0, False
"""

# The grid, with fields about which the program knows nothing.
_HOLEY = _GRID.replace(
    "row, column = divmod",
    "if self.field in (6, 18) and action == 1:\n"
    "            raise KeyError(self.field)\n"
    "        row, column = divmod",
)

_FIELDS = DiscreteSpec(25)
_MOVES = DiscreteSpec(4)

PROGRAMS = (
    PlanningProgram(
        name="cartpole",
        source=_CARTPOLE,
        observation_space=BoxSpec((4,), "float32"),
        action_space=DiscreteSpec(2),
        start=np.array([0.02, -0.3, 0.05, 0.2], dtype=np.float32),
    ),
    PlanningProgram(
        name="pendulum",
        source=_PENDULUM,
        observation_space=BoxSpec((3,), "float32"),
        action_space=BoxSpec((1,), "float32", (-2.0,), (2.0,)),
        start=np.array([-0.8, 0.6, 0.5], dtype=np.float32),
    ),
    PlanningProgram(
        name="grid",
        source=_GRID,
        observation_space=_FIELDS,
        action_space=_MOVES,
        start=0,
    ),
    PlanningProgram(
        name="slippery",
        source=_SLIPPERY,
        observation_space=_FIELDS,
        action_space=_MOVES,
        start=0,
    ),
    PlanningProgram(
        name="cards",
        source=_CARDS,
        observation_space=TupleSpec((DiscreteSpec(40), DiscreteSpec(6))),
        action_space=DiscreteSpec(2),
        start=(7, 1),
    ),
    PlanningProgram(
        name="holey",
        source=_HOLEY,
        observation_space=_FIELDS,
        action_space=_MOVES,
        start=0,
    ),
)

BY_NAME: dict[str, PlanningProgram] = {program.name: program for program in PROGRAMS}


def same_value(left: Any, right: Any) -> bool:
    """Returns whether two values are one to the last bit, types of arrays included."""
    if isinstance(left, np.ndarray | float) or isinstance(right, np.ndarray | float):
        left, right = np.asarray(left), np.asarray(right)
        return bool(left.dtype == right.dtype and left.tobytes() == right.tobytes())
    return bool(left == right)
