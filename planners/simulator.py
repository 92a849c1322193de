"""A world model as a planner uses it: counted, within a budget, failures apart."""

import functools
import math
from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from cwm.core.protocols import (
    BatchedWorldModel,
    FloatArray,
    KeyedWorldModel,
    ModelError,
    RollingWorldModel,
    RolloutBatch,
    StepResult,
    Values,
    WorldModel,
)
from cwm.core.spaces import Value


class Simulator:
    """A world model with what one decision may take of it.

    A model that makes rollouts itself, or steps many states at once, is asked for
    them together; what it says is the same as step by step, if it is deterministic.

    Attributes:
        model: The model.
        num_steps: Steps taken so far.
        num_failures: Times the model had no answer.
        max_steps: Steps that may be taken.

    Args:
        model: The model.
        rng: Handed to the model with each step.
        max_steps: Steps that may be taken; planners ask `remaining` before they
            step, and nothing is refused here.
    """

    def __init__(
        self, model: WorldModel, rng: np.random.Generator, *, max_steps: int
    ) -> None:
        self.model = model
        self.max_steps = max_steps
        self.num_steps = 0
        self.num_failures = 0
        self._rng = rng
        # Looking a protocol up takes longer than many a step.
        abilities = _abilities(type(model))
        self._keyed = cast(KeyedWorldModel, model) if abilities[0] else None
        self._batched = cast(BatchedWorldModel, model) if abilities[1] else None
        self._rolling = cast(RollingWorldModel, model) if abilities[2] else None

    @property
    def has_keys(self) -> bool:
        """Whether the model's states can be told apart by value."""
        return self._keyed is not None

    @property
    def rolls_out(self) -> bool:
        """Whether the model makes rollouts itself."""
        return self._rolling is not None

    @property
    def remaining(self) -> int:
        """Steps that may still be taken; never below 0."""
        return max(0, self.max_steps - self.num_steps)

    def step(self, state: Any, action: Value) -> StepResult | None:
        """Returns the outcome of one step; `None` if the model has no answer."""
        self.num_steps += 1
        try:
            return self.model.step(state, action, self._rng)
        except ModelError:
            self.num_failures += 1
            return None

    def step_each(
        self, states: Sequence[Any], actions: Values
    ) -> list[StepResult | None]:
        """Returns the outcomes of `N` steps that know nothing of each other."""
        if self._batched is not None and len(states) > 1:
            together = self._step_together(self._batched, states, actions)
            if together is not None:
                return together
        return [
            self.step(state, action)
            for state, action in zip(states, actions, strict=True)
        ]

    def _step_together(
        self, model: BatchedWorldModel, states: Sequence[Any], actions: Values
    ) -> list[StepResult | None] | None:
        """Returns the outcomes of `step_batch`; `None` if some row has none."""
        try:
            following, rewards, terminated = model.step_batch(
                np.asarray(states), np.asarray(actions), self._rng
            )
        except ModelError:
            return None  # Step by step shows which.
        self.num_steps += len(states)
        rows = [plain(row) for row in following]
        return [
            StepResult(row, row, reward, is_end)
            for row, reward, is_end in zip(
                rows, rewards.tolist(), terminated.tolist(), strict=True
            )
        ]

    def roll_out(self, state: Any, plans: Sequence[Values]) -> RolloutBatch:
        """Returns where `N` plans of `H` actions lead from one state.

        Args:
            state: Where all start.
            plans: `[N, H, ...]` as an array, or lists; legal wherever they lead.
        """
        if self._rolling is not None:
            rollouts = self._rolling.roll_out(state, plans, self._rng)
            self.num_steps += int(rollouts.lengths.sum() + rollouts.failed.sum())
            self.num_failures += int(rollouts.failed.sum())
            return rollouts
        if self._batched is not None and isinstance(plans, np.ndarray):
            return self._roll_out_together(self._batched, state, plans)
        return self._roll_out_singly(state, plans)

    def _roll_out_singly(self, state: Any, plans: Sequence[Values]) -> RolloutBatch:
        number, horizon = len(plans), len(plans[0])
        rewards = np.zeros((number, horizon))
        lengths = np.zeros(number, dtype=np.int64)
        terminated = np.zeros(number, dtype=np.bool_)
        failed = np.zeros(number, dtype=np.bool_)
        observations: list[list[Value]] = []
        for index, plan in enumerate(plans):
            current, seen = state, []
            for time, action in enumerate(plan):
                result = self.step(current, plain(action))
                if result is None:
                    failed[index] = True
                    break
                current = result.next_state
                seen.append(result.observation)
                rewards[index, time] = result.reward
                lengths[index] = time + 1
                if result.terminated:
                    terminated[index] = True
                    break
            observations.append(seen)
        return RolloutBatch(
            rewards=rewards,
            lengths=lengths,
            terminated=terminated,
            failed=failed,
            observations=observations,
        )

    def _roll_out_together(
        self, model: BatchedWorldModel, state: Any, plans: NDArray[Any]
    ) -> RolloutBatch:
        number, horizon = plans.shape[:2]
        first = np.asarray(state)
        current = np.broadcast_to(first, (number, *first.shape)).copy()
        # One step of all plans lies together: that is how they are made.
        actions = np.ascontiguousarray(plans.swapaxes(0, 1))
        rewards = np.zeros((horizon, number))
        observations = np.zeros((horizon, number, *first.shape), dtype=first.dtype)
        lengths = np.zeros(number, dtype=np.int64)
        terminated = np.zeros(number, dtype=np.bool_)
        failed = np.zeros(number, dtype=np.bool_)
        active: NDArray[np.int64] | slice = slice(None)  # All, until one has ended.
        for time in range(horizon):
            moved = self._step_rows(model, current, actions[time, active])
            current, rewards[time, active] = moved.states, moved.rewards
            observations[time, active] = current
            lengths[active] += ~moved.failed
            terminated[active] = moved.terminated
            failed[active] = moved.failed
            goes_on = ~(moved.terminated | moved.failed)
            if not goes_on.all():
                active = np.arange(number)[active][goes_on]
                current = current[goes_on]
                if not len(active):
                    break
        return RolloutBatch(
            rewards=np.ascontiguousarray(rewards.T),
            lengths=lengths,
            terminated=terminated,
            failed=failed,
            observations=[
                observations[:length, index]
                for index, length in enumerate(lengths.tolist())
            ],
        )

    def _step_rows(
        self, model: BatchedWorldModel, states: NDArray[Any], actions: NDArray[Any]
    ) -> "_Moved":
        """Returns one step of each row; those that fail are found singly."""
        none_failed = np.zeros(len(states), dtype=np.bool_)
        try:
            moved = _Moved(*model.step_batch(states, actions, self._rng), none_failed)
        except ModelError:
            results = [
                self.step(plain(state), plain(action))
                for state, action in zip(states, actions, strict=True)
            ]
            following = states.copy()
            for index, result in enumerate(results):
                if result is not None:
                    following[index] = result.next_state
            return _Moved(
                following,
                np.array([result.reward if result else 0.0 for result in results]),
                np.array([bool(result and result.terminated) for result in results]),
                np.array([result is None for result in results]),
            )
        self.num_steps += len(states)
        return moved

    def key(self, state: Any) -> Hashable | None:
        """Returns the model's `state_key`; `None` if it has none."""
        return None if self._keyed is None else self._keyed.state_key(state)


