"""UCT and PUCT over opaque states, for planning with a model that is cheap to ask.

Kocsis and Szepesvari, "Bandit based Monte-Carlo Planning", 2006; PUCT as in
Silver et al., "Mastering the game of Go without human knowledge", 2017. How a
state steps, how a leaf is valued, which action is selected and how values of any
scale are brought to the scale of the exploration term are functions passed in.

Covers: finite numbers of actions, which may differ by state; deterministic models,
    and stochastic ones as far as one sampled outcome per edge represents them.
Does not cover: chance nodes, turns of several players, transpositions.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

State = TypeVar("State")
FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step(Generic[State]):
    """Outcome of one action.

    Attributes:
        state: The next state.
        reward: The step's reward.
        terminated: Whether the next state is terminal; its value is then 0.
    """

    state: State
    reward: float
    terminated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LeafEvaluation:
    """What is known about a state when the search first reaches it.

    Attributes:
        value: Estimate of the discounted return from the state on.
        num_actions: Legal actions there, numbered from 0; 0 is a dead end.
        prior: `[num_actions]`, sums to 1; `None` is uniform.
    """

    value: float
    num_actions: int
    prior: FloatArray | None = None

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise ValueError(f"value must be finite, got {self.value!r}.")
        if self.num_actions < 0:
            raise ValueError(f"num_actions must be at least 0, got {self.num_actions}.")
        if self.prior is not None and self.prior.shape != (self.num_actions,):
            raise ValueError(
                f"prior must have shape ({self.num_actions},), one entry per action, "
                f"got {self.prior.shape}."
            )


@dataclass(slots=True, kw_only=True)
class UctNode(Generic[State]):
    """One state in the tree. Below, `A` is its number of actions.

    Attributes:
        state: Whatever the model needs to continue.
        visit_count: Simulations that went through or ended here.
        value_sum: Sum of their discounted returns from here.
        prior: `[A]`, sums to 1.
        child_visit_counts: `[A]`, visits of the edges.
        child_value_sums: `[A]`, sums of reward plus discounted value of the edges.
        child_values: `[A]`, means of the same; NaN where untried.
        rewards: `[A]`, rewards of the edges taken so far, 0 elsewhere.
        children: `[A]`, index of each child; -1 where the edge is untried.
        is_terminal: Whether nothing follows.
        leaf_value: What the state was valued at when it was reached; 0 if it is
            terminal in the model.
    """

    state: State
    visit_count: int = 0
    value_sum: float = 0.0
    prior: FloatArray
    child_visit_counts: IntArray
    child_value_sums: FloatArray
    child_values: FloatArray
    rewards: FloatArray
    children: IntArray
    is_terminal: bool
    leaf_value: float

    @property
    def value_estimate(self) -> float:
        """Mean return from here; 0 before the first visit."""
        return self.value_sum / self.visit_count if self.visit_count else 0.0


@dataclass(slots=True)
class ValueRange:
    """Smallest and largest edge value seen in a search so far."""

    low: float = math.inf
    high: float = -math.inf

    def include(self, value: float) -> None:
        """Widens the range to hold `value`."""
        self.low = min(self.low, value)
        self.high = max(self.high, value)


QTransform: TypeAlias = Callable[[FloatArray, ValueRange], FloatArray]
"""Maps edge values `[A]` (NaN where untried) to the exploration term's scale."""

Selection: TypeAlias = Callable[
    [UctNode[Any], FloatArray, np.random.Generator], IntArray | int
]
"""Maps a node and its transformed edge values `[A]` to an action."""


def untransformed(values: FloatArray, value_range: ValueRange) -> FloatArray:
    """Returns the values as they are; untried edges stay NaN."""
    return values


def min_max_scaled(values: FloatArray, value_range: ValueRange) -> FloatArray:
    """Returns the values as fractions of the range seen in the whole tree.

    As in MuZero (Schrittwieser et al., 2020, Appendix B). Untried edges stay NaN;
    while all values seen are equal, each counts as 1/2.
    """
    width = value_range.high - value_range.low
    if not width > 0.0:
        return np.where(np.isnan(values), values, 0.5)
    return np.asarray((values - value_range.low) / width)


