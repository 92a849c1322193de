"""Priors and values as the tree planners use them: checked, scaled, plain numbers."""

import math
from collections.abc import Sequence

import numpy as np

from cwm.core.protocols import ActionPrior, Context, FloatArray, ValueFunction
from cwm.core.spaces import Value
from planners.actions import ActionSet, BoxActions


class Guidance:
    """What is known beside the model.

    Args:
        actions: The actions to choose from.
        discount: The planner's.
        prior: How probable actions are; `None` if nothing is known.
        value: How much return is to come; `None` likewise.

    Raises:
        ValueError: If there is a prior over a box, or the value was made with another
            discount.
    """

    def __init__(
        self,
        actions: ActionSet,
        discount: float,
        prior: ActionPrior | None,
        value: ValueFunction | None,
    ) -> None:
        if prior is not None and isinstance(actions, BoxActions):
            raise ValueError(
                "A prior needs a finite number of actions, got a box with "
                f"{actions.size} elements."
            )
        if value is not None and value.spec.discount != discount:
            raise ValueError(
                f"The value must be made with the planner's discount ({discount}), "
                f"got {value.spec.discount}."
            )
        self.prior = prior
        self.value = value

    @property
    def needs_context(self) -> bool:
        """Whether states must come with what led to them."""
        return self.prior is not None or self.value is not None

    def first(self, context: Context | None) -> Context | None:
        """Returns the context that a plan starts from; `None` if none is needed.

        Raises:
            ValueError: If one is needed and not given.
        """
        if not self.needs_context:
            return None
        if context is None:
            raise ValueError("A prior or a value needs a context, got none.")
        return context

    def values(self, contexts: Sequence[Context]) -> list[float]:
        """Returns the returns to come, in rewards; 0 each without a value."""
        if self.value is None or not contexts:
            return [0.0] * len(contexts)
        scale = self.value.spec.scale
        return [float(v) * scale for v in self.value.evaluate(contexts)]

    def log_weights(
        self, contexts: Sequence[Context], legal: Sequence[Sequence[Value]]
    ) -> list[FloatArray]:
        """Returns logarithms of the actions' probabilities, of the likeliest each 0.

        A uniform prior gives zeros to the last bit, as no prior does.
        """
        if self.prior is None or not contexts:
            return [np.zeros(len(actions)) for actions in legal]
        found = self.prior.evaluate(contexts, legal)
        weights = []
        for logs, actions in zip(found, legal, strict=True):
            logs = np.asarray(logs, dtype=np.float64)  # noqa: PLW2901
            if logs.shape != (len(actions),) or not math.isfinite(logs.max()):
                raise ValueError(
                    "A prior must give each legal action a log-probability, and one "
                    f"of them a finite one, got {logs.tolist()} for {len(actions)}."
                )
            weights.append(logs - logs.max())
        return weights
