"""What a tree of states and actions is made of; `mcts.uct` searches in it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np

State = TypeVar("State")


class Step(NamedTuple, Generic[State]):
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
        actions: What can be done there; none is a dead end.
        prior: One probability for each action, sums to 1; `None` is uniform.
        limit_value: Estimate of the return from the state on that counts where the
            search may go no deeper.
    """

    value: float
    actions: Sequence[Any]
    prior: Sequence[float] | None = None
    limit_value: float = 0.0

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise ValueError(f"value must be finite, got {self.value!r}.")
        if self.prior is not None and len(self.prior) != len(self.actions):
            raise ValueError(
                f"prior must have {len(self.actions)} entries, one for each action, "
                f"got {len(self.prior)}."
            )


@dataclass(slots=True, kw_only=True, eq=False, repr=False)
class UctNode(Generic[State]):
    """One state in the tree. Below, `A` is its number of actions.

    Attributes:
        state: Whatever the model needs to continue.
        depth: Edges from the first root that the tree ever had.
        terminated: Whether the model ends there.
        leaf_value: What the state was valued at when it was reached; 0 if it is
            terminal in the model.
        limit_value: See `LeafEvaluation`.
        actions: `[A]`, what can be done.
        prior: `[A]`, sums to 1 as long as no action was taken away.
        is_terminal: Whether nothing follows: an end or a dead end.
        visit_count: Simulations that went through or ended here.
        value_sum: Sum of their discounted returns from here.
        child_visit_counts: `[A]`, visits of the edges.
        child_value_sums: `[A]`, sums of reward plus discounted return of the edges.
        child_values: `[A]`, values of the edges; NaN where untried.
        rewards: `[A]`, the latest reward of each edge, 0 where there is none.
        children: `[A]`, the latest outcome of each edge; `None` where there is none.
        outcomes: `[A]`, what was sampled of each edge of a stochastic model; empty
            while the model is taken for a deterministic one.
    """

    state: State
    depth: int
    terminated: bool
    leaf_value: float
    limit_value: float
    actions: list[Any]
    prior: list[float]
    is_terminal: bool
    visit_count: int = 0
    value_sum: float = 0.0
    child_visit_counts: list[int]
    child_value_sums: list[float]
    child_values: list[float]
    rewards: list[float]
    children: list["UctNode[State] | None"]
    outcomes: list["Outcomes[State]"] = field(default_factory=list)

    @property
    def value_estimate(self) -> float:
        """Mean return from here; 0 before the first visit."""
        return self.value_sum / self.visit_count if self.visit_count else 0.0

    def __repr__(self) -> str:
        # Without those below, of which there may be thousands.
        return f"UctNode(state={self.state!r}, visit_count={self.visit_count})"

    def add(self, action: Any) -> None:
        """Adds an untried action; all are equally probable from then on."""
        self.actions.append(action)
        self.child_visit_counts.append(0)
        self.child_value_sums.append(0.0)
        self.child_values.append(math.nan)
        self.rewards.append(0.0)
        self.children.append(None)
        self.prior = [1.0 / len(self.actions)] * len(self.actions)
        if self.outcomes:
            self.outcomes.append(Outcomes())

    def drop(self, index: int) -> None:
        """Takes an action away, and what was learned of it."""
        for entries in (
            self.actions,
            self.prior,
            self.child_visit_counts,
            self.child_value_sums,
            self.child_values,
            self.rewards,
            self.children,
            self.outcomes,
        ):
            if entries:  # `outcomes` may be.
                del entries[index]

    def best(self) -> int:
        """Returns the index of the most visited action, of those the most valuable."""
        counts, values = self.child_visit_counts, self.child_values
        return max(range(len(counts)), key=lambda i: (counts[i], _number(values[i])))


NUM_SURE_CHECKS = 8
"""First visits of an edge, after each of which it is stepped again."""


@dataclass(slots=True)
class Tally(Generic[State]):
    """How often one state was sampled of an edge.

    Attributes:
        child: The state.
        count: How often.
        reward_sum: Sum of the rewards on the way to it.
    """

    child: UctNode[State]
    count: int = 0
    reward_sum: float = 0.0


