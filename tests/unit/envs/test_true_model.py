from typing import Any

import numpy as np
import pytest

from cwm.core.errors import ConfigError
from cwm.core.protocols import KeyedWorldModel, RollingWorldModel
from cwm.core.spaces import Value
from envs import true_model
from envs.plain_data import GeneratorState, same_value
from envs.registry import find
from envs.restart import CardHands
from envs.snapshots import AttributeSnapshots, SnapshotEnv, open_with_snapshots
from envs.spaces import to_gymnasium, to_value
from envs.true_model import TrueModel, TrueState
from tests.support.toy_envs import toy

EXACT = ["CartPole-v1", "MountainCar-v0", "Taxi-v4", "CliffWalking-v1", "Pendulum-v1"]
MUJOCO = [
    pytest.param(name, marks=pytest.mark.mujoco)
    for name in ("InvertedPendulum-v5", "Hopper-v5")
]


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


class Scene:
    """An acting environment, its model, and some actions."""

    def __init__(self, env_id: str, **kwargs: Any) -> None:
        if env_id.endswith("-v5"):
            pytest.importorskip("mujoco")
        self.spec = find(env_id, kwargs=kwargs)
        self.model = TrueModel(self.spec)
        self.env = open_with_snapshots(self.spec)

    def begin(self, seed: int = 0) -> TrueState:
        shown = self.env.reset(seed)
        value = to_value(self.spec.observation_space, shown)
        return self.model.state_of(self.env, value)

    def actions(self, number: int, seed: int = 1) -> list[Value]:
        space = self.env.env.action_space
        space.seed(seed)
        return [to_value(self.spec.action_space, space.sample()) for _ in range(number)]

    def act(self, action: Value) -> tuple[Value, float, bool]:
        step = self.env.step(to_gymnasium(self.spec.action_space, action))
        value = to_value(self.spec.observation_space, step.observation)
        return value, step.reward, step.terminated


@pytest.mark.parametrize("env_id", [*EXACT, *MUJOCO])
def test_predictions_are_what_happens_to_the_last_bit(env_id: str) -> None:
    scene = Scene(env_id)
    state, chances = scene.begin(), rng()
    for time, action in enumerate(scene.actions(60)):
        # Every few steps from the real state; between them from predicted ones.
        predicted = scene.model.step(state, action, chances)
        observation, reward, terminated = scene.act(action)
        assert same_value(predicted.observation, observation)
        assert predicted.reward == reward
        assert predicted.terminated == terminated
        if terminated:
            break
        state = predicted.next_state
        if time % 5 == 4:
            state = scene.model.state_of(scene.env, observation)


@pytest.mark.parametrize("env_id", [*EXACT, *MUJOCO])
def test_the_order_of_steps_does_not_matter(env_id: str) -> None:
    scene = Scene(env_id)
    state = scene.begin()
    actions = scene.actions(6)
    first = scene.model.step(state, actions[0], rng())
    second = scene.model.step(first.next_state, actions[1], rng())
    for action in actions:  # Elsewhere in between, and from a state gone from before.
        scene.model.step(state, action, rng())
    again = scene.model.step(first.next_state, actions[1], rng())
    assert same_value(again.observation, second.observation)
    assert again.reward == second.reward
    assert same_value(
        scene.model.step(state, actions[0], rng()).observation, first.observation
    )


@pytest.mark.parametrize("env_id", ["CartPole-v1", "Taxi-v4", *MUJOCO])
def test_rollouts_are_single_steps(env_id: str) -> None:
    scene = Scene(env_id)
    state = scene.begin(seed=3)
    plans = [scene.actions(30, seed) for seed in range(4)]
    rollouts = scene.model.roll_out(state, plans, rng())
    for index, plan in enumerate(plans):
        at, length = state, 0
        for time, action in enumerate(plan):
            step = scene.model.step(at, action, rng())
            assert same_value(rollouts.observations[index][time], step.observation)
            assert rollouts.rewards[index, time] == step.reward
            at, length = step.next_state, time + 1
            if step.terminated:
                break
        assert rollouts.lengths[index] == length
        assert rollouts.terminated[index] == step.terminated
        assert not rollouts.rewards[index, length:].any()
    assert not rollouts.failed.any()


def test_planning_changes_nothing_in_the_acting_environment() -> None:
    scene, untouched = Scene(toy("NoisyLine")), Scene(toy("NoisyLine"))
    scene.begin(7)
    untouched.begin(7)
    for action in scene.actions(20):
        state = scene.model.state_of(scene.env, scene.env.env.unwrapped.place)  # type: ignore[attr-defined]
        scene.model.roll_out(state, [[0, 1, 1]] * 5, rng())
        found = scene.act(action)
        assert found == untouched.act(action)
        if found[2]:
            break


def test_the_time_limit_is_no_part_of_the_model() -> None:
    scene = Scene("MountainCar-v0")
    state, chances = scene.begin(), rng()
    for _ in range(250):  # Its episodes are cut off after 200.
        predicted = scene.model.step(state, 1, chances)
        assert not predicted.terminated
        state = predicted.next_state
    assert scene.model.step(state, 1, chances).reward == -1.0


