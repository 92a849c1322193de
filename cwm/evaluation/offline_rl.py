"""A policy trained on the same transitions as a program, without a world model.

That is offline reinforcement learning: conservative Q-learning (Kumar et al., 2020,
https://arxiv.org/abs/2006.04779) as d3rlpy has it, for discrete actions in its
discrete form, otherwise in the one for real actions. The networks get features
(`cwm.evaluation.features`): codes and texts one-hot, numbers standardised.

Covers: Taxi, CliffWalking and Blackjack through their one-hot codes, too. Does not
cover: actions that are neither a bounded array of real numbers nor few enough to be
listed; tuning. The default settings are small, and say so.
"""

import importlib
import importlib.util
import logging
from collections.abc import Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from io import StringIO
from time import perf_counter
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from cwm.core.codec import decode_columns, encode_columns
from cwm.core.errors import ConfigError, PrerequisiteError
from cwm.core.protocols import StepResult
from cwm.core.seeding import child_seed
from cwm.core.spaces import BoxSpec, SpaceSpec, Value
from cwm.core.trajectories import Trajectory, batch_trajectories
from cwm.evaluation.decisions import Decision, Situation
from cwm.evaluation.episodes import ActingConfig, Actor, EpisodeResult
from cwm.evaluation.features import Features
from cwm.evaluation.guard import PredictionJudge
from cwm.evaluation.setups import plain_env
from cwm.programs.tolerances import Tolerances
from envs.actions import UNBOUNDED_SCALE, ActionSource, to_key
from envs.spec import EnvSpec
from planners.planner import Plan

