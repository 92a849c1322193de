"""What GIF-MCTS learns about the kinds of expansion, and expects of an untried one."""

from dataclasses import dataclass


@dataclass(slots=True, kw_only=True)
class KindStatistics:
    """What the search has learnt about one kind of expansion.

    Attributes:
        mean: Running mean of the values obtained, prior included.
        count: Results in the mean, pseudo-counts of the prior included.
        weight_global: Weight of `mean` in the estimate of an untried child.
        weight_local: Weight of the mean over the siblings of the same kind.
    """

    mean: float
    count: int
    weight_global: float
    weight_local: float

    def estimate(self, local: float | None) -> float:
        """Returns the expected value of an untried child, in `[0, 1]`.

        Args:
            local: Mean value of its siblings of the same kind, if there are any.
        """
        return min(1.0, max(0.0, self._mixture(local)))

    def _mixture(self, local: float | None) -> float:
        total = self.weight_global + self.weight_local
        # Steps can drive the weights to opposite signs; at a sum of exactly 0
        # the mixture does not exist and the global mean stands alone.
        if local is None or total == 0.0:
            return self.mean
        return (self.weight_global * self.mean + self.weight_local * local) / total

    def update(self, value: float, local: float | None) -> None:
        """Learns from one result: the weights first, then the mean.

        One gradient step on `(estimate - value)**2` with the rate `1 / (1 + count)`,
        that is 1/3, 1/4, ... with two pseudo-counts. Where the estimate is clipped
        it does not depend on the weights, so that they stay.
        """
        mixture = self._mixture(local)
        total = self.weight_global + self.weight_local
        if local is not None and total != 0.0 and 0.0 <= mixture <= 1.0:
            step = 2.0 * (mixture - value) / total / (1 + self.count)
            self.weight_global -= step * (self.mean - mixture)
            self.weight_local -= step * (local - mixture)
        self.count += 1
        self.mean += (value - self.mean) / self.count
