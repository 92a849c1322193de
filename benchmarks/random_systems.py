"""Environments drawn at random, to score induction on systems nobody has seen.

Four families, ten or more seeds each: mechanical systems with walls and speed
limits, first-order differential equations, grids (from `envs.grids`), and
decision tables over several digits. A seed fixes structure and constants.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from envs.grids import CliffGrid, TaxiGrid, TeleportGrid
from envs.spaces import space_spec
from envs.spec import EnvSpec

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class RandomSystem:
    """One drawn environment.

    Attributes:
        name: Family and seed.
        family: `mechanical`, `first_order`, `grid` or `table`.
        summary: What was drawn, in words.
        spec: How to build it.
    """

    name: str
    family: str
    summary: str
    spec: EnvSpec


class Mechanical(gymnasium.Env[FloatArray, Any]):
    """A mass on a line or a circle, with forces, an integrator, walls, a goal."""

    def __init__(self, seed: int) -> None:
        draw = np.random.default_rng([1, seed])
        self.dt = float(draw.choice([0.02, 0.05, 0.1]))
        self.spring = float(np.round(draw.uniform(0.5, 4.0), 2)) * draw.integers(0, 2)
        self.damping = float(np.round(draw.uniform(0.05, 0.5), 2)) * draw.integers(0, 2)
        self.wave = float(np.round(draw.uniform(0.5, 3.0), 1))
        self.frequency = float(draw.choice([1.0, 2.0, 3.0, 2.5]))
        self.wave_function = draw.choice(["sin", "cos"])
        self.cubic = float(np.round(draw.uniform(0.2, 1.0), 1)) * (draw.random() < 0.3)
        self.push = float(np.round(draw.uniform(1.0, 5.0), 1))
        self.scheme = str(draw.choice(["euler", "semi_implicit", "rk4"]))
        self.max_speed = float(np.round(draw.uniform(1.0, 3.0), 1))
        self.wall = float(np.round(draw.uniform(1.0, 2.0), 1))
        self.wall_kind = str(draw.choice(["stop", "bounce", "end"]))
        self.bounce = float(draw.choice([0.5, 0.8, 1.0]))
        self.reward_kind = str(draw.choice(["quadratic", "goal", "constant", "effort"]))
        self.is_discrete = bool(draw.integers(0, 2))
        self.action_space = (
            spaces.Discrete(3) if self.is_discrete else spaces.Box(-1.0, 1.0, (1,))
        )
        bound = np.array([self.wall, self.max_speed], dtype=np.float32)
        self.observation_space = spaces.Box(-bound, bound)
        self.state = np.zeros(2)

    def summary(self) -> str:
        """Returns what was drawn."""
        return (
            f"{self.scheme}, {self.wall_kind} at {self.wall}, wave "
            f"{self.wave_function}({self.frequency}x), reward {self.reward_kind}"
        )

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        """Starts near the middle."""
        super().reset(seed=seed)
        self.state = self.np_random.uniform(-0.5, 0.5, 2)
        return self.state.astype(np.float32), {}

    def force(self, state: FloatArray, push: float) -> float:
        """Returns the acceleration."""
        x, v = state
        wave = np.sin if self.wave_function == "sin" else np.cos
        return float(
            self.wave * wave(self.frequency * x)
            - self.spring * x
            - self.cubic * x**3
            - self.damping * v
            + self.push * push
        )

    def _advance(self, push: float) -> FloatArray:
        def rate(state: FloatArray) -> FloatArray:
            return np.array([state[1], self.force(state, push)])

        s, h = self.state, self.dt
        if self.scheme == "euler":
            return s + h * rate(s)
        if self.scheme == "semi_implicit":
            v = s[1] + h * rate(s)[1]
            return np.array([s[0] + h * v, v])
        k1 = rate(s)
        k2 = rate(s + 0.5 * h * k1)
        k3 = rate(s + 0.5 * h * k2)
        k4 = rate(s + h * k3)
        return s + h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)

    def step(self, action: Any) -> Any:
        """Advances by one time step."""
        push = float(action) - 1.0 if self.is_discrete else float(action[0])
        before = self.state
        x, v = self._advance(push)
        v = float(np.clip(v, -self.max_speed, self.max_speed))
        terminated = False
        if abs(x) >= self.wall:
            terminated = self.wall_kind == "end"
            if self.wall_kind == "stop":
                x, v = float(np.clip(x, -self.wall, self.wall)), 0.0
            elif self.wall_kind == "bounce":
                x, v = float(np.clip(x, -self.wall, self.wall)), -self.bounce * v
        self.state = np.array([x, v])
        reward = self._reward(before, push, terminated)
        return self.state.astype(np.float32), reward, terminated, False, {}

    def _reward(self, before: FloatArray, push: float, terminated: bool) -> float:
        if self.reward_kind == "quadratic":
            return float(-(before[0] ** 2) - 0.1 * before[1] ** 2)
        if self.reward_kind == "goal":
            return 10.0 if terminated else -1.0
        if self.reward_kind == "effort":
            return float(1.0 - 0.5 * push**2)
        return 1.0


class FirstOrder(gymnasium.Env[FloatArray, Any]):
    """A polynomial differential equation in two or three unknowns."""

    def __init__(self, seed: int) -> None:
        draw = np.random.default_rng([2, seed])
        self.size = int(draw.integers(2, 4))
        self.dt = float(draw.choice([0.02, 0.05, 0.1]))
        self.linear = np.round(draw.uniform(-1.0, 1.0, (self.size, self.size)), 2)
        self.linear *= draw.random((self.size, self.size)) < 0.6
        self.linear -= 0.5 * np.eye(self.size)
        self.pairs = [
            tuple(int(i) for i in draw.integers(0, self.size, 3))
            for _ in range(self.size)
        ]
        self.products = np.round(draw.uniform(-1.0, 1.0, self.size), 2)
        self.drive = np.round(draw.uniform(-1.0, 1.0, self.size), 1)
        self.scheme = str(draw.choice(["euler", "rk4"]))
        self.limit = float(np.round(draw.uniform(1.5, 2.5), 1))
        self.is_ending = bool(draw.integers(0, 2))
        self.action_space = spaces.Box(-1.0, 1.0, (1,))
        self.observation_space = spaces.Box(-np.inf, np.inf, (self.size,))
        self.state = np.zeros(self.size)

    def summary(self) -> str:
        """Returns what was drawn."""
        end = "ends" if self.is_ending else "clips"
        return f"{self.size} unknowns, {self.scheme}, {end} at {self.limit}"

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        """Starts near the middle."""
        super().reset(seed=seed)
        self.state = self.np_random.uniform(-1.0, 1.0, self.size)
        return self.state.astype(np.float32), {}

    def _rate(self, state: FloatArray, drive: float) -> FloatArray:
        rate = self.linear @ state + self.drive * drive
        for (target, i, j), weight in zip(self.pairs, self.products, strict=True):
            rate[target] += weight * state[i] * state[j]
        return rate

    def step(self, action: Any) -> Any:
        """Advances by one time step."""
        u, h, s = float(action[0]), self.dt, self.state
        if self.scheme == "euler":
            following = s + h * self._rate(s, u)
        else:
            k1 = self._rate(s, u)
            k2 = self._rate(s + 0.5 * h * k1, u)
            k3 = self._rate(s + 0.5 * h * k2, u)
            k4 = self._rate(s + h * k3, u)
            following = s + h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
        outside = bool(np.abs(following).max() >= self.limit)
        terminated = outside and self.is_ending
        if not self.is_ending:
            following = np.clip(following, -self.limit, self.limit)
        self.state = following
        reward = float(-np.sum(s**2) - 0.1 * u**2)
        return following.astype(np.float32), reward, terminated, False, {}


class DecisionTable(gymnasium.Env[Any, Any]):
    """Several digits, each advanced by rules on few other digits."""

    def __init__(self, seed: int) -> None:
        draw = np.random.default_rng([3, seed])
        self.sizes = tuple(int(n) for n in draw.integers(2, 6, draw.integers(2, 5)))
        self.num_actions = int(draw.integers(2, 5))
        self.tables: list[tuple[tuple[int, ...], NDArray[np.int64]]] = []
        for size in self.sizes:
            others = draw.permutation(len(self.sizes))[: draw.integers(1, 3)]
            read = tuple(sorted(int(i) for i in others))
            shape = (*(self.sizes[i] for i in read), self.num_actions)
            self.tables.append((read, draw.integers(0, size, shape)))
        self.goal = tuple(int(draw.integers(0, n)) for n in self.sizes)
        self.goal_digits = tuple(range(min(2, len(self.sizes))))
        self.is_packed = bool(draw.integers(0, 2))
        self.action_space = spaces.Discrete(self.num_actions)
        self.observation_space = (
            spaces.Discrete(int(np.prod(self.sizes)))
            if self.is_packed
            else spaces.MultiDiscrete(self.sizes)
        )
        self.digits: tuple[int, ...] = self.sizes

    def summary(self) -> str:
        """Returns what was drawn."""
        form = "one integer" if self.is_packed else "a vector"
        return f"digits {self.sizes} as {form}, {self.num_actions} actions"

    def _observation(self) -> Any:
        if self.is_packed:
            return int(np.ravel_multi_index(self.digits, self.sizes))
        return np.array(self.digits, dtype=np.int64)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        """Starts anywhere but at the goal."""
        super().reset(seed=seed)
        while True:
            self.digits = tuple(int(self.np_random.integers(n)) for n in self.sizes)
            if not self._at_goal():
                return self._observation(), {}

    def _at_goal(self) -> bool:
        return all(self.digits[i] == self.goal[i] for i in self.goal_digits)

    def step(self, action: Any) -> Any:
        """Looks every digit up."""
        self.digits = tuple(
            int(table[(*(self.digits[i] for i in read), int(action))])
            for read, table in self.tables
        )
        terminated = self._at_goal()
        reward = 10.0 if terminated else -1.0
        return self._observation(), reward, terminated, False, {}


def _grid(seed: int) -> gymnasium.Env[Any, Any]:
    draw = np.random.default_rng([4, seed])
    kind = (CliffGrid, TeleportGrid, TaxiGrid)[seed % 3]
    rows, columns = (int(n) for n in draw.integers(3, 7, 2))
    if kind is CliffGrid:
        return CliffGrid(num_rows=rows, num_columns=columns + 2)
    return kind(num_rows=rows, num_columns=columns + 1, layout_seed=seed)


_BUILDERS: dict[str, Callable[[int], gymnasium.Env[Any, Any]]] = {
    "mechanical": Mechanical,
    "first_order": FirstOrder,
    "grid": _grid,
    "table": DecisionTable,
}

FAMILIES = tuple(_BUILDERS)


def draw_system(
    family: str, seed: int, *, max_episode_steps: int = 200
) -> RandomSystem:
    """Returns the system of a family that a seed draws."""
    build = _BUILDERS[family]

    def make() -> gymnasium.Env[Any, Any]:
        return gymnasium.wrappers.TimeLimit(build(seed), max_episode_steps)

    env = make()
    inner = env.unwrapped
    summary = inner.summary() if hasattr(inner, "summary") else type(inner).__name__
    spec = EnvSpec(
        id=f"random/{family}-{seed}",
        build=make,
        description="",
        observation_space=space_spec(env.observation_space),
        action_space=space_spec(env.action_space),
        max_episode_steps=max_episode_steps,
    )
    return RandomSystem(
        name=f"{family}-{seed}", family=family, summary=str(summary), spec=spec
    )
