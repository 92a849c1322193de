"""A statistician that is asked nothing twice."""

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from cwm.core.protocols import FloatArray
from cwm.providers.hypotheses.roles import Statistician
from cwm.providers.hypotheses.texts import TextTransition

DEFAULT_MAX_ENTRIES = 200_000
"""Some 50 hypotheses on the transitions of the published curious experimenter."""


class CachedStatistician:
    """Remembers what another statistician said of hypothesis and transition.

    Equal transitions of one call are asked for once, too. The curiosity rewards score
    the same transitions with the new hypothesis and with the one before, and a chain
    that has not moved scores nothing new.

    Attributes:
        num_asked: Transitions that somebody asked about so far.
        num_scored: Of these, those that the other statistician was asked about.
    """

    def __init__(
        self, statistician: Statistician, *, max_entries: int = DEFAULT_MAX_ENTRIES
    ) -> None:
        """Makes it, with nothing remembered. Not for several threads at once.

        Args:
            statistician: Who is asked.
            max_entries: Most log-probabilities remembered; at least 1. The one that
                was used longest ago goes first.

        Raises:
            ValueError: If `max_entries` is below 1.
        """
        if max_entries < 1:
            raise ValueError(f"max_entries must be at least 1, got {max_entries}.")
        self._statistician = statistician
        self._max_entries = max_entries
        self._known: OrderedDict[tuple[str | None, TextTransition], float]
        self._known = OrderedDict()
        self.num_asked = 0
        self.num_scored = 0

    @property
    def name(self) -> str:
        """The other statistician's name."""
        return self._statistician.name

    @property
    def is_stand_in(self) -> bool:
        """Whether the other one is a stand-in."""
        return self._statistician.is_stand_in

    def log_probs(
        self, hypothesis: str | None, transitions: Sequence[TextTransition]
    ) -> FloatArray:
        """Returns what the other statistician says; see `Statistician`.

        Raises:
            CwmError: If there is no answer. What was known before stays known.
        """
        different = dict.fromkeys(transitions)
        keys = [(hypothesis, one) for one in different]
        known = {one: self._known[h, one] for h, one in keys if (h, one) in self._known}
        unknown = [one for one in different if one not in known]
        if unknown:
            found = self._statistician.log_probs(hypothesis, unknown)
            known |= zip(unknown, found.tolist(), strict=True)
        self.num_asked += len(transitions)
        self.num_scored += len(unknown)
        self._keep(hypothesis, known)
        return np.array([known[one] for one in transitions], dtype=np.float64)

    def _keep(self, hypothesis: str | None, used: dict[TextTransition, float]) -> None:
        for one, value in used.items():
            self._known[hypothesis, one] = value
            self._known.move_to_end((hypothesis, one))
        while len(self._known) > self._max_entries:
            self._known.popitem(last=False)
