"""Runs inside the sandbox: holds a candidate's model, and a planner beside it.

Covers: loading, deciding, memory from one decision to the next, steps and rollouts
for planners that are elsewhere. Does not cover: what the candidate does to the rest
of its process, the planner included. All that leaves it is a claim.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cwm.core.codec import Columns, decode_columns, encode_columns
from cwm.core.protocols import FloatArray, ModelError, RolloutBatch, StepResult
from cwm.core.seeding import child_rng
from cwm.core.spaces import SpaceSpec
from cwm.evaluation.inside_model import ProgramModel, inside_model
from cwm.evaluation.plan_messages import (
    Ask,
    LegalActions,
    LegalAsk,
    ModelFacts,
    ModelRows,
    PlanAsk,
    PlannedSteps,
    PlanningRequest,
    RollOutAsk,
    RolloutEnds,
    SingleStepsAsk,
    StepAsk,
    numbers,
)
from cwm.programs.model_inside import Model, columns_to_send, to_send_all
from cwm.programs.wire_types import MAX_REASON_CHARS, rows_per_message
from planners.planner import Plan
from planners.registry import new_planner, planner_config_from_json
from sandbox.child import Channel, Handler, Load

REQUEST = PlanningRequest
ASK = Ask

_MAX_MESSAGE_ROWS = 50_000


def open(load: Load, request: PlanningRequest, channel: Channel) -> Handler:
    """Loads the model and makes the planner; what it returns answers each `Ask`.

    Raises:
        ContractViolation: If the program does not define its class.
    """
    held = _Held(load, request)
    channel.emit(ModelFacts(has_legal_actions=held.program.has_legal_actions))

    def handle(ask: Ask, channel: Channel) -> None:
        try:
            held.answer(ask, channel)
        except ModelError as error:
            # What the candidate raised says more, and on which line.
            if error.__cause__ is not None:
                raise error.__cause__ from None
            raise

    return handle


class _Held:
    """A candidate with the planner beside it, if there is one."""

    def __init__(self, load: Load, request: PlanningRequest) -> None:
        model = Model(load, request.model)
        self.observation_space = model.observation_space
        self.action_space = model.action_space
        self.program = ProgramModel(model)
        self._model = inside_model(self.program)
        self._planner = None
        if request.planner is not None:
            config = planner_config_from_json(request.planner)
            self._planner = new_planner(config, model.action_space)
        self._memory: Any = None

    def answer(self, ask: Ask, channel: Channel) -> None:
        if isinstance(ask, PlanAsk):
            self._plan(ask, channel)
            return
        if isinstance(ask, LegalAsk):
            self._legal_actions(ask, channel)
            return
        if isinstance(ask, SingleStepsAsk):
            self._single_steps(ask, channel)
            return
        if ask.word is not None:
            self.program.reseed(ask.word)
        if isinstance(ask, StepAsk):
            self._step(ask, channel)
        else:
            self._roll_out(ask, channel)

    def _plan(self, ask: PlanAsk, channel: Channel) -> None:
        assert self._planner is not None, "the request had no planner"
        # If it fails, the next decision starts from scratch.
        memory, self._memory = self._memory, None
        (observation,) = decode_columns(self.observation_space, ask.observation)
        plan = self._planner.plan(
            self._model,
            observation,
            child_rng(ask.seed, "plan", ask.step),
            steps_left=ask.steps_left,
            memory=memory if ask.keeps_plan else None,
        )
        channel.emit(_planned(plan, self.observation_space, self.action_space))
        self._memory = plan.memory

    def _legal_actions(self, ask: LegalAsk, channel: Channel) -> None:
        (observation,) = decode_columns(self.observation_space, ask.observation)
        actions = self.program.legal_actions(observation) or []
        channel.emit(
            LegalActions(
                actions=to_send_all(self.action_space, actions), number=len(actions)
            )
        )

    def _step(self, ask: StepAsk, channel: Channel) -> None:
        if ask.is_batch:
            observations, rewards, terminated = self.program.step_batch(
                ask.observations[""], ask.actions[""]
            )
            self._emit_rows({"": observations}, rewards, terminated, channel)
            return
        (observation,) = decode_columns(self.observation_space, ask.observations)
        (action,) = decode_columns(self.action_space, ask.actions)
        result = self.program.step(observation, action)
        self._emit_rows(
            encode_columns(self.observation_space, [result.observation]),
            np.array([result.reward]),
            np.array([result.terminated]),
            channel,
        )

    def _single_steps(self, ask: SingleStepsAsk, channel: Channel) -> None:
        observations = decode_columns(self.observation_space, ask.observations)
        actions = decode_columns(self.action_space, ask.actions)
        invalid: dict[int, str] = {}
        results: list[StepResult] = []
        for row, (observation, action) in enumerate(
            zip(observations, actions, strict=True)
        ):
            if ask.words is not None:
                self.program.reseed(ask.words[row])
            try:
                results.append(self.program.step(observation, action))
            except ModelError as error:
                invalid[row] = str(error)[:MAX_REASON_CHARS]
                results.append(StepResult(observation, observation, 0.0, False))
        columns = encode_columns(
            self.observation_space, [result.observation for result in results]
        )
        values = columns_to_send(self.observation_space, columns)
        channel.emit(
            ModelRows(
                arrays=values.arrays,
                texts=values.texts,
                rewards=np.array([result.reward for result in results]),
                terminated=np.array([result.terminated for result in results]),
                invalid=invalid,
            )
        )

    def _roll_out(self, ask: RollOutAsk, channel: Channel) -> None:
        (observation,) = decode_columns(self.observation_space, ask.observation)
        actions, horizon = ask.actions, ask.horizon
        plans: Any
        if self.program.are_arrays:
            flat = actions[""]
            plans = flat.reshape((-1, horizon, *flat.shape[1:]))
        else:
            values = decode_columns(self.action_space, actions)
            starts = range(0, len(values), horizon)
            plans = [values[start : start + horizon] for start in starts]
        rollouts = self.program.roll_out(observation, plans)
        channel.emit(RolloutEnds(lengths=rollouts.lengths, failed=rollouts.failed))
        self._emit_rollouts(rollouts, channel)

    def _emit_rollouts(self, rollouts: RolloutBatch, channel: Channel) -> None:
        lengths = rollouts.lengths
        times = np.arange(rollouts.rewards.shape[1])
        was_made = times < lengths[:, None]
        ends = (times == lengths[:, None] - 1) & rollouts.terminated[:, None]
        columns: dict[str, Any]
        seen = rollouts.observations
        if self.program.are_arrays and isinstance(seen[0], np.ndarray):
            columns = {"": np.concatenate(list(seen))}
        else:
            columns = encode_columns(
                self.observation_space, [value for rows in seen for value in rows]
            )
        self._emit_rows(columns, rollouts.rewards[was_made], ends[was_made], channel)

    def _emit_rows(
        self,
        columns: Columns,
        rewards: FloatArray,
        terminated: NDArray[np.bool_],
        channel: Channel,
    ) -> None:
        """Emits `ModelRows`; none if there is no row."""
        space = self.observation_space
        size = rows_per_message(space, _MAX_MESSAGE_ROWS)
        for start in range(0, len(rewards), size):
            part = slice(start, start + size)
            values = columns_to_send(space, {p: c[part] for p, c in columns.items()})
            channel.emit(
                ModelRows(
                    arrays=values.arrays,
                    texts=values.texts,
                    rewards=rewards[part],
                    terminated=terminated[part],
                    invalid={},
                )
            )


def _planned(
    plan: Plan, observation_space: SpaceSpec, action_space: SpaceSpec
) -> PlannedSteps:
    steps = plan.predictions
    return PlannedSteps(
        actions=to_send_all(action_space, plan.actions),
        num_actions=len(plan.actions),
        observations=to_send_all(observation_space, [s.observation for s in steps]),
        rewards=np.array([step.reward for step in steps], dtype=np.float64),
        terminated=np.array([step.terminated for step in steps], dtype=np.bool_),
        value=float(plan.value),
        num_model_steps=plan.num_model_steps,
        num_failures=plan.num_failures,
        statistics=numbers(plan.statistics),
    )
