"""Settings of the tree search."""

import math
from dataclasses import dataclass
from typing import Literal

from mcts.selection import Selection, min_max_scaled, puct_selection, uct_selection

UNTRIED_EPSILON = 1e-3
"""Added to the visits of actions where untried ones have a value."""

PAPER_DISCOUNT = 0.99
"""What the preset `paper` is meant to run with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MctsConfig:
    """Settings of the tree search.

    Attributes:
        num_simulations: Passes from the root to a leaf in each decision; `None` for as
            many as the budget of model steps allows.
        selection: `"puct"` weighs values, scaled to the range seen, with the prior;
            `"uct"` takes values as they are.
        exploration: The constant c of either; at least 0.
        untried_value: Value of an untried action; `None` is the mean of its state with
            `"puct"` and infinity with `"uct"`: each action is tried once first.
        rollout_steps: Random steps at most that value a new leaf; `None` for those up
            to the horizon, 0 for none. With a value there are none unless this says
            so, and then it values where they end.
        rollouts_per_leaf: Random rollouts whose mean values a new leaf; at least 1.
            Several are made together, which costs a model that steps many states at
            once little more than one. With a value there is one, and where what is
            legal depends on the state.
        reuses_tree: Whether the next decision goes on with the tree of this one.
        shares_states: Whether states of equal key at equal depth are one node.
        is_stochastic: Whether outcomes differ from time to time; `None` looks: up to
            `num_checks` actions that are taken again are asked of the model again.
        num_checks: See there; at least 0, and never more than 2 % of the budget.
        temperature: Of the softmax over the values of the root's actions from which
            the action is drawn; `None` takes the most visited action.
        min_plan_visits: Visits that an action after the first must have to be part of
            the plan; `None` plans one action.
        max_idle_simulations: Simulations in a row without a step of the model after
            which all that matters is known; at least 1.
        decisive_deviations: Standard errors by which the mean return of the most
            visited action must be above each other one's for the decision to end
            early, with a stochastic model; infinity ends only where the others can no
            longer be visited as often. At least 0.
        widening_coefficient: k of `k * n ** alpha` actions after `n` visits, in a box.
        widening_exponent: alpha of it, in `[0, 1]`.
    """

    num_simulations: int | None = None
    selection: Literal["puct", "uct"] = "puct"
    exploration: float = 1.25
    untried_value: float | None = None
    rollout_steps: int | None = None
    rollouts_per_leaf: int = 1
    reuses_tree: bool = True
    shares_states: bool = True
    is_stochastic: bool | None = None
    num_checks: int = 64
    temperature: float | None = None
    min_plan_visits: int | None = 10
    max_idle_simulations: int = 100
    decisive_deviations: float = 3.0
    widening_coefficient: float = 2.0
    widening_exponent: float = 0.5

    def __post_init__(self) -> None:
        least = {
            "num_simulations": 1,
            "rollout_steps": 0,
            "rollouts_per_leaf": 1,
            "num_checks": 0,
            "temperature": 0.0,
            "min_plan_visits": 1,
            "max_idle_simulations": 1,
            "exploration": 0.0,
        }
        for name, low in least.items():
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value >= low):
                raise ValueError(f"{name} must be at least {low}, got {value!r}.")
        if not self.decisive_deviations >= 0.0:
            raise ValueError(
                "decisive_deviations must be at least 0, got "
                f"{self.decisive_deviations!r}."
            )
        if not self.widening_coefficient > 0.0:
            raise ValueError(
                "widening_coefficient must be above 0, got "
                f"{self.widening_coefficient!r}."
            )
        if not 0.0 <= self.widening_exponent <= 1.0:
            raise ValueError(
                f"widening_exponent must be in 0 .. 1, got {self.widening_exponent!r}."
            )
        if self.selection not in ("puct", "uct"):
            raise ValueError(
                f"selection must be 'puct' or 'uct', got {self.selection!r}."
            )

    @classmethod
    def paper(cls) -> "MctsConfig":
        """Returns the settings of Dainese et al., 2024; see `PAPER_DISCOUNT`.

        The paper gives untried actions the value 1, which needs a number added to
        their visits. It states none; its code adds 0.001 and counts a node's own
        visit in N, so that nearly always each action is tried once before any twice.
        With 1 added, an action that was lucky first is never compared with another.
        """
        return cls(
            num_simulations=25,
            selection="uct",
            exploration=1.0,
            untried_value=1.0,
            rollout_steps=100,
            reuses_tree=False,
            shares_states=False,
            is_stochastic=False,
            temperature=0.01,
            min_plan_visits=None,
        )

    def new_selection(self) -> Selection:
        """Returns what selects inside the tree."""
        if self.selection == "puct":
            return puct_selection(
                exploration=self.exploration,
                untried_value=self.untried_value,
                qtransform=min_max_scaled,
            )
        if self.untried_value is None:
            return uct_selection(exploration=self.exploration)
        return uct_selection(
            exploration=self.exploration,
            untried_value=self.untried_value,
            epsilon=UNTRIED_EPSILON,
            own_visits=1,
        )
