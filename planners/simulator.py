"""A world model as a planner uses it: counted, within a budget, failures apart."""

import functools
import math
from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple, TypeAlias, cast, overload

import numpy as np
from numpy.typing import NDArray

from cwm.core.protocols import (
    BatchedWorldModel,
    FloatArray,
    FollowedPolicies,
    FollowingWorldModel,
    KeyedWorldModel,
    ModelError,
    Policies,
    RollingWorldModel,
    RolloutBatch,
    StepResult,
    Values,
    WorldModel,
)
from cwm.core.spaces import Value

_Rows: TypeAlias = NDArray[np.int64] | slice
"""Which of several rollouts."""


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
        self._following = cast(FollowingWorldModel, model) if abilities[3] else None

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
            return self._counted(self._rolling.roll_out(state, plans, self._rng))
        number, horizon = len(plans), len(plans[0])
        if self._batched is not None and isinstance(plans, np.ndarray):
            # One step of all plans lies together: that is how they are made.
            steps = np.ascontiguousarray(plans.swapaxes(0, 1))
            return self._roll_out_together(
                self._batched,
                state,
                (number, horizon),
                lambda t, rows, _: steps[t, rows],
            )
        return self._roll_out_singly(
            state, (number, horizon), lambda index, time, _: plain(plans[index][time])
        )

    def follow(
        self, state: Any, policies: Policies, horizon: int, *, observation: Value
    ) -> FollowedPolicies:
        """Returns where policies lead from one state.

        Args:
            state: Where all start.
            policies: What they do is legal wherever they come.
            horizon: Steps of each at most; at least 1.
            observation: What the state shows.
        """
        if self._following is not None:
            followed = self._following.follow(state, policies, horizon, self._rng)
            self._counted(followed.rollouts)
            return followed
        size = (len(policies), horizon)
        if self._batched is not None:
            record = _ActionsByTime(policies, horizon)
            rollouts = self._roll_out_together(self._batched, state, size, record.act)
            return FollowedPolicies(rollouts=rollouts, actions=record.of(rollouts))
        done: list[list[Value]] = [[] for _ in range(len(policies))]

        def act(index: int, time: int, seen: Value | None) -> Value:
            action = policies.act(index, observation if time == 0 else seen)
            done[index].append(action)
            return action

        return FollowedPolicies(
            rollouts=self._roll_out_singly(state, size, act), actions=done
        )

    def _counted(self, rollouts: RolloutBatch) -> RolloutBatch:
        self.num_steps += int(rollouts.lengths.sum() + rollouts.failed.sum())
        self.num_failures += int(rollouts.failed.sum())
        return rollouts

    def _roll_out_singly(
        self,
        state: Any,
        size: tuple[int, int],
        act: Callable[[int, int, Value | None], Value],
    ) -> RolloutBatch:
        """Returns rollouts `[N, H]`; `act` is told which, when, and what was seen."""
        number, horizon = size
        rewards = np.zeros(size)
        lengths = np.zeros(number, dtype=np.int64)
        terminated = np.zeros(number, dtype=np.bool_)
        failed = np.zeros(number, dtype=np.bool_)
        observations: list[list[Value]] = []
        for index in range(number):
            current, seen = state, []
            shown: Value | None = None
            for time in range(horizon):
                result = self.step(current, act(index, time, shown))
                if result is None:
                    failed[index] = True
                    break
                current, shown = result.next_state, result.observation
                seen.append(shown)
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
        self,
        model: BatchedWorldModel,
        state: Any,
        size: tuple[int, int],
        act: Callable[[int, "_Rows", NDArray[Any]], NDArray[Any]],
    ) -> RolloutBatch:
        """Returns rollouts `[N, H]`; `act` is told when, which, and what they see."""
        number, horizon = size
        first = np.asarray(state)
        current = np.broadcast_to(first, (number, *first.shape)).copy()
        rewards = np.zeros((horizon, number))
        observations = np.zeros((0, *current.shape), dtype=current.dtype)
        lengths = np.full(number, horizon, dtype=np.int64)
        terminated = np.zeros(number, dtype=np.bool_)
        failed = np.zeros(number, dtype=np.bool_)
        active: _Rows = slice(None)  # All, until one has ended.
        for time in range(horizon):
            moved = self._step_rows(model, current, act(time, active, current))
            if time == 0:
                shape = (horizon, *moved.states.shape)
                observations = np.zeros(shape, dtype=moved.states.dtype)
            rewards[time, active] = moved.rewards
            observations[time, active] = moved.states
            current = observations[time, active]
            has_ended = moved.terminated
            if moved.failed is not None:
                has_ended = has_ended | moved.failed
            if has_ended.any():
                rows = np.arange(number)[active]
                ended = rows[has_ended]
                terminated[ended] = moved.terminated[has_ended]
                lengths[ended] = time + 1
                if moved.failed is not None:
                    failed[rows] = moved.failed
                    lengths[rows[moved.failed]] = time
                active = rows[~has_ended]
                current = current[~has_ended]
                if not len(active):
                    break
        return RolloutBatch(
            rewards=np.ascontiguousarray(rewards.T),
            lengths=lengths,
            terminated=terminated,
            failed=failed,
            observations=_ByRollout(observations, lengths),
        )

    def _step_rows(
        self, model: BatchedWorldModel, states: NDArray[Any], actions: NDArray[Any]
    ) -> "_Moved":
        """Returns one step of each row; those that fail are found singly."""
        try:
            moved = _Moved(*model.step_batch(states, actions, self._rng))
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
def _abilities(kind: type) -> tuple[bool, bool, bool, bool]:
    """Returns whether models of a type have keys, batches, rollouts and policies."""
    return (
        issubclass(kind, KeyedWorldModel),
        issubclass(kind, BatchedWorldModel),
        issubclass(kind, RollingWorldModel),
        issubclass(kind, FollowingWorldModel),
    )


