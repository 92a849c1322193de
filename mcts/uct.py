"""UCT and PUCT over opaque states, for planning with a model that is cheap to ask.

Kocsis and Szepesvari, "Bandit based Monte-Carlo Planning", 2006; PUCT as in
Silver et al., "Mastering the game of Go without human knowledge", 2017. How a
state steps, how a leaf is valued, which action is selected and how values of any
scale are brought to the scale of the exploration term are functions passed in.

Covers: finite numbers of actions, which may differ by state and grow with the visits
    (progressive widening); deterministic models, where states reached in several
    ways are one node (transpositions); stochastic ones, where an edge is sampled
    again each time it is taken (chance outcomes) and, with transpositions, is worth
    the mean of what is known of its outcomes; actions that turn out to be impossible.
Does not cover: turns of several players; equal states at different depths, which
    stay apart, so that there are no cycles and a limit of depth is exact.
"""

import math
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeAlias

import numpy as np

from mcts.selection import Selection, ValueRange
from mcts.uct_nodes import (
    NUM_SURE_CHECKS,
    LeafEvaluation,
    State,
    Step,
    UctNode,
    Widening,
    children_of,
    copy_of,
    moved_outcomes,
    outcomes_so_far,
)

_DRAWS_AT_ONCE = 256

Path: TypeAlias = list[tuple[UctNode[State], int, float]]
"""Nodes with the edge taken from each and the reward on it, from the root on."""


