"""Priors and values as planners use them: checked, scaled, plain numbers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cwm.core.protocols import ActionPrior, Context, FloatArray, ValueFunction
from cwm.core.spaces import Value
from planners.actions import ActionSet, BoxActions


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorConfig:
    """How an action prior bears on the plans that are drawn.

    Attributes:
        weight: Factor of its log-probabilities; 0 or more. At 0 it only forbids what
            it holds for impossible.
        num_steps: Steps at the beginning of each plan for which it is asked; at least
            1. The first costs one question a decision. Each further one costs a
            question for every plan, and rollouts are made step by step.
    """

    weight: float = 1.0
    num_steps: int = 1

    def __post_init__(self) -> None:
        if not 0.0 <= self.weight < math.inf:
            raise ValueError(f"weight must be 0 or more, got {self.weight!r}.")
        if self.num_steps < 1:
            raise ValueError(f"num_steps must be at least 1, got {self.num_steps}.")


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
                "A prior needs a finite number of actions: it must have listed actions "
                f"to choose from, got a box with {actions.size} elements."
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
            raise ValueError(
                "A prior or a value needs a context: plan must be given a context, "
                "got none."
            )
        return context

    def values(self, contexts: Sequence[Context]) -> list[float]:
        """Returns the returns to come, in rewards; 0 each without a value."""
        if self.value is None or not contexts:
            return [0.0] * len(contexts)
        scale = self.value.spec.scale
        return [float(v) * scale for v in self.value.evaluate(contexts)]

    def log_weights(
        self,
        contexts: Sequence[Context],
        legal: Sequence[Sequence[Value]],
        *,
        weight: float = 1.0,
    ) -> list[FloatArray]:
        """Returns logarithms of the actions' probabilities, of the likeliest each 0.

        A uniform prior gives zeros to the last bit, as no prior does.

        Args:
            contexts: What is known in each case.
            legal: The actions among which to choose, for each.
            weight: Factor of the logarithms; at 0 only what is impossible counts.

        Raises:
            ValueError: If an answer is not one logarithm for each action, or all are
                minus infinity.
        """
        if self.prior is None or not contexts:
            return [np.zeros(len(actions)) for actions in legal]
        answers = self.prior.evaluate(contexts, legal)
        return [
            _log_weights(np.asarray(answer, dtype=np.float64), len(actions), weight)
            for answer, actions in zip(answers, legal, strict=True)
        ]


def _log_weights(logs: FloatArray, num_actions: int, weight: float) -> FloatArray:
    if logs.shape != (num_actions,) or not math.isfinite(logs.max()):
        raise ValueError(
            "A prior must give the logarithm of a probability, one of them finite, "
            f"for each of {num_actions} legal actions, got {logs.tolist()}."
        )
    is_possible = np.isfinite(logs)
    relative = weight * (np.where(is_possible, logs, 0.0) - logs.max())
    return np.where(is_possible, relative, -math.inf)
