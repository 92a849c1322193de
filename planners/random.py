"""Acts at random: the baseline of all planners."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from cwm.core.protocols import Context, WorldModel
from planners.base import BasePlanner
from planners.latent import ScorePoints
from planners.planner import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomConfig:
    """Settings of acting at random: there are none."""


class RandomPlanner(BasePlanner[RandomConfig]):
    """Takes a legal action with equal probability, or one of the prior's choice.

    It takes no step of the model, and predicts nothing.
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
