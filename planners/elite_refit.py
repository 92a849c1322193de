"""Moves a distribution of plans to the best of them."""

from dataclasses import dataclass

import numpy as np

from cwm.core.protocols import FloatArray
from planners.gaussian_search import Gaussian, elites


@dataclass(frozen=True, slots=True, kw_only=True)
class EliteRefit:
    """Moves a distribution to the mean and the spread of the elites.

    Where all plans return the same, as long as no reward is found, they say nothing
    about where to look: the distribution stays as wide as it is.

    Attributes:
        elite_fraction: Share of the plans that are elites, in `(0, 1]`; at least 2 are.
        momentum: Weight of the old distribution, in `[0, 1)`.
        min_std: No standard deviation becomes smaller; 0 or more.
    """

    elite_fraction: float
    momentum: float
    min_std: float

    def __post_init__(self) -> None:
        if not 0.0 < self.elite_fraction <= 1.0:
            raise ValueError(
                "elite_fraction must be above 0 and at most 1, got "
                f"{self.elite_fraction!r}."
            )
        if not 0.0 <= self.momentum < 1.0:
            raise ValueError(
                f"momentum must be at least 0 and below 1, got {self.momentum!r}."
            )
        if not self.min_std >= 0.0:
            raise ValueError(f"min_std must be 0 or more, got {self.min_std!r}.")

    def __call__(
        self, gaussian: Gaussian, points: FloatArray, returns: FloatArray
    ) -> Gaussian:
        """Returns the next distribution from the last, its points and returns."""
        found = returns[~np.isnan(returns)]
        if not len(found) or (found == found[0]).all():
            return gaussian
        number = max(2, round(self.elite_fraction * len(points)))
        chosen = points[elites(returns, number)]
        old, new = self.momentum, 1.0 - self.momentum
        std = old * gaussian.std + new * chosen.std(axis=0)
        return Gaussian(
            mean=old * gaussian.mean + new * chosen.mean(axis=0),
            std=np.maximum(std, self.min_std),
        )