OFFLINE_RL = "offline RL (CQL)"
REQUIREMENT = "d3rlpy>=2.8,!=2.8.1"
"""2.8.1 asks for one old version of Gymnasium."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfflineConfig:
    """How a policy is trained.

    Attributes:
        num_updates: Gradient steps; at least 1. The default takes seconds (discrete
            actions) to a few minutes on one core; published results take 100,000
            and more.
        batch_size: Transitions of each; at least 1.
        discount: Weight of the next reward, in `(0, 1]`.
        learning_rate: Step size of all networks, positive.
        conservative_weight: Weight of the term that keeps the values of actions down
            that the data do not have; at least 0. None for the library's own: 1 for
            discrete actions, 5 for real ones.
        target_updates: Discrete actions: updates after which the target network is
            renewed; at least 1.
        seed: Of the networks and of the order of the transitions.
    """

    num_updates: int = 2_000
    batch_size: int = 128
    discount: float = 0.99
    learning_rate: float = 3e-4
    conservative_weight: float | None = None
    target_updates: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("num_updates", "batch_size", "target_updates"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"{name} must be at least 1, got {getattr(self, name)}."
                )
        if not 0.0 < self.discount <= 1.0:
            raise ValueError(
                f"discount must be above 0 and at most 1, got {self.discount!r}."
            )
        if not self.learning_rate > 0.0:
            raise ValueError(
                f"learning_rate must be positive, got {self.learning_rate!r}."
            )
        weight = self.conservative_weight
        if weight is not None and not weight >= 0.0:
            raise ValueError(f"conservative_weight must be at least 0, got {weight!r}.")


class ActionNumbers:
    """Actions as what a policy network deals in: an index, or numbers in [-1, 1].

    Attributes:
        is_discrete: Whether actions are indices of a list.
        count: Actions in the list; else numbers of an action.
    """

    def __init__(self, space: SpaceSpec) -> None:
        """Looks at the space.

        Raises:
            ConfigError: If it is neither short nor an array of real numbers.
        """
        self._space = space
        self._listed = ActionSource(space).actions
        self.is_discrete = bool(self._listed)
        if self.is_discrete:
            self._index = {to_key(a): i for i, a in enumerate(self._listed)}
            self.count = len(self._listed)
            return
        if not isinstance(space, BoxSpec) or space.is_integer:
            raise ConfigError(
                "Offline RL needs few actions or an array of real numbers, got "
                f"{space}."
            )
        low, high = space.bounds()
        low = np.where(np.isfinite(low), low, -UNBOUNDED_SCALE)
        high = np.where(np.isfinite(high), high, UNBOUNDED_SCALE)
        self._middle, self._half = (low + high) / 2, (high - low) / 2
        self.count = space.size

    def encode(self, actions: Sequence[Value]) -> NDArray[Any]:
        """Returns actions as rows, `[N, 1]` of indices or `[N, count]` of numbers."""
        if self.is_discrete:
            rows = [[self._index[to_key(action)]] for action in actions]
            return np.asarray(rows, dtype=np.int64)
        numbers = np.asarray(actions, dtype=np.float64).reshape(len(actions), -1)
        return ((numbers - self._middle) / self._half).astype(np.float32)

    def decode(self, row: Any) -> Value:
        """Returns the action of one answer of a policy network."""
        if self.is_discrete:
            return self._listed[int(row)]
        assert isinstance(self._space, BoxSpec), "checked when it was made"
        numbers = np.clip(np.asarray(row, dtype=np.float64), -1.0, 1.0)
        flat = self._middle + self._half * numbers
        return flat.astype(self._space.dtype).reshape(self._space.shape)


class OfflinePolicy:
    """A trained policy as a decider: an action for what it sees, without a plan."""

    def __init__(
        self,
        algorithm: Any,
        *,
        space: SpaceSpec,
        features: Features,
        actions: ActionNumbers,
    ) -> None:
        """Wraps a policy of d3rlpy's.

        Args:
            algorithm: Has `predict`.
            space: Space of the observations.
            features: What it was trained on.
            actions: What its answers mean.
        """
        self._algorithm = algorithm
        self._space = space
        self._features = features
        self._actions = actions

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        return None

    def begin(self, seed: int) -> None:
        """Does nothing: it remembers nothing, and draws nothing."""

    def decide(self, situation: Situation, *, keeps_plan: bool = True) -> Decision:
        """Returns the action that it values most."""
        start = perf_counter()
        action = self.action(situation.observation)
        return Decision(plan=Plan(actions=(action,)), seconds=perf_counter() - start)

    def predict_steps(
        self, observations: Sequence[Value], actions: Sequence[Value]
    ) -> list[StepResult | None]:
        """Returns nothing: it has no model."""
        return [None] * len(observations)

    def action(self, observation: Value) -> Value:
        """Returns the action that it values most."""
        rows = self._features(encode_columns(self._space, [observation]))
        answer = self._algorithm.predict(rows.astype(np.float32))
        return self._actions.decode(answer[0])


def train_offline(
    trajectories: Sequence[Trajectory],
    observation_space: SpaceSpec,
    action_space: SpaceSpec,
    config: OfflineConfig,
) -> OfflinePolicy:
    """Returns a policy trained on recorded transitions alone.

    It sets the seeds of the global generators of Python, NumPy and torch, as the
    library has it. The same arguments give the same policy on the same machine.

    Args:
        trajectories: The training transitions; at least one trajectory.
        observation_space: Space of the observations.
        action_space: Space of the actions.
        config: How it is trained.

    Raises:
        ConfigError: If such actions are not supported.
        PrerequisiteError: If d3rlpy is not installed.
    """
    actions = ActionNumbers(action_space)
    d3rlpy = load_d3rlpy()
    batch = batch_trajectories(trajectories, observation_space, action_space)
    features = Features(observation_space, batch.observations)
    algorithm = _algorithm(d3rlpy, actions, config)
    d3rlpy.seed(child_seed(config.seed, "offline RL"))
    rows = training_rows(trajectories, action_space, features, actions)
    kind = d3rlpy.constants.ActionSpace
    dataset = d3rlpy.dataset.MDPDataset(
        rows.observations,
        rows.actions,
        rows.rewards,
        rows.terminals,
        rows.timeouts,
        action_space=kind.DISCRETE if actions.is_discrete else kind.CONTINUOUS,
        action_size=actions.count,
    )
    algorithm.fit(
        dataset,
        n_steps=config.num_updates,
        n_steps_per_epoch=config.num_updates,
        logger_adapter=d3rlpy.logging.NoopAdapterFactory(),
        show_progress=False,
    )
    return OfflinePolicy(
        algorithm, space=observation_space, features=features, actions=actions
    )


def load_d3rlpy() -> Any:
    """Returns the package, which says nothing from now on but what went wrong.

    Raises:
        PrerequisiteError: If it is not installed.
    """
    if importlib.util.find_spec("d3rlpy") is None:
        raise PrerequisiteError(
            "Offline RL needs the package d3rlpy, of the extra [offline]. "
            f"Run: pip install '{REQUIREMENT}'"
        )
    # It imports the old gym, which prints that it is old.
    with redirect_stderr(StringIO()):
        package = importlib.import_module("d3rlpy")
    structlog = importlib.import_module("structlog")
    quiet = structlog.make_filtering_bound_logger(logging.WARNING)
    structlog.configure(wrapper_class=quiet)
    return package


def _algorithm(d3rlpy: Any, actions: ActionNumbers, config: OfflineConfig) -> Any:
    rate, weight = config.learning_rate, config.conservative_weight
    settings: dict[str, Any] = {
        "batch_size": config.batch_size,
        "gamma": config.discount,
    }
    if actions.is_discrete:
        settings |= {
            "learning_rate": rate,
            "target_update_interval": config.target_updates,
        }
        settings |= {} if weight is None else {"alpha": weight}
        return d3rlpy.algos.DiscreteCQLConfig(**settings).create(device="cpu:0")
    names = ("actor", "critic", "temp", "alpha")
    settings |= {f"{name}_learning_rate": rate for name in names}
    settings |= {} if weight is None else {"conservative_weight": weight}
    return d3rlpy.algos.CQLConfig(**settings).create(device="cpu:0")


@dataclass(frozen=True, kw_only=True)
class TrainingRows:
    """Episodes one after the other, as d3rlpy wants them.

    An episode that was cut off has a row more than transitions: its last observation,
    whose action and reward are not used.

    Attributes:
        observations: Features `[R, F]`.
        actions: `[R, A]`.
        rewards: `[R]`, divided by their usual size.
        terminals: `[R]`: 1 where the row's action led to a terminal state.
        timeouts: `[R]`: 1 at the last row of other episodes.
    """

    observations: NDArray[np.float32]
    actions: NDArray[Any]
    rewards: NDArray[np.float32]
    terminals: NDArray[np.float32]
    timeouts: NDArray[np.float32]


def training_rows(
    trajectories: Sequence[Trajectory],
    action_space: SpaceSpec,
    features: Features,
    actions: ActionNumbers,
) -> TrainingRows:
    """Returns trajectories as rows; see `TrainingRows`."""
    rewards = np.concatenate([t.rewards for t in trajectories])
    scale = float(np.sqrt(np.mean(rewards**2))) or 1.0
    parts: list[tuple[NDArray[Any], ...]] = []
    for trajectory in trajectories:
        length = len(trajectory)
        is_terminal = bool(trajectory.terminated[-1])
        size = length if is_terminal else length + 1
        seen = features(trajectory.observations)[:size]
        chosen = decode_columns(action_space, trajectory.actions)
        acted = actions.encode([*chosen, chosen[-1]])[:size]
        earned = np.append(trajectory.rewards / scale, 0.0)[:size]
        last = np.zeros(size)
        last[-1] = 1.0
        nothing = np.zeros(size)
        ends = (last, nothing) if is_terminal else (nothing, last)
        parts.append((seen, acted, earned, *ends))
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    real = [column.astype(np.float32) for column in (columns[0], *columns[2:])]
    return TrainingRows(
        observations=real[0],
        actions=columns[1],
        rewards=real[1],
        terminals=real[2],
        timeouts=real[3],
    )


def run_policy(
    spec: EnvSpec,
    policy: OfflinePolicy,
    tolerances: Tolerances,
    *,
    acting: ActingConfig,
    seed: int,
    num_episodes: int,
) -> list[EpisodeResult]:
    """Returns episodes of the real environment in which a policy acts.

    They begin as those of a planner with the same seed (`Setup.episode_seed`).

    Args:
        spec: The environment.
        policy: Who acts.
        tolerances: Of the training transitions.
        acting: When episodes are cut off.
        seed: Seed of the evaluation.
        num_episodes: How many; at least 1.
    """
    judge = PredictionJudge(spec.observation_space, spec.action_space, tolerances)
    env = plain_env(spec)
    try:
        actor = Actor(
            spec,
            env,
            policy,
            judge=judge,
            config=acting,
            policy=OFFLINE_RL,
        )
        return [
            actor.run(index, child_seed(seed, "episode", index))
            for index in range(num_episodes)
        ]
    finally:
        env.close()
