"""Small worlds for planners that search trees, with answers that are known."""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cwm.core.protocols import Context, ModelError, StepResult, ValueSpec
from cwm.core.spaces import Value


@dataclass
class TableModel:
    """States are numbers; a table says what each action leads to.

    Attributes:
        table: For each state and action the next state, reward and whether it ends.
        has_keys: Whether equal states can be told.
        failing: States and actions without an answer.
        legal: Legal actions by state; `None` for all.
        num_steps: Times it was asked.
    """

    table: dict[tuple[int, int], tuple[int, float, bool]]
    has_keys: bool = True
    failing: frozenset[tuple[int, int]] = frozenset()
    legal: dict[int, Sequence[int]] | None = None
    num_steps: int = 0

    def step(self, state: int, action: int, rng: np.random.Generator) -> StepResult:
        self.num_steps += 1
        if (state, action) in self.failing:
            raise ModelError("no answer")
        following, reward, terminated = self.table[state, action]
        return StepResult(following, following, reward, terminated)

    def legal_actions(self, state: int) -> Sequence[int] | None:
        return None if self.legal is None else self.legal[state]

    def state_key(self, state: int) -> Hashable | None:
        return state if self.has_keys else None


def random_table(
    seed: int, *, num_states: int = 6, num_actions: int = 2, end_share: float = 0.2
) -> dict[tuple[int, int], tuple[int, float, bool]]:
    """Returns a deterministic MDP with rewards that are multiples of 1/4."""
    rng = np.random.default_rng(seed)
    return {
        (state, action): (
            int(rng.integers(num_states)),
            float(rng.integers(-4, 5)) / 4,
            bool(rng.random() < end_share),
        )
        for state in range(num_states)
        for action in range(num_actions)
    }


def best_return(
    model: TableModel, state: int, horizon: int, *, discount: float, num_actions: int
) -> float:
    """Returns the highest discounted return of any sequence of actions."""
    if horizon == 0:
        return 0.0
    returns = []
    for action in range(num_actions):
        following, reward, terminated = model.table[state, action]
        after = 0.0
        if not terminated:
            after = best_return(
                model,
                following,
                horizon - 1,
                discount=discount,
                num_actions=num_actions,
            )
        returns.append(reward + discount * after)
    return max(returns)


def return_of(
    model: TableModel, state: int, actions: Sequence[int], *, discount: float
) -> float:
    """Returns the discounted return of a sequence of actions."""
    total, weight = 0.0, 1.0
    for action in actions:
        state, reward, terminated = model.table[state, action]
        total += weight * reward
        weight *= discount
        if terminated:
            break
    return total


class CliffModel:
    """The cliff: from cell 36 of 4 x 12 to cell 47; the optimum is -13."""

    def step(self, state: int, action: int, rng: np.random.Generator) -> StepResult:
        row, column = divmod(state, 12)
        rows, columns = ((-1, 0), (0, 1), (1, 0), (0, -1))[action]
        row = min(max(row + rows, 0), 3)
        column = min(max(column + columns, 0), 11)
        cell = 12 * row + column
        if row == 3 and 0 < column < 11:
            return StepResult(36, 36, -100.0, False)
        return StepResult(cell, cell, -1.0, cell == 47)

    def legal_actions(self, state: int) -> None:
        return None

    def state_key(self, state: int) -> Hashable:
        return state


class ChanceModel:
    """Two steps of chance, worked out by hand.

    In state 0, action 0 pays 1 and ends. Action 1 leads to state 1 or 2, as likely as
    not. In state 1 action 0 pays 4 and ends, action 1 nothing; in state 2 action 0
    pays nothing and ends, action 1 pays 0.5. So action 1 is worth 2.25 at discount 1.
    Who takes one sampled outcome for the only one thinks 4 or 0.5.
    """

    has_keys = True

    def step(self, state: int, action: int, rng: np.random.Generator) -> StepResult:
        if state == 0 and action == 1:
            following = 1 + int(rng.integers(2))
            return StepResult(following, following, 0.0, False)
        pay = {(0, 0): 1.0, (1, 0): 4.0, (1, 1): 0.0, (2, 0): 0.0, (2, 1): 0.5}
        return StepResult(3, 3, pay[state, action], True)

    def legal_actions(self, state: int) -> None:
        return None

    def state_key(self, state: int) -> Hashable | None:
        return state if self.has_keys else None