class _ActionsByTime:
    """What policies do, step by step.

    Args:
        policies: The policies.
        horizon: Steps of each at most.
    """

    def __init__(self, policies: Policies, horizon: int) -> None:
        self._policies = policies
        self._horizon = horizon
        self._every = np.arange(len(policies))
        self._actions: NDArray[Any] | None = None

    def act(self, time: int, rows: "_Rows", observations: NDArray[Any]) -> NDArray[Any]:
        """Returns the actions of some policies, and keeps them."""
        actions = self._policies.act_each(self._every[rows], observations)
        if self._actions is None:
            shape = (self._horizon, len(self._every), *actions.shape[1:])
            self._actions = np.zeros(shape, dtype=actions.dtype)
        self._actions[time, rows] = actions
        return actions

    def of(self, rollouts: RolloutBatch) -> list[Values]:
        """Returns what each policy did."""
        assert self._actions is not None, "A horizon is at least 1."
        numbers = (rollouts.lengths + rollouts.failed).tolist()
        return [self._actions[:n, index] for index, n in enumerate(numbers)]


class _Moved(NamedTuple):
    """One step of several rows.

    Attributes:
        states: Where each is then.
        rewards: Of each; 0 where it failed.
        terminated: Whether each has reached a terminal state.
        failed: Whether the model had no answer for it; `None` if it had all.
    """

    states: NDArray[Any]
    rewards: FloatArray
    terminated: NDArray[np.bool_]
    failed: NDArray[np.bool_] | None = None


class _ByRollout(Sequence[NDArray[Any]]):
    """Observations by rollout, cut out when they are asked for: few of them are.

    Args:
        observations: `[H, N, ...]`.
        lengths: `[N]`, steps of each rollout.
    """

    def __init__(self, observations: NDArray[Any], lengths: NDArray[np.int64]) -> None:
        self._observations = observations
        self._lengths = lengths

    def __len__(self) -> int:
        return len(self._lengths)

    @overload
    def __getitem__(self, index: int) -> NDArray[Any]: ...

    @overload
    def __getitem__(self, index: slice) -> list[NDArray[Any]]: ...

    def __getitem__(self, index: int | slice) -> NDArray[Any] | list[NDArray[Any]]:
        if isinstance(index, slice):
            return [self[place] for place in range(len(self))[index]]
        return self._observations[: self._lengths[index], index]


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
