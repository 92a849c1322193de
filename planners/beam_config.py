"""Settings of the beam search."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class BeamConfig:
    """Settings of the beam search.

    Attributes:
        width: States expanded at each depth; `None` for as many as the budget of
            model steps allows at each of the depths left.
        num_rounds: Searches at most, each within 4 times the budget of the one before
            and with what they found, where `width` is `None`. The first goes to the
            horizon to see what there is; the others end where nothing better can
            follow, by the rewards seen, and there is no other after a plan that got
            the most there is. At least 1; one round always goes to the horizon.
        max_known_states: States at each depth whose steps were taken before, at another
            depth, that are expanded beside those, where `width` is `None`: they take
            no budget, only time.
        novelty_share: Share of the width that goes to the states least like those
            seen so far, whatever their return; in `[0, 1]`. The rest goes to the
            highest returns, and among equal ones to novelty again.
        prior_weight: Rewards that a factor e of prior probability is worth, at each
            step; at least 0.
        max_reward: Reward that no step exceeds; `None` learns it from the model.
        values_per_dimension: Values of each element of an action in a box.
        max_actions: Actions in a box; if the grid has more, those many are sampled,
            anew at each depth. At least 2.
        keeps_finished_plans: Whether a plan that ends, where going on only costs, or
            that nothing can beat, is carried out to its end without another search,
            as long as its predictions come true.
        follow_share: Share of a plan to follow before the next search, if it neither
            ends nor lasts as long as the episode: what it comes to after its last step
            nobody has looked at. In `(0, 1]`; at least one action is followed.
    """

    width: int | None = None
    num_rounds: int = 3
    max_known_states: int = 500
    novelty_share: float = 0.5
    prior_weight: float = 1.0
    max_reward: float | None = None
    values_per_dimension: int = 5
    max_actions: int = 32
    keeps_finished_plans: bool = True
    follow_share: float = 0.5

    def __post_init__(self) -> None:
        if self.width is not None and self.width < 1:
            raise ValueError(f"width must be at least 1, got {self.width}.")
        if self.num_rounds < 1:
            raise ValueError(f"num_rounds must be at least 1, got {self.num_rounds}.")
        if not 0.0 < self.follow_share <= 1.0:
            raise ValueError(
                "follow_share must be above 0 and at most 1, got "
                f"{self.follow_share!r}."
            )
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
