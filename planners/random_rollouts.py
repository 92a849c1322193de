"""What becomes of a state if one acts at random: the value of a leaf."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from cwm.core.protocols import (
    FloatArray,
    ModelError,
    StepResult,
    WorldModel,
)
from cwm.core.spaces import Value
from planners.actions import ActionSet, BoxActions
from planners.planner import NoLegalAction
from planners.simulator import Simulator

_DRAWS_AT_ONCE = 512


class Rollout(NamedTuple):
    """A random continuation of a state.

    Attributes:
        discounted_return: Of its steps.
        length: Steps made.
        terminated: Whether it reached an end.
        steps: Actions and observations, if they were asked for.
    """

    discounted_return: float
    length: int
    terminated: bool
    steps: list[tuple[Value, Value]]


class RandomRollouts:
    """Uniformly random actions, drawn many at once.

    Which random numbers are used does not depend on how the model is asked.

    Args:
        simulator: The model; its budget is kept.
        actions: The actions to choose from.
        by_state: Whether what is legal depends on the state.
        discount: Weight of the next reward.
        rng: Source of all randomness.
        keeps_steps: Whether to say what happened on the way.
    """

    def __init__(
        self,
        simulator: Simulator,
        actions: ActionSet,
        rng: np.random.Generator,
        *,
        by_state: bool,
        discount: float,
        keeps_steps: bool = False,
    ) -> None:
        self._simulator = simulator
        self._actions = actions
        self._by_state = by_state
        self._discount = discount
        self._rng = rng
        self._keeps_steps = keeps_steps
        # Checks of a protocol cost as much as several steps.
        self._rolling = simulator.rolls_out and not by_state
        self._draws: Sequence[Any] = []
        self._next = 0

    def roll_out(self, state: Any, limit: int) -> Rollout:
        """Returns a rollout of at most `limit` steps, as far as the budget goes."""
        limit = min(limit, self._simulator.remaining)
        if limit < 1:
            return Rollout(0.0, 0, False, [])
        draws = self._peek(limit)
        if self._rolling:
            rollout, num_used = self._roll_out_at_once(state, draws)
        else:
            rollout, num_used = self._walk(self._simulator.model, state, draws)
        self._next += num_used
        return rollout

    def roll_out_together(self, state: Any, limit: int, number: int) -> Rollout:
        """Returns the mean of several rollouts, as far as the budget goes.

        They are made in one batch where the model can; `length` is that of the longest
        one, and `terminated` whether all reached an end.
        """
        number = min(number, self._simulator.remaining // max(limit, 1))
        if number <= 1 or limit < 1 or self._by_state:
            return self.roll_out(state, limit)
        draws = self._peek(limit * number)
        self._next += limit * number
        batch = self._simulator.roll_out(
            state, [draws[i * limit : (i + 1) * limit] for i in range(number)]
        )
        totals = [
            self._total(batch.rewards[i, :n]) for i, n in enumerate(batch.lengths)
        ]
        return Rollout(
            discounted_return=math.fsum(totals) / number,
            length=int(batch.lengths.max()),
            terminated=bool(batch.terminated.all()),
            steps=[],
        )

    def _total(self, rewards: FloatArray) -> float:
        """Returns the discounted sum of a rollout's rewards, up to one that is none."""
        total, weight = 0.0, 1.0
        for reward in rewards.tolist():
            if not math.isfinite(reward):
                self._simulator.num_failures += 1
                break
            total += weight * reward
            weight *= self._discount
        return total

    def _walk(
        self, model: WorldModel, state: Any, draws: Sequence[Any]
    ) -> tuple[Rollout, int]:
        # The hottest loop of a search: no call but the model's.
        step, rng, discount = model.step, self._rng, self._discount
        by_state, isfinite = self._by_state, math.isfinite
        keep: Callable[[tuple[Value, Value]], None] | None = None
        steps: list[tuple[Value, Value]] = []
        if self._keeps_steps:
            keep = steps.append
        total, weight, length, num_used = 0.0, 1.0, 0, 0
        terminated = False
        for draw in draws:
            action = draw
            if by_state:
                action = self._legal_action(model, state, draw)
                if action is None:
                    break
            num_used += 1
            try:
                state, observation, reward, terminated = step(state, action, rng)
            except ModelError:
                self._simulator.num_failures += 1
                break
            if not isfinite(reward):
                self._simulator.num_failures += 1
                break
            total += weight * reward
            weight *= discount
            length += 1
            if keep is not None:
                keep((action, observation))
            if terminated:
                break
        self._simulator.num_steps += num_used
        return Rollout(total, length, terminated, steps), num_used

    def _legal_action(self, model: WorldModel, state: Any, draw: float) -> Value | None:
        assert not isinstance(self._actions, BoxActions)
        try:
            legal = self._actions.legal(model, state)
        except (ModelError, NoLegalAction):
            return None
        return legal[int(draw * len(legal))]

    def _roll_out_at_once(
        self, state: Any, draws: Sequence[Any]
    ) -> tuple[Rollout, int]:
        batch = self._simulator.roll_out(state, [draws])
        length = int(batch.lengths[0])
        terminated, failed = bool(batch.terminated[0]), bool(batch.failed[0])
        total = self._total(batch.rewards[0, :length])
        steps = []
        if self._keeps_steps:
            observations = batch.observations[0]
            steps = list(zip(draws[:length], observations[:length], strict=True))
        return Rollout(total, length, terminated, steps), length + failed

    def _peek(self, number: int) -> Sequence[Any]:
        """Returns what the next steps draw: actions, or numbers that choose them."""
        if self._next + number > len(self._draws):
            rest = list(self._draws[self._next :])
            self._draws = rest + self._draw(max(number, _DRAWS_AT_ONCE))
            self._next = 0
        return self._draws[self._next : self._next + number]

    def _draw(self, number: int) -> list[Any]:
        if isinstance(self._actions, BoxActions):
            low, high = self._actions.low, self._actions.high
            vectors = self._rng.uniform(low, high, (number, self._actions.size))
            return list(self._actions.to_values(vectors))
        if self._by_state:
            return list(self._rng.random(number).tolist())
        values = self._actions.values
        return [
            values[i] for i in self._rng.integers(len(values), size=number).tolist()
        ]


def as_step(rollout_state: Any) -> StepResult:
    """Returns a state as the outcome of a step that nobody took: where plans start."""
    return StepResult(rollout_state, None, 0.0, False)
