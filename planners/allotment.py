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
        number = self.steps_of(iteration, remaining) // self.horizon
        if self.population is not None:
            wanted = round(self.population * self.decay**-iteration)
            number = min(number, max(1, wanted))
        least = 1 if iteration == 0 else 0
        return min(affordable, max(least, number))

    def steps_of(self, iteration: int, remaining: int) -> int:
        """Returns the steps that are meant for a round.

        Args:
            iteration: The round, from 0.
            remaining: Steps that may still be taken.
        """
        available = max(0, remaining - self.num_reserved * self.horizon)
        shares = [self.decay**-i for i in range(iteration, self.num_iterations)]
        return int(available * shares[0] / sum(shares))

    def further_plans(self, steps: int, remaining: int, *, mean_length: float) -> int:
        """Returns how many more plans to roll out in a round that has steps left.

        None if the population is set. Otherwise as many as are likely to take those
        steps, if they end as early as others did, and as surely fit into the budget
        if they do not.

        Args:
            steps: What is left of those meant for the round.
            remaining: Steps that may still be taken.
            mean_length: Steps that plans took before they ended.
        """
        if self.population is not None:
            return 0
        affordable = remaining // self.horizon - self.num_reserved
        return max(0, min(affordable, int(steps / max(1.0, mean_length))))
