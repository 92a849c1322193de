"""What all planners are made of."""

from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any, Generic, TypeVar

import numpy as np

from cwm.core.protocols import ActionPrior, Context, ValueFunction, WorldModel
from cwm.core.spaces import SpaceSpec
from planners.actions import action_set
from planners.guidance import Guidance
from planners.latent import Points, points_of
from planners.planner import Plan, PlanningConfig

SettingsT = TypeVar("SettingsT")


class BasePlanner(ABC, Generic[SettingsT]):
    """A `Planner` with settings of its own.

    Args:
        action_space: Space of the actions.
        planning: How far to look, and what to spend.
        config: Settings.
        prior: Makes some listed actions more likely.
        value: Estimates what follows where the planner looks no further.

    Raises:
        ValueError: If the actions have no finite bounds or are too many, if there is
            a prior and they are not listed, or if the value has another discount.
    """

    def __init__(
        self,
        action_space: SpaceSpec,
        planning: PlanningConfig,
        config: SettingsT,
        *,
        prior: ActionPrior | None = None,
        value: ValueFunction | None = None,
    ) -> None:
        self._space = action_space
        self._planning = planning
        self._settings = config
        self._actions = action_set(action_space)
        self._guidance = Guidance(self._actions, planning.discount, prior, value)

    @property
    def config(self) -> PlanningConfig:
        """How far it looks, and what it may spend."""
        return self._planning

    @cached_property
    def _points(self) -> Points:
        """How points stand for plans, for planners that draw them."""
        return points_of(self._space)

    @abstractmethod
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
        """Returns what to do in a state; see `Planner.plan`."""
