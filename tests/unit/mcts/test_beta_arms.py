"""Arms are drawn in order, from their own posteriors, however many there are."""

import numpy as np

from mcts.beta_arms import BetaArms
from tests.support.scripted_draws import ScriptedDraws


def test_arms_are_drawn_oldest_first_from_their_present_posteriors() -> None:
    arms = BetaArms()
    for arm in range(10):  # More than there is room for at first.
        arms.add(1.0 + arm, 2.0)
    arms.set(3, 0.5, 7.0)
    rng = ScriptedDraws(*np.linspace(0.0, 0.9, 10))
    assert arms.draw(rng) == 9
    assert rng.take() == [(0.5, 7.0) if a == 3 else (1.0 + a, 2.0) for a in range(10)]
    assert len(arms) == 10


def test_oldest_of_equal_draws_is_taken() -> None:
    arms = BetaArms()
    for _ in range(3):
        arms.add(1.0, 1.0)
    assert arms.draw(ScriptedDraws(0.1, 0.6, 0.6)) == 1


def test_draws_at_once_are_those_one_by_one() -> None:
    posteriors = [(0.5, 0.5), (3.0, 4.0), (1.0, 9.0), (40.0, 0.7)]
    arms = BetaArms()
    for posterior in posteriors:
        arms.add(*posterior)
    together, one_by_one = np.random.default_rng(5), np.random.default_rng(5)
    for _ in range(50):
        draws = [one_by_one.beta(*posterior) for posterior in posteriors]
        assert arms.draw(together) == draws.index(max(draws))
