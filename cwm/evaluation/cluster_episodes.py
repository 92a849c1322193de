"""Episodes on the nodes of a Ray cluster; the same as on this machine, times aside."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import Any, Protocol

from cwm.evaluation.episodes import EpisodeResult
from cwm.evaluation.parallel import OnEpisode, OnNote, crew_episodes, open_acting
from cwm.evaluation.setups import Setup
from cwm.execution.crew import Work
from cwm.execution.executor_config import ExecutorConfig
from sandbox.isolation import Level


class PlayEpisodes(Protocol):
    """Who plays the episodes of a setup."""

    def __call__(
        self,
        setup: Setup,
        num_episodes: int,
        *,
        on_note: OnNote,
        on_episode: OnEpisode,
    ) -> tuple[EpisodeResult, ...]:
        """Returns the episodes, in order."""
        ...


@contextmanager
def cluster_episodes(
    execution: ExecutorConfig,
    *,
    require: Level,
    capabilities: tuple[str, ...],
    max_workers: int | None,
    on_event: Callable[[str], None],
) -> Iterator[PlayEpisodes]:
    """Yields who plays episodes on a cluster.

    Args:
        execution: Which cluster.
        require: Weakest isolation of programs that is acceptable.
        capabilities: What programs may use besides NumPy.
        max_workers: Episodes at a time at most; `None` for one on each processor.
        on_event: Is told of nodes, and of workers that are lost.

    Raises:
        ClusterError: If no node may be used.
        ConfigError: If there is no cluster.
        PrerequisiteError: If Ray is not installed.
    """
    # Only who asks for a cluster needs the package.
    from cwm.execution.ray.cluster import connected  # noqa: PLC0415
    from cwm.execution.ray.nodes import NodeRules  # noqa: PLC0415

    rules = NodeRules(require=require, capabilities=capabilities)
    with connected(execution.ray_address, rules, on_event=on_event) as cluster:
        yield partial(_play, cluster, max_workers, on_event)


def _play(
    cluster: Any,
    max_workers: int | None,
    on_event: Callable[[str], None],
    setup: Setup,
    num_episodes: int,
    *,
    on_note: OnNote,
    on_episode: OnEpisode,
) -> tuple[EpisodeResult, ...]:
    from cwm.execution.ray.workers import ray_crew  # noqa: PLC0415

    most = num_episodes if max_workers is None else min(max_workers, num_episodes)
    crew = ray_crew(
        cluster,
        Work(open=open_acting, settings=setup),
        max_workers=most,
        on_event=on_event,
    )
    with closing(crew):
        return crew_episodes(crew, num_episodes, on_note=on_note, on_episode=on_episode)