def uct_scores(
    visit_counts: IntArray,
    values: FloatArray,
    *,
    exploration: float,
    untried_value: float = math.inf,
    epsilon: float = 0.0,
) -> FloatArray:
    """Returns `Q + c * sqrt(ln N / (n + epsilon))` per action, `[A]`.

    Args:
        visit_counts: `[A]`, visits `n` of the edges; `N` is their sum, at least 1.
        values: `[A]`, mean values `Q` of the edges; ignored where `n` is 0.
        exploration: The constant `c`; at least 0.
        untried_value: Value of an untried edge. Infinity tries each edge once
            before any is tried again; a finite one needs a positive `epsilon`.
        epsilon: Added to `n`; at least 0.
    """
    untried = visit_counts == 0
    log_total = math.log(max(1, int(visit_counts.sum())))
    counts = visit_counts + epsilon
    if untried.any():  # Rare: most selections are in nodes that are fully tried.
        values = np.where(untried, untried_value, values)
        if math.isinf(untried_value):
            counts = np.where(untried, 1.0, counts)
    return np.asarray(values + exploration * np.sqrt(log_total / counts))


def puct_scores(
    visit_counts: IntArray,
    values: FloatArray,
    prior: FloatArray,
    *,
    exploration: float,
    untried_value: float = 0.0,
) -> FloatArray:
    """Returns `Q + c * P * sqrt(N) / (1 + n)` per action, `[A]`.

    `N` is taken as at least 1, so that the prior decides the first selection.

    Args:
        visit_counts: `[A]`, visits `n` of the edges; `N` is their sum.
        values: `[A]`, mean values `Q` of the edges; ignored where `n` is 0.
        prior: `[A]`, sums to 1.
        exploration: The constant `c`; at least 0.
        untried_value: Value of an untried edge.
    """
    untried = visit_counts == 0
    if untried.any():
        values = np.where(untried, untried_value, values)
    total = exploration * math.sqrt(max(1, int(visit_counts.sum())))
    return np.asarray(values + total * prior / (1 + visit_counts))


def argmax_at_random(scores: FloatArray, rng: np.random.Generator) -> int:
    """Returns the index of the highest score, one of them at random on a tie."""
    (best,) = (scores == scores.max()).nonzero()
    return int(best[0]) if len(best) == 1 else int(rng.choice(best))


def uct_selection(
    *, exploration: float, untried_value: float = math.inf, epsilon: float = 0.0
) -> Selection:
    """Returns a selection by `uct_scores`, ties at random.

    Raises:
        ValueError: If a setting breaks its rule.
    """
    _check_exploration(exploration)
    if epsilon < 0.0 or (epsilon == 0.0 and math.isfinite(untried_value)):
        raise ValueError(
            "epsilon must be positive with a finite untried_value "
            f"({untried_value!r}), got {epsilon!r}."
        )

    def select(node: UctNode[Any], values: FloatArray, rng: np.random.Generator) -> int:
        scores = uct_scores(
            node.child_visit_counts,
            values,
            exploration=exploration,
            untried_value=untried_value,
            epsilon=epsilon,
        )
        return argmax_at_random(scores, rng)

    return select


def puct_selection(*, exploration: float, untried_value: float = 0.0) -> Selection:
    """Returns a selection by `puct_scores`, ties at random.

    Raises:
        ValueError: If `exploration` is negative or not finite.
    """
    _check_exploration(exploration)

    def select(node: UctNode[Any], values: FloatArray, rng: np.random.Generator) -> int:
        scores = puct_scores(
            node.child_visit_counts,
            values,
            node.prior,
            exploration=exploration,
            untried_value=untried_value,
        )
        return argmax_at_random(scores, rng)

    return select