def test_what_chance_will_bring_is_not_known() -> None:
    """The acting environment repeats its step; the model's differ from it."""
    scene = Scene("FrozenLake-v1")
    assert scene.model.is_stochastic
    assert scene.model.restarter is None  # Snapshots are used.
    outcomes = set()
    real = set()
    chances = rng()
    for _ in range(60):
        state = scene.begin(seed=5)
        outcomes.add(scene.model.step(state, 2, chances).observation)
        real.add(scene.act(2)[0])
    assert len(real) == 1
    assert len(outcomes) == 3


def test_chances_come_from_the_planners_generator_alone() -> None:
    scene = Scene("FrozenLake-v1")
    state = scene.begin()
    plans = [[1, 2, 1, 2, 2]] * 8
    one = scene.model.roll_out(state, plans, rng())
    scene.model.roll_out(state, plans, np.random.default_rng(99))
    two = scene.model.roll_out(state, plans, rng())
    assert one.observations == two.observations
    other = scene.model.roll_out(state, plans, np.random.default_rng(1))
    assert other.observations != one.observations


def test_snapshots_hold_no_generators() -> None:
    scene = Scene("FrozenLake-v1")
    for layer in scene.begin().snapshot:
        assert not any(isinstance(value, GeneratorState) for value in layer.values())


def dealt(shown: int) -> tuple[Scene, TrueState]:
    """Returns a hand of 20 against a card; the hidden one is a ten."""
    scene = Scene("Blackjack-v1")
    scene.begin()
    cards: Any = scene.env.env.unwrapped
    cards.player, cards.dealer = [10, 10], [shown, 10]
    return scene, scene.model.state_of(scene.env, (20, shown, 0))


def test_the_dealers_hidden_card_is_not_known() -> None:
    # Against a shown ace the hidden ten is blackjack: standing on 20 always loses.
    scene, state = dealt(shown=1)
    assert isinstance(scene.model.restarter, CardHands)
    assert state.snapshot is None
    chances = rng()
    rewards = [scene.model.step(state, 0, chances).reward for _ in range(400)]
    rollouts = scene.model.roll_out(state, [[0]] * 400, chances)
    assert scene.act(0)[1] == -1.0
    # By hand: 4 in 13 hidden cards are tens; 20 wins or draws most other hands.
    for won in (np.mean(rewards), rollouts.rewards[:, 0].mean()):
        assert 0.0 < won < 0.35


def test_hidden_cards_are_known_where_they_are_not_drawn_anew() -> None:
    """What the test above guards against."""
    scene, _ = dealt(shown=1)
    scene.model.restarter = None
    scene.model.shows_state = False
    state = scene.model.state_of(scene.env, (20, 1, 0))
    rewards = {scene.model.step(state, 0, rng()).reward for _ in range(50)}
    assert rewards == {-1.0}


@pytest.mark.parametrize(
    ("env_id", "has_keys"),
    [
        ("CartPole-v1", True),
        ("Taxi-v4", True),
        ("Blackjack-v1", True),
        (toy("HiddenInObject"), False),
    ],
)
def test_keys_are_given_where_observations_determine_what_happens(
    env_id: str, has_keys: bool
) -> None:
    scene = Scene(env_id)
    one, two = scene.begin(0), scene.begin(0)
    key = scene.model.state_key(one)
    assert (key is not None) == has_keys
    assert scene.model.state_key(two) == key
    if env_id == "CartPole-v1":
        assert scene.model.state_key(scene.begin(1)) != key


def test_it_is_a_model_that_rolls_out_and_has_keys() -> None:
    model = TrueModel(find("CartPole-v1"))
    assert isinstance(model, RollingWorldModel)
    assert isinstance(model, KeyedWorldModel)
    assert not model.draws
    model.close()


def test_a_generator_that_changes_nothing_is_no_chance() -> None:
    model = TrueModel(find("Taxi-v4"))
    assert model.draws
    assert not model.is_stochastic
    assert model.restarter is None


def test_legal_actions_are_those_that_the_environment_declares() -> None:
    scene = Scene(toy("Declared"), start=1)
    state = scene.begin()
    assert scene.model.legal_actions(state) == (0, 1)
    at_wall = scene.model.step(state, 0, rng()).next_state
    assert scene.model.legal_actions(at_wall) == (1,)
    plain = Scene("CartPole-v1")
    assert plain.model.legal_actions(plain.begin()) is None


def test_a_hidden_state_with_chances_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(true_model, "_draws", lambda env, seed: True)
    with pytest.raises(ConfigError, match="without knowing its chances"):
        TrueModel(find(toy("HiddenInObject")))


def test_instances_that_differ_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A map drawn by the constructor is a large constant, left out of snapshots."""
    made: list[SnapshotEnv] = []

    def open_other(spec: Any, seed: int) -> SnapshotEnv:
        env = find(toy("Line"), kwargs={"start": 2 + len(made)}).make()

        class LeavesPlaceOut(AttributeSnapshots):
            def __init__(self) -> None:
                super().__init__(env)
                self.left_out[-1] |= {"place", "start"}

        made.append(SnapshotEnv(env, LeavesPlaceOut()))
        return made[-1]

    monkeypatch.setattr(true_model, "open_with_snapshots", open_other)
    with pytest.raises(ConfigError, match="must be alike"):
        TrueModel(find(toy("Line")))
