"""The optima that planners are measured by, each checked in another way."""

import gymnasium
import numpy as np
import pytest

from benchmarks.known_optima import (
    HIT,
    STICK,
    basic_strategy,
    best_returns,
    blackjack_hands,
    blackjack_return,
    policy_of,
)


def test_table_of_two_states_is_solved_by_hand() -> None:
    # Waiting pays 1; leaving pays 10 or nothing, as likely as not, and ends.
    table = {
        0: {
            0: [(1.0, 0, 1.0, False)],
            1: [(0.5, 1, 10.0, True), (0.5, 1, 0.0, True)],
        },
        1: {0: [(1.0, 1, 0.0, True)], 1: [(1.0, 1, 0.0, True)]},
    }
    assert best_returns(table, 1).tolist() == [5.0, 0.0]
    assert best_returns(table, 4).tolist() == [8.0, 0.0]


def test_cliff_is_passed_in_13_steps() -> None:
    env = gymnasium.make("CliffWalking-v1").unwrapped
    assert best_returns(env.P, 100)[36] == -13.0


def test_no_policy_of_blackjack_is_better_by_one_decision() -> None:
    best = basic_strategy()
    assert len(best) == 280
    value = blackjack_return(best).mean
    for hand in blackjack_hands()[::7]:
        other = best | {hand: STICK if best[hand] == HIT else HIT}
        assert blackjack_return(other).mean <= value + 1e-12


def test_basic_strategy_is_the_known_one_where_it_is_clear() -> None:
    best = basic_strategy()
    assert best[20, 6, 0] == STICK
    assert best[16, 10, 0] == HIT
    assert best[13, 5, 0] == STICK
    assert best[18, 9, 1] == HIT
    assert best[12, 3, 0] == HIT


@pytest.mark.slow
def test_return_of_a_policy_is_what_gymnasium_pays() -> None:
    policy = policy_of(lambda hand: HIT if hand[0] < 17 else STICK)
    expected = blackjack_return(policy)
    env = gymnasium.make("Blackjack-v1")
    hand, _ = env.reset(seed=0)
    returns = []
    while len(returns) < 20_000:
        hand, reward, is_over, _, _ = env.step(policy[tuple(map(int, hand))])
        if is_over:
            returns.append(float(reward))
            hand, _ = env.reset()
    error = expected.deviation / np.sqrt(len(returns))
    assert abs(np.mean(returns) - expected.mean) < 3 * error
    assert np.std(returns) == pytest.approx(expected.deviation, rel=0.05)
