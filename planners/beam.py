"""Beam search: many states kept at each depth, the best and the least alike."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from cwm.core.protocols import (
    ActionPrior,
    Context,
    StepResult,
    ValueFunction,
    WorldModel,
)
from cwm.core.spaces import SpaceSpec, Value
from planners.actions import BoxActions, action_set
from planners.beam_config import BeamConfig
from planners.beam_search import BeamSearch, Way
from planners.guidance import Guidance
from planners.planner import Plan, PlanningConfig
from planners.random_rollouts import as_step
from planners.same_value import same_value
from planners.simulator import Simulator

__all__ = ["BeamConfig", "BeamPlanner"]


@dataclass(frozen=True, slots=True)
class _Memory:
    actions: tuple[Value, ...]
    results: tuple[StepResult, ...]
    is_complete: bool


class BeamPlanner:
    """Plans by widening a beam of states, depth after depth.

    With keys (`KeyedWorldModel`) equal states are one, the better return stays, and no
    step is taken twice: a beam that is never cut finds the optimum of the horizon. A
    stochastic model is taken for the outcome it shows at the first asking; `mcts` is
    for those.

    Args:
        action_space: Listed actions, or a box, of which a grid is used.
        planning: Horizon, discount and budget.
        config: Settings.
        prior: Ranks states by what led there.
        value: Ranks states by what is to come.

    Raises:
        ValueError: If the action space, the prior or the value does not fit.
    """

    def __init__(
        self,
        action_space: SpaceSpec,
        planning: PlanningConfig,
        config: BeamConfig,
        *,
        prior: ActionPrior | None = None,
        value: ValueFunction | None = None,
    ) -> None:
        self._actions = action_set(action_space)
        self._planning = planning
        self._settings = config
        self._guidance = Guidance(self._actions, planning.discount, prior, value)

    @property
    def config(self) -> PlanningConfig:
        """Horizon, discount and budget."""
        return self._planning

    def plan(
        self,
        model: WorldModel,
        state: Any,
        rng: np.random.Generator,
        *,
        steps_left: int | None = None,
        context: Context | None = None,
        memory: Any = None,
    ) -> Plan:
        """Returns the best way found, to its end."""
        horizon = self._planning.steps_ahead(steps_left)
        if horizon < 1:
            raise ValueError(f"steps_left must be at least 1, got {steps_left}.")
        if not isinstance(self._actions, BoxActions):
            self._actions.legal(model, state)
        simulator = Simulator(model, rng, max_steps=self._planning.max_model_steps)
        rest = _rest_of(memory, simulator, state, context)
        if rest is not None and self._suffices(rest, horizon):
            return _follow(rest, self._planning.discount)
        search = BeamSearch(
            simulator=simulator,
            actions=self._actions,
            guidance=self._guidance,
            settings=self._settings,
            discount=self._planning.discount,
            horizon=horizon,
            rest=() if rest is None else rest.actions,
            rng=rng,
        )
        start = self._guidance.first(context)
        best = search.run(
            Way(
                result=as_step(state),
                key=simulator.key(state),
                context=start,
            )
        )
        return self._plan(search, best, state)

    def _suffices(self, rest: "_Memory", horizon: int) -> bool:
        """Returns whether no search is needed: the plan ends, and as well as can be."""
        if not (self._settings.keeps_finished_plans and rest.results[-1].terminated):
            return False
        going_on_costs = sum(result.reward for result in rest.results) < 0.0
        return len(rest.actions) <= horizon and (rest.is_complete or going_on_costs)

    def _plan(self, search: BeamSearch, best: Way | None, state: Any) -> Plan:
        simulator = search.simulator
        if best is None:
            return Plan(
                actions=(self._any_action(search, state),),
                num_model_steps=simulator.num_steps,
                num_failures=simulator.num_failures,
            )
        steps = best.steps()
        actions = tuple(way.action for way in steps)
        results = tuple(way.result for way in steps)
        return Plan(
            actions=actions,
            predictions=results,
            value=best.worth,
            num_model_steps=simulator.num_steps,
            num_failures=simulator.num_failures,
            memory=_Memory(actions, results, search.is_complete),
            statistics={
                "is_complete": search.is_complete,
                "num_finished": len(search.finished),
                "is_searched": True,
            },
        )

    def _any_action(self, search: BeamSearch, state: Any) -> Value:
        """Returns an action where the model said nothing about any."""
        if isinstance(self._actions, BoxActions):
            low, high = self._actions.low, self._actions.high
            return self._actions.to_values(search.rng.uniform(low, high))
        legal = self._actions.legal(search.simulator.model, state)
        return legal[int(search.rng.integers(len(legal)))]


def _follow(rest: "_Memory", discount: float) -> Plan:
    """Returns the rest of a plan as a plan."""
    value = math.fsum(
        result.reward * discount**time for time, result in enumerate(rest.results)
    )
    return Plan(
        actions=rest.actions,
        predictions=rest.results,
        value=value,
        memory=rest,
        statistics={"is_complete": rest.is_complete, "is_searched": False},
    )


def _rest_of(
    memory: Any, simulator: Simulator, state: Any, context: Context | None
) -> "_Memory | None":
    """Returns what is left of a plan that came true up to a state."""
    if not isinstance(memory, _Memory):
        return None
    key = simulator.key(state)
    for time, result in enumerate(memory.results[:-1], start=1):
        if key is not None:
            is_here = simulator.key(result.next_state) == key
        elif context is not None:
            is_here = same_value(context.observations[-1], result.observation)
        else:
            is_here = same_value(state, result.next_state)
        if is_here:
            return _Memory(
                memory.actions[time:], memory.results[time:], memory.is_complete
            )
    return None
