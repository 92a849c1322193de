"""All there is to do up to the horizon: slow, exact, and what others are tested by."""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from cwm.core.protocols import (
    ActionPrior,
    Context,
    StepResult,
    ValueFunction,
    WorldModel,
)
from cwm.core.spaces import SpaceSpec, Value
from planners.actions import BoxActions, ListedActions
from planners.base import BasePlanner
from planners.guidance import Guidance
from planners.planner import NoLegalAction, Plan, PlanningConfig, TooFewModelSteps
from planners.simulator import Simulator


@dataclass(frozen=True, slots=True, kw_only=True)
class ExhaustiveConfig:
    """Settings of the exhaustive search.

    Attributes:
        num_samples: Outcomes of each action over which returns are averaged; 1 for a
            deterministic model. At least 1.
    """

    num_samples: int = 1

    def __post_init__(self) -> None:
        if self.num_samples < 1:
            raise ValueError(f"num_samples must be at least 1, got {self.num_samples}.")


class ExhaustivePlanner(BasePlanner[ExhaustiveConfig]):
    """Tries every sequence of actions up to the horizon.

    Of actions with the same return it takes the likeliest by the prior, then the
    first. Actions without an answer are not there; a state without any left has no
    return, and what leads to it neither.

    Args:
        action_space: Listed actions.
        planning: Horizon, discount and budget.
        config: Settings.
        prior: Decides between equals; what it holds impossible is not tried.
        value: Values the states at the horizon.

    Raises:
        ValueError: If the actions are not listed, or the value does not fit.
    """

    def __init__(
        self,
        action_space: SpaceSpec,
        planning: PlanningConfig,
        config: ExhaustiveConfig,
        *,
        prior: ActionPrior | None = None,
        value: ValueFunction | None = None,
    ) -> None:
        super().__init__(action_space, planning, config, prior=prior, value=value)
        if isinstance(self._actions, BoxActions):
            raise ValueError(
                "Planner 'exhaustive' needs a finite number of actions, got a box "
                f"with {self._actions.size} elements. Use 'beam' for a grid of them."
            )
        self._listed: ListedActions = self._actions

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
        """Returns the best sequence; of a stochastic model only its first action.

        Raises:
            ValueError: If the sequences are more than the budget allows.
            NoLegalAction: If the state has none.
        """
        horizon = self._planning.steps_ahead(steps_left)
        legal = self._listed.legal(model, state)
        number = max(len(legal), len(self._listed.values))
        self._check_size(number, horizon)
        simulator = Simulator(model, rng, max_steps=self._planning.max_model_steps)
        enumeration = _Enumeration(
            simulator=simulator,
            actions=self._listed,
            guidance=self._guidance,
            discount=self._planning.discount,
            horizon=horizon,
            num_samples=self._settings.num_samples,
        )
        best = enumeration.best(state, self._guidance.first(context), 0)
        if best.action is _NOTHING:
            actions: tuple[Value, ...] = (legal[int(rng.integers(len(legal)))],)
            results: tuple[StepResult, ...] = ()
        elif self._settings.num_samples > 1:
            actions, results = (best.action,), ()
        else:
            actions, results = best.sequence()
        return Plan(
            actions=actions,
            predictions=results,
            value=best.value if math.isfinite(best.value) else math.nan,
            num_model_steps=simulator.num_steps,
            num_failures=simulator.num_failures,
        )

    def _check_size(self, number: int, horizon: int) -> None:
        branches = number * self._settings.num_samples
        steps = sum(branches**depth for depth in range(1, horizon + 1))
        if steps > self._planning.max_model_steps:
            raise TooFewModelSteps(
                f"max_model_steps must be at least {steps} for planner 'exhaustive' "
                f"with {number} actions, {self._settings.num_samples} samples and a "
                f"horizon of {horizon}, got {self._planning.max_model_steps}."
            )


_NOTHING = object()


class _Best(NamedTuple):
    """The best that can be done in a state.

    Attributes:
        value: Expected return; minus infinity if nothing can be done.
        action: The action; `_NOTHING` if there is none.
        result: A step that it led to.
        then: The best from there on.
    """

    value: float
    action: Value
    result: StepResult | None
    then: "_Best | None"

    def sequence(self) -> tuple[tuple[Value, ...], tuple[StepResult, ...]]:
        """Returns the actions from here on, with what they lead to."""
        actions: list[Value] = []
        results: list[StepResult] = []
        best: _Best | None = self
        while best is not None and best.result is not None:
            actions.append(best.action)
            results.append(best.result)
            best = best.then
        return tuple(actions), tuple(results)


@dataclass(kw_only=True)
class _Enumeration:
    simulator: Simulator
    actions: ListedActions
    guidance: Guidance
    discount: float
    horizon: int
    num_samples: int
    _known: dict[tuple[int, Hashable], _Best] = field(default_factory=dict)

    def best(self, state: Any, context: Context | None, depth: int) -> _Best:
        """Returns the best from a state on; each state of a depth is solved once."""
        if depth == self.horizon:
            value = 0.0
            if context is not None:
                (value,) = self.guidance.values([context])
            return _Best(value, _NOTHING, None, None)
        # What a prior or a value says depends on the way, too.
        key = None if context is not None else self.simulator.key(state)
        if key is None:
            return self._solve(state, context, depth)
        if (depth, key) not in self._known:
            self._known[depth, key] = self._solve(state, context, depth)
        return self._known[depth, key]

    def _solve(self, state: Any, context: Context | None, depth: int) -> _Best:
        found = _Best(-math.inf, _NOTHING, None, None)
        for action in self._candidates(state, context):
            candidate = self._try(state, context, action, depth)
            if candidate.value > found.value:
                found = candidate
        return found

    def _candidates(self, state: Any, context: Context | None) -> Sequence[Value]:
        """Returns the actions to try, the likeliest first."""
        try:
            legal = self.actions.legal(self.simulator.model, state)
        except NoLegalAction:
            return ()
        if context is None:
            return legal
        (weights,) = self.guidance.log_weights([context], [legal])
        order = np.argsort(-weights, kind="stable").tolist()
        return [legal[index] for index in order if weights[index] > -math.inf]

    def _try(
        self, state: Any, context: Context | None, action: Value, depth: int
    ) -> _Best:
        total = 0.0
        result, then = None, None
        for _ in range(self.num_samples):
            if self.simulator.remaining < 1:
                raise ValueError(
                    "Planner 'exhaustive' met states with more actions than the first "
                    f"one; max_model_steps is {self.simulator.max_steps}."
                )
            result = self.simulator.step(state, action)
            if result is None or not math.isfinite(result.reward):
                return _Best(-math.inf, action, None, None)
            then, after = None, 0.0
            if not result.terminated:
                following = context
                if context is not None:
                    following = context.then(action, result.observation)
                then = self.best(result.next_state, following, depth + 1)
                after = then.value
            total += result.reward + self.discount * after
        return _Best(total / self.num_samples, action, result, then)