@functools.cache
def _abilities(kind: type) -> tuple[bool, bool, bool]:
    """Returns whether models of a type have keys, step in batches, and roll out."""
    return (
        issubclass(kind, KeyedWorldModel),
        issubclass(kind, BatchedWorldModel),
        issubclass(kind, RollingWorldModel),
    )


class _Moved(NamedTuple):
    """One step of several rows.

    Attributes:
        states: Where each is then.
        rewards: Of each; 0 where it failed.
        terminated: Whether each has reached a terminal state.
        failed: Whether the model had no answer for it.
    """

    states: NDArray[Any]
    rewards: FloatArray
    terminated: NDArray[np.bool_]
    failed: NDArray[np.bool_]


def discounted_returns(rollouts: RolloutBatch, discount: float) -> FloatArray:
    """Returns the discounted sums of rewards, `[N]`; NaN where the model failed."""
    horizon = rollouts.rewards.shape[1]
    weights = discount ** np.arange(horizon, dtype=np.float64)
    # Sums of infinite rewards may be NaN; such a plan has no return either.
    with np.errstate(invalid="ignore", over="ignore"):
        returns = rollouts.rewards @ weights
    return np.where(rollouts.failed, math.nan, returns)


def plain(row: Any) -> Value:
    """Returns one row of an array of values, as a value of the space."""
    return row.item() if isinstance(row, np.generic) else row
