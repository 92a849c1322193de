"""A statistician whose numbers can be worked out by hand."""

from collections.abc import Callable, Sequence

import numpy as np

from cwm.core.protocols import FloatArray
from cwm.providers.hypotheses.texts import TextTransition


class TableStatistician:
    """Answers from a function of the hypothesis and the transition, and counts."""

    name = "table"
    is_stand_in = True

    def __init__(self, log_prob: Callable[[str | None, TextTransition], float]) -> None:
        self._log_prob = log_prob
        self.num_calls = 0
        self.num_scored = 0

    def log_probs(
        self, hypothesis: str | None, transitions: Sequence[TextTransition]
    ) -> FloatArray:
        self.num_calls += 1
        self.num_scored += len(transitions)
        return np.array([self._log_prob(hypothesis, one) for one in transitions])
