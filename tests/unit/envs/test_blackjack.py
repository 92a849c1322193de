from collections import Counter
from itertools import product
from typing import Any

import gymnasium
import pytest
from gymnasium import error

from cwm.core.errors import ConfigError
from envs.blackjack import BlackjackRules
from envs.registry import find
from envs.restart import CardHands, find_restarter

STAND, ASK = 0, 1
HANDS = [(10, 10), (1, 10), (1, 1), (5, 6), (10, 7), (9, 9), (1, 6), (4, 4, 10)]


def table(**rules: Any) -> Any:
    return find("cwm/BlackjackRules-v0", kwargs=rules).make().unwrapped


@pytest.mark.parametrize("player", HANDS)
@pytest.mark.parametrize("dealer", [h for h in HANDS if sum(h) >= 17] + [(1, 7)])
def test_the_usual_rules_are_gymnasiums(
    player: tuple[int, ...], dealer: tuple[int, ...]
) -> None:
    ours = table()
    theirs: Any = gymnasium.make("Blackjack-v1", disable_env_checker=True).unwrapped
    steps = []
    for env in (ours, theirs):
        env.reset(seed=0)
        env.player, env.dealer = list(player), list(dealer)
        steps.append(env.step(STAND)[:3])
    assert steps[0] == steps[1]


def test_the_dealer_draws_below_what_the_house_says() -> None:
    env = table(dealer_stands_at=15)
    for dealer, draws in (([10, 5], False), ([10, 4], True)):
        env.reset(seed=0)
        env.player, env.dealer = [10, 10], dealer
        env.step(STAND)
        assert (len(env.dealer) > 2) == draws


def test_nobody_may_go_beyond_the_limit_and_aces_count_up_to_it() -> None:
    env = table(limit=24)
    env.reset(seed=0)
    assert env.value([10, 10, 4]) == (24, False)
    assert env.value([10, 1, 3]) == (24, True)
    assert env.value([10, 1, 4]) == (15, False)
    env.player, env.deck = [10, 10], [4]
    observation, reward, terminated, _, _ = env.step(ASK)
    assert (observation[0], reward, terminated) == (24, 0.0, False)
    observation, reward, terminated, _, _ = env.step(ASK)
    assert (observation[0], reward, terminated) == (28, -1.0, True)


def test_rewards_are_those_of_the_house() -> None:
    env = table(win_reward=2.5, loss_reward=-0.5, tie_reward=-0.1)
    for player, reward in (([10, 9], 2.5), ([10, 8], -0.1), ([10, 7], -0.5)):
        env.reset(seed=0)
        env.player, env.dealer = player, [10, 8]
        assert env.step(STAND)[1] == reward


def test_an_overdrawn_dealer_has_lost() -> None:
    env = table()
    env.reset(seed=0)
    env.player, env.dealer, env.deck = [2, 2], [10, 6], [10]
    assert env.step(STAND)[1] == 1.0


def test_tens_are_as_many_kinds_as_the_house_says() -> None:
    env = table(num_tens=2)
    assert Counter(env.deck)[10] == 2
    assert sorted(set(env.deck)) == list(range(1, 11))


def test_sums_stay_in_the_declared_space() -> None:
    env = table(limit=25, num_tens=8)
    for seed in range(300):
        observation, _ = env.reset(seed=seed)
        assert env.observation_space.contains(observation)
        terminated = False
        while not terminated:
            observation, _, terminated, _, _ = env.step(ASK)
            assert env.observation_space.contains(observation)


def test_it_can_be_restarted_from_what_is_shown() -> None:
    spec = find("cwm/BlackjackRules-v0", kwargs={"limit": 23})
    restarter = find_restarter(spec)
    assert isinstance(restarter, CardHands)
    env: Any = spec.make()
    for total, ace in product(range(4, 24), (0, 1)):
        if not ace or total >= 12:
            env.reset(seed=0)
            restarter.restart(env, (total, 5, ace))
            assert env.unwrapped._show() == (total, 5, ace)


def test_impossible_rules_are_refused() -> None:
    with pytest.raises(ConfigError, match="must be from 2 to limit"):
        table(dealer_stands_at=24, limit=23)
    with pytest.raises(ConfigError, match="limit at least 20, got 17 and 19"):
        table(limit=19)
    with pytest.raises(ConfigError, match="num_tens must be at least 1, got 0"):
        table(num_tens=0)


def test_cards_must_be_dealt_first() -> None:
    with pytest.raises(error.ResetNeeded, match="No cards were dealt"):
        BlackjackRules().step(STAND)
