"""A bandit whose arms have Beta posteriors, and a choice among them by sampling."""

import numpy as np


class BetaArms:
    """Arms numbered from 0, drawn all at once.

    Thompson sampling: one number is drawn from the posterior of each arm, oldest
    arm first, and the arm of the highest is taken (the oldest of equal ones).
    """

    def __init__(self) -> None:
        self._parameters = np.ones((2, 4))
        self._num_arms = 0

    def __len__(self) -> int:
        return self._num_arms

    def add(self, successes: float, failures: float) -> None:
        """Adds an arm of the posterior Beta(successes, failures)."""
        if self._num_arms == self._parameters.shape[1]:
            # Doubling keeps the cost of adding constant on average.
            self._parameters = np.tile(self._parameters, 2)
        self._num_arms += 1
        self.set(self._num_arms - 1, successes, failures)

    def set(self, arm: int, successes: float, failures: float) -> None:
        """Replaces the posterior of an arm by Beta(successes, failures)."""
        self._parameters[0, arm] = successes
        self._parameters[1, arm] = failures

    def draw(self, rng: np.random.Generator) -> int:
        """Returns the arm to take; there must be one. Draws once for each arm."""
        successes, failures = self._parameters[:, : self._num_arms]
        return int(np.argmax(rng.beta(successes, failures)))
