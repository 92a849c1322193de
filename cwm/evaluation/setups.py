"""One row of an evaluation: an environment, a world model and a planner, opened.

Covers: the true environment, programs in the sandbox, models that open themselves, and
random actions, each with what guides the planner; everything is described by plain
data, so that another process can open the same.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

from cwm.core.errors import ConfigError
from cwm.core.protocols import WorldModel
from cwm.core.seeding import child_rng, child_seed
from cwm.core.spaces import TextSpec
from cwm.core.trajectories import Trajectory, batch_trajectories
from cwm.evaluation.deciders import (
    SandboxDecider,
    SandboxSettings,
    SessionDecider,
    open_decider,
)
from cwm.evaluation.decisions import PredictingDecider
from cwm.evaluation.episodes import ActingConfig, Actor
from cwm.evaluation.guard import PredictionJudge
from cwm.evaluation.guides import Guide, GuidedDecider, OpenableGuide
from cwm.evaluation.model_decider import ModelDecider
from cwm.programs.tolerances import Tolerances, real_leaves
from envs.actions import ActionSource
from envs.collect import record
from envs.registry import find
from envs.snapshots import AttributeSnapshots, SnapshotEnv, open_with_snapshots
from envs.spec import EnvSpec
from envs.true_model import TrueModel
from planners.planner import Planner
from planners.registry import PlannerConfig, new_planner
from sandbox.isolation import Level
from sandbox.limits import Limits
from sandbox.opt_in import Library

ModelKind: TypeAlias = Literal["program", "true", "random", "other"]
"""A program's source, the environment itself, no model and no planner, or a model that
opens itself."""

NUM_TOLERANCE_STEPS = 1_000
"""Random steps that set tolerances where there are no data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentRef:
    """An environment, by what `envs.registry.find` takes.

    Attributes:
        id: Its id.
        kwargs: Arguments of its constructor.
        changes: Its changed constants.
    """

    id: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    changes: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, spec: EnvSpec) -> "EnvironmentRef":
        """Returns the reference to an environment."""
        return cls(id=spec.id, kwargs=dict(spec.kwargs), changes=dict(spec.changes))

    def find(self) -> EnvSpec:
        """Returns the environment."""
        return find(self.id, kwargs=self.kwargs, changes=self.changes)


