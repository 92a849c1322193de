"""The cross-entropy method over plans."""

from dataclasses import dataclass, field
from typing import Literal

from planners.elite_refit import EliteRefit
from planners.gaussian_search import GaussianPlanner, GaussianSearchConfig
from planners.guidance import PriorConfig
from planners.planner import PlanningConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class CEMConfig:
    """Settings of the cross-entropy method.

    The defaults are for planning anew at each step or every few; `CEM_PAPER` has the
    settings of the paper.

    Attributes:
        num_iterations: Rounds of sampling and refitting at most; the paper has 20.
        population: Plans of a round at most; `None` for what the budget allows. The
            paper has 1,000.
        min_population: With a small budget there are rather fewer rounds and a
            shorter look-ahead than fewer plans in a round.
        elite_fraction: Share of a round's plans to which the distribution is fitted;
            at least 2 are. As in the paper: 100 of 1,000.
        momentum: Weight of the old distribution in a refit, in `[0, 1)`; the paper
            has none.
        initial_std: Standard deviation at first, as a share of each element's half
            range. Scores of listed actions have 1.
        is_of_largest_bound: Whether `initial_std` is a share of the largest bound of
            all elements instead, as in the paper.
        min_std: Smallest standard deviation, in half ranges (or scores); the paper
            has none.
        warm_starts: Whether a decision begins with the mean and the best plan of the
            one before, less the steps made; the paper's begins anew.
        execute: `best`: the best plan of all rounds. `last`: the best of the last
            round, as in the paper.
        prior: How an action prior bears on it.
    """

    num_iterations: int = 5
    population: int | None = None
    min_population: int = 16
    elite_fraction: float = 0.1
    momentum: float = 0.1
    initial_std: float = 0.5
    is_of_largest_bound: bool = False
    min_std: float = 0.05
    warm_starts: bool = True
    execute: Literal["best", "last"] = "best"
    prior: PriorConfig = field(default_factory=PriorConfig)

    def __post_init__(self) -> None:
        self.search_config()
        self.refit()

    def search_config(self) -> GaussianSearchConfig:
        """Returns how plans are drawn."""
        return GaussianSearchConfig(
            num_iterations=self.num_iterations,
            population=self.population,
            min_population=self.min_population,
            initial_std=self.initial_std,
            is_of_largest_bound=self.is_of_largest_bound,
            warm_starts=self.warm_starts,
            execute=self.execute,
        )

    def refit(self) -> EliteRefit:
        """Returns how the distribution is moved."""
        return EliteRefit(
            elite_fraction=self.elite_fraction,
            momentum=self.momentum,
            min_std=self.min_std,
        )


CEM_PAPER = CEMConfig(
    num_iterations=20,
    population=1_000,
    elite_fraction=0.1,
    momentum=0.0,
    initial_std=0.5,
    is_of_largest_bound=True,
    min_std=0.0,
    warm_starts=False,
    execute="last",
)
"""As in Dainese et al. (2024): the whole plan is then executed open loop."""

CEM_PAPER_PLANNING = PlanningConfig(
    horizon=100, discount=1.0, max_model_steps=1_000 * 100 * 20
)
"""How far the paper's planner looks, and the steps of the model that it takes."""


class CEMPlanner(GaussianPlanner[CEMConfig]):
    """Fits a normal distribution to the best plans, and draws from it, repeatedly.

    Deviation of all presets from the usual: a round in which all plans return the
    same moves nothing.
    """
