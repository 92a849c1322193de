"""Model predictive path integral control."""

import math
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from cwm.core.protocols import FloatArray
from planners.gaussian_search import Gaussian, GaussianPlanner, GaussianSearchConfig
from planners.guidance import PriorConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class MPPIConfig:
    """Settings of MPPI (Williams et al., 2017, https://arxiv.org/abs/1707.02342).

    Attributes:
        num_iterations: Rounds of sampling and averaging at most; the paper has 1.
        population: Plans of a round at most; `None` for what the budget allows.
        min_population: With a small budget there are rather fewer rounds and a
            shorter look-ahead than fewer plans in a round.
        temperature: How much better a plan must be to count e times as much; above 0.
        is_relative: Whether `temperature` is in standard deviations of the returns of
            a round, and so does not depend on the size of rewards; otherwise in the
            units of the return, as in the paper.
        noise_exponent: Colour of the noise, as in iCEM; the paper's is white (0).
        std: Standard deviation of the noise, as a share of each element's half range.
            Scores of listed actions have 1.
        execute: `best`: the mean after the last round, or a sampled plan if that
            returns more. `mean`: always the mean, as in the paper.
        prior: How an action prior bears on it.
    """

    num_iterations: int = 4
    population: int | None = None
    min_population: int = 16
    temperature: float = 0.2
    is_relative: bool = True
    noise_exponent: float = 1.0
    std: float = 0.5
    execute: Literal["best", "mean"] = "best"
    prior: PriorConfig = field(default_factory=PriorConfig)

    def __post_init__(self) -> None:
        self.search_config()
        self.refit()

    def search_config(self) -> GaussianSearchConfig:
        """Returns how plans are drawn."""
        if not 0.0 < self.std < math.inf:
            raise ValueError(f"std must be above 0, got {self.std!r}.")
        return GaussianSearchConfig(
            num_iterations=self.num_iterations,
            population=self.population,
            min_population=self.min_population,
            initial_std=self.std,
            noise_exponent=self.noise_exponent,
            reserves_mean=True,
            execute=self.execute,
        )

    def refit(self) -> "PathIntegralRefit":
        """Returns how the mean is moved."""
        return PathIntegralRefit(
            temperature=self.temperature, is_relative=self.is_relative
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PathIntegralRefit:
    """Moves the mean to the average of the plans, weighted by their returns.

    The control cost of the paper (Section III) is left out, as if its alpha were 1:
    what actions cost is in the rewards.

    Attributes:
        temperature: As in `MPPIConfig`.
        is_relative: Likewise.
    """

    temperature: float
    is_relative: bool

    def __post_init__(self) -> None:
        if not 0.0 < self.temperature < math.inf:
            raise ValueError(f"temperature must be above 0, got {self.temperature!r}.")

    def __call__(
        self, gaussian: Gaussian, points: FloatArray, returns: FloatArray
    ) -> Gaussian:
        """Returns the next distribution from the last, its points and returns."""
        found = returns[~np.isnan(returns)]
        if not len(found) or (found == found[0]).all():
            return gaussian
        temperature = self.temperature
        if self.is_relative:
            spread = (
                float(found[np.isfinite(found)].std())
                if np.isfinite(found).any()
                else 0.0
            )
            temperature *= spread or 1.0
        weights = path_integral_weights(returns, temperature)
        return Gaussian(mean=np.einsum("n,nhd->hd", weights, points), std=gaussian.std)


def path_integral_weights(returns: FloatArray, temperature: float) -> FloatArray:
    """Returns the weights of plans, `[N]`, which sum to 1.

    Proportional to `exp(return / temperature)`. Plans without a return (NaN) have
    weight 0; infinitely good ones share all of it.

    Args:
        returns: `[N]`; at least one is not NaN.
        temperature: In units of the return, above 0.
    """
    highest = np.nanmax(returns)
    # Differences to the best cannot overflow, and some weight is always 1.
    with np.errstate(invalid="ignore", over="ignore"):
        exponents = (returns - highest) / temperature
    exponents = np.where(returns == highest, 0.0, exponents)
    weights = np.where(np.isnan(exponents), 0.0, np.exp(exponents))
    normalised: FloatArray = weights / weights.sum()
    return normalised


class MPPIPlanner(GaussianPlanner[MPPIConfig]):
    """Averages sampled plans, weighted by the exponential of their returns.

    The spread is not fitted, so the noise explores as long as it is used. The next
    decision begins with the mean, less the steps made. A round in which all plans
    return the same moves nothing.
    """
