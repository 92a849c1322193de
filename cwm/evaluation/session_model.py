"""A program in the sandbox as a world model in this process.

For planners that must be here, as a prior or a value is: each call is one message and
one answer. What it says is what the same calls beside the program would say
(`inside_model.InsideModel`), random programs included.
"""

from collections.abc import Hashable, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from cwm.core.codec import decode_columns
from cwm.core.predictions import Predictions
from cwm.core.protocols import RolloutBatch, StepResult, Values
from cwm.core.spaces import SpaceSpec, Value
from cwm.evaluation.held_program import HeldProgram
from cwm.evaluation.inside_model import (
    StepsTogether,
    are_arrays,
    draw_word,
    flattened,
    observation_key,
)
from cwm.evaluation.plan_messages import (
    LegalActions,
    LegalAsk,
    ModelRows,
    Reply,
    RollOutAsk,
    RolloutEnds,
    SingleStepsAsk,
    StepAsk,
)
from cwm.programs.received import check_rows, check_values
from cwm.programs.rollouts import to_columns
from sandbox.errors import ProtocolError

R = TypeVar("R", LegalActions, RolloutEnds)

_MAX_LEGAL_ACTIONS = 100_000


class SessionModel:
    """A held program as a `RollingWorldModel` and `KeyedWorldModel`.

    Its states are observations. An exception of the program's is `ModelError`; if
    the program is lost, all methods raise `ProgramLost` until it is opened again.

    Args:
        held: The program.
        observation_space: Space of its observations.
        action_space: Space of its actions.
    """

    def __init__(
        self, held: HeldProgram, observation_space: SpaceSpec, action_space: SpaceSpec
    ) -> None:
        self._held = held
        self._observation_space = observation_space
        self._action_space = action_space
        spec = held.request.model
        self._is_random = spec.uses_generator or spec.uses_random

    def step(self, state: Any, action: Value, rng: np.random.Generator) -> StepResult:
        """Returns the outcome of one step."""
        ask = StepAsk(
            observations=to_columns(self._observation_space, [state]),
            actions=to_columns(self._action_space, [action]),
            is_batch=False,
            word=self._word(rng),
        )
        rows = self._rows(self._held.ask(ask), 1)
        (observation,) = self._observations(rows)
        return StepResult(
            observation, observation, float(rows.rewards[0]), bool(rows.terminated[0])
        )

    def single_steps(
        self,
        observations: Sequence[Value],
        actions: Sequence[Value],
        rngs: Sequence[np.random.Generator],
    ) -> list[StepResult | None]:
        """Returns the outcomes of steps, each by itself; `None` is no answer.

        Args:
            observations: Where each starts, at least 1.
            actions: What is done.
            rngs: Source of all randomness of each.
        """
        ask = SingleStepsAsk(
            observations=to_columns(self._observation_space, observations),
            actions=to_columns(self._action_space, actions),
            words=[draw_word(rng) for rng in rngs] if self._is_random else None,
        )
        rows = self._all_rows(self._held.ask(ask), len(observations))
        return [
            StepResult(observation, observation, float(reward), bool(terminated))
            if is_valid
            else None
            for observation, reward, terminated, is_valid in zip(
                self._observations(rows),
                rows.rewards,
                rows.terminated,
                rows.valid,
                strict=True,
            )
        ]

    def roll_out(
        self, state: Any, actions: Sequence[Values], rng: np.random.Generator
    ) -> RolloutBatch:
        """Returns where plans lead from one state."""
        number, horizon = len(actions), len(actions[0])
        ask = RollOutAsk(
            observation=to_columns(self._observation_space, [state]),
            actions=to_columns(self._action_space, flattened(actions)),
            horizon=horizon,
            word=self._word(rng),
        )
        replies = self._held.ask(ask)
        ends = self._only(replies[:1], RolloutEnds)
        self._check_ends(ends, number, horizon)
        rows = self._rows(replies[1:], int(ends.lengths.sum()))
        return self._rollouts(ends, rows, horizon)

    def legal_actions(self, state: Any) -> Sequence[Value] | None:
        """Returns what may be done; `None` for the whole space."""
        if not self._held.has_legal_actions:
            return None
        ask = LegalAsk(observation=to_columns(self._observation_space, [state]))
        legal = self._only(self._held.ask(ask), LegalActions)
        if not 0 <= legal.number <= _MAX_LEGAL_ACTIONS:
            self._held.lose_as_broken(f"{legal.number} legal actions came")
        if not legal.number:
            return []
        try:
            columns = check_values(legal.actions, self._action_space, legal.number)
        except ProtocolError as error:
            self._held.lose_as_broken(str(error))
        return decode_columns(self._action_space, columns)

    def state_key(self, state: Any) -> Hashable | None:
        """Returns what an observation is told apart by."""
        return observation_key(state)

    def _steps(
        self, states: NDArray[Any], actions: NDArray[Any], rng: np.random.Generator
    ) -> StepsTogether:
        ask = StepAsk(
            observations=to_columns(self._observation_space, states),
            actions=to_columns(self._action_space, actions),
            is_batch=True,
            word=self._word(rng),
        )
        rows = self._rows(self._held.ask(ask), len(states))
        following: Any = rows.next_observations[""]
        return following, rows.rewards, rows.terminated

    def _word(self, rng: np.random.Generator) -> int | None:
        return draw_word(rng) if self._is_random else None

    def _rows(self, replies: Sequence[Reply], number: int) -> Predictions:
        """Returns the rows of an answer, all of which must be valid."""
        rows = self._all_rows(replies, number)
        if not rows.valid.all():
            self._held.lose_as_broken(f"{number} valid rows were due")
        return rows

    def _all_rows(self, replies: Sequence[Reply], number: int) -> Predictions:
        """Returns the rows of an answer, if they are as many as were asked for."""
        messages = [reply for reply in replies if isinstance(reply, ModelRows)]
        if len(messages) != len(replies):
            self._held.lose_as_broken("something else than rows came")
        if not replies and not number:
            return _NO_ROWS
        try:
            rows = check_rows(messages, self._observation_space, number)
        except ProtocolError as error:
            self._held.lose_as_broken(str(error))
        if len(rows) != number:
            self._held.lose_as_broken(f"{number} rows were due")
        return rows

    def _only(self, replies: Sequence[Reply], kind: type[R]) -> R:
        reply = replies[0] if len(replies) == 1 else None
        if not isinstance(reply, kind):
            self._held.lose_as_broken(f"one {kind.__name__} was due")
        return reply

    def _check_ends(self, ends: RolloutEnds, number: int, horizon: int) -> None:
        lengths, failed = ends.lengths, ends.failed
        if (
            lengths.dtype != np.int64
            or failed.dtype != np.bool_
            or lengths.shape != (number,)
            or failed.shape != (number,)
            or (lengths < 0).any()
            or (lengths > horizon).any()
            or (failed & (lengths == horizon)).any()
        ):
            self._held.lose_as_broken("rollouts did not end as they can")

    def _observations(self, rows: Predictions) -> list[Value]:
        return decode_columns(self._observation_space, rows.next_observations)

    def _rollouts(
        self, ends: RolloutEnds, rows: Predictions, horizon: int
    ) -> RolloutBatch:
        lengths, failed = ends.lengths, ends.failed
        stops = np.cumsum(lengths)
        was_made = np.arange(horizon) < lengths[:, None]
        rewards = np.zeros(was_made.shape)
        rewards[was_made] = rows.rewards
        flags = np.zeros(was_made.shape, dtype=np.bool_)
        flags[was_made] = rows.terminated
        terminated: NDArray[np.bool_] = np.asarray(flags.any(axis=1))
        # What goes on after its end, or stops before it, is no rollout.
        ends_last = flags[np.arange(len(lengths)), np.maximum(lengths - 1, 0)]
        if (
            (flags.sum(axis=1) > 1).any()
            or (terminated != ends_last).any()
            or (~terminated & ~failed & (lengths < horizon)).any()
            or (terminated & failed).any()
        ):
            self._held.lose_as_broken("rollouts did not end as they can")
        seen: Any
        if are_arrays(self._observation_space):
            seen = rows.next_observations.get("", np.zeros(0))
        else:
            seen = self._observations(rows) if len(rows) else []
        return RolloutBatch(
            rewards=rewards,
            lengths=lengths,
            terminated=terminated,
            failed=failed,
            observations=[
                seen[stop - length : stop]
                for stop, length in zip(stops.tolist(), lengths.tolist(), strict=True)
            ],
        )


class BatchedSessionModel(SessionModel):
    """One whose observations and actions are arrays."""

    def step_batch(
        self,
        states: NDArray[Any],
        actions: NDArray[Any],
        rng: np.random.Generator,
    ) -> StepsTogether:
        """Returns the outcomes of `N` steps."""
        return self._steps(states, actions, rng)


def session_model(
    held: HeldProgram, observation_space: SpaceSpec, action_space: SpaceSpec
) -> SessionModel:
    """Returns a held program as a planner in this process has it."""
    is_batched = are_arrays(observation_space, action_space)
    kind = BatchedSessionModel if is_batched else SessionModel
    return kind(held, observation_space, action_space)


_NO_ROWS = Predictions(
    next_observations={},
    rewards=np.zeros(0),
    terminated=np.zeros(0, dtype=np.bool_),
    valid=np.zeros(0, dtype=np.bool_),
    messages={},
)
