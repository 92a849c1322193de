"""Settings of the beam search."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class BeamConfig:
    """Settings of the beam search.

    Attributes:
        width: States expanded at each depth; `None` for as many as the budget of
            model steps allows at each of the depths left.
        max_known_states: States at each depth whose steps were taken before, at another
            depth, that are expanded beside those, where `width` is `None`: they take
            no budget, only time.
        novelty_share: Share of the width that goes to the states least like those
            seen so far, whatever their return; in `[0, 1]`. The rest goes to the
            highest returns, and among equal ones to novelty again.
        prior_weight: Rewards that a factor e of prior probability is worth, at each
            step; at least 0.
        max_reward: Reward that no step exceeds, if that is known: a finished plan
            that nothing can beat then ends the search. Otherwise the horizon does.
        values_per_dimension: Values of each element of an action in a box.
        max_actions: Actions in a box; if the grid has more, those many are sampled,
            anew at each depth. At least 2.
        keeps_finished_plans: Whether a plan that ends, where going on only costs, or
            that nothing can beat, is carried out to its end without another search,
            as long as its predictions come true.
    """

    width: int | None = None
    max_known_states: int = 500
    novelty_share: float = 0.5
    prior_weight: float = 1.0
    max_reward: float | None = None
    values_per_dimension: int = 5
    max_actions: int = 32
    keeps_finished_plans: bool = True

    def __post_init__(self) -> None:
        if self.width is not None and self.width < 1:
            raise ValueError(f"width must be at least 1, got {self.width}.")
        if not 0.0 <= self.novelty_share <= 1.0:
            raise ValueError(
                f"novelty_share must be in 0 .. 1, got {self.novelty_share!r}."
            )
        if not (math.isfinite(self.prior_weight) and self.prior_weight >= 0.0):
            raise ValueError(
                f"prior_weight must be at least 0, got {self.prior_weight!r}."
            )
        if self.values_per_dimension < 2 or self.max_actions < 2:
            raise ValueError(
                "values_per_dimension and max_actions must be at least 2, got "
                f"{self.values_per_dimension} and {self.max_actions}."
            )
