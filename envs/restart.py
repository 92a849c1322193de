"""Restarting the true environment from an observation: the ceiling of any model.

Where an observation determines the state, the environment itself can be put there.
How is found out by looking, not by name: a `Layout` says for each number of the
hidden state whether some element of the observation equals it, or its cosine and
sine. `find_restarter` tries the ways there are and keeps one whose restarted steps
agree with recorded ones; there may be none.

Covers: states in one vector attribute, in MuJoCo's joint positions and velocities,
in attributes that equal parts of the observation, and hands of cards. Does not
cover: environments that hide what their dynamics need; what is lost to rounding
of the observation shows in the ceiling.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cwm.core.codec import conform, decode_columns, encode_columns
from cwm.core.predictions import Predictions
from cwm.core.seeding import child_seed
from cwm.core.spaces import (
    DictSpec,
    TupleSpec,
    Value,
)
from cwm.core.trajectories import TransitionBatch
from envs.actions import to_vector
from envs.declared import legal_actions_of
from envs.snapshots import generators, is_mujoco
from envs.spaces import to_gymnasium, to_value
from envs.spec import Env, EnvSpec

NUM_PROBES = 60
"""Observations on which a way to restart is tried out."""

MATCH_TOLERANCE = 1e-5
"""Difference up to which a number of the state equals one of the observation."""

STEP_TOLERANCE = 1e-2
"""Share of an element's usual change by which a restarted step may be off."""

MIN_AGREEMENT = 0.5
"""Share of probes that must agree; hidden parts may spoil some of them."""


class Restarter(Protocol):
    """A way to put an environment into the state that an observation shows."""

    def restart(self, env: Env, observation: Value) -> None:
        """Puts `env`, which has just been reset, into that state."""


