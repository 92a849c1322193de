"""The true environment as a world model: what a planner could know at best.

A second instance of the environment is put into the state of the acting one and
stepped there. What it must not know is kept from it:

    chances      snapshots hold no random generators; every step draws from the
                 planner's own, so that the next card is not known before it is dealt
    hidden parts where an environment that draws has parts which its observation does
                 not show (the dealer's second card), and can be restarted from an
                 observation, they are drawn anew whenever planning goes back to a state

Covers: environments that `envs.snapshots` can save. Does not cover: what is hidden in
an environment that cannot be restarted from its observations, or that draws nothing
after `reset`: there the model knows more than an agent can. The time limit is no part
of the model; planners are told how many steps are left.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cwm.core.errors import ConfigError
from cwm.core.protocols import (
    FollowedPolicies,
    Policies,
    RolloutBatch,
    StepResult,
    Values,
)
from cwm.core.seeding import child_rng, child_seed
from cwm.core.spaces import Value
from envs.actions import to_key, to_vector
from envs.collect import varies
from envs.declared import legal_actions_of
from envs.plain_data import same_value
from envs.restart import MATCH_TOLERANCE, STEP_TOLERANCE, Restarter, find_restarter
from envs.snapshots import (
    EnvStep,
    ReplaySnapshots,
    Snapshot,
    SnapshotEnv,
    generators,
    open_with_snapshots,
)
from envs.spaces import to_gymnasium, to_value
from envs.spec import EnvSpec

NUM_PROBES = 60
"""Steps of random episodes on which an environment is looked at."""

NUM_DEALS = 3
"""Times that hidden parts are drawn anew to see whether they matter."""


@dataclass(frozen=True, slots=True, eq=False)
class TrueState:
    """A state of the true environment.

    Attributes:
        observation: What it shows.
        snapshot: The rest; `None` where the observation is all that is used.
        legal: The legal actions, where the environment declares them.
    """

    observation: Value
    snapshot: Snapshot | None
    legal: tuple[Value, ...] | None = None


class TrueModel:
    """The true environment as a world model; its states are `TrueState`.

    A `RollingWorldModel`, a `FollowingWorldModel` and a `KeyedWorldModel`.

    Attributes:
        spec: The environment.
        draws: Whether its steps use a random generator.
        is_stochastic: Whether the same state and action can have different outcomes.
        shows_state: Whether observations determine what happens, as far as the probes
            could tell.
        restarter: The way to make a state from its observation; `None` where
            snapshots are used.

    Args:
        spec: The environment; two instances are made, one is closed again.
        seed: Seed of the probes.

    Raises:
        ConfigError: If the environment cannot be saved and restored, or only together
            with its chances.
    """

    def __init__(self, spec: EnvSpec, seed: int = 0) -> None:
        self.spec = spec
        self._env = open_with_snapshots(spec, seed)
        other = open_with_snapshots(spec, seed)
        try:
            self._check_transfer(other, seed)
            self.draws = _draws(other, seed)
            self.is_stochastic = self.draws and varies(other, seed)
        finally:
            other.close()
        is_replayed = isinstance(self._env.adapter, ReplaySnapshots)
        if self.draws and is_replayed:
            raise ConfigError(
                f"The state of {spec.id!r} must be in plain attributes to be a model "
                "without knowing its chances, but it is hidden."
            )
        leave_out_generators(self._env)
        self._holders = generators(self._env.env)
        self._at: TrueState | None = None
        self.restarter: Restarter | None = None
        found = find_restarter(spec, seed)
        self.shows_state = found is not None and self._is_determined(found, seed)
        # Where nothing is hidden, snapshots are exact to the last bit and faster.
        is_remade = self.draws and not self.shows_state
        if is_remade:
            self.restarter = found

    def close(self) -> None:
        """Closes the environment."""
        self._env.close()

    def state_of(self, env: SnapshotEnv, observation: Value) -> TrueState:
        """Returns the present state of an acting environment.

        Args:
            env: Made from the same specification by `open_with_snapshots`; from now on
                its snapshots have no random generators.
            observation: What it shows.
        """
        if self.restarter is not None:
            return TrueState(observation, None, legal_actions_of(env.env))
        leave_out_generators(env)
        return TrueState(observation, env.save(), legal_actions_of(env.env))

    def step(
        self, state: TrueState, action: Value, rng: np.random.Generator
    ) -> StepResult:
        """Returns the outcome of an action; see `WorldModel`."""
        self._enter(state, rng)
        step = self._env.step(to_gymnasium(self.spec.action_space, action))
        observation = to_value(self.spec.observation_space, step.observation)
        snapshot = None if self.restarter is not None else self._env.save()
        following = TrueState(observation, snapshot, legal_actions_of(self._env.env))
        # Whoever goes on from here need not restore.
        self._at = following if snapshot is not None else None
        return StepResult(following, observation, step.reward, step.terminated)

    def legal_actions(self, state: TrueState) -> Sequence[Value] | None:
        """Returns the legal actions where the environment declares them."""
        return state.legal

    def state_key(self, state: TrueState) -> Hashable | None:
        """Returns the observation as a key where it determines what happens."""
        if self.shows_state or self.restarter is not None:
            return to_key(state.observation)
        return None

    def roll_out(
        self, state: TrueState, actions: Sequence[Values], rng: np.random.Generator
    ) -> RolloutBatch:
        """Returns where plans lead; the state is restored once for each."""
        return self._rolled_out(
            state, len(actions), len(actions[0]), rng, lambda i, t, _: actions[i][t]
        )

    def follow(
        self,
        state: TrueState,
        policies: Policies,
        horizon: int,
        rng: np.random.Generator,
    ) -> FollowedPolicies:
        """Returns where policies lead; the state is restored once for each."""
        done: list[list[Value]] = [[] for _ in range(len(policies))]

        def act(index: int, time: int, seen: Value) -> Value:
            action = policies.act(index, seen)
            done[index].append(action)
            return action

        rollouts = self._rolled_out(state, len(policies), horizon, rng, act)
        return FollowedPolicies(rollouts=rollouts, actions=done)

    def _rolled_out(
        self,
        state: TrueState,
        number: int,
        horizon: int,
        rng: np.random.Generator,
        act: Callable[[int, int, Value], Value],
    ) -> RolloutBatch:
        """Returns rollouts; `act` is told which, when, and what is seen."""
        rewards = np.zeros((number, horizon))
        lengths = np.zeros(number, dtype=np.int64)
        terminated = np.zeros(number, dtype=np.bool_)
        observations: list[list[Value]] = []
        action_space, space = self.spec.action_space, self.spec.observation_space
        for index in range(number):
            self._enter(state, rng)
            shown = state.observation
            seen: list[Value] = []
            for time in range(horizon):
                action = to_gymnasium(action_space, act(index, time, shown))
                step = self._env.step(action)
                rewards[index, time] = step.reward
                shown = to_value(space, step.observation)
                seen.append(shown)
                if step.terminated:
                    terminated[index] = True
                    break
            lengths[index] = len(seen)
            observations.append(seen)
        return RolloutBatch(
            rewards=rewards,
            lengths=lengths,
            terminated=terminated,
            failed=np.zeros(number, dtype=np.bool_),
            observations=observations,
        )

    def _enter(self, state: TrueState, rng: np.random.Generator) -> None:
        """Puts the environment into a state; chances come from `rng` from now on."""
        for holder, name in self._holders:
            setattr(holder, name, rng)
        if self._at is not state or self._at is None:
            if self.restarter is None:
                self._env.restore(state.snapshot)
            else:
                self._env.env.reset()
                self.restarter.restart(self._env.env, state.observation)
        self._at = None

    def _check_transfer(self, other: SnapshotEnv, seed: int) -> None:
        """Refuses an environment of which two instances are not alike."""
        for episode in range(2):
            other.reset(child_seed(seed, "true model", episode))
            self._env.reset(child_seed(seed, "true model other", episode))
            snapshot = other.save()
            rng = child_rng(seed, "true model actions", episode)
            space = other.env.action_space
            space.seed(int(rng.integers(1 << 31)))
            actions = [space.sample() for _ in range(NUM_PROBES)]
            expected = _run(other, actions)
            self._env.restore(snapshot)
            found = _run(self._env, actions)
            if len(found) != len(expected) or not all(
                same_value(a.observation, b.observation) and a[1:] == b[1:]
                for a, b in zip(found, expected, strict=True)
            ):
                raise ConfigError(
                    f"Two instances of {self.spec.id!r} must be alike for one to be "
                    "the model of the other, but they differ."
                )

    def _is_determined(self, restarter: Restarter, seed: int) -> bool:
        """Returns whether states made from observations behave like the real ones.

        With equal chances, and other hidden parts each time.
        """
        observations, pairs = [], []
        space = self.spec.observation_space
        for probe, (state, action) in enumerate(self._random_steps(seed)):
            stream = child_seed(seed, "true model chances", probe)
            self._enter(state, np.random.default_rng(stream))
            real = self._env.step(action)
            real = real._replace(observation=to_value(space, real.observation))
            observations.append((state.observation, real.observation))
            for deal in range(NUM_DEALS):
                self._deal(restarter, state, child_rng(seed, "deal", probe, deal))
                for holder, name in self._holders:
                    setattr(holder, name, np.random.default_rng(stream))
                remade = self._env.step(action)
                pairs.append((real, remade))
        before, after = (
            np.asarray([to_vector(space, pair[side]) for pair in observations])
            for side in (0, 1)
        )
        change = np.std(after - before, axis=0)
        change_of_reward = float(np.std([real.reward for real, _ in pairs]))
        self._at = None
        return all(
            self._agree(real, remade, change, change_of_reward)
            for real, remade in pairs
        )

    def _agree(
        self, real: EnvStep, remade: EnvStep, change: Any, change_of_reward: float
    ) -> bool:
        space = self.spec.observation_space
        found = to_value(space, remade.observation)
        error = np.abs(to_vector(space, found) - to_vector(space, real.observation))
        bound = STEP_TOLERANCE * change_of_reward + MATCH_TOLERANCE
        return (
            real.terminated == remade.terminated
            and bool((error <= STEP_TOLERANCE * change + MATCH_TOLERANCE).all())
            and abs(real.reward - remade.reward) <= bound
        )

    def _deal(
        self, restarter: Restarter, state: TrueState, rng: np.random.Generator
    ) -> None:
        for holder, name in self._holders:
            setattr(holder, name, rng)
        self._env.env.reset()
        restarter.restart(self._env.env, state.observation)

    def _random_steps(self, seed: int) -> list[tuple[TrueState, Any]]:
        """Returns states of random episodes, each with an action."""
        env, space = self._env, self._env.env.action_space
        space.seed(child_seed(seed, "true model probes"))
        steps: list[tuple[TrueState, Any]] = []
        episode = 0
        while len(steps) < NUM_PROBES:
            shown = env.reset(child_seed(seed, "true model probe", episode))
            episode += 1
            # Resetting with a seed makes a new generator, under the same name.
            is_over = False
            while not is_over and len(steps) < NUM_PROBES:
                value = to_value(self.spec.observation_space, shown)
                action = space.sample()
                steps.append((TrueState(value, env.save()), action))
                step = env.step(action)
                shown, is_over = step.observation, step.terminated or step.truncated
        return steps


def leave_out_generators(env: SnapshotEnv) -> None:
    """Makes snapshots of an environment that say nothing about its chances.

    Replayed episodes need theirs; of these only such are used that draw nothing.
    """
    leave_out = getattr(env.adapter, "leave_out_generators", None)
    if leave_out is not None:
        leave_out()


def _draws(env: SnapshotEnv, seed: int) -> bool:
    """Returns whether some step of random episodes advances a generator."""
    space = env.env.action_space
    space.seed(child_seed(seed, "true model draws"))
    env.reset(child_seed(seed, "true model draws", 0))
    for probe in range(NUM_PROBES):
        before = _chances(env)
        step = env.step(space.sample())
        if _chances(env) != before:
            return True
        if step.terminated or step.truncated:
            env.reset(child_seed(seed, "true model draws", probe + 1))
    return False


def _chances(env: SnapshotEnv) -> list[Any]:
    return [
        getattr(holder, name).bit_generator.state
        for holder, name in generators(env.env)
    ]


def _run(env: SnapshotEnv, actions: Sequence[Any]) -> list[EnvStep]:
    steps: list[EnvStep] = []
    for action in actions:
        step = env.step(action)
        # Some environments reuse the array that they return.
        steps.append(step._replace(observation=_copied(step.observation)))
        if step.terminated or step.truncated:
            break
    return steps


def _copied(observation: Any) -> Any:
    return observation.copy() if isinstance(observation, np.ndarray) else observation
