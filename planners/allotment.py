"""How a budget of model steps is shared out among the iterations of a search."""

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Allotment:
    """How far, how often, and with how many plans to look.

    Attributes:
        horizon: Steps of a plan.
        num_iterations: Rounds of sampling.
        population: Plans of the first round at most; `None` for what the budget
            allows.
        decay: Each round has that many times fewer plans than the one before.
        num_reserved: Plans to be rolled out after the last round.
    """

    horizon: int
    num_iterations: int
    population: int | None = None
    decay: float = 1.0
    num_reserved: int = 0

    def within(self, max_steps: int, *, min_population: int) -> Self:
        """Returns the same within a budget.

        Where it does not allow `min_population` plans in each round there are fewer
        rounds, and where not even in one the look-ahead is shorter.
        """
        if self.population is not None:
            min_population = min(min_population, self.population)
        num_plans = max_steps // self.horizon - self.num_reserved
        horizon = self.horizon
        if num_plans < min_population:
            horizon = max(1, max_steps // (min_population + self.num_reserved))
        return type(self)(
            horizon=horizon,
            num_iterations=max(
                1, min(self.num_iterations, num_plans // min_population)
            ),
            population=self.population,
            decay=self.decay,
            num_reserved=self.num_reserved,
        )

    def plans_of(self, iteration: int, remaining: int) -> int:
        """Returns how many plans to roll out in a round; 0 if the budget is used up.

        Steps that earlier rounds did not need, as rollouts terminated, are shared
        out among the rest.

        Args:
            iteration: The round, from 0.
            remaining: Steps that may still be taken.
        """
        affordable = remaining // self.horizon
        available = affordable - self.num_reserved
        shares = [self.decay**-i for i in range(iteration, self.num_iterations)]
        number = int(available * shares[0] / sum(shares))
        if self.population is not None:
            number = min(number, max(1, round(self.population * shares[0])))
        least = 1 if iteration == 0 else 0
        return min(affordable, max(least, number))
