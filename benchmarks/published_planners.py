"""The planners of Dainese et al. (2024) written down plainly, to time ours beside.

One plan, one simulation, one step of the model after the other, as one writes them
from the text of the paper. Tests hold them against the presets `paper`.

Covers: models where every action is legal everywhere and every step has an answer.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cwm.core.protocols import FloatArray, WorldModel
from cwm.core.spaces import BoxSpec

DISCOUNT = 0.99
EXPLORATION = 1.0
TEMPERATURE = 0.01


@dataclass(frozen=True, kw_only=True)
class PlainPlan:
    """What a plain planner decided.

    Attributes:
        actions: In order.
        value: The return that they are expected to bring.
        num_model_steps: Steps of the model that it took.
    """

    actions: tuple[Any, ...]
    value: float
    num_model_steps: int


@dataclass(kw_only=True)
class Node:
    """A state of the tree; edges are numbered like the actions."""

    state: Any
    terminated: bool = False
    visit_counts: list[int] = field(default_factory=list)
    value_sums: list[float] = field(default_factory=list)
    rewards: dict[int, float] = field(default_factory=dict)
    children: dict[int, "Node"] = field(default_factory=dict)


class PlainMcts:
    """UCT with a fresh tree for each decision and random rollouts.

    Args:
        model: The model.
        num_actions: Actions are `0 .. num_actions - 1`.
        rng: Source of all randomness.
        num_simulations: Of each decision.
        rollout_steps: Of each new leaf, at most.
        untried_value: Of an action that was not tried; infinity tries each once.
    """

    def __init__(
        self,
        model: WorldModel,
        num_actions: int,
        rng: np.random.Generator,
        *,
        num_simulations: int = 25,
        rollout_steps: int = 100,
        untried_value: float = 1.0,
    ) -> None:
        self._model = model
        self._num_actions = num_actions
        self._rng = rng
        self._num_simulations = num_simulations
        self._rollout_steps = rollout_steps
        self._untried_value = untried_value
        # Something must be added to the visits if untried actions have a value.
        self._added_visits = 0.0 if untried_value == math.inf else 1e-3
        self._num_model_steps = 0

    def plan(self, state: Any) -> PlainPlan:
        """Returns one action, drawn from a softmax of the root's mean values."""
        self._num_model_steps = 0
        root = self._node(state, terminated=False)
        for _ in range(self._num_simulations):
            self._simulate(root)
        tried = [a for a in range(self._num_actions) if root.visit_counts[a]]
        values = [root.value_sums[a] / root.visit_counts[a] for a in tried]
        weights = np.exp((np.array(values) - max(values)) / TEMPERATURE)
        chosen = int(self._rng.choice(len(tried), p=weights / weights.sum()))
        return PlainPlan(
            actions=(tried[chosen],),
            value=values[chosen],
            num_model_steps=self._num_model_steps,
        )

    def _node(self, state: Any, *, terminated: bool) -> Node:
        return Node(
            state=state,
            terminated=terminated,
            visit_counts=[0] * self._num_actions,
            value_sums=[0.0] * self._num_actions,
        )

    def _simulate(self, root: Node) -> None:
        node = root
        path = []
        value = 0.0
        while not node.terminated:
            action = self._select(node)
            path.append((node, action))
            if action in node.children:
                node = node.children[action]
                continue
            result = self._model.step(node.state, action, self._rng)
            self._num_model_steps += 1
            leaf = self._node(result.next_state, terminated=result.terminated)
            node.children[action], node.rewards[action] = leaf, result.reward
            if not leaf.terminated:
                value = self._roll_out(leaf.state)
            break
        for node, action in reversed(path):
            value = node.rewards[action] + DISCOUNT * value
            node.visit_counts[action] += 1
            node.value_sums[action] += value

    def _select(self, node: Node) -> int:
        own_visit = 0 if self._untried_value == math.inf else 1
        log_total = math.log(max(1, own_visit + sum(node.visit_counts)))
        scores = []
        for action in range(self._num_actions):
            count: float = node.visit_counts[action]
            value = node.value_sums[action] / count if count else self._untried_value
            if value < math.inf:
                count += self._added_visits
                value += EXPLORATION * math.sqrt(log_total / count)
            scores.append(value)
        best = [a for a in range(self._num_actions) if scores[a] == max(scores)]
        return best[int(self._rng.random() * len(best))]

    def _roll_out(self, state: Any) -> float:
        total, weight = 0.0, 1.0
        for _ in range(self._rollout_steps):
            # A third of the time of `rng.integers`.
            action = int(self._rng.random() * self._num_actions)
            result = self._model.step(state, action, self._rng)
            self._num_model_steps += 1
            total += weight * result.reward
            weight *= DISCOUNT
            state = result.next_state
            if result.terminated:
                break
        return total


def plain_cem(
    model: WorldModel,
    state: Any,
    space: BoxSpec,
    rng: np.random.Generator,
    *,
    population: int = 1_000,
    horizon: int = 100,
    num_iterations: int = 20,
    num_elites: int = 100,
) -> PlainPlan:
    """Returns the best plan of the last round of the cross-entropy method.

    Args:
        model: The model, asked for one step at a time.
        state: Where to start.
        space: Space of the actions, `A` numbers with finite bounds.
        rng: Source of all randomness; advanced by the call.
        population: Plans of each round.
        horizon: Steps of a plan.
        num_iterations: Rounds.
        num_elites: Plans that the next round is fitted to.
    """
    low, high = space.bounds()
    mean: FloatArray = np.tile((low + high) / 2.0, (horizon, 1))
    std: FloatArray = np.full(mean.shape, max(abs(low).max(), abs(high).max()) / 2.0)
    num_model_steps = 0
    for _ in range(num_iterations):
        noise = rng.standard_normal((population, horizon, len(low)))
        plans = np.clip(mean + std * noise, low, high)
        returns = np.zeros(population)
        for index, plan in enumerate(plans.astype(space.dtype)):
            current = state
            for action in plan:
                result = model.step(current, action, rng)
                num_model_steps += 1
                returns[index] += result.reward
                if result.terminated:
                    break
                current = result.next_state
        best_first = np.argsort(-returns)
        elites = plans[best_first[:num_elites]]
        mean, std = elites.mean(axis=0), elites.std(axis=0)
    best = int(best_first[0])
    return PlainPlan(
        actions=tuple(plans[best].astype(space.dtype)),
        value=float(returns[best]),
        num_model_steps=num_model_steps,
    )
