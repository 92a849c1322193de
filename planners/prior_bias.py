"""What an action prior adds to the scores of actions."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cwm.core.protocols import ActionPrior, Context, FloatArray
from cwm.core.spaces import Value


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


def prior_biases(
    prior: ActionPrior,
    weight: float,
    contexts: Sequence[Context],
    legal: Sequence[Sequence[Value]],
) -> list[FloatArray]:
    """Returns what to add to the scores of the legal actions, by context.

    The most probable action gets exactly 0, so that a uniform prior adds nothing.

    Raises:
        ValueError: If an answer is not one logarithm for each action, or all are
            minus infinity.
    """
    biases: list[FloatArray] = []
    answers = prior.evaluate(contexts, legal)
    for answer, actions in zip(answers, legal, strict=True):
        logs = np.asarray(answer, dtype=np.float64)
        if logs.shape != (len(actions),) or not np.isfinite(logs.max()):
            raise ValueError(
                "A prior must give the logarithm of a probability for each of "
                f"{len(actions)} legal actions, got {logs.tolist()}."
            )
        is_possible = np.isfinite(logs)
        biases.append(
            np.where(
                is_possible,
                weight * (np.where(is_possible, logs, 0.0) - logs.max()),
                -math.inf,
            )
        )
    return biases
