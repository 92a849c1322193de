"""The protocols that every kind of world model and planner meets in."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from cwm.core.spaces import Value


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
        """
        ...

    def legal_actions(self, state: Any) -> Sequence[Value] | None:
        """Returns the legal actions in `state`; `None` for the whole space."""
        ...


class BatchedWorldModel(WorldModel, Protocol):
    """A world model that steps many states at once."""

    def step_batch(
        self,
        states: NDArray[Any],
        actions: NDArray[Any],
        rng: np.random.Generator,
    ) -> tuple[NDArray[Any], NDArray[np.float64], NDArray[np.bool_]]:
        """Returns next states, rewards and terminated flags of `N` steps.

        Args:
            states: `[N, ...]`.
            actions: `[N, ...]`.
            rng: As in `step`.
        """
        ...