@dataclass(slots=True, kw_only=True)
class UctSearch(Generic[State]):
    """One search from one root; simulations can be added at any time.

    Attributes:
        step: Maps a state and an action to the outcome; `None` takes the action away
            from the state. Called for edges without an outcome and, in a stochastic
            search, for each edge on the way. What it raises ends the simulation,
            which then counts nowhere.
        evaluate: Values a state that is new to the tree, at a depth below the root.
            Not called for terminal states, whose value is 0.
        select: Chooses the action inside the tree.
        discount: Weight of the next reward, in `(0, 1]`.
        key: Maps states that behave the same to the same key; `None` for a state
            that cannot be told apart. Without it none can.
        is_same: Whether two states are one, as far as can be told; decides where
            there are no keys whether a model is stochastic.
        is_stochastic: Whether an edge may lead elsewhere when it is taken again.
        num_checks: Times to step a known edge again, after each of its first 8 visits,
            then after 16, 32, ..., to see whether the model is stochastic:
            `is_stochastic` is then set.
        max_depth: Edges below the root that a simulation takes at most; `None` for no
            limit.
        widening: How nodes get more actions; `None` if they do not.
        outcome_exponent: See `Outcomes.suffice`; in `[0, 1]`.
        rng: Source of all randomness, also handed to the functions above.
        root: Where simulations start; set by `plant`, `run` or `adopt`.
        nodes: All states of the tree.
        value_range: Of the edge values seen.
    """

    step: Callable[[State, Any, np.random.Generator], Step[State] | None]
    evaluate: Callable[[State, int, np.random.Generator], LeafEvaluation]
    select: Selection
    discount: float = 1.0
    key: Callable[[State], Hashable | None] | None = None
    is_same: Callable[[State, State], bool] | None = None
    is_stochastic: bool = False
    num_checks: int = 0
    max_depth: int | None = None
    widening: Widening[State] | None = None
    outcome_exponent: float = 0.5
    rng: np.random.Generator
    root: UctNode[State] = field(init=False)
    nodes: list[UctNode[State]] = field(init=False, default_factory=list)
    value_range: ValueRange = field(init=False, default_factory=ValueRange)
    _known: dict[Hashable, UctNode[State]] = field(init=False, default_factory=dict)
    _draws: list[float] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        if not 0.0 < self.discount <= 1.0:
            raise ValueError(
                f"discount must be above 0 and at most 1, got {self.discount!r}."
            )

    def run(self, state: State, num_simulations: int) -> UctNode[State]:
        """Builds a fresh tree and returns its root.

        The root is evaluated first, outside the count of simulations, so that its
        visits equal `num_simulations`.

        Raises:
            ValueError: If `num_simulations` is below 1, or the root has no action.
        """
        if num_simulations < 1:
            raise ValueError(
                f"num_simulations must be at least 1, got {num_simulations}."
            )
        self.plant(state, self.evaluate(state, 0, self.rng))
        for _ in range(num_simulations):
            self.simulate()
        return self.root

    def plant(self, state: State, leaf: LeafEvaluation) -> None:
        """Begins a fresh tree.

        Raises:
            ValueError: If the root has no action.
        """
        if not leaf.actions:
            raise ValueError("The root must have at least 1 action, got 0.")
        self.nodes, self._known, self.value_range = [], {}, ValueRange()
        self.root = self._new_node(state, 0, leaf, terminated=False)

    def find(self, key: Hashable, depth: int) -> UctNode[State] | None:
        """Returns the node of the state with a key, `depth` edges below the root.

        `None` if there is none, or it is an end.
        """
        return self._known.get((self.root.depth + depth, key, False))

    def adopt(self, other: "UctSearch[State]", node: UctNode[State]) -> None:
        """Goes on from a node of another search, whose tree stays as it is.

        Copies what can be reached from there.
        """
        self.is_stochastic, self.num_checks = other.is_stochastic, other.num_checks
        self.value_range = replace(other.value_range)
        copies = {id(node): copy_of(node)}
        originals = [node]
        for parent in originals:  # Grows on the way.
            for child in children_of(parent):
                if id(child) not in copies:
                    copies[id(child)] = copy_of(child)
                    originals.append(child)
        self.nodes = list(copies.values())
        self.root = self.nodes[0]
        for copy in self.nodes:
            copy.children = [
                None if child is None else copies[id(child)] for child in copy.children
            ]
            copy.outcomes = [
                moved_outcomes(outcomes, copies) for outcomes in copy.outcomes
            ]
        self._known = {
            place: copies[id(known)]
            for place, known in other._known.items()
            if id(known) in copies
        }

    def simulate(self) -> None:
        """Runs one simulation: selection, expansion, evaluation and backup."""
        node = self.root
        path: Path[State] = []
        limit = math.inf if self.max_depth is None else node.depth + self.max_depth
        value: float | None = None
        while not node.is_terminal:
            if node.depth >= limit:
                value = node.limit_value
                break
            if self.widening is not None and self.widening.allows(node):
                count = len(node.actions)
                node.add(self.widening.propose(node.state, count, self.rng))
            index = self.select(node, self.value_range, self._draw)
            child = node.children[index]
            is_new = False
            is_due = self.num_checks > 0 and self._is_due(node, index)
            if child is None or self.is_stochastic or is_due:
                num_nodes = len(self.nodes)
                child = self._take(node, index)
                if child is None:
                    self._drop(node, index)
                    continue
                is_new = len(self.nodes) > num_nodes
            path.append((node, index, node.rewards[index]))
            node = child
            if is_new:
                break
        self._back_up(path, node, node.leaf_value if value is None else value)

    def _is_due(self, node: UctNode[State], index: int) -> bool:
        """Returns whether to step a known edge again, to see whether it differs."""
        visits = node.child_visit_counts[index]
        return visits <= NUM_SURE_CHECKS or visits & (visits - 1) == 0

    def _take(self, node: UctNode[State], index: int) -> UctNode[State] | None:
        """Returns where an edge leads, by asking the model; `None` if nowhere."""
        if self.is_stochastic and node.outcomes:
            visits = node.child_visit_counts[index]
            outcomes = node.outcomes[index]
            if outcomes.suffice(visits, self.outcome_exponent):
                number = int(self._draw() * len(outcomes.samples))
                child, reward = outcomes.samples[number]
                node.children[index], node.rewards[index] = child, reward
                return child
        step = self.step(node.state, node.actions[index], self.rng)
        if step is None:
            return None
        before = node.children[index]
        if before is not None and not self.is_stochastic:
            self.num_checks -= 1
            if self._comes_out_as(before, node.rewards[index], step):
                return before
            self.is_stochastic = True
        child = self._node_of(step, node.depth + 1)
        if self.is_stochastic:
            if not node.outcomes:
                node.outcomes = outcomes_so_far(node)
            node.outcomes[index].add(child, step.reward)
        node.children[index], node.rewards[index] = child, step.reward
        return child

    def _comes_out_as(
        self, before: UctNode[State], reward: float, step: Step[State]
    ) -> bool:
        if step.reward != reward or step.terminated != before.terminated:
            return False
        key = None if self.key is None else self.key(step.state)
        if key is not None and self.key is not None:
            return key == self.key(before.state)
        return self.is_same is None or self.is_same(step.state, before.state)

    def _node_of(self, step: Step[State], depth: int) -> UctNode[State]:
        key = None if self.key is None else self.key(step.state)
        place = (depth, key, step.terminated)
        if key is not None and place in self._known:
            return self._known[place]
        if step.terminated:
            leaf = LeafEvaluation(value=0.0, actions=())
        else:
            below = depth - self.root.depth
            leaf = self.evaluate(step.state, below, self.rng)
        node = self._new_node(step.state, depth, leaf, terminated=step.terminated)
        if key is not None:
            self._known[place] = node
        return node

    def _drop(self, node: UctNode[State], index: int) -> None:
        """Takes an action away; a node without any has the worst value seen."""
        node.drop(index)
        if not node.actions:
            node.is_terminal = True
            low = self.value_range.low
            node.leaf_value = low if math.isfinite(low) else 0.0

    def _back_up(self, path: Path[State], leaf: UctNode[State], value: float) -> None:
        leaf.visit_count += 1
        leaf.value_sum += value
        # What other ways to a state have shown is news for this way, too.
        shares = self.key is not None
        child, discount, seen = leaf, self.discount, self.value_range
        for node, index, reward in reversed(path):
            value = reward + discount * value
            node.visit_count += 1
            node.value_sum += value
            node.child_visit_counts[index] += 1
            node.child_value_sums[index] += value
            if shares and node.outcomes:
                mean = node.outcomes[index].value(discount)
            elif shares:
                mean = reward + discount * (child.value_sum / child.visit_count)
            else:
                mean = node.child_value_sums[index] / node.child_visit_counts[index]
            node.child_values[index] = mean
            # As `include` does, without a call for each node of a long path.
            if mean < seen.low:  # noqa: PLR1730 - as the line above says
                seen.low = mean
            if mean > seen.high:  # noqa: PLR1730
                seen.high = mean
            child = node

    def _new_node(
        self, state: State, depth: int, leaf: LeafEvaluation, *, terminated: bool
    ) -> UctNode[State]:
        size = len(leaf.actions)
        prior = [1.0 / max(1, size)] * size if leaf.prior is None else list(leaf.prior)
        node = UctNode(
            state=state,
            depth=depth,
            terminated=terminated,
            leaf_value=leaf.value,
            limit_value=leaf.limit_value,
            actions=list(leaf.actions),
            prior=prior,
            is_terminal=size == 0,
            child_visit_counts=[0] * size,
            child_value_sums=[0.0] * size,
            child_values=[math.nan] * size,
            rewards=[0.0] * size,
            children=[None] * size,
        )
        self.nodes.append(node)
        return node

    def _draw(self) -> float:
        # One by one they would cost more than the rest of a selection.
        if not self._draws:
            self._draws = self.rng.random(_DRAWS_AT_ONCE).tolist()
        return self._draws.pop()
