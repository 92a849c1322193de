"""Acts at random: the baseline of all planners."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from cwm.core.protocols import ActionPrior, Context, ValueFunction, WorldModel
from cwm.core.spaces import SpaceSpec
from planners.guidance import Guidance
from planners.latent import ScorePoints, points_of
from planners.planner import Plan, PlanningConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomConfig:
    """Settings of acting at random: there are none."""


class RandomPlanner:
    """Takes a legal action with equal probability, or one of the prior's choice.

    It takes no step of the model, and predicts nothing.

    Args:
        action_space: Space of the actions: a box with finite bounds, or finitely many.
        planning: Not used, but the same for all planners.
        config: Settings.
        prior: Probabilities of listed actions.
        value: Not used, but checked as elsewhere.

    Raises:
        ValueError: If the actions have no finite bounds or are too many, if there is
            a prior and they are not listed, or if the value has another discount.
    """

    def __init__(
        self,
        action_space: SpaceSpec,
        planning: PlanningConfig,
        config: RandomConfig,
        *,
        prior: ActionPrior | None = None,
        value: ValueFunction | None = None,
    ) -> None:
        self._planning = planning
        self._points = points_of(action_space)
        self._guidance = Guidance(self._points.actions, planning.discount, prior, value)

    @property
    def config(self) -> PlanningConfig:
        """What all planners have in common."""
        return self._planning

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
        """Returns one action; see `Planner.plan`."""
        self._planning.steps_ahead(steps_left)
        point = self._points.spread_evenly(rng, 1, 1)
        if not isinstance(self._points, ScorePoints):
            return Plan(actions=(self._points.to_actions(point)[0, 0],))
        legal = self._points.actions.legal(model, state)
        bias = None
        if self._guidance.prior is not None:
            seen = self._guidance.first(context)
            assert seen is not None, "there is a prior"
            (bias,) = self._guidance.log_weights([seen], [legal])
        return Plan(actions=(self._points.choose(point[0, 0], legal, bias),))
