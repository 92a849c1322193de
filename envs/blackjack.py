"""Blackjack with house rules: what a table may vary, as arguments.

The arguments' defaults are the rules of Gymnasium's Blackjack-v1. Hands are lists of
cards in `player` and `dealer`, as there.
"""

from typing import Any, TypeAlias

import gymnasium
from gymnasium import error, spaces

Observation: TypeAlias = tuple[int, int, int]
"""The player's sum, the dealer's shown card, whether an ace counts more."""

ACE = 1
TEN = 10
ACE_BONUS = 10
"""What an ace may count beyond 1."""


class BlackjackRules(gymnasium.Env[Any, Any]):
    """A game of cards against a dealer.

    ## Description
    The player and the dealer are dealt two cards each; one of the dealer's is shown.
    The player asks for cards or stands. Then the dealer takes cards while its sum is
    below `dealer_stands_at`. Whoever comes nearer to `limit` wins; whoever goes beyond
    it has lost. Cards are drawn with replacement: an ace, the cards from 2 to 9, and
    `num_tens` kinds that count 10, all equally likely. An ace counts 11 if the sum
    does not go beyond the limit then, otherwise 1.

    ## Action Space
    0: stand, 1: ask for a card.

    ## Observation Space
    The player's sum, the dealer's shown card (1 is an ace), and whether the player has
    an ace that counts 11.

    ## Rewards
    `win_reward`, `loss_reward` or `tie_reward` with the last step, 0 before.

    ## Episode End
    The episode terminates when the player stands or goes beyond the limit.
    """

    def __init__(
        self,
        *,
        dealer_stands_at: int = 17,
        limit: int = 21,
        num_tens: int = 4,
        win_reward: float = 1.0,
        loss_reward: float = -1.0,
        tie_reward: float = 0.0,
    ) -> None:
        # With a lower limit, two tens would be beyond it before the first action.
        if not 2 <= dealer_stands_at <= limit or limit < 2 * TEN:
            raise ValueError(
                "dealer_stands_at must be from 2 to limit, and limit at least 20, "
                f"got {dealer_stands_at} and {limit}."
            )
        if num_tens < 1:
            raise ValueError(f"num_tens must be at least 1, got {num_tens}.")
        self.dealer_stands_at = dealer_stands_at
        self.limit = limit
        self.win_reward = float(win_reward)
        self.loss_reward = float(loss_reward)
        self.tie_reward = float(tie_reward)
        self.deck: list[int] = [*range(ACE, TEN), *[TEN] * num_tens]
        self.player: list[int] = []
        self.dealer: list[int] = []
        self.action_space = spaces.Discrete(2)
        # The highest sums are those of a card too many.
        self.observation_space = spaces.Tuple(
            (
                spaces.Discrete(limit + TEN + 1),
                spaces.Discrete(TEN + 1),
                spaces.Discrete(2),
            )
        )

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Deals two cards to each."""
        super().reset(seed=seed)
        self.dealer = [self._draw(), self._draw()]
        self.player = [self._draw(), self._draw()]
        return self._show(), {}

    def step(
        self, action: int
    ) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Deals the player a card, or plays the dealer's hand.

        Raises:
            ResetNeeded: If no cards were dealt.
        """
        if not self.player:
            raise error.ResetNeeded("No cards were dealt: reset the environment.")
        if int(action):
            self.player.append(self._draw())
            is_over = self.value(self.player)[0] > self.limit
            return (
                self._show(),
                self.loss_reward if is_over else 0.0,
                is_over,
                False,
                {},
            )
        while self.value(self.dealer)[0] < self.dealer_stands_at:
            self.dealer.append(self._draw())
        return self._show(), self._settle(), True, False, {}

    def value(self, hand: list[int]) -> tuple[int, bool]:
        """Returns the sum of a hand, and whether an ace counts more in it."""
        total = sum(hand)
        has_bonus = ACE in hand and total + ACE_BONUS <= self.limit
        return total + ACE_BONUS * has_bonus, has_bonus

    def _settle(self) -> float:
        player, dealer = self.value(self.player)[0], self.value(self.dealer)[0]
        if player > self.limit:
            return self.loss_reward
        if player == dealer:
            return self.tie_reward
        return self.loss_reward if player < dealer <= self.limit else self.win_reward

    def _draw(self) -> int:
        return self.deck[int(self.np_random.integers(len(self.deck)))]

    def _show(self) -> Observation:
        total, has_bonus = self.value(self.player)
        return total, self.dealer[0], int(has_bonus)