def _check_exploration(exploration: float) -> None:
    if not (math.isfinite(exploration) and exploration >= 0.0):
        raise ValueError(
            f"exploration must be at least 0 and finite, got {exploration!r}."
        )


@dataclass(slots=True, kw_only=True)
class UctSearch(Generic[State]):
    """One search from one root; simulations can be added at any time.

    Attributes:
        step: Maps a state and an action's number to the outcome. Called once for
            each new edge: at most once a simulation.
        evaluate: Values a state that is new to the tree. Not called for terminal
            states, whose value is 0.
        select: Chooses the action inside the tree.
        discount: Weight of the next reward, in `(0, 1]`.
        qtransform: Scales edge values before `select` sees them.
        rng: Source of all randomness, also handed to the functions above.
        nodes: All states of the tree; the root is the first.
        value_range: Of the edge values seen.
    """

    step: Callable[[State, int, np.random.Generator], Step[State]]
    evaluate: Callable[[State, np.random.Generator], LeafEvaluation]
    select: Selection
    discount: float = 1.0
    qtransform: QTransform = untransformed
    rng: np.random.Generator
    nodes: list[UctNode[State]] = field(init=False, default_factory=list)
    value_range: ValueRange = field(init=False, default_factory=ValueRange)

    def __post_init__(self) -> None:
        if not 0.0 < self.discount <= 1.0:
            raise ValueError(
                f"discount must be above 0 and at most 1, got {self.discount!r}."
            )

    @property
    def root(self) -> UctNode[State]:
        """The node of the state that the search started from."""
        return self.nodes[0]

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
        self.nodes, self.value_range = [], ValueRange()
        self._add(state, self.evaluate(state, self.rng))
        if self.root.is_terminal:
            raise ValueError("The root must have at least 1 action, got 0.")
        for _ in range(num_simulations):
            self.simulate()
        return self.root

    def simulate(self) -> None:
        """Runs one simulation: selection, expansion, evaluation and backup."""
        path: list[tuple[UctNode[State], int]] = []
        node = self.root
        while not node.is_terminal:
            values = self.qtransform(node.child_values, self.value_range)
            action = int(self.select(node, values, self.rng))
            path.append((node, action))
            child = int(node.children[action])
            if child < 0:
                node = self._expand(node, action)
                break
            node = self.nodes[child]
        self._backup(path, node)

    def _expand(self, node: UctNode[State], action: int) -> UctNode[State]:
        step = self.step(node.state, action, self.rng)
        if step.terminated:
            leaf = LeafEvaluation(value=0.0, num_actions=0)
        else:
            leaf = self.evaluate(step.state, self.rng)
        node.rewards[action] = step.reward
        node.children[action] = len(self.nodes)
        self._add(step.state, leaf)
        return self.nodes[-1]

    def _backup(
        self, path: list[tuple[UctNode[State], int]], leaf: UctNode[State]
    ) -> None:
        value = leaf.leaf_value
        leaf.visit_count += 1
        leaf.value_sum += value
        for node, action in reversed(path):
            value = float(node.rewards[action]) + self.discount * value
            node.visit_count += 1
            node.value_sum += value
            node.child_visit_counts[action] += 1
            node.child_value_sums[action] += value
            mean = node.child_value_sums[action] / node.child_visit_counts[action]
            node.child_values[action] = mean
            self.value_range.include(float(mean))

    def _add(self, state: State, leaf: LeafEvaluation) -> None:
        num_actions = leaf.num_actions
        prior = leaf.prior
        if prior is None:
            prior = np.full(num_actions, 1.0 / max(1, num_actions))
        self.nodes.append(
            UctNode(
                state=state,
                prior=prior,
                child_visit_counts=np.zeros(num_actions, dtype=np.int64),
                child_value_sums=np.zeros(num_actions),
                child_values=np.full(num_actions, np.nan),
                rewards=np.zeros(num_actions),
                children=np.full(num_actions, -1, dtype=np.int64),
                is_terminal=num_actions == 0,
                leaf_value=leaf.value,
            )
        )
