"""World models for tests of planners; each is small enough to know what is best."""

import math
from collections.abc import Sequence

import numpy as np

from cwm.core.protocols import Context, ModelError, StepResult, ValueSpec
from cwm.core.spaces import BoxSpec, DiscreteSpec, Value

LINE_ACTIONS = BoxSpec(shape=(1,), dtype="float64", low=(-1.0,), high=(1.0,))
CAR_ACTIONS = DiscreteSpec(3)
CORRIDOR_ACTIONS = DiscreteSpec(2)


class DoubleIntegrator:
    """A mass on a line that is pushed to the origin; states are `(place, speed)`."""

    action_space = LINE_ACTIONS
    start = np.array([2.0, 0.0])

    def step_batch(self, states, actions, rng):
        speed = states[:, 1] + 0.1 * actions[:, 0]
        place = states[:, 0] + 0.1 * speed
        rewards = -(place * place + 0.1 * speed * speed)
        following = np.stack([place, speed], axis=1)
        return following, rewards, np.zeros(len(states), dtype=bool)

    def step(self, state, action, rng):
        following, rewards, ends = self.step_batch(
            np.asarray(state)[None], np.asarray(action)[None], rng
        )
        return StepResult(following[0], following[0], float(rewards[0]), bool(ends[0]))

    def legal_actions(self, state):
        return None


class BrokenIntegrator(DoubleIntegrator):
    """Has no answer where the push is above `limit`.

    Args:
        limit: The largest push it knows.
    """

    def __init__(self, limit: float = 0.3) -> None:
        self.limit = limit

    def step_batch(self, states, actions, rng):
        if (actions[:, 0] > self.limit).any():
            raise ModelError("too strong")
        return super().step_batch(states, actions, rng)


class Corridor:
    """Cells in a row; the last is the goal and gives 1. Action 1 goes right.

    Args:
        num_cells: How many; the goal is the last.
        at_wall: Whether going left at the wall is legal.
    """

    action_space = CORRIDOR_ACTIONS
    start = 0

    def __init__(self, num_cells: int = 5, *, at_wall: bool = True) -> None:
        self.num_cells = num_cells
        self.at_wall = at_wall
        self.illegal_steps = 0

    def step(self, state, action, rng):
        if action not in self._legal(state):
            self.illegal_steps += 1
        cell = min(max(state + (1 if action == 1 else -1), 0), self.num_cells - 1)
        at_goal = cell == self.num_cells - 1
        return StepResult(cell, cell, float(at_goal), at_goal)

    def legal_actions(self, state) -> Sequence[Value] | None:
        return None if self.at_wall else self._legal(state)

    def _legal(self, state) -> Sequence[Value]:
        return (1,) if state == 0 and not self.at_wall else (0, 1)


class BatchedCorridor(Corridor):
    """The same, many cells at once."""

    def step_batch(self, states, actions, rng):
        cells = np.clip(states + np.where(actions == 1, 1, -1), 0, self.num_cells - 1)
        at_goal = cells == self.num_cells - 1
        return cells, at_goal.astype(float), at_goal


class WordCorridor(Corridor):
    """The same with words for actions, known by the model alone."""

    def step(self, state, action, rng):
        return super().step(state, int(action == "right"), rng)

    def _legal(self, state) -> Sequence[Value]:
        return (0, 1)

    def legal_actions(self, state):
        return ("left", "right") if state else ("right",)


class DeadEnd(Corridor):
    """A corridor whose cells beyond the third have no way out."""

    def legal_actions(self, state):
        return () if state >= 2 else (0, 1)


class SlipperyCorridor(Corridor):
    """A corridor where one step in four goes the other way."""

    def step(self, state, action, rng):
        slips = rng.random() < 0.25
        return super().step(state, 1 - action if slips else action, rng)


class SparseCar:
    """MountainCar: -1 a step until the goal, which takes a swing to the left first."""

    action_space = CAR_ACTIONS
    start = np.array([-0.5, 0.0])

    def step_batch(self, states, actions, rng):
        place, speed = states[:, 0], states[:, 1]
        speed = speed + (actions - 1) * 0.001 - 0.0025 * np.cos(3 * place)
        speed = np.clip(speed, -0.07, 0.07)
        place = np.clip(place + speed, -1.2, 0.6)
        speed = np.where((place <= -1.2) & (speed < 0.0), 0.0, speed)
        ends = place >= 0.5
        return np.stack([place, speed], axis=1), np.full(len(states), -1.0), ends

    def step(self, state, action, rng):
        following, rewards, ends = self.step_batch(
            np.asarray(state)[None], np.asarray([action]), rng
        )
        return StepResult(following[0], following[0], float(rewards[0]), bool(ends[0]))

    def legal_actions(self, state):
        return None


class Scalar:
    """A model without its batches, which counts its steps.

    Args:
        model: Any model.
    """

    def __init__(self, model) -> None:
        self.model = model
        self.start = model.start
        self.num_steps = 0

    def step(self, state, action, rng):
        self.num_steps += 1
        return self.model.step(state, action, rng)

    def legal_actions(self, state):
        return self.model.legal_actions(state)


class Counted(Scalar):
    """A batched model that counts its steps."""

    def step_batch(self, states, actions, rng):
        answer = self.model.step_batch(states, actions, rng)
        self.num_steps += len(states)
        return answer


class TablePrior:
    """The same probabilities wherever it is asked.

    Args:
        probabilities: By action; `None` for equal ones.
    """

    def __init__(self, probabilities: dict[Value, float] | None = None) -> None:
        self.probabilities = probabilities
        self.contexts: list[Context] = []

    def evaluate(self, contexts, legal):
        self.contexts.extend(contexts)
        return [self._logs(actions) for actions in legal]

    def _logs(self, actions):
        if self.probabilities is None:
            return np.full(len(actions), -math.log(len(actions)))
        weights = np.array([self.probabilities[action] for action in actions])
        with np.errstate(divide="ignore"):
            return np.log(weights / weights.sum())


class PlaceValue:
    """Says that the last observation itself is what is still to come.

    Args:
        discount: Declared with it.
        scale: Likewise.
    """

    def __init__(self, discount: float = 1.0, scale: float = 1.0) -> None:
        self.spec = ValueSpec(discount=discount, scale=scale)
        self.contexts: list[Context] = []

    def evaluate(self, contexts):
        self.contexts.extend(contexts)
        return np.array(
            [float(np.ravel(context.observations[-1])[0]) for context in contexts]
        )


def act(planner, model, *, num_steps: int, seed: int = 0, execute: int = 1):
    """Returns the return of planning again and again in the model itself, and steps."""
    rng = np.random.default_rng(seed)
    state, total, memory, step = model.start, 0.0, None, 0
    while step < num_steps:
        plan = planner.plan(
            model, state, rng, steps_left=num_steps - step, memory=memory
        )
        memory = plan.memory
        for action in plan.actions[:execute]:
            result = model.step(state, action, rng)
            state, total, step = result.next_state, total + result.reward, step + 1
            if result.terminated or step == num_steps:
                break
        if result.terminated:
            break
    return total, step
