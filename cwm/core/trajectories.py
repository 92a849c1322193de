"""Recorded experience: transitions, trajectories and data sets with splits."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from cwm.core.codec import (
    Columns,
    concatenate_columns,
    decode_columns,
    encode_columns,
    num_rows,
    select_rows,
)
from cwm.core.spaces import SpaceSpec, Value

Split: TypeAlias = Literal["train", "validation", "held_out", "planner"]
"""What a transition may be used for.

`train` and `validation` are seen by the search; `held_out`, recorded with other
seeds, and `planner`, what a planner went through and asked about, are scored once,
after it.
"""

SPLITS: tuple[Split, ...] = get_args(Split)

SPLIT_TITLES: dict[str, str] = {
    "train": "train",
    "validation": "validation",
    "held_out": "held-out",
    "planner": "planner-visited",
}
"""What tables call the splits."""


class Transition(NamedTuple):
    """One step of an environment, as recorded.

    Attributes:
        observation: What the environment showed before the step.
        action: What was done.
        next_observation: What it showed after the step.
        reward: The step's reward.
        terminated: Whether the step ended in a terminal state of the MDP.
        truncated: Whether the episode was cut off from outside (time limit).
    """

    observation: Value
    action: Value
    next_observation: Value
    reward: float
    terminated: bool
    truncated: bool


@dataclass(frozen=True, kw_only=True)
class Trajectory:
    """Consecutive transitions of one episode.

    Below, `T` is the number of transitions.

    Attributes:
        observations: Columns of `T + 1` observations, the first from `reset`.
        actions: Columns of `T` actions.
        rewards: `[T]` of `float64`.
        terminated: `[T]` of `bool`; only the last can be true.
        truncated: `[T]` of `bool`; only the last can be true.
        policy: What chose the actions, for people: `"random"`, `"planner-8"`.
        seed: Seed of the environment's `reset`, if known.
        instruction: What the agent was told to do, if the environment says it.
        legal_actions: `T + 1` lists of legal actions, where the environment has them.
        states: `[T + 1, ...]` hidden simulator states, for diagnosis only: no
            proposer ever sees them, and batches do not have them.
    """

    observations: Columns
    actions: Columns
    rewards: NDArray[np.float64]
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]
    policy: str = "unknown"
    seed: int | None = None
    instruction: str | None = None
    legal_actions: tuple[tuple[Value, ...], ...] | None = None
    states: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        length = len(self.rewards)
        rules = {
            "observations": (num_rows(self.observations), length + 1),
            "actions": (num_rows(self.actions), length),
            "terminated": (len(self.terminated), length),
            "truncated": (len(self.truncated), length),
        }
        if length < 1:
            raise ValueError("A trajectory must have at least 1 transition, got 0.")
        for name, (got, expected) in rules.items():
            if got != expected:
                raise ValueError(
                    f"{name} must have {expected} rows for {length} rewards, got {got}."
                )
        if self.terminated[:-1].any() or self.truncated[:-1].any():
            raise ValueError(
                "Only the last transition of a trajectory may be terminated or "
                "truncated."
            )

    def __len__(self) -> int:
        return len(self.rewards)

    @property
    def episode_return(self) -> float:
        """Sum of the rewards."""
        return float(self.rewards.sum())

    def piece(self, first: int, stop: int) -> "Trajectory":
        """Returns the transitions `first .. stop - 1`, which is at least one.

        It has no seed unless it begins where the episode does.
        """
        legal, states = self.legal_actions, self.states
        rows = np.arange(first, stop)
        return Trajectory(
            observations=select_rows(self.observations, np.arange(first, stop + 1)),
            actions=select_rows(self.actions, rows),
            rewards=self.rewards[rows],
            terminated=self.terminated[rows],
            truncated=self.truncated[rows],
            policy=self.policy,
            seed=self.seed if first == 0 else None,
            instruction=self.instruction,
            legal_actions=None if legal is None else legal[first : stop + 1],
            states=None if states is None else states[first : stop + 1],
        )


@dataclass(frozen=True, kw_only=True)
class TransitionBatch:
    """Transitions as columns, the form in which they are scored and induced from.

    Attributes:
        observation_space: Space of the observations.
        action_space: Space of the actions.
        observations: Columns of `N` observations.
        actions: Columns of `N` actions.
        next_observations: Columns of `N` next observations.
        rewards: `[N]` of `float64`.
        terminated: `[N]` of `bool`.
        truncated: `[N]` of `bool`.
        trajectory: `[N]`, which trajectory a transition is from.
        time: `[N]`, its position in that trajectory.
        next_legal_actions: `N` lists of the actions that are legal after each
            transition, if every trajectory has them; then they are judged.
    """

    observation_space: SpaceSpec
    action_space: SpaceSpec
    observations: Columns
    actions: Columns
    next_observations: Columns
    rewards: NDArray[np.float64]
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]
    trajectory: NDArray[np.int64]
    time: NDArray[np.int64]
    next_legal_actions: tuple[tuple[Value, ...], ...] | None = None

    def __post_init__(self) -> None:
        legal = self.next_legal_actions
        if legal is not None and len(legal) != len(self.rewards):
            raise ValueError(
                f"next_legal_actions must have {len(self.rewards)} members, one for "
                f"each transition, got {len(legal)}."
            )

    def __len__(self) -> int:
        return len(self.rewards)

    def select(self, indices: NDArray[Any] | Sequence[int]) -> "TransitionBatch":
        """Returns the transitions at `indices` (or where a mask is true)."""
        chosen = np.asarray(indices)
        if chosen.dtype == np.bool_:
            chosen = np.flatnonzero(chosen)
        chosen = chosen.astype(np.intp)
        legal = self.next_legal_actions
        return TransitionBatch(
            observation_space=self.observation_space,
            action_space=self.action_space,
            observations=select_rows(self.observations, chosen),
            actions=select_rows(self.actions, chosen),
            next_observations=select_rows(self.next_observations, chosen),
            rewards=self.rewards[chosen],
            terminated=self.terminated[chosen],
            truncated=self.truncated[chosen],
            trajectory=self.trajectory[chosen],
            time=self.time[chosen],
            next_legal_actions=(
                None if legal is None else tuple(legal[row] for row in chosen.tolist())
            ),
        )

    def transition(self, index: int) -> Transition:
        """Returns one transition, its values in their spaces' representation."""
        row = np.asarray([index], dtype=np.intp)

        def value(space: SpaceSpec, columns: Columns) -> Value:
            return decode_columns(space, select_rows(columns, row))[0]

        return Transition(
            observation=value(self.observation_space, self.observations),
            action=value(self.action_space, self.actions),
            next_observation=value(self.observation_space, self.next_observations),
            reward=float(self.rewards[index]),
            terminated=bool(self.terminated[index]),
            truncated=bool(self.truncated[index]),
        )