class OpenableModel(Protocol):
    """A world model as plain data that can be pickled; any process can open it.

    It starts from observations.
    """

    @property
    def name(self) -> str:
        """What it is called in tables; names of stand-ins say that they are some."""
        ...

    @property
    def environment_id(self) -> str:
        """The environment that it is a model of."""
        ...

    def check(self, spec: EnvSpec, *, num_processes: int = 1) -> None:
        """Makes sure, before the work, that it can be opened.

        Args:
            spec: The environment that it is to be a model of.
            num_processes: Processes that open it.

        Raises:
            ConfigError: If it cannot.
        """
        ...

    def open(self, spec: EnvSpec) -> AbstractContextManager[WorldModel]:
        """Returns the model of an environment, to be entered; its exit closes it.

        Raises:
            ConfigError: If it is no model of this environment.
            PrerequisiteError: If a package that it needs is missing.
        """
        ...

    def to_json(self) -> dict[str, Any]:
        """Returns all that decides what it predicts, as plain data."""
        ...


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What acts how in which environment.

    Attributes:
        name: What the row is called.
        environment: The environment.
        kind: What the world model is.
        source: The program, if it is one.
        is_fast: Whether it is a fast form of the program that the row is called after.
        model: The model that opens itself, if it is one.
        guide: What gives the planner a prior or a value; `None` for neither.
        planner: The planner.
        acting: How plans are carried out.
        tolerances: How far predictions may be off.
        seed: Episode `i` has the seed `child_seed(seed, "episode", i)`, whatever the
            model and the planner.
        isolation: Weakest isolation of a program that is acceptable.
        capabilities: What a program may use besides NumPy (`sandbox.opt_in`).
        limits: What a program, with the planner beside it, may use.
    """

    name: str
    environment: EnvironmentRef
    kind: ModelKind
    source: str = ""
    is_fast: bool = False
    model: OpenableModel | None = None
    guide: OpenableGuide | None = None
    planner: PlannerConfig
    acting: ActingConfig
    tolerances: Tolerances
    seed: int
    isolation: Level = "kernel"
    capabilities: tuple[Library, ...] = ()
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if (self.kind == "other") != (self.model is not None):
            raise ValueError(
                "model must be given for the kind other, and for no other, got "
                f"{self.kind!r} with {self.model!r}."
            )
        if self.kind == "random" and self.guide is not None:
            raise ValueError("Random actions take no guide, got one.")

    def episode_seed(self, index: int) -> int:
        """Returns the seed of an episode."""
        return child_seed(self.seed, "episode", index)

    @property
    def policy(self) -> str:
        """What trajectories say about who chose the actions."""
        return "random" if self.kind == "random" else f"planner-{self.planner.name}"


@contextmanager
def open_actor(setup: Setup) -> Iterator[Actor]:
    """Yields who acts; its environment, model and program are closed afterwards.

    Raises:
        ConfigError: If the planner cannot choose such actions, the environment cannot
            be a model, or a model that opens itself, or a guide, is none of this
            environment.
        PrerequisiteError: If a package that such a model or guide needs is missing.
        SandboxUnavailable: If programs cannot be run here.
    """
    spec = setup.environment.find()
    with ExitStack() as stack:
        judge = PredictionJudge(
            spec.observation_space, spec.action_space, setup.tolerances
        )
        env: SnapshotEnv
        guide: Guide | None = None
        if setup.guide is not None:
            guide = stack.enter_context(setup.guide.open(spec))
        decider: PredictingDecider | None = None
        state_of = None
        if setup.kind == "true":
            model = stack.enter_context(closing(TrueModel(spec, setup.seed)))
            # The same way to save as that of the model.
            env = open_with_snapshots(spec, setup.seed)
            stack.callback(env.close)
            decider = _model_decider(setup, spec, model, guide)
            state_of = model.state_of
        else:
            env = plain_env(spec)
            stack.callback(env.close)
            if setup.kind == "program":
                decider = _program_decider(setup, spec, guide)
            elif setup.model is not None:
                other = stack.enter_context(setup.model.open(spec))
                decider = _model_decider(setup, spec, other, guide)
        if decider is not None:
            if guide is not None:
                decider = GuidedDecider(decider, guide)
            stack.enter_context(decider)
        yield Actor(
            spec,
            env,
            decider,
            judge=judge,
            config=setup.acting,
            state_of=state_of,
            policy=setup.policy,
        )


def _model_decider(
    setup: Setup, spec: EnvSpec, model: WorldModel, guide: Guide | None
) -> ModelDecider:
    try:
        planner = guided_planner(setup.planner, spec, guide)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    return ModelDecider(planner, model)


def guided_planner(
    planner: PlannerConfig, spec: EnvSpec, guide: Guide | None
) -> Planner:
    """Returns a planner for the actions of an environment.

    Raises:
        ValueError: As `new_planner` does.
    """
    return new_planner(
        planner,
        spec.action_space,
        prior=None if guide is None else guide.prior,
        value=None if guide is None else guide.value,
    )


def _program_decider(
    setup: Setup, spec: EnvSpec, guide: Guide | None
) -> SandboxDecider | SessionDecider:
    settings = SandboxSettings(
        limits=setup.limits,
        isolation=setup.isolation,
        capabilities=setup.capabilities,
    )
    try:
        return open_decider(
            setup.source,
            observation_space=spec.observation_space,
            action_space=spec.action_space,
            planner=setup.planner,
            settings=settings,
            prior=None if guide is None else guide.prior,
            value=None if guide is None else guide.value,
        )
    except ValueError as error:
        raise ConfigError(str(error)) from error


def plain_env(spec: EnvSpec) -> SnapshotEnv:
    """Returns an environment to act in that is never saved."""
    env = spec.make()
    return SnapshotEnv(env, AttributeSnapshots(env))


def usual_tolerances(spec: EnvSpec, seed: int) -> Tolerances:
    """Returns the tolerances that random episodes set, where there are no data.

    Args:
        spec: The environment.
        seed: Seed of the episodes.
    """
    if isinstance(spec.action_space, TextSpec) and not real_leaves(
        spec.observation_space
    ):
        # Games in words: texts are compared exactly, and scores are counted.
        return Tolerances(observation={}, reward=0.0, reward_dtype="float64")
    source, env = ActionSource(spec.action_space), spec.make()
    trajectories: list[Trajectory] = []
    left = NUM_TOLERANCE_STEPS
    try:
        while left > 0:
            number = len(trajectories)
            rng = child_rng(seed, "tolerance actions", number)
            actions = [source.uniform(rng) for _ in range(left)]
            reset = child_seed(seed, "tolerances", number)
            trajectories.append(record(spec, env, actions, policy="random", seed=reset))
            left -= len(trajectories[-1])
    finally:
        env.close()
    batch = batch_trajectories(trajectories, spec.observation_space, spec.action_space)
    return Tolerances.from_batch(batch)
