"""Tries random plans, and takes the best."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cwm.core.protocols import Context, WorldModel
from planners.base import BasePlanner
from planners.guidance import PriorConfig
from planners.planner import Plan
from planners.scoring import (
    Candidate,
    PlanScorer,
    best_index,
    better,
)
from planners.simulator import Simulator

MAX_PLANS_AT_ONCE = 4_096
"""Plans that are rolled out together; bounds the memory that they take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomShootingConfig:
    """Settings of random shooting.

    Attributes:
        num_plans: Plans to try; `None` for as many as the budget allows.
        min_population: With a small budget the look-ahead is rather shorter than
            fewer plans are tried.
        prior: How an action prior bears on it.
    """

    num_plans: int | None = None
    min_population: int = 16
    prior: PriorConfig = field(default_factory=PriorConfig)

    def __post_init__(self) -> None:
        if self.num_plans is not None and self.num_plans < 1:
            raise ValueError(f"num_plans must be at least 1, got {self.num_plans}.")
        if self.min_population < 1:
            raise ValueError(
                f"min_population must be at least 1, got {self.min_population}."
            )


class RandomShootingPlanner(BasePlanner[RandomShootingConfig]):
    """Rolls out plans of independent random actions; the best one is the answer."""

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
        horizon = self._horizon(self._planning.steps_ahead(steps_left))
        max_steps = self._planning.max_model_steps
        simulator = Simulator(model, rng, max_steps=max_steps)
        scorer = PlanScorer(
            self._points,
            simulator,
            state,
            discount=self._planning.discount,
            guidance=self._guidance,
            prior=self._settings.prior,
            context=context,
            is_cut_off=horizon == steps_left,
        )
        best: Candidate | None = None
        num_plans = num_failed = 0
        wanted = self._settings.num_plans or max_steps
        while (affordable := simulator.remaining // horizon) and num_plans < wanted:
            number = min(affordable, wanted - num_plans, MAX_PLANS_AT_ONCE)
            points = self._points.spread_evenly(rng, number, horizon)
            population = scorer.score(points)
            best = better(scorer.candidate(population, best_index(population)), best)
            num_plans += number
            num_failed += int(np.isnan(population.returns).sum())
        assert best is not None, "The budget allows at least 1 plan of 1 step."
        return Plan(
            actions=best.actions,
            predictions=best.predictions,
            value=best.value,
            num_model_steps=simulator.num_steps,
            num_failures=simulator.num_failures,
            statistics={
                "num_plans": num_plans,
                "num_failed_plans": num_failed,
                "all_failed": math.isnan(best.value),
            },
        )

    def _horizon(self, horizon: int) -> int:
        """Returns how far to look so that the budget allows enough plans."""
        least = self._settings.min_population
        if self._settings.num_plans is not None:
            least = min(least, self._settings.num_plans)
        return max(1, min(horizon, self._planning.max_model_steps // least))
