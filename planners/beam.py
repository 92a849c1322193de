"""Beam search: many states kept at each depth, the best and the least alike."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cwm.core.protocols import (
    Context,
    StepResult,
    WorldModel,
)
from cwm.core.spaces import Value
from planners.actions import BoxActions
from planners.base import BasePlanner
from planners.beam_config import BeamConfig
from planners.beam_search import BeamSearch, Way, better
from planners.planner import Plan
from planners.random_rollouts import as_step
from planners.reward_bounds import RewardBounds
from planners.same_value import same_value
from planners.simulator import Simulator

__all__ = ["BeamConfig", "BeamPlanner"]

MIN_WIDTH = 4
"""States at each depth without which a round is not worth its steps."""


@dataclass(frozen=True, slots=True)
class _Memory:
    actions: tuple[Value, ...]
    results: tuple[StepResult, ...]
    is_complete: bool


@dataclass(frozen=True, slots=True)
class _Found:
    """What came of all rounds.

    Attributes:
        way: The best way; `None` if the model had no answer at all.
        is_complete: Whether nothing was left out.
        pays_to_go_on: Whether an end is what there was no way around, and not a goal.
        num_finished: Ways that ended.
        num_rounds: Rounds.
    """

    way: Way | None
    is_complete: bool
    pays_to_go_on: bool
    num_finished: int
    num_rounds: int


class BeamPlanner(BasePlanner[BeamConfig]):
    """Plans by widening a beam of states, depth after depth.

    With keys (`KeyedWorldModel`) equal states are one, the better return stays, and no
    step is taken twice: a beam that is never cut finds the optimum of the horizon. A
    stochastic model is taken for the outcome it shows at the first asking; `mcts` is
    for those.
    """

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
        """Returns the best way found, or the first part of it."""
        horizon = self._planning.steps_ahead(steps_left)
        if not isinstance(self._actions, BoxActions):
            self._actions.legal(model, state)
        simulator = Simulator(model, rng, max_steps=self._planning.max_model_steps)
        rest = _rest_of(memory, simulator, state, context)
        if rest is not None and self._suffices(rest, horizon):
            return _follow(rest, self._planning.discount)
        start = Way(
            result=as_step(state),
            key=simulator.key(state),
            context=self._guidance.first(context),
        )
        kept = () if rest is None else rest.actions
        found = self._search(simulator, start, horizon, kept, rng)
        if found.way is None:
            return Plan(
                actions=(self._any_action(simulator, state, rng),),
                num_model_steps=simulator.num_steps,
                num_failures=simulator.num_failures,
            )
        return self._plan(found, simulator, steps_left)

    def _search(
        self,
        simulator: Simulator,
        start: Way,
        horizon: int,
        kept: tuple[Value, ...],
        rng: np.random.Generator,
    ) -> _Found:
        """Searches in rounds, each wider than the one before."""
        bounds = RewardBounds.of(self._settings.max_reward)
        known: dict[tuple[Any, int], StepResult | None] = {}
        best: Way | None = None
        limits = self._limits(horizon)
        for number, limit in enumerate(limits, start=1):
            simulator.max_steps = limit
            search = BeamSearch(
                simulator=simulator,
                actions=self._actions,
                guidance=self._guidance,
                settings=self._settings,
                discount=self._planning.discount,
                horizon=horizon,
                rest=kept,
                rng=rng,
                bounds=bounds,
                known=known,
                incumbent=best,
                goes_on=number == 1,
            )
            way = search.run(replace(start))
            best = way if best is None or way is None else better(best, way)
            found = _Found(
                way=best,
                is_complete=search.is_complete,
                pays_to_go_on=_pays_to_go_on(best, bounds),
                num_finished=len(search.finished),
                num_rounds=number,
            )
            if search.is_complete or self._is_enough(search, best, horizon):
                break
            if best is not None:
                kept = tuple(step.action for step in best.steps())
        return found

    def _limits(self, horizon: int) -> list[int]:
        """Returns the steps of the model that may be taken after each round."""
        most = self._planning.max_model_steps
        number = self._settings.num_rounds if self._settings.width is None else 1
        limits = [most // 4**round_ for round_ in range(number)][::-1]
        size = getattr(self._actions, "values", ())
        least = MIN_WIDTH * max(1, len(size)) * horizon
        return [limit for limit in limits[:-1] if limit >= least] + [most]

    def _is_enough(self, search: BeamSearch, best: Way | None, horizon: int) -> bool:
        """Returns whether the best is all there is to get, and not just anything."""
        if best is None or self._guidance.value is not None:
            return False
        most = search.bounds.to_come(horizon, self._planning.discount)
        is_worth_it = search.bounds.ongoing > 0.0 or most - 1e-9 > search.lowest
        return is_worth_it and best.total >= most - 1e-9

    def _suffices(self, rest: "_Memory", horizon: int) -> bool:
        """Returns whether no search is needed: the plan ends, and as well as can be."""
        if not (self._settings.keeps_finished_plans and rest.results[-1].terminated):
            return False
        going_on_costs = sum(result.reward for result in rest.results) < 0.0
        return len(rest.actions) <= horizon and (rest.is_complete or going_on_costs)

    def _plan(
        self, found: _Found, simulator: Simulator, steps_left: int | None
    ) -> Plan:
        assert found.way is not None, "asked only where something was found"
        steps = found.way.steps()
        memory = _Memory(
            tuple(way.action for way in steps),
            tuple(way.result for way in steps),
            found.is_complete,
        )
        number = self._num_to_follow(found, memory, steps_left)
        return Plan(
            actions=memory.actions[:number],
            predictions=memory.results[:number],
            value=found.way.worth,
            num_model_steps=simulator.num_steps,
            num_failures=simulator.num_failures,
            memory=memory,
            statistics={
                "is_complete": found.is_complete,
                "num_finished": found.num_finished,
                "num_rounds": found.num_rounds,
                "is_searched": True,
            },
        )

    def _num_to_follow(
        self, found: _Found, memory: _Memory, steps_left: int | None
    ) -> int:
        """Returns how many actions of a plan to follow before the next search."""
        number = len(memory.actions)
        is_end = memory.results[-1].terminated
        if number == steps_left or (
            is_end and (found.is_complete or not found.pays_to_go_on)
        ):
            return number
        return math.ceil(self._settings.follow_share * number)

    def _any_action(
        self, simulator: Simulator, state: Any, rng: np.random.Generator
    ) -> Value:
        """Returns an action where the model said nothing about any."""
        if isinstance(self._actions, BoxActions):
            low, high = self._actions.low, self._actions.high
            return self._actions.to_values(rng.uniform(low, high))
        legal = self._actions.legal(simulator.model, state)
        return legal[int(rng.integers(len(legal)))]


def _pays_to_go_on(way: Way | None, bounds: RewardBounds) -> bool:
    """Returns whether more steps bring more, or at least cost nothing."""
    if bounds.ongoing > 0.0:
        return True
    return bounds.ongoing == 0.0 and way is not None and way.total <= 0.0


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
