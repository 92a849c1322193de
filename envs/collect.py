"""Collecting a data set: curated trajectories from low to high return.

Each trajectory is one genuine episode: whatever chose its actions planned on a copy
of the environment, and the actions were then taken from `reset(seed)` on. Nothing
is scripted for an environment; `envs.curators` has the general policies, and an
`Expert` may take some of the trajectories.
"""

import importlib.metadata
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

from cwm.core.errors import ConfigError, DataError
from cwm.core.seeding import child_rng, child_seed
from cwm.core.spaces import Value
from cwm.core.trajectories import (
    Dataset,
    Split,
    Trajectory,
    Transition,
    make_trajectory,
)
from envs.actions import ActionSource, is_table_like
from envs.curators import NUM_SEEDS, Choice, Curator, ExplorerCurator
from envs.declared import instruction_of, legal_actions_of
from envs.hidden_state import StateParts, stacked, state_layout, state_parts
from envs.plain_data import same_value
from envs.playground.curator import PlaygroundCurator
from envs.playground.env import Playground
from envs.snapshots import SnapshotEnv, open_with_snapshots, reseed
from envs.spaces import to_gymnasium, to_value
from envs.spec import Env, EnvSpec
from envs.splits import validation_indices
from envs.table_curator import TableCurator
from envs.text_games.base import TextGame
from envs.text_games.curator import TextCurator
from envs.text_games.java_game import CommandSnapshots

NUM_STOCHASTIC_PROBES = 60
"""(state, action) pairs that are repeated to see whether outcomes vary."""

NUM_REPEATS = 4

EXPERT_EVERY = 10
"""Of the fewest trajectories every tenth is the expert's, if there is one."""

PACKAGES_OF = {
    "BabyAI": "minigrid",
    "ScienceWorld": "scienceworld",
    "TWC": "textworld-express",
    "CookingWorld": "textworld-express",
    "CoinCollector": "textworld-express",
    "MapReader": "textworld-express",
    "TextWorld": "textworld",
}
"""Part of an id -> the distribution that decides what happens there."""

