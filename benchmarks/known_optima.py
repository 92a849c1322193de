"""Exact optima of small environments, worked out and not quoted.

Covers: environments with a table of transitions (Taxi, CliffWalking, FrozenLake), by
    dynamic programming back from the time limit; Blackjack as in Gymnasium with an
    infinite deck, natural=False and sab=False.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

TransitionTable: TypeAlias = Mapping[
    int, Mapping[int, list[tuple[float, int, float, bool]]]
]
"""Gymnasium's `P`: by state and action `(probability, next state, reward, ends)`."""


def best_returns(table: TransitionTable, num_steps: int) -> NDArray[np.float64]:
    """Returns the highest expected return from each state, `[S]`.

    Args:
        table: What each action leads to.
        num_steps: Steps until the episode is cut off.
    """
    rows = [
        (state, action, *outcome)
        for state, actions in table.items()
        for action, outcomes in actions.items()
        for outcome in outcomes
    ]
    columns = np.array(rows, dtype=np.float64).T
    state, action, following = (columns[i].astype(np.int64) for i in (0, 1, 3))
    probability, reward, goes_on = columns[2], columns[4], 1.0 - columns[5]
    values = np.zeros(len(table))
    for _ in range(num_steps):
        returns = np.zeros((len(table), int(action.max()) + 1))
        outcome = probability * (reward + goes_on * values[following])
        np.add.at(returns, (state, action), outcome)
        values = returns.max(axis=1)
    return values


Hand: TypeAlias = tuple[int, int, int]
"""What Blackjack shows: the player's sum, the dealer's card, whether an ace is 11."""

STICK, HIT = 0, 1
CARDS: tuple[tuple[int, float], ...] = (
    *((card, 1 / 13) for card in range(1, 10)),
    (10, 4 / 13),
)
"""Each card with its probability; 1 is an ace."""


def blackjack_hands() -> list[Hand]:
    """Returns all 280 situations in which a player can be."""
    hard = [(total, card, 0) for total in range(4, 22) for card in range(1, 11)]
    soft = [(total, card, 1) for total in range(12, 22) for card in range(1, 11)]
    return hard + soft


def basic_strategy() -> dict[Hand, int]:
    """Returns the best action in each situation."""
    return {
        hand: HIT if _hit_value(hand) > _stick_value(hand) else STICK
        for hand in blackjack_hands()
    }


@dataclass(frozen=True)
class HandReturn:
    """Return of one hand.

    Attributes:
        mean: Expected.
        deviation: Standard deviation.
    """

    mean: float
    deviation: float


def blackjack_return(policy: Mapping[Hand, int]) -> HandReturn:
    """Returns what a policy is worth, exactly."""

    @cache
    def moments(hand: Hand) -> tuple[float, float]:
        """Expected return and its square."""
        total, card, _ = hand
        if total > 21:
            return -1.0, 1.0
        if policy[hand] == STICK:
            win, lose = _chances(total, card)
            return win - lose, win + lose
        pairs = [(p, moments(_after(hand, drawn))) for drawn, p in CARDS]
        return sum(p * m[0] for p, m in pairs), sum(p * m[1] for p, m in pairs)

    mean = square = 0.0
    for hand, chance in _deals():
        found = moments(hand)
        mean += chance * found[0]
        square += chance * found[1]
    return HandReturn(mean, float(np.sqrt(square - mean**2)))


def _deals() -> list[tuple[Hand, float]]:
    """Returns the situations at the beginning, with their probabilities."""
    found = []
    for first, one in CARDS:
        for second, two in CARDS:
            total, has_ace = _added(_added((0, 0), first), second)
            found += [
                ((total, card, has_ace), one * two * three) for card, three in CARDS
            ]
    return found


def _added(cards: tuple[int, int], card: int) -> tuple[int, int]:
    """Returns a sum, and whether an ace in it counts 11, after one more card."""
    total, has_ace = cards
    total += card
    if card == 1 and total + 10 <= 21:
        return total + 10, 1
    if total > 21 and has_ace:
        return total - 10, 0
    return total, has_ace


def _after(hand: Hand, card: int) -> Hand:
    total, has_ace = _added((hand[0], hand[2]), card)
    return total, hand[1], has_ace


@cache
def _dealer(cards: tuple[int, int]) -> dict[int, float]:
    """Returns the probabilities of the dealer's last sums, 0 for too much."""
    if cards[0] >= 17:
        return {cards[0] if cards[0] <= 21 else 0: 1.0}
    found: dict[int, float] = {}
    for card, chance in CARDS:
        for total, later in _dealer(_added(cards, card)).items():
            found[total] = found.get(total, 0.0) + chance * later
    return found


def _chances(total: int, card: int) -> tuple[float, float]:
    """Returns the probabilities of winning and of losing with a sum."""
    found = _dealer(_added((0, 0), card))
    win = sum(chance for other, chance in found.items() if other < total)
    lose = sum(chance for other, chance in found.items() if other > total)
    return win, lose


def _stick_value(hand: Hand) -> float:
    win, lose = _chances(hand[0], hand[1])
    return win - lose


@cache
def _hit_value(hand: Hand) -> float:
    value = 0.0
    for card, chance in CARDS:
        following = _after(hand, card)
        if following[0] > 21:
            value -= chance
        else:
            value += chance * max(_stick_value(following), _hit_value(following))
    return value


Decide: TypeAlias = Callable[[Any], int]
"""Maps a situation to an action."""


def policy_of(decide: Decide) -> dict[Hand, int]:
    """Returns what is decided in each situation of Blackjack."""
    return {hand: int(decide(hand)) for hand in blackjack_hands()}
