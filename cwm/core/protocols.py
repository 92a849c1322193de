"""The protocols that every kind of world model and planner meets in."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from cwm.core.spaces import Value

FloatArray: TypeAlias = NDArray[np.float64]

Values: TypeAlias = Sequence[Value] | NDArray[Any]
"""Several values; of a space that is one array, one array with rows for them."""


class StepResult(NamedTuple):
    """What a world model predicts for one step.

    Attributes:
        next_state: What the model needs to continue; opaque outside it.
        observation: What the environment would show.
        reward: The step's reward.
        terminated: Whether a terminal state of the MDP is reached.
    """

    next_state: Any
    observation: Value
    reward: float
    terminated: bool


class ModelError(RuntimeError):
    """A world model has no answer for a state and an action: its program raised.

    Planners leave such plans out and count them; it is no reason to stop.
    """


@runtime_checkable
class WorldModel(Protocol):
    """A simulator that planners can call in any order.

    `step` is a function of its arguments: it neither changes its inputs nor
    remembers earlier calls.
    """

    def step(self, state: Any, action: Value, rng: np.random.Generator) -> StepResult:
        """Returns the outcome of `action` in `state`.

        Args:
            state: A state that this model returned, or an observation to start
                from where the environment is fully observed.
            action: One legal action.
            rng: Source of all randomness; advanced only by stochastic models.

        Raises:
            ModelError: If the model has no answer.
        """
        ...

    def legal_actions(self, state: Any) -> Sequence[Value] | None:
        """Returns the legal actions in `state`; `None` for the whole space."""
        ...


@runtime_checkable
class BatchedWorldModel(WorldModel, Protocol):
    """A world model that steps many states at once; its states are observations."""

    def step_batch(
        self,
        states: NDArray[Any],
        actions: NDArray[Any],
        rng: np.random.Generator,
    ) -> tuple[NDArray[Any], FloatArray, NDArray[np.bool_]]:
        """Returns next states, rewards and terminated flags of `N` steps.

        Args:
            states: `[N, ...]`.
            actions: `[N, ...]`.
            rng: As in `step`.

        Raises:
            ModelError: If the model has no answer for some row.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class RolloutBatch:
    """`N` simulated continuations of one state, of at most `H` steps each.

    Attributes:
        rewards: `[N, H]`; 0 after a rollout's end.
        lengths: `[N]` of `int64`: steps made. Below `H` only where the rollout
            terminated or failed.
        terminated: `[N]` of `bool`: whether the last step reached a terminal state.
        failed: `[N]` of `bool`: whether the model had no answer to a step; that step
            is not counted.
        observations: For each rollout those after its steps, `lengths[i]` of them.
    """

    rewards: FloatArray
    lengths: NDArray[np.int64]
    terminated: NDArray[np.bool_]
    failed: NDArray[np.bool_]
    observations: Sequence[Values]


@runtime_checkable
class RollingWorldModel(WorldModel, Protocol):
    """A world model with a way of its own to make many rollouts at once."""

    def roll_out(
        self, state: Any, actions: Sequence[Values], rng: np.random.Generator
    ) -> RolloutBatch:
        """Returns where plans lead that all start in one state.

        Args:
            state: As in `step`.
            actions: `N` plans of `H` actions each, all legal wherever they lead.
            rng: As in `step`.
        """
        ...