STOCHASTIC_FACTOR = 3
"""Outcomes that vary need this many times as many transitions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectConfig:
    """How much to collect.

    Attributes:
        num_trajectories: Fewest trajectories of training and validation together;
            at least 2. More are recorded while there are too few transitions. As
            many again are held out.
        min_transitions: Fewest transitions of training (without validation) and of
            held-out data, from 1 to the most; three times as many where outcomes
            vary.
        max_transitions: Most transitions of training and validation together; at
            least the number of trajectories.
        max_trajectory_length: Longest trajectory, in steps; at least 1. Recording
            stops there unless the episode ends sooner.
        validation_fraction: Share of the trajectories for validation, above 0 and
            at most 0.5.
        planning_steps: Steps on copies of the environment that a policy may spend
            on one trajectory; at least 0, which leaves random policies only.
    """

    num_trajectories: int = 10
    min_transitions: int = 1_000
    max_transitions: int = 5_000
    max_trajectory_length: int = 300
    validation_fraction: float = 0.2
    planning_steps: int = 4_000

    def __post_init__(self) -> None:
        if self.num_trajectories < 2:
            raise ConfigError(
                "num_trajectories must be at least 2 (one to train, one to validate), "
                f"got {self.num_trajectories}."
            )
        if not 1 <= self.min_transitions <= self.max_transitions:
            raise ConfigError(
                f"min_transitions must be from 1 to max_transitions "
                f"({self.max_transitions}), got {self.min_transitions}."
            )
        if self.max_transitions < self.num_trajectories:
            raise ConfigError(
                f"max_transitions must be at least num_trajectories "
                f"({self.num_trajectories}), got {self.max_transitions}."
            )
        if self.max_trajectory_length < 1:
            raise ConfigError(
                "max_trajectory_length must be at least 1 step, "
                f"got {self.max_trajectory_length}."
            )
        if not 0 < self.validation_fraction <= 0.5:
            raise ConfigError(
                "validation_fraction must be in (0, 0.5], "
                f"got {self.validation_fraction}."
            )
        if self.planning_steps < 0:
            raise ConfigError(
                f"planning_steps must be at least 0 steps, got {self.planning_steps}."
            )


class Expert(Protocol):
    """Chooses the actions of some trajectories, for a high return."""

    @property
    def policy(self) -> str:
        """What trajectories say about who chose the actions."""
        ...

    def actions(self, seed: int, length: int) -> list[Value]:
        """Returns what to do after `reset(seed)`, at least one action.

        Args:
            seed: Seed of the episode.
            length: Most actions.
        """
        ...


def collect(
    spec: EnvSpec,
    config: CollectConfig | None = None,
    seed: int = 0,
    *,
    expert: Expert | None = None,
    expert_every: int = EXPERT_EVERY,
    report: Callable[[Split, Trajectory], None] | None = None,
) -> Dataset:
    """Returns a data set of an environment; the same arguments give the same one.

    Args:
        spec: The environment.
        config: How much to collect.
        seed: Fixes everything; held-out data come from other streams of it.
        expert: Who takes some trajectories in place of the curator.
        expert_every: Of the fewest trajectories, every so many is the expert's; at
            least 1, which makes all of them the expert's.
        report: Is told of each trajectory as it is recorded (validation is drawn
            from `"train"` at the end).

    Raises:
        ConfigError: If the environment does not repeat itself under a seed.
        DataError: If it gives values that its spaces do not allow.
    """
    config = config or CollectConfig()
    if expert_every < 1:
        raise ConfigError(f"expert_every must be at least 1, got {expert_every}.")
    env = open_with_snapshots(spec, child_seed(seed, "self-test"))
    try:
        is_stochastic = spec.is_declared_nondeterministic or varies(env, seed)
        is_told = isinstance(env.env.unwrapped, Playground | TextGame)
        is_spread = is_stochastic or is_told
        recorder = _Recorder(
            spec, config, expert, is_stochastic=is_stochastic, is_spread=is_spread
        )
        recorder.expert_every = expert_every
        parts: dict[Split, list[Trajectory]] = {}
        for split in ("train", "held_out"):
            stream = child_seed(seed, "collect", split)
            curator = _curator(env, spec, config, is_stochastic, stream)
            parts[split] = []
            for trajectory in recorder.trajectories(curator, stream, split):
                parts[split].append(trajectory)
                if report:
                    report(split, trajectory)
        layout = state_layout(recorder.env)
        recorder.close()
    finally:
        env.close()
    train = by_return(parts["train"])
    held_out = by_return(parts["held_out"])
    chosen = validation_indices(
        train, spec, config.validation_fraction, is_spread=is_spread
    )
    splits: list[Split] = [
        "validation" if index in chosen else "train" for index in range(len(train))
    ]
    splits.extend("held_out" for _ in held_out)
    return Dataset(
        environment_id=spec.id,
        description=spec.description,
        observation_space=spec.observation_space,
        action_space=spec.action_space,
        trajectories=(*train, *held_out),
        splits=tuple(splits),
        collection=_provenance(spec, config, seed, type(env.adapter).__name__)
        | ({} if layout is None else {"states": layout}),
        is_stochastic=is_stochastic,
    )


def _provenance(
    spec: EnvSpec, config: CollectConfig, seed: int, adapter: str
) -> dict[str, Any]:
    return {
        "collector": "cwm.collect",
        "seed": seed,
        "config": asdict(config),
        "env_kwargs": dict(spec.kwargs),
        "env_changes": dict(spec.changes),
        "max_episode_steps": spec.max_episode_steps,
        "snapshots": adapter,
        "versions": versions(spec.id),
    }


def versions(env_id: str = "") -> dict[str, str]:
    """Returns the versions of the installed packages that decide what is recorded.

    Args:
        env_id: What is recorded, if that is known: levels of BabyAI are minigrid's.
    """
    names = ["gymnasium", "numpy", "mujoco"]
    names += [name for part, name in PACKAGES_OF.items() if part in env_id]
    found = {name: _version(name) for name in names}
    return {name: version for name, version in found.items() if version}


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _curator(
    env: SnapshotEnv,
    spec: EnvSpec,
    config: CollectConfig,
    is_stochastic: bool,
    stream: int,
) -> Curator:
    own = env.env.unwrapped
    if isinstance(own, Playground):
        return PlaygroundCurator(own, stream)
    if isinstance(own, TextGame):
        return TextCurator(own, stream)
    source = ActionSource(spec.action_space)
    if is_table_like(spec.observation_space) and source.actions:
        return TableCurator(
            env,
            source=source,
            observation_space=spec.observation_space,
            is_stochastic=is_stochastic,
            planning_steps=config.planning_steps,
            seed=stream,
        )
    return ExplorerCurator(
        env,
        source=source,
        observation_space=spec.observation_space,
        is_stochastic=is_stochastic,
        planning_steps=config.planning_steps,
        seed=stream,
    )


def varies(env: SnapshotEnv, seed: int) -> bool:
    """Returns whether the same state and action can have different outcomes.

    States are restored and stepped from with different random generators.

    Args:
        env: Any environment; left in some state.
        seed: Seed of the states and actions tried.
    """
    if isinstance(env.adapter, CommandSnapshots):
        # They restore by repeating commands: had one another outcome, their self-test
        # would have shown it. To repeat them here takes ScienceWorld a minute.
        return False
    rng = child_rng(seed, "varies")
    space = env.env.action_space
    space.seed(child_seed(seed, "varies actions"))
    env.reset(child_seed(seed, "varies", 0))
    for probe in range(NUM_STOCHASTIC_PROBES):
        action = space.sample()
        snapshot = env.save()
        outcomes = []
        for _ in range(NUM_REPEATS):
            env.restore(snapshot)
            reseed(env.env, int(rng.integers(1 << 31)))
            outcomes.append(env.step(action))
        first = outcomes[0]
        for other in outcomes[1:]:
            same = same_value(first.observation, other.observation)
            if not same or first[1:] != other[1:]:
                return True
        if first.terminated or first.truncated:
            env.reset(child_seed(seed, "varies", probe + 1))
    return False


class _Recorder:
    """Records genuine episodes of the actions that a curator chooses."""

    def __init__(
        self,
        spec: EnvSpec,
        config: CollectConfig,
        expert: Expert | None,
        *,
        is_stochastic: bool,
        is_spread: bool,
    ) -> None:
        self.spec = spec
        self.expert = expert
        self.expert_every = EXPERT_EVERY
        self.env = spec.make()
        self.num_trajectories = config.num_trajectories
        self.is_spread = is_spread
        self.fraction = config.validation_fraction
        factor = STOCHASTIC_FACTOR if is_stochastic else 1
        self.min_transitions = min(
            config.min_transitions * factor, config.max_transitions
        )
        self.max_transitions = config.max_transitions
        limit = spec.max_episode_steps or config.max_trajectory_length
        share = config.max_transitions // config.num_trajectories
        self.length = min(config.max_trajectory_length, limit, share)

    def trajectories(
        self, curator: Curator, stream: int, split: Split
    ) -> Iterator[Trajectory]:
        """Yields trajectories until there are enough."""
        recorded: list[Trajectory] = []
        total = 0
        while not self._is_enough(recorded, total, split):
            index = len(recorded)
            left = self.max_transitions - total
            length = min(self.length, left)
            # Where episodes are many, they start in many states of their own accord.
            num_seeds = NUM_SEEDS if index < 3 * self.num_trajectories else 1
            seeds = [child_seed(stream, "episode", index, k) for k in range(num_seeds)]
            average = -(-self.min_transitions // self.num_trajectories)
            every = self.expert_every
            is_experts = index % every == every - 1
            is_early = index < self.num_trajectories or every == 1
            if self.expert and is_experts and is_early:
                actions = self.expert.actions(seeds[0], length)
                choice = Choice(self.expert.policy, seeds[0], actions)
            else:
                enough = min(average, length)
                choice = curator.choose(index, seeds, length=length, enough=enough)
            trajectory = record(
                self.spec,
                self.env,
                choice.actions,
                policy=choice.policy,
                seed=choice.seed,
            )
            curator.learn(trajectory)
            yield trajectory
            recorded.append(trajectory)
            total += len(trajectory)

    def _is_enough(self, recorded: list[Trajectory], total: int, split: Split) -> bool:
        """Returns whether training without validation, or held-out data, suffice."""
        if total >= self.max_transitions:
            return True
        if len(recorded) < self.num_trajectories or total < self.min_transitions:
            return False
        if split == "train" and self.is_spread:
            # Validation takes its share evenly, and the trajectories may be many.
            total = int(total * (1 - self.fraction))
        elif split == "train":
            ordered = by_return(recorded)
            chosen = validation_indices(
                ordered, self.spec, self.fraction, is_spread=False
            )
            total -= sum(len(ordered[index]) for index in chosen)
        return total >= self.min_transitions

    def close(self) -> None:
        self.env.close()


def record(
    spec: EnvSpec, env: Env, actions: list[Value], *, policy: str, seed: int
) -> Trajectory:
    """Returns the episode that starts with `reset(seed)` and takes `actions`.

    Args:
        spec: The environment's specification.
        env: An instance of it; left in some state.
        actions: What to do; what is left when the episode ends is not done.
        policy: What chose the actions.
        seed: Seed of the reset.

    Raises:
        DataError: If there is no action, or the environment leaves its spaces.
    """
    if not actions:
        raise DataError("actions must have at least 1 member, got 0.")
    observation, _ = env.reset(seed=seed)
    value = to_value(spec.observation_space, observation)
    steps: list[Transition] = []
    legal = [legal_actions_of(env)]
    states: list[StateParts | None] = [state_parts(env)]
    for action in actions:
        result = env.step(to_gymnasium(spec.action_space, action))
        next_value = to_value(spec.observation_space, result[0])
        reward, terminated, truncated = float(result[1]), bool(result[2]), result[3]
        steps.append(
            Transition(value, action, next_value, reward, terminated, bool(truncated))
        )
        legal.append(legal_actions_of(env))
        states.append(state_parts(env))
        value = next_value
        if terminated or truncated:
            break
    trajectory = make_trajectory(
        steps,
        observation_space=spec.observation_space,
        action_space=spec.action_space,
        policy=policy,
        seed=seed,
        instruction=instruction_of(env),
    )
    is_declared = any(actions is not None for actions in legal)
    return replace(
        trajectory,
        legal_actions=tuple(a or () for a in legal) if is_declared else None,
        states=stacked(states),
    )


def by_return(trajectories: list[Trajectory]) -> list[Trajectory]:
    """Returns trajectories from low to high return."""
    return sorted(trajectories, key=lambda t: t.episode_return)
