"""Who chooses the commands of recorded text games: random ones, the expert, both."""

from collections.abc import Sequence

import numpy as np

from cwm.core.seeding import child_rng
from cwm.core.trajectories import Trajectory
from envs.curators import Choice
from envs.text_games.base import TextGame

SLIPS = 0.2
"""How often a random legal command comes before one of the expert's."""


class TextCurator:
    """Curates text games; an `envs.curators.Curator`.

    Policies: `random` (legal commands), `gold` (the expert), and `slips`: its commands
    with random legal ones between them, after which some may no longer do.

    Args:
        game: A copy of the game, to act in.
        seed: Seed of everything random.
    """

    policies = ("random", "slips", "gold", "slips")

    def __init__(self, game: TextGame, seed: int) -> None:
        self.game = game
        self.seed = seed

    def choose(
        self, index: int, seeds: Sequence[int], *, length: int, enough: int
    ) -> Choice:
        """Returns what to record; see `Curator`.

        Raises:
            DataError: If the expert knows no way to win the game.
        """
        policy = self.policies[index % len(self.policies)]
        rng = child_rng(self.seed, "choose", index)
        self.game.reset(seed=seeds[0])
        if policy == "gold":
            actions = list(self.game.expert_actions())[:length]
        elif policy == "random":
            actions = self._acted((), length, 1.0, rng)
        else:
            actions = self._acted(self.game.expert_actions(), length, SLIPS, rng)
        return Choice(policy, seeds[0], actions)

    def learn(self, trajectory: Trajectory) -> None:
        """Takes note of nothing: who acts next does not depend on what was recorded."""

    def _acted(
        self,
        plan: Sequence[str],
        length: int,
        slips: float,
        rng: np.random.Generator,
    ) -> list[str]:
        """Plays a plan with random commands in it, and random ones after it."""
        actions: list[str] = []
        left = list(plan)
        while len(actions) < length and not self.game.is_over:
            if left and rng.random() >= slips:
                actions.append(left.pop(0))
            else:
                legal = self.game.legal_actions()
                if not legal:
                    break
                actions.append(legal[int(rng.integers(len(legal)))])
            self.game.step(actions[-1])
        return actions