class Policies(Protocol):
    """Ways to act on what is seen; each is followed once, from the first step on."""

    def __len__(self) -> int:
        """Returns how many there are."""
        ...

    def act(self, index: int, observation: Value) -> Value:
        """Returns what policy `index` does about an observation."""
        ...

    def act_each(
        self, indices: NDArray[np.int64], observations: NDArray[Any]
    ) -> NDArray[Any]:
        """Returns what each of `n` policies does about its own observation.

        Args:
            indices: `[n]`.
            observations: `[n, ...]`.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class FollowedPolicies:
    """Where policies lead from one state.

    Attributes:
        rollouts: One for each policy.
        actions: What each did, an action for each of its steps and, where the model
            had no answer, the one that it failed at.
    """

    rollouts: RolloutBatch
    actions: Sequence[Values]


@runtime_checkable
class FollowingWorldModel(WorldModel, Protocol):
    """A world model with a way of its own to see where policies lead."""

    def follow(
        self,
        state: Any,
        policies: Policies,
        horizon: int,
        rng: np.random.Generator,
    ) -> FollowedPolicies:
        """Returns where policies lead that all start in one state.

        Args:
            state: As in `step`.
            policies: What they do is legal wherever they come.
            horizon: Steps of each at most.
            rng: As in `step`.
        """
        ...


@runtime_checkable
class KeyedWorldModel(WorldModel, Protocol):
    """A world model whose states can be told apart by value.

    Planners that have reached one state in two ways go on from it once.
    """

    def state_key(self, state: Any) -> Hashable | None:
        """Returns the same key for states that behave the same.

        `None` if the model cannot tell: each such state is taken for another one.
        """
        ...


@runtime_checkable
class LikelihoodModel(Protocol):
    """A model that says how probable what was observed next is."""

    def log_probs(
        self, observations: Values, actions: Values, next_observations: Values
    ) -> FloatArray:
        """Returns natural logarithms of `p(next observation | observation, action)`.

        `[N]`; probabilities, not densities, so that each is at most 0. Minus infinity
        for what cannot come next as far as the model knows.

        Args:
            observations: `N` observations; the transitions are independent.
            actions: `N` actions.
            next_observations: What was observed after each.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What an agent was told and has seen and done; what a prior or a value reads.

    Attributes:
        instruction: The task in words; may be empty.
        observations: All so far, the present one last; at least 1.
        actions: Those between them, one fewer.
    """

    instruction: str = ""
    observations: tuple[Value, ...]
    actions: tuple[Value, ...] = ()

    def __post_init__(self) -> None:
        if len(self.observations) != len(self.actions) + 1:
            raise ValueError(
                "A context must have one observation more than actions, got "
                f"{len(self.observations)} and {len(self.actions)}."
            )

    def then(self, action: Value, observation: Value) -> "Context":
        """Returns the context one step later."""
        return Context(
            instruction=self.instruction,
            observations=(*self.observations, observation),
            actions=(*self.actions, action),
        )


class ActionPrior(Protocol):
    """How probable each action is, before any planning."""

    def evaluate(
        self, contexts: Sequence[Context], legal: Sequence[Sequence[Value]]
    ) -> Sequence[FloatArray]:
        """Returns natural logarithms of probabilities, an array for each context.

        Args:
            contexts: What is known in each case.
            legal: The actions among which to choose, finitely many, for each.

        Returns:
            For each context `[number of its legal actions]`; the probabilities of a
            context sum to 1. Minus infinity is allowed: that action is never tried.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueSpec:
    """What the numbers of a value function mean.

    Attributes:
        discount: Weight of the next reward that they were made with, in `(0, 1]`.
        scale: Rewards of the environment that 1 of them stands for.
        low: Smallest that it gives, before scaling.
        high: Largest that it gives, before scaling.
    """

    discount: float
    scale: float = 1.0
    low: float = -float("inf")
    high: float = float("inf")

    def __post_init__(self) -> None:
        if not 0.0 < self.discount <= 1.0:
            raise ValueError(
                f"discount must be above 0 and at most 1, got {self.discount!r}."
            )
        if not self.low <= self.high:
            raise ValueError(
                f"low must be at most high ({self.high!r}), got {self.low!r}."
            )


class ValueFunction(Protocol):
    """How much return is still to come."""

    @property
    def spec(self) -> ValueSpec:
        """What its numbers mean."""
        ...

    def evaluate(self, contexts: Sequence[Context]) -> FloatArray:
        """Returns estimates of the discounted return from each context on, `[N]`.

        In units of `spec.scale`, within `spec.low .. spec.high`. Not asked about
        terminal states, whose value is 0.
        """
        ...