@dataclass(frozen=True, kw_only=True)
class StateVector:
    """The numbers that an environment keeps its state in.

    Attributes:
        attribute: Name of the attribute; empty for MuJoCo's `qpos` and `qvel`.
    """

    attribute: str

    def get(self, env: Env) -> NDArray[np.float64]:
        """Returns the state, `[S]`."""
        unwrapped: Any = env.unwrapped
        if not self.attribute:
            return np.concatenate([unwrapped.data.qpos, unwrapped.data.qvel])
        value = getattr(unwrapped, self.attribute, None)
        try:
            return np.asarray(value, dtype=np.float64).ravel()
        except (TypeError, ValueError):
            return np.empty(0)

    def set(self, env: Env, state: NDArray[np.float64]) -> None:
        """Sets the state, in the form that the attribute has now."""
        unwrapped: Any = env.unwrapped
        if not self.attribute:
            split = len(unwrapped.data.qpos)
            unwrapped.set_state(state[:split], state[split:])
            return
        old = getattr(unwrapped, self.attribute)
        new: Any = state.reshape(np.shape(old))
        if isinstance(old, np.ndarray):
            new = new.astype(old.dtype)
        elif isinstance(old, tuple | list):
            new = type(old)(type(o)(n) for o, n in zip(old, new, strict=True))
        else:
            new = type(old)(new)
        setattr(unwrapped, self.attribute, new)


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where each number of a state is found in the observation.

    Attributes:
        state: The state in question.
        direct: Number of the state -> element of the observation that equals it.
        angles: Number of the state -> elements that are its cosine and sine.
    """

    state: StateVector
    direct: dict[int, int]
    angles: dict[int, tuple[int, int]]

    def restart(self, env: Env, observation: Value) -> None:
        """Sets the state; numbers that are nowhere keep their value after reset."""
        elements = _elements(observation)
        state = self.state.get(env)
        for index, element in self.direct.items():
            state[index] = elements[element]
        for index, (cosine, sine) in self.angles.items():
            state[index] = np.arctan2(elements[sine], elements[cosine])
        self.state.set(env, state)


@dataclass(frozen=True, kw_only=True)
class PartAttributes:
    """Attributes that equal the parts of the observation.

    Attributes:
        names: Attribute of each part, in the order of `_parts`.
    """

    names: tuple[str, ...]

    def restart(self, env: Env, observation: Value) -> None:
        """Sets the attributes."""
        for name, part in zip(self.names, _parts(observation), strict=True):
            old = getattr(env.unwrapped, name)
            is_array = isinstance(old, np.ndarray) or not np.isscalar(old)
            setattr(env.unwrapped, name, part if is_array else type(old)(part))


@dataclass(frozen=True, kw_only=True)
class CardHands:
    """Hands of cards behind (player's sum, dealer's card, usable ace).

    Any hand of that sum plays on alike. The dealer's hidden card is drawn anew.
    """

    def restart(self, env: Env, observation: Value) -> None:
        """Deals hands that look like the observation."""
        unwrapped: Any = env.unwrapped
        total, shown, has_ace = (int(part) for part in observation)
        hand = [1] if has_ace else []
        rest = total - 11 if has_ace else total
        while rest > 0:
            # No further ace, which would make the sum ambiguous, unless it must be.
            card = min(rest, 10) if rest != 11 else 9
            hand.append(card)
            rest -= card
        unwrapped.player = hand
        unwrapped.dealer = [shown, *unwrapped.dealer[1:]]


def _elements(observation: Value) -> NDArray[np.float64]:
    if isinstance(observation, tuple | list):
        return np.concatenate([_elements(part) for part in observation])
    return np.asarray(observation, dtype=np.float64).ravel()


def _parts(observation: Value) -> list[Value]:
    if isinstance(observation, dict):
        return list(observation.values())
    return list(observation) if isinstance(observation, tuple) else [observation]


@dataclass(frozen=True, kw_only=True)
class _Probe:
    """One real step, with what is needed to judge a restarted one."""

    observation: Value
    action: Any
    next_observation: Value
    terminated: bool
    generators: list[Any]
    states: dict[str, NDArray[np.float64]]
    parts: dict[str, Any]


def find_restarter(spec: EnvSpec, seed: int = 0) -> Restarter | None:
    """Returns a way to restart an environment from its observations, if any.

    Args:
        spec: The environment.
        seed: Seed of the steps on which it is tried out.
    """
    env, other = spec.make(), spec.make()
    try:
        probes = _probes(spec, env, seed)
        found = [
            (agreement(spec, other, restarter, probes), restarter)
            for restarter in _restarters(spec, env, probes)
        ]
    finally:
        env.close()
        other.close()
    best = max(found, key=lambda pair: pair[0], default=(0.0, None))
    return best[1] if best[0] >= MIN_AGREEMENT else None


def _probes(spec: EnvSpec, env: Env, seed: int) -> list[_Probe]:
    env.action_space.seed(child_seed(seed, "restart actions"))
    probes: list[_Probe] = []
    observation, _ = env.reset(seed=child_seed(seed, "restart", 0))
    for index in range(NUM_PROBES):
        action = env.action_space.sample()
        value = to_value(spec.observation_space, observation)
        names = [""] if is_mujoco(env) else list(vars(env.unwrapped))
        states = {name: StateVector(attribute=name).get(env) for name in names}
        parts = dict(vars(env.unwrapped))
        rngs = [getattr(h, n).bit_generator.state for h, n in generators(env)]
        observation, _, terminated, truncated, _ = env.step(action)
        probes.append(
            _Probe(
                observation=value,
                action=action,
                next_observation=to_value(spec.observation_space, observation),
                terminated=bool(terminated),
                generators=rngs,
                states={n: s.copy() for n, s in states.items() if 0 < s.size <= 4_096},
                parts={
                    n: np.array(v) if np.isscalar(v) else v for n, v in parts.items()
                },
            )
        )
        if terminated or truncated:
            observation, _ = env.reset(seed=child_seed(seed, "restart", index + 1))
    return probes


def _restarters(
    spec: EnvSpec, env: Env, probes: Sequence[_Probe]
) -> Iterator[Restarter]:
    """Yields the ways to restart that look possible."""
    if not isinstance(spec.observation_space, DictSpec):
        for name in probes[0].states:
            layout = _layout(spec, name, probes)
            if layout:
                yield layout
    parts = _part_attributes(probes)
    if parts:
        yield parts
    hands = [getattr(env.unwrapped, name, None) for name in ("player", "dealer")]
    is_triple = isinstance(spec.observation_space, TupleSpec) and (
        len(spec.observation_space.members) == 3
    )
    if is_triple and all(isinstance(hand, list) for hand in hands):
        yield CardHands()


def _layout(spec: EnvSpec, name: str, probes: Sequence[_Probe]) -> Layout | None:
    """Returns where the numbers of a state are in the observation, if most are."""
    if any(name not in probe.states for probe in probes):
        return None
    sizes = {probe.states[name].size for probe in probes}
    if len(sizes) != 1 or 0 in sizes:
        return None
    states = np.asarray([probe.states[name] for probe in probes])
    elements = np.asarray(
        [to_vector(spec.observation_space, probe.observation) for probe in probes]
    )
    direct: dict[int, int] = {}
    angles: dict[int, tuple[int, int]] = {}
    used: set[int] = set()
    for index in range(states.shape[1]):
        column = states[:, index]
        match = _matching(column, elements, used)
        cosine = _matching(np.cos(column), elements, used)
        sine = _matching(np.sin(column), elements, used)
        if match is not None:
            direct[index] = match
            used.add(match)
        elif cosine is not None and sine is not None:
            angles[index] = (cosine, sine)
            used |= {cosine, sine}
    if not direct and not angles:
        return None
    return Layout(state=StateVector(attribute=name), direct=direct, angles=angles)


def _matching(
    column: NDArray[np.float64], elements: NDArray[np.float64], used: set[int]
) -> int | None:
    """Returns the first unused element that equals a column of states."""
    scale = MATCH_TOLERANCE * np.maximum(1.0, np.abs(column))[:, None]
    with np.errstate(invalid="ignore"):
        equal = (np.abs(elements - column[:, None]) <= scale).all(axis=0)
    found = [int(i) for i in np.flatnonzero(equal) if int(i) not in used]
    return found[0] if found else None


def _part_attributes(probes: Sequence[_Probe]) -> PartAttributes | None:
    """Returns the attributes that always equal the observation's parts."""
    names: list[str] = []
    for position in range(len(_parts(probes[0].observation))):
        for name in probes[0].parts:
            if name not in names and all(
                _equals(probe.parts.get(name), _parts(probe.observation)[position])
                for probe in probes
            ):
                names.append(name)
                break
        else:
            return None
    return PartAttributes(names=tuple(names))