def batch_trajectories(
    trajectories: Sequence[Trajectory],
    observation_space: SpaceSpec,
    action_space: SpaceSpec,
) -> TransitionBatch:
    """Returns the transitions of all trajectories, in order.

    Raises:
        ValueError: If there is no trajectory.
    """
    if not trajectories:
        raise ValueError("trajectories must have at least 1 member, got 0.")

    def rows(columns: Columns, start: int, stop: int) -> Columns:
        return {path: column[start:stop] for path, column in columns.items()}

    return TransitionBatch(
        observation_space=observation_space,
        action_space=action_space,
        observations=concatenate_columns(
            [rows(t.observations, 0, len(t)) for t in trajectories]
        ),
        actions=concatenate_columns([t.actions for t in trajectories]),
        next_observations=concatenate_columns(
            [rows(t.observations, 1, len(t) + 1) for t in trajectories]
        ),
        rewards=np.concatenate([t.rewards for t in trajectories]),
        terminated=np.concatenate([t.terminated for t in trajectories]),
        truncated=np.concatenate([t.truncated for t in trajectories]),
        trajectory=np.concatenate(
            [np.full(len(t), i, dtype=np.int64) for i, t in enumerate(trajectories)]
        ),
        time=np.concatenate([np.arange(len(t), dtype=np.int64) for t in trajectories]),
        next_legal_actions=_next_legal_actions(trajectories),
    )


