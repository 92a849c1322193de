"""What a task of a benchmark is: an environment, its data, and how it is played."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cwm.core.names import slug
from envs.collect import CollectConfig
from envs.registry import find
from envs.spec import EnvSpec, with_description
from planners.registry import PlannerConfig


@dataclass(frozen=True, kw_only=True)
class BenchmarkTask:
    """A task of a suite.

    Attributes:
        name: Its name in tables, unique in its suite.
        suite: Name of the suite.
        env: Id of the environment.
        env_kwargs: Keyword arguments of its constructor.
        changes: Attributes to change, as in `envs.variants.make_variant`.
        description: What a proposer is told; `None` for the class documentation.
        collect: How much data to collect.
        planner: With what a model is acted; `None` for what
            `planners.registry.default_planner` chooses.
        episodes: Episodes that a return is averaged over.
        max_steps: Steps after which these are cut off, besides the environment's own
            limit; `None` for that alone.
        notes: What to know when reading its results.
    """

    name: str
    suite: str
    env: str
    env_kwargs: Mapping[str, Any] = field(default_factory=dict)
    changes: Mapping[str, Any] = field(default_factory=dict)
    description: str | None = field(default=None, repr=False)
    collect: CollectConfig = field(default_factory=CollectConfig)
    planner: PlannerConfig | None = None
    episodes: int = 10
    max_steps: int | None = None
    notes: str = ""

    def spec(self) -> EnvSpec:
        """Returns the environment; one instance is built for it.

        Raises:
            ConfigError: If the installed Gymnasium has no such environment.
            PrerequisiteError: If a package that it needs is missing.
        """
        spec = find(self.env, kwargs=self.env_kwargs, changes=self.changes)
        if self.description is None:
            return spec
        return with_description(spec, self.description)

    @property
    def env_in_words(self) -> str:
        """Id of the environment in which rules in words are induced."""
        return self.env

    @property
    def played(self) -> str:
        """How many episodes a return is of, and how long, in words."""
        length = (
            "to their end"
            if self.max_steps is None
            else f"each of at most {self.max_steps:,} steps"
        )
        return f"{self.episodes:,} episodes, {length}"

    @property
    def slug(self) -> str:
        """The name as part of a file's name."""
        return slug(self.name)


QUICK_COLLECT = CollectConfig(
    num_trajectories=4,
    min_transitions=150,
    max_transitions=600,
    max_trajectory_length=100,
    planning_steps=200,
)
QUICK_EPISODES = 2
QUICK_STEPS = 20

FULL_EPISODES = 10
"""Episodes of a full run, at least."""


def full(task: BenchmarkTask) -> BenchmarkTask:
    """Returns the task with episodes that go on to their own end, 10 at least.

    Where the environment has no limit, that of the suite stays.

    Raises:
        PrerequisiteError: If a package that the environment needs is missing.
    """
    max_steps = task.max_steps
    if max_steps is not None and task.spec().max_episode_steps is not None:
        max_steps = None
    episodes = max(task.episodes, FULL_EPISODES)
    return replace(task, episodes=episodes, max_steps=max_steps)


def quick(task: BenchmarkTask) -> BenchmarkTask:
    """Returns the task with little data and few, short episodes, to try things out."""
    return replace(
        task,
        collect=QUICK_COLLECT,
        episodes=min(task.episodes, QUICK_EPISODES),
        max_steps=min(task.max_steps or QUICK_STEPS, QUICK_STEPS),
    )
