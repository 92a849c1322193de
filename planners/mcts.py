"""Monte-Carlo tree search: what is promising is looked at more often."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cwm.core.protocols import (
    Context,
    StepResult,
    WorldModel,
)
from cwm.core.spaces import Value
from mcts.action_probabilities import value_probabilities
from mcts.uct import UctSearch
from mcts.uct_nodes import UctNode
from planners.actions import BoxActions
from planners.base import BasePlanner
from planners.mcts_config import PAPER_DISCOUNT, MctsConfig
from planners.planner import Plan
from planners.random_rollouts import RandomRollouts, as_step
from planners.simulator import Simulator
from planners.tree_growth import Place, TreeGrowth

__all__ = ["PAPER_DISCOUNT", "MctsConfig", "MctsPlanner"]


@dataclass(frozen=True, slots=True)
class _Memory:
    search: UctSearch[Place]
    num_actions: int


class MctsPlanner(BasePlanner[MctsConfig]):
    """Plans by simulations from the present state, each guided by those before.

    Covers deterministic models, and stochastic ones by chance outcomes. An action for
    which the model has no answer is not tried again from that state; a state without
    any action left counts as bad as the worst that was seen.
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
        """Returns the most visited action, and the principal variation after it."""
        horizon = self._planning.steps_ahead(steps_left)
        simulator = Simulator(model, rng, max_steps=self._planning.max_model_steps)
        legal = None
        if not isinstance(self._actions, BoxActions):
            legal = self._actions.legal(model, state)
        by_state = legal is not None and model.legal_actions(state) is not None
        growth = TreeGrowth(
            simulator=simulator,
            actions=self._actions,
            guidance=self._guidance,
            planning=self._planning,
            settings=self._settings,
            horizon=horizon,
            rollouts=RandomRollouts(
                simulator,
                self._actions,
                rng,
                by_state=by_state,
                discount=self._planning.discount,
                keeps_steps=self._guidance.value is not None,
            ),
        )
        search = growth.new_search(rng)
        root = Place(as_step(state), self._guidance.first(context))
        is_reused = self._go_on(search, simulator, memory, state)
        if not is_reused:
            search.plant(root, growth.frame(root, 0.0, 0.0))
        growth.simulate()
        return self._plan(growth, legal, rng, is_reused=is_reused)

    def _go_on(
        self, search: UctSearch[Place], simulator: Simulator, memory: Any, state: Any
    ) -> bool:
        """Continues an earlier tree if it knows this state; returns whether it did."""
        if not (self._settings.reuses_tree and isinstance(memory, _Memory)):
            return False
        key = simulator.key(state)
        if key is None:
            return False
        for depth in range(1, memory.num_actions + 1):
            node = memory.search.find(key, depth)
            if node is not None and node.actions and not node.is_terminal:
                search.adopt(memory.search, node)
                return True
        return False

    def _plan(
        self,
        growth: TreeGrowth,
        legal: Sequence[Value] | None,
        rng: np.random.Generator,
        *,
        is_reused: bool,
    ) -> Plan:
        search, simulator = growth.search, growth.simulator
        root = search.root
        statistics = {
            "num_simulations": growth.num_simulations,
            "num_nodes": len(search.nodes),
            "root_visits": root.visit_count,
            "is_stochastic": search.is_stochastic,
            "is_reused": is_reused,
        }
        if not any(root.child_visit_counts):
            actions, value = (self._any_action(root, legal, rng),), math.nan
            predictions: tuple[StepResult, ...] = ()
        else:
            index = self._choose(root, rng)
            value = root.child_values[index]
            actions, predictions = self._variation(search, index)
        return Plan(
            actions=actions,
            predictions=predictions,
            value=value,
            num_model_steps=simulator.num_steps,
            num_failures=simulator.num_failures,
            memory=_Memory(search, len(actions))
            if self._settings.reuses_tree
            else None,
            statistics=statistics,
        )

    def _any_action(
        self,
        root: UctNode[Place],
        legal: Sequence[Value] | None,
        rng: np.random.Generator,
    ) -> Value:
        """Returns an action where the model said nothing about any."""
        choices = root.actions or legal
        if choices:
            return choices[int(rng.integers(len(choices)))]
        assert isinstance(self._actions, BoxActions)
        return self._actions.to_values(
            rng.uniform(self._actions.low, self._actions.high)
        )

    def _choose(self, root: UctNode[Place], rng: np.random.Generator) -> int:
        temperature = self._settings.temperature
        if temperature is None:
            return root.best()
        probabilities = value_probabilities(
            np.array(root.child_values), temperature=temperature
        )
        return int(rng.choice(len(probabilities), p=probabilities))

    def _variation(
        self, search: UctSearch[Place], index: int
    ) -> tuple[tuple[Value, ...], tuple[StepResult, ...]]:
        """Returns the chosen action and the best ones after it, with what follows."""
        node, actions = search.root, [search.root.actions[index]]
        predictions: list[StepResult] = []
        while not search.is_stochastic:
            child = node.children[index]
            if child is None:
                break
            # A state reached in two ways holds the reward of the first.
            result = child.state.result._replace(reward=node.rewards[index])
            predictions.append(result)
            node = child
            if node.is_terminal or not any(node.child_visit_counts):
                break
            index = node.best()
            least = self._settings.min_plan_visits
            if least is None or node.child_visit_counts[index] < least:
                break
            actions.append(node.actions[index])
        return tuple(actions), tuple(predictions)