@dataclass(slots=True)
class Outcomes(Generic[State]):
    """What was sampled of one edge.

    Attributes:
        samples: The states reached, with the rewards, as often as they came.
        tallies: The same by state.
    """

    samples: list[tuple[UctNode[State], float]] = field(default_factory=list)
    tallies: dict[int, Tally[State]] = field(default_factory=dict)

    def add(self, child: UctNode[State], reward: float) -> None:
        """Adds a sample."""
        self.samples.append((child, reward))
        tally = self.tallies.get(id(child))
        if tally is None:
            tally = self.tallies[id(child)] = Tally(child)
        tally.count += 1
        tally.reward_sum += reward

    def value(self, discount: float) -> float:
        """Returns the mean of reward and discounted value over the samples.

        With all that is known of the states, whichever way it was found out. States
        that no simulation has valued yet are left out; there must be another one.
        """
        total, count = 0.0, 0
        for tally in self.tallies.values():
            child = tally.child
            if child.visit_count:
                value = child.value_sum / child.visit_count
                total += tally.reward_sum + tally.count * discount * value
                count += tally.count
        return total / count

    def suffice(self, num_visits: int, exponent: float) -> bool:
        """Returns whether to take one of them again rather than to sample.

        So it is where hardly a state comes twice and there are more than
        `num_visits ** exponent`: without an end to them nothing would grow below.
        """
        number = len(self.tallies)
        return 2 * number > len(self.samples) and number > math.pow(
            num_visits, exponent
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Widening(Generic[State]):
    """More actions with more visits: `ceil(coefficient * N ** exponent)` of them.

    Couetoux et al., "Continuous Upper Confidence Trees", 2011, Section 3.

    Attributes:
        coefficient: Above 0.
        exponent: In `[0, 1]`.
        propose: Maps a state, how many actions it has and a generator to a new one.
    """

    coefficient: float
    exponent: float
    propose: Callable[[State, int, np.random.Generator], Any]

    def allows(self, node: UctNode[State]) -> bool:
        """Returns whether a node may have one more action."""
        visits = max(1, node.visit_count)
        return len(node.actions) < math.ceil(
            self.coefficient * math.pow(visits, self.exponent)
        )


def children_of(node: UctNode[State]) -> list[UctNode[State]]:
    """Returns all states that are known to follow, some of them repeatedly."""
    found = [child for child in node.children if child is not None]
    for outcomes in node.outcomes:
        found += [child for child, _ in outcomes.samples]
    return found


def outcomes_so_far(node: UctNode[State]) -> list[Outcomes[State]]:
    """Returns what was seen before the model was known to be stochastic.

    An edge came out the same at each of its first visits: once alone, it would make
    the rare outcome that gave it away as likely as the usual one.
    """
    found: list[Outcomes[State]] = []
    edges = zip(node.children, node.rewards, node.child_visit_counts, strict=True)
    for child, reward, num_visits in edges:
        found.append(Outcomes())
        if child is not None:
            for _ in range(max(1, min(num_visits, NUM_SURE_CHECKS))):
                found[-1].add(child, reward)
    return found


def copy_of(node: UctNode[State]) -> UctNode[State]:
    """Returns a copy that shares the nodes below with the original."""
    return replace(
        node,
        actions=list(node.actions),
        prior=list(node.prior),
        child_visit_counts=list(node.child_visit_counts),
        child_value_sums=list(node.child_value_sums),
        child_values=list(node.child_values),
        rewards=list(node.rewards),
    )


def moved_outcomes(
    outcomes: Outcomes[State], copies: dict[int, UctNode[State]]
) -> Outcomes[State]:
    """Returns outcomes with the copies of their states."""
    moved: Outcomes[State] = Outcomes()
    for child, reward in outcomes.samples:
        moved.add(copies[id(child)], reward)
    return moved


def _number(value: float) -> float:
    return -math.inf if math.isnan(value) else value