class CartPole:
    """The cart and pole of Gymnasium, as a program would have it."""

    def step(self, state: Any, action: int, rng: np.random.Generator) -> StepResult:
        x, x_dot, theta, theta_dot = state
        force = 10.0 if action == 1 else -10.0
        cosine, sine = math.cos(theta), math.sin(theta)
        push = (force + 0.05 * theta_dot * theta_dot * sine) / 1.1
        turn = (9.8 * sine - cosine * push) / (
            0.5 * (4.0 / 3.0 - 0.1 * cosine * cosine / 1.1)
        )
        slide = push - 0.05 * turn * cosine / 1.1
        following = (
            x + 0.02 * x_dot,
            x_dot + 0.02 * slide,
            theta + 0.02 * theta_dot,
            theta_dot + 0.02 * turn,
        )
        fallen = abs(following[0]) > 2.4 or abs(following[2]) > 0.20943951
        return StepResult(following, following, 1.0, fallen)

    def legal_actions(self, state: Any) -> None:
        return None

    def state_key(self, state: Any) -> Hashable:
        return tuple(state)


class MountainCar:
    """A car too weak to climb: -1 a step until the goal, which swinging reaches."""

    def step(self, state: Any, action: int, rng: np.random.Generator) -> StepResult:
        position, velocity = state
        velocity += (action - 1) * 0.001 - 0.0025 * math.cos(3 * position)
        velocity = min(max(velocity, -0.07), 0.07)
        position = min(max(position + velocity, -1.2), 0.6)
        if position == -1.2 and velocity < 0:
            velocity = 0.0
        following = (position, velocity)
        return StepResult(following, following, -1.0, position >= 0.5)

    def legal_actions(self, state: Any) -> None:
        return None

    def state_key(self, state: Any) -> Hashable:
        return tuple(state)


class TargetModel:
    """A point that an action in a box moves; it pays minus the distance to 0.7."""

    def step(self, state: Any, action: Value, rng: np.random.Generator) -> StepResult:
        position = float(state) + 0.5 * float(np.asarray(action).sum())
        return StepResult(position, position, -abs(position - 0.7), False)

    def legal_actions(self, state: Any) -> None:
        return None

    def state_key(self, state: Any) -> Hashable:
        return float(state)


class UniformPrior:
    """Knows nothing, and says so."""

    def evaluate(
        self, contexts: Sequence[Context], legal: Sequence[Sequence[Value]]
    ) -> list[np.ndarray]:
        return [np.full(len(a), -math.log(len(a))) for a in legal]


@dataclass
class FavouringPrior:
    """Holds one action for likely, and perhaps another for impossible."""

    likely: int
    impossible: int | None = None

    def evaluate(
        self, contexts: Sequence[Context], legal: Sequence[Sequence[Value]]
    ) -> list[np.ndarray]:
        found = []
        for actions in legal:
            weights = np.array(
                [
                    0.0 if a == self.impossible else 9.0 if a == self.likely else 1.0
                    for a in actions
                ]
            )
            with np.errstate(divide="ignore"):
                found.append(np.log(weights / weights.sum()))
        return found


@dataclass
class TableValue:
    """A value for each observation that is a number.

    Attributes:
        values: By observation; 0 where there is none.
        discount: What it says it was made with.
        scale: Rewards that 1 of it stands for.
        asked: Numbers of contexts of each call.
    """

    values: dict[int, float]
    discount: float = 1.0
    scale: float = 1.0
    asked: list[int] = field(default_factory=list)

    @property
    def spec(self) -> ValueSpec:
        return ValueSpec(discount=self.discount, scale=self.scale)

    def evaluate(self, contexts: Sequence[Context]) -> np.ndarray:
        self.asked.append(len(contexts))
        return np.array(
            [self.values.get(c.observations[-1], 0.0) for c in contexts], dtype=float
        )