def _equals(attribute: Any, part: Value) -> bool:
    if isinstance(attribute, dict | set) or attribute is None:
        return False
    try:
        return bool(np.array_equal(np.asarray(attribute), np.asarray(part)))
    except ValueError:
        return False


def agreement(
    spec: EnvSpec, env: Env, restarter: Restarter, probes: Sequence[_Probe]
) -> float:
    """Returns the share of real steps that restarted ones agree with.

    The self-test of a way to restart. Chances are made equal: the restarted
    environment gets the random generators that the real one had.
    """
    space = spec.observation_space
    before = np.asarray([to_vector(space, p.observation) for p in probes])
    after = np.asarray([to_vector(space, p.next_observation) for p in probes])
    tolerance = STEP_TOLERANCE * np.std(after - before, axis=0) + MATCH_TOLERANCE
    num_agreeing = 0
    for index, probe in enumerate(probes):
        env.reset(seed=0)
        restarter.restart(env, probe.observation)
        for (holder, name), state in zip(
            generators(env), probe.generators, strict=True
        ):
            getattr(holder, name).bit_generator.state = state
        observation, _, terminated, _, _ = env.step(probe.action)
        got = to_vector(space, to_value(space, observation))
        is_close = bool((np.abs(got - after[index]) <= tolerance).all())
        num_agreeing += is_close and bool(terminated) == probe.terminated
    return num_agreeing / len(probes)


def restart_predictions(
    spec: EnvSpec,
    batch: TransitionBatch,
    seed: int = 0,
    restarter: Restarter | None = None,
) -> Predictions | None:
    """Returns what the true environment does from each observation of a batch.

    Args:
        spec: The environment; its spaces are those of the batch.
        batch: `N` transitions; their outcomes are not looked at.
        seed: Of the environment's chances, drawn anew for each transition.
        restarter: How to restart it, if that is known; else it is found out.

    Returns:
        The predictions, or `None` if the environment cannot be restarted.
    """
    restarter = restarter or find_restarter(spec, seed)
    if restarter is None:
        return None
    space = spec.observation_space
    observations = decode_columns(space, batch.observations)
    actions = decode_columns(spec.action_space, batch.actions)
    found: list[Value] = []
    rewards = np.zeros(len(batch))
    terminated = np.zeros(len(batch), dtype=np.bool_)
    legal: list[tuple[Value, ...] | None] = []
    env = spec.make()
    try:
        env.reset(seed=child_seed(seed, "restart predictions"))
        for row, (observation, action) in enumerate(
            zip(observations, actions, strict=True)
        ):
            env.reset()
            restarter.restart(env, conform(space, observation))
            step = env.step(to_gymnasium(spec.action_space, action))
            found.append(to_value(space, step[0]))
            rewards[row], terminated[row] = float(step[1]), bool(step[2])
            legal.append(legal_actions_of(env))
    finally:
        env.close()
    return Predictions(
        next_observations=encode_columns(space, found),
        rewards=rewards,
        terminated=terminated,
        valid=np.ones(len(batch), dtype=np.bool_),
        messages={},
        legal_actions=None if batch.next_legal_actions is None else tuple(legal),
    )
