"""How much return may still come, by the rewards that a model has shown."""

import math
from dataclasses import dataclass

from cwm.core.protocols import StepResult


@dataclass(slots=True)
class RewardBounds:
    """The highest rewards, of steps that end and of steps that do not.

    What was seen is no proof: a step that was never taken may pay more.

    Attributes:
        ongoing: Highest reward of a step after which it goes on.
        ending: Highest reward of a step that reached an end; minus infinity if none
            did.
        is_given: Whether they are known, and not to be learnt.
    """

    ongoing: float = -math.inf
    ending: float = -math.inf
    is_given: bool = False

    @classmethod
    def of(cls, max_reward: float | None) -> "RewardBounds":
        """Returns bounds that are known, or those to learn if it is `None`."""
        if max_reward is None:
            return cls()
        return cls(max_reward, max_reward, is_given=True)

    def include(self, result: StepResult) -> None:
        """Learns from a step."""
        if self.is_given:
            return
        if result.terminated:
            self.ending = max(self.ending, result.reward)
        else:
            self.ongoing = max(self.ongoing, result.reward)

    def to_come(self, num_steps: int, discount: float) -> float:
        """Returns the highest return of at most `num_steps` more steps; 0 for none."""
        found = 0.0
        for _ in range(num_steps):
            found = max(self.ending, self.ongoing + discount * found)
        return found

    def last_depth(self, known: float, horizon: int, discount: float) -> int:
        """Returns the depth from which on no way can be better than one that is known.

        Args:
            known: Discounted return of that one.
            horizon: What to return if there is no such depth before.
            discount: Weight of the next reward.
        """
        after = [0.0]
        for _ in range(horizon):
            after.append(max(self.ending, self.ongoing + discount * after[-1]))
        total, weight = 0.0, 1.0
        for depth in range(1, horizon):
            total += weight * self.ongoing
            weight *= discount
            if total + weight * after[horizon - depth] < known - 1e-9:
                return depth
        return horizon