def _next_legal_actions(
    trajectories: Sequence[Trajectory],
) -> tuple[tuple[Value, ...], ...] | None:
    """Returns what is legal after each transition, if all trajectories say it."""
    found: list[tuple[Value, ...]] = []
    for trajectory in trajectories:
        if trajectory.legal_actions is None:
            return None
        found.extend(trajectory.legal_actions[1:])
    return tuple(found)


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Trajectories of one environment, each in one split.

    Attributes:
        environment_id: The environment's name, such as `"CartPole-v1"`.
        description: What a proposer is told about the environment, in words.
        observation_space: Space of the observations.
        action_space: Space of the actions.
        trajectories: All trajectories.
        splits: The split of each trajectory.
        collection: How the data came about: collector, seeds, versions. JSON-able.
        is_stochastic: Whether the same observation and action can lead to
            different outcomes, as far as the collector could tell.
    """

    environment_id: str
    description: str
    observation_space: SpaceSpec
    action_space: SpaceSpec
    trajectories: tuple[Trajectory, ...]
    splits: tuple[Split, ...]
    collection: dict[str, Any] = field(default_factory=dict)
    is_stochastic: bool = False

    def __post_init__(self) -> None:
        if len(self.splits) != len(self.trajectories):
            raise ValueError(
                f"splits must have {len(self.trajectories)} members, one per "
                f"trajectory, got {len(self.splits)}."
            )
        unknown = set(self.splits) - set(SPLITS)
        if unknown:
            raise ValueError(f"splits must be of {SPLITS}, got {sorted(unknown)}.")

    def in_split(self, split: Split) -> tuple[Trajectory, ...]:
        """Returns the trajectories of a split; possibly none."""
        return tuple(
            trajectory
            for trajectory, name in zip(self.trajectories, self.splits, strict=True)
            if name == split
        )

    def batch(self, split: Split) -> TransitionBatch:
        """Returns the transitions of a split.

        Raises:
            ValueError: If the split is empty.
        """
        found = self.in_split(split)
        if not found:
            raise ValueError(
                f"Split {split!r} of {self.environment_id} has no trajectory."
            )
        return batch_trajectories(found, self.observation_space, self.action_space)

    @cached_property
    def num_transitions(self) -> dict[Split, int]:
        """Number of transitions by split."""
        return {s: sum(len(t) for t in self.in_split(s)) for s in SPLITS}


def make_trajectory(
    transitions: Iterable[Transition],
    *,
    observation_space: SpaceSpec,
    action_space: SpaceSpec,
    policy: str = "unknown",
    seed: int | None = None,
    instruction: str | None = None,
) -> Trajectory:
    """Returns the trajectory of consecutive transitions.

    Raises:
        ValueError: If there is no transition, or a value is not of its space.
    """
    steps = list(transitions)
    if not steps:
        raise ValueError("A trajectory must have at least 1 transition, got 0.")
    observations = [steps[0].observation, *(s.next_observation for s in steps)]
    return Trajectory(
        observations=encode_columns(observation_space, observations),
        actions=encode_columns(action_space, [s.action for s in steps]),
        rewards=np.asarray([s.reward for s in steps], dtype=np.float64),
        terminated=np.asarray([s.terminated for s in steps], dtype=np.bool_),
        truncated=np.asarray([s.truncated for s in steps], dtype=np.bool_),
        policy=policy,
        seed=seed,
        instruction=instruction,
    )
