"""Acting in the real environment by planning in a client's program, for so long."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from cwm.core.errors import ConfigError, CwmError
from cwm.core.trajectories import Dataset
from cwm.evaluation.episodes import ActingConfig
from cwm.evaluation.parallel import run_episodes
from cwm.evaluation.setups import EnvironmentRef, Setup
from cwm.evaluation.summary import SuccessRule, Summary, summarise
from cwm.execution.isolated_jobs import Isolated, Note
from cwm.planning import EXECUTE_STEPS
from cwm.programs.tolerances import Tolerances
from envs.spec import EnvSpec
from planners.registry import PlannerConfig, default_planner
from sandbox.errors import SandboxUnavailable
from sandbox.isolation import Level
from sandbox.limits import Limits
from sandbox.opt_in import Library

PlannerChoice: TypeAlias = Literal[
    "auto", "beam", "cem", "icem", "mcts", "mppi", "random-shooting"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ActingJob:
    """Some episodes.

    Attributes:
        setup: What acts how.
        num_episodes: How many.
    """

    setup: Setup
    num_episodes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ActingDone:
    """What came of them.

    Attributes:
        summary: The figures.
        returns: Return of each episode.
    """

    summary: Summary
    returns: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Where programs of clients act.

    Attributes:
        spec: The environment.
        dataset: The recorded transitions; they set the tolerances.
        isolation: Weakest isolation of programs that is acceptable.
        capabilities: What a program may use besides NumPy.
        limits: What a program, with the planner beside it, may use.
        seed: Seed of everything random.
    """

    spec: EnvSpec
    dataset: Dataset
    isolation: Level
    capabilities: Sequence[Library]
    limits: Limits
    seed: int

    def job(
        self, source: str, *, planner: PlannerChoice, num_episodes: int, max_steps: int
    ) -> ActingJob:
        """Returns some episodes of a program.

        Raises:
            ConfigError: If the planner is not for such actions.
        """
        try:
            config = (
                default_planner(
                    self.dataset.action_space, is_stochastic=self.dataset.is_stochastic
                )
                if planner == "auto"
                else PlannerConfig(name=planner)
            )
        except ValueError as error:
            raise ConfigError(str(error)) from error
        setup = Setup(
            name="program",
            environment=EnvironmentRef.of(self.spec),
            kind="program",
            source=source,
            planner=config,
            acting=ActingConfig(
                max_steps=max_steps, execute_steps=EXECUTE_STEPS.get(config.name)
            ),
            tolerances=Tolerances.from_batch(self.dataset.batch("train")),
            seed=self.seed,
            isolation=self.isolation,
            capabilities=tuple(self.capabilities),
            limits=self.limits,
        )
        return ActingJob(setup=setup, num_episodes=num_episodes)


def act(job: ActingJob, messages: Path, *, max_seconds: float) -> ActingDone:
    """Runs episodes in a process of their own, which is ended when its time is up.

    Args:
        job: The episodes.
        messages: Where what that process prints goes.
        max_seconds: How long it may take.

    Raises:
        ConfigError: If it took longer, or a setting is wrong; the message says which.
    """
    isolated: Isolated[ActingJob, ActingDone] = Isolated(
        function=run_job,
        num_workers=1,
        messages=lambda _: messages,
        max_seconds=max_seconds,
    )
    (ended,) = isolated.run([job])
    with suppress(OSError):
        if not messages.stat().st_size:
            messages.unlink()
    if ended.result is None:
        raise ConfigError(f"plan failed: {ended.failure}")
    return ended.result


def run_job(job: ActingJob, note: Note) -> ActingDone:
    """Runs the episodes; in the process that `act` starts.

    Raises:
        CwmError: If they cannot be run.
    """
    del note
    try:
        episodes = run_episodes(job.setup, job.num_episodes)
    except (SandboxUnavailable, ValueError) as error:
        raise CwmError(str(error)) from error
    return ActingDone(
        summary=summarise(episodes, SuccessRule(threshold=None), seed=job.setup.seed),
        returns=tuple(episode.episode_return for episode in episodes),
    )
