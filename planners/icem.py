"""The improved cross-entropy method: coloured noise, elites kept, fewer each round."""

from dataclasses import dataclass, field

from planners.elite_refit import EliteRefit
from planners.gaussian_search import GaussianPlanner, GaussianSearchConfig
from planners.guidance import PriorConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class ICEMConfig:
    """Settings of iCEM (Pinneri et al., 2020, https://arxiv.org/abs/2008.06389).

    Attributes:
        num_iterations: Rounds of sampling and refitting at most.
        population: Plans of the first round at most; `None` for what the budget
            allows.
        min_population: With a small budget there are rather fewer rounds and a
            shorter look-ahead than fewer plans in a round.
        decay: Each round has that many times fewer plans than the one before; at
            least 1. The paper has 1.25.
        noise_exponent: The power of the noise falls with this power of the frequency;
            0 is white. The paper has 0.25 to 4, by task. High values push in one
            direction for long, which finds distant goals; low ones switch quickly.
        elite_fraction: Share of a round's plans to which the distribution is fitted;
            at least 2 are.
        reuse_fraction: Share of the elites that are rolled out again in the next
            round, and shifted in the next decision. The paper has 0.3.
        momentum: Weight of the old distribution in a refit, in `[0, 1)`. The paper
            has 0.1.
        initial_std: Standard deviation at first, as a share of each element's half
            range; the paper has 0.5. Scores of listed actions have 1.
        min_std: Smallest standard deviation, in half ranges (or scores).
        prior: How an action prior bears on it.
    """

    num_iterations: int = 4
    population: int | None = None
    min_population: int = 8
    decay: float = 1.25
    noise_exponent: float = 2.0
    elite_fraction: float = 0.1
    reuse_fraction: float = 0.3
    momentum: float = 0.1
    initial_std: float = 0.5
    min_std: float = 0.05
    prior: PriorConfig = field(default_factory=PriorConfig)

    def __post_init__(self) -> None:
        self.search_config()
        self.refit()

    def search_config(self) -> GaussianSearchConfig:
        """Returns how plans are drawn."""
        if not 0.0 <= self.reuse_fraction <= 1.0:
            raise ValueError(
                f"reuse_fraction must be in 0 .. 1, got {self.reuse_fraction!r}."
            )
        return GaussianSearchConfig(
            num_iterations=self.num_iterations,
            population=self.population,
            decay=self.decay,
            min_population=self.min_population,
            initial_std=self.initial_std,
            noise_exponent=self.noise_exponent,
            kept_fraction=self.elite_fraction * self.reuse_fraction,
            adds_mean=True,
        )

    def refit(self) -> EliteRefit:
        """Returns how the distribution is moved."""
        return EliteRefit(
            elite_fraction=self.elite_fraction,
            momentum=self.momentum,
            min_std=self.min_std,
        )


class ICEMPlanner(GaussianPlanner[ICEMConfig]):
    """Like the cross-entropy method, with plans that hang together in time.

    The best plan of all rounds is the answer; the next decision begins with the mean
    and the elites of this one, less the steps made, and the full spread. A round in
    which all plans return the same moves nothing.
    """
