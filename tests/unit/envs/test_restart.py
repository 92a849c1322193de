from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from envs.collect import CollectConfig, collect
from envs.registry import find
from envs.restart import (
    CardHands,
    Layout,
    StateVector,
    _probes,
    agreement,
    find_restarter,
    restart_predictions,
)
from tests.support.toy_envs import toy

FEW = CollectConfig(planning_steps=0, min_transitions=200, max_transitions=400)


def test_angles_are_found_behind_their_cosine_and_sine() -> None:
    found = find_restarter(find("Pendulum-v1"))
    assert isinstance(found, Layout)
    assert found.angles == {0: (0, 1)}
    assert found.direct == {1: 2}


def test_a_hand_of_cards_has_the_sum_that_is_shown() -> None:
    env = find("Blackjack-v1").make()
    inner: Any = env.unwrapped
    for total in range(4, 22):
        for ace in (0, 1):
            if ace and total < 12:
                continue
            env.reset(seed=0)
            CardHands().restart(env, (total, 5, ace))
            assert inner._get_obs() == (total, 5, ace)


@pytest.mark.parametrize(
    "env_id",
    ["CartPole-v1", "MountainCar-v0", "Acrobot-v1", "Taxi-v4", "CliffWalking-v1"],
)
def test_the_restarted_environment_agrees_with_the_record(env_id: str) -> None:
    spec = find(env_id)
    batch = collect(spec, FEW).batch("held_out")
    predictions = restart_predictions(spec, batch)
    assert predictions is not None
    assert predictions.valid.all()
    assert predictions.terminated.tolist() == batch.terminated.tolist()
    assert predictions.rewards == pytest.approx(batch.rewards)
    expected = np.asarray(batch.next_observations[""], dtype=float)
    change = np.std(expected - np.asarray(batch.observations[""], dtype=float), axis=0)
    got = np.asarray(predictions.next_observations[""], dtype=float)
    assert (np.abs(got - expected) <= 1e-4 * change + 1e-9).all()


@pytest.mark.mujoco
def test_joint_angles_are_found_behind_observations() -> None:
    pytest.importorskip("mujoco")
    found = find_restarter(find("InvertedDoublePendulum-v5"))
    assert isinstance(found, Layout)
    assert found.direct == {0: 0, 3: 5, 4: 6, 5: 7}
    assert found.angles == {1: (3, 1), 2: (4, 2)}


def test_a_hidden_place_cannot_be_restarted() -> None:
    spec = find(toy("HiddenInObject"))
    assert find_restarter(spec) is None
    batch = collect(spec, FEW).batch("train")
    assert restart_predictions(spec, batch) is None


def test_the_self_test_catches_a_wrong_layout() -> None:
    spec = find("Pendulum-v1")
    env = spec.make()
    probes = _probes(spec, env, seed=0)
    right = find_restarter(spec)
    assert isinstance(right, Layout)
    assert agreement(spec, env, right, probes) == 1.0
    swapped = replace(right, angles={0: (1, 0)})
    assert agreement(spec, env, swapped, probes) < 0.5
    elsewhere = replace(right, state=StateVector(attribute="last_u"))
    env.reset()
    with pytest.raises((TypeError, ValueError, IndexError)):
        agreement(spec, env, elsewhere, probes)


def test_predictions_do_not_look_at_the_outcomes() -> None:
    spec = find("CartPole-v1")
    batch = collect(spec, FEW).batch("train")
    blind = replace(
        batch,
        rewards=np.full(len(batch), np.nan),
        next_observations={"": np.full_like(batch.next_observations[""], np.nan)},
        terminated=np.zeros(len(batch), dtype=np.bool_),
    )
    one, two = restart_predictions(spec, batch), restart_predictions(spec, blind)
    assert one is not None
    assert two is not None
    assert np.array_equal(one.next_observations[""], two.next_observations[""])
    assert np.array_equal(one.terminated, two.terminated)
