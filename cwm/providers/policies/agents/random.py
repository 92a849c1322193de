"""Acting at random: what any agent must beat."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cwm.providers.policies.views import View


class RandomAgent:
    """Takes each of a view's actions with the same probability; an `Agent`."""

    name = "random"
    needs_images = False

    def act(self, views: Sequence[View], rng: np.random.Generator) -> NDArray[np.int64]:
        """Returns an action for each view, `[N]`.

        Args:
            views: Only the number of their actions matters.
            rng: Advanced by one draw for each.
        """
        return rng.integers([len(view.actions) for view in views])
