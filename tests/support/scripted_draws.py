"""A random generator whose Beta draws are written down beforehand."""

from collections.abc import Sequence
from typing import Any

import numpy as np


class ScriptedDraws(np.random.Generator):
    """Returns the given numbers, and keeps what they were drawn from.

    Attributes:
        asked: Both parameters of each draw, oldest first.
    """

    def __init__(self, *draws: float) -> None:
        super().__init__(np.random.PCG64(0))
        self.asked: list[tuple[float, float]] = []
        self._draws = list(draws)

    def add(self, *draws: float) -> None:
        """Appends to what will be drawn."""
        self._draws += draws

    def take(self) -> list[tuple[float, float]]:
        """Returns the parameters since the last call, to 12 digits.

        All draws must be used up.
        """
        assert not self._draws, f"{self._draws} were not drawn"
        asked, self.asked = self.asked, []
        return asked

    def beta(self, a: Any, b: Any, size: Any = None) -> Any:
        if isinstance(a, Sequence | np.ndarray):
            return np.array([self.beta(*pair) for pair in zip(a, b, strict=True)])
        self.asked.append((round(float(a), 12), round(float(b), 12)))
        return self._draws.pop(0)
