"""What a planner is: a model and a state in, a plan out."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from cwm.core.protocols import Context, StepResult, WorldModel
from cwm.core.spaces import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanningConfig:
    """What all planners have in common.

    Attributes:
        horizon: Steps that a plan looks ahead at most; at least 1. A planner that is
            told that fewer are left looks no further.
        discount: Weight of the next reward, in `(0, 1]`; 1 sums rewards up.
        max_model_steps: Steps of the model that one decision may take; at least 1.
            Planners end within it and choose by what they have seen.
    """

    horizon: int = 50
    discount: float = 1.0
    max_model_steps: int = 10_000

    def __post_init__(self) -> None:
        for name in ("horizon", "max_model_steps"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"{name} must be at least 1, got {getattr(self, name)} (steps)."
                )
        if not 0.0 < self.discount <= 1.0:
            raise ValueError(
                f"discount must be above 0 and at most 1, got {self.discount!r}."
            )

    def steps_ahead(self, steps_left: int | None) -> int:
        """Returns how far to look.

        Args:
            steps_left: Steps until the episode is cut off; `None` if it never is.

        Raises:
            ValueError: If no step is left.
        """
        if steps_left is not None and steps_left < 1:
            raise ValueError(
                f"steps_left must be at least 1, got {steps_left} (steps)."
            )
        return self.horizon if steps_left is None else min(self.horizon, steps_left)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to do, and what the model says will come of it.

    Attributes:
        actions: In order; at least 1. Planners that decide one step at a time give 1.
        predictions: The model's steps along the first actions; at most as many. Fewer
            where the model ends, or was not asked.
        value: Predicted discounted return from the state, by the planner's own
            estimate; NaN if it has none.
        num_model_steps: Steps of the model that it took.
        num_failures: Times the model had no answer (`ModelError`).
        memory: What the planner wants to see again at the next decision of this
            episode; opaque. A caller that drops it, or did something else than the
            plan says, gets a plan from scratch, and no other harm.
        statistics: Figures of the planner's own, by name, for tables and tests.
    """

    actions: tuple[Value, ...]
    predictions: tuple[StepResult, ...] = ()
    value: float = math.nan
    num_model_steps: int = 0
    num_failures: int = 0
    memory: Any = None
    statistics: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.actions:
            raise ValueError("A plan must have at least 1 action, got none.")
        if len(self.predictions) > len(self.actions):
            raise ValueError(
                "A plan must predict no more steps than it has actions "
                f"({len(self.actions)}), got {len(self.predictions)}."
            )


class TooFewModelSteps(ValueError):  # noqa: N818 - what it is, not a fault
    """A planner that looks at everything may not take as many steps as that takes."""


class NoLegalAction(ValueError):  # noqa: N818 - a state's property, not a fault
    """There is nothing to plan: the state has no legal action."""


class Planner(Protocol):
    """Chooses actions by asking a world model what would come of them.

    A planner remembers nothing between calls: what it was given when it was made
    and the arguments decide the plan, and the same generator state gives the same
    plan. Whatever carries over (a plan to start from, a tree) is in `Plan.memory`.
    """

    @property
    def config(self) -> PlanningConfig:
        """How far it looks, and what it may spend."""
        ...

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
        """Returns what to do in a state.

        Args:
            model: The world model; asked at most `config.max_model_steps` times, but
                once at least.
            state: Where to start.
            rng: Source of all randomness; advanced by the call.
            steps_left: Steps until the episode is cut off; at least 1. `None` if
                that is not known or never happens.
            context: What was seen and done so far; needed by a prior or a value.
            memory: `Plan.memory` of the decision before in this episode.

        Raises:
            NoLegalAction: If the state has none.
            ValueError: If `steps_left` is below 1, or a context is needed and not
                given.
        """
        ...
