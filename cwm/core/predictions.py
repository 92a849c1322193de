"""What some world model predicts for a batch of transitions, as columns."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from cwm.core.codec import Columns
from cwm.core.spaces import Value

LegalActions: TypeAlias = tuple[tuple[Value, ...] | None, ...]
"""Actions that are legal after each transition; `None` where none could be read."""


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """Predicted outcomes of `N` transitions.

    Attributes:
        next_observations: Columns of `N` next observations.
        rewards: `[N]` of `float64`.
        terminated: `[N]` of `bool`.
        valid: `[N]` of `bool`: whether the row is of the stated form. The other
            columns mean nothing where it is false.
        messages: Why a row, or its legal actions, are not of their form, by row.
        legal_actions: Of `N` rows, if they were asked for.
    """

    next_observations: Columns
    rewards: NDArray[np.float64]
    terminated: NDArray[np.bool_]
    valid: NDArray[np.bool_]
    messages: dict[int, str]
    legal_actions: LegalActions | None = None

    def __len__(self) -> int:
        return len(self.rewards)
