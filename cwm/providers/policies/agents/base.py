"""What every agent does."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cwm.providers.policies.views import View


class Agent(Protocol):
    """Acts in many episodes at once.

    Attributes:
        name: What it is, for reports.
        needs_images: Whether views must have images.
    """

    name: str
    needs_images: bool

    def act(self, views: Sequence[View], rng: np.random.Generator) -> NDArray[np.int64]:
        """Returns the index of an action for each view, `[N]`.

        Args:
            views: What is known in each episode.
            rng: Source of all randomness.
        """
        ...
