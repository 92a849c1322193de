"""What a tree search asks of a world model, within one decision."""

import math
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from cwm.core.protocols import Context, KeyedWorldModel, StepResult
from cwm.core.spaces import Value
from mcts.uct import UctSearch
from mcts.uct_nodes import LeafEvaluation, Step, Widening
from planners.actions import ActionSet, BoxActions
from planners.guidance import Guidance
from planners.mcts_config import MctsConfig
from planners.planner import NoLegalAction, PlanningConfig
from planners.random_rollouts import RandomRollouts, Rollout
from planners.root_race import RootRace
from planners.same_value import same_value
from planners.simulator import Simulator

CHECK_EVERY = 10
"""Simulations after which to see whether they are enough."""


class Place(NamedTuple):
    """A state of the tree.

    Attributes:
        result: The step that led there.
        context: What was seen and done on the way, if a prior or a value reads it.
    """

    result: StepResult
    context: Context | None


class _OutOfSteps(Exception):  # noqa: N818 - a limit, not a fault
    """The simulation would need more steps than are left."""


@dataclass(kw_only=True)
class TreeGrowth:
    """One decision: the search, and what it asks of the model.

    Attributes:
        simulator: The model, within its budget.
        actions: The actions to choose from.
        guidance: Prior and value.
        planning: Horizon, discount and budget.
        settings: Those of the search.
        horizon: Steps that this decision looks ahead.
        rollouts: What values leaves.
        search: The search; made by `new_search`.
        num_simulations: Simulations so far.
    """

    simulator: Simulator
    actions: ActionSet
    guidance: Guidance
    planning: PlanningConfig
    settings: MctsConfig
    horizon: int
    rollouts: RandomRollouts
    search: UctSearch[Place] = field(init=False)
    num_simulations: int = 0

    def new_search(self, rng: np.random.Generator) -> UctSearch[Place]:
        """Returns a search without a tree."""
        settings = self.settings
        widening = None
        if isinstance(self.actions, BoxActions):
            widening = Widening(
                coefficient=settings.widening_coefficient,
                exponent=settings.widening_exponent,
                propose=self._propose,
            )
        is_keyed = self.simulator.has_keys
        detects = settings.is_stochastic is None
        num_checks = min(settings.num_checks, 1 + self.planning.max_model_steps // 50)
        self.search = UctSearch(
            step=self._step,
            evaluate=self._evaluate,
            select=settings.new_selection(),
            discount=self.planning.discount,
            key=self._key if settings.shares_states and is_keyed else None,
            is_same=_is_same,
            is_stochastic=bool(settings.is_stochastic),
            num_checks=num_checks if detects else 0,
            max_depth=self.horizon,
            widening=widening,
            rng=rng,
        )
        return self.search

    def simulate(self) -> None:
        """Runs simulations until they are enough, or the budget is used."""
        wanted = self.settings.num_simulations or self.planning.max_model_steps
        num_idle = 0
        race = RootRace(self.search.root, self.settings.decisive_deviations)
        while (
            self.num_simulations < wanted
            and self.simulator.remaining > 0
            and num_idle < self.settings.max_idle_simulations
            and not self.search.root.is_terminal
        ):
            before = self.simulator.num_steps
            try:
                self.search.simulate()
            except _OutOfSteps:
                break
            self.num_simulations += 1
            num_idle = num_idle + 1 if self.simulator.num_steps == before else 0
            race.record()
            # Of a deterministic model, what comes later is not like what came before.
            if self.search.is_stochastic and self.num_simulations % CHECK_EVERY == 0:
                left = min(wanted - self.num_simulations, self.simulator.remaining)
                if race.is_decided(left):
                    break

    def frame(self, place: Place, value: float, limit_value: float) -> LeafEvaluation:
        """Returns a state's legal actions with their prior, beside its value."""
        if isinstance(self.actions, BoxActions):
            first = self._propose(place, 0, self.search.rng)
            return LeafEvaluation(
                value=value, actions=(first,), limit_value=limit_value
            )
        try:
            legal = self.actions.legal(self.simulator.model, place.result.next_state)
        except NoLegalAction:
            low = self.search.value_range.low
            worst = low if math.isfinite(low) else 0.0
            return LeafEvaluation(value=worst, actions=(), limit_value=limit_value)
        prior = None
        if self.guidance.prior is not None and place.context is not None:
            (logs,) = self.guidance.log_weights([place.context], [legal])
            weights = np.exp(logs)
            legal = tuple(a for a, w in zip(legal, weights, strict=True) if w > 0.0)
            prior = (weights[weights > 0.0] / weights.sum()).tolist()
        return LeafEvaluation(
            value=value, actions=legal, prior=prior, limit_value=limit_value
        )

    def _step(
        self, place: Place, action: Value, rng: np.random.Generator
    ) -> Step[Place] | None:
        if self.simulator.remaining < 1:
            raise _OutOfSteps
        result = self.simulator.step(place.result.next_state, action)
        if result is None or not math.isfinite(result.reward):
            return None
        context = place.context
        if context is not None:
            context = context.then(action, result.observation)
        return Step(Place(result, context), result.reward, result.terminated)

    def _evaluate(
        self, place: Place, depth: int, rng: np.random.Generator
    ) -> LeafEvaluation:
        limit_value = 0.0
        if self.guidance.value is not None and place.context is not None:
            (limit_value,) = self.guidance.values([place.context])
        limit = self.settings.rollout_steps
        if limit is None:
            limit = 0 if self.guidance.value is not None else self.horizon - depth
        if limit == 0:
            return self.frame(place, limit_value, limit_value)
        remaining = self.simulator.remaining
        state, number = place.result.next_state, self.settings.rollouts_per_leaf
        if number > 1 and self.guidance.value is None:
            rollout = self.rollouts.roll_out_together(state, limit, number)
        else:
            rollout = self.rollouts.roll_out(state, limit)
        is_cut_short = rollout.length >= remaining < limit and not rollout.terminated
        if is_cut_short and self.num_simulations > 0:
            # It would look worse, or better, than the others.
            raise _OutOfSteps
        return self.frame(place, self._worth(place, rollout), limit_value)

    def _worth(self, place: Place, rollout: Rollout) -> float:
        """Returns the return of a rollout, and of what comes after it."""
        value, context = rollout.discounted_return, place.context
        if self.guidance.value is None or context is None or rollout.terminated:
            return value
        for action, observation in rollout.steps:
            context = context.then(action, observation)
        (after,) = self.guidance.values([context])
        return value + float(self.planning.discount**rollout.length) * after

    def _key(self, place: Place) -> Hashable | None:
        model: KeyedWorldModel = self.simulator.model  # type: ignore[assignment]
        return model.state_key(place.result.next_state)

    def _propose(self, place: Place, count: int, rng: np.random.Generator) -> Value:
        """Returns a box's middle, then corners in turn with points anywhere."""
        box = self.actions
        assert isinstance(box, BoxActions)
        if count == 0:
            vector = np.clip(np.zeros(box.size), box.low, box.high)
        elif count == 1:
            vector = box.low
        elif count == 2:
            vector = box.high
        elif box.size > 1 and count % 2:
            vector = np.where(rng.random(box.size) < 0.5, box.low, box.high)
        else:
            vector = rng.uniform(box.low, box.high)
        return box.to_values(vector)


def _is_same(left: Place, right: Place) -> bool:
    return same_value(left.result.observation, right.result.observation)
