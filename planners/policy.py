"""Acts as a prior says, without a look ahead: what planning is compared with."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from cwm.core.protocols import ActionPrior, Context, ValueFunction, WorldModel
from cwm.core.spaces import SpaceSpec
from planners.actions import BoxActions
from planners.base import BasePlanner
from planners.planner import Plan, PlanningConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyConfig:
    """Settings of acting by a prior alone.

    Attributes:
        greedy: Whether the most probable action is taken, the first of several,
            instead of a draw.
    """

    greedy: bool = False


class PolicyPlanner(BasePlanner[PolicyConfig]):
    """Draws a legal action with the prior's probability, or takes the likeliest.

    It is what a search guided by the prior is with zero simulations. It takes no step
    of the model and predicts nothing; a value is not asked.

    Args:
        action_space: Space of the actions.
        planning: As of the others; of no consequence.
        config: Settings.
        prior: What it acts by.
        value: Not asked.

    Raises:
        ValueError: As in `BasePlanner`, or if there is no prior.
    """

    def __init__(
        self,
        action_space: SpaceSpec,
        planning: PlanningConfig,
        config: PolicyConfig,
        *,
        prior: ActionPrior | None = None,
        value: ValueFunction | None = None,
    ) -> None:
        super().__init__(action_space, planning, config, prior=prior, value=value)
        if prior is None:
            raise ValueError("Planner 'policy' acts as a prior says, and got none.")

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
        """Returns one action; see `Planner.plan`."""
        self._planning.steps_ahead(steps_left)
        seen = self._guidance.first(context)
        assert seen is not None, "there is a prior"
        assert not isinstance(self._actions, BoxActions), "a prior needs listed ones"
        legal = self._actions.legal(model, state)
        (logs,) = self._guidance.log_weights([seen], [legal])
        probabilities = np.exp(logs) / np.exp(logs).sum()
        if self._settings.greedy:
            index = int(logs.argmax())
        else:
            index = int(rng.choice(len(legal), p=probabilities))
        statistics = {"probability": float(probabilities[index])}
        return Plan(actions=(legal[index],), statistics=statistics)
