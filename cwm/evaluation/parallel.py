"""Several episodes at a time, each worker in a process of its own.

An episode depends on its seed and on nothing that another one did, so the result does
not depend on who plays it, times aside. One whose worker died is played again from its
first step, and all its times are those of the worker that came to the end.

Covers: what a worker raises is raised here; Ctrl-C, an error and the death of this
process end the workers, and with them the programs that they hold.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass

from cwm.core.errors import ClusterError
from cwm.evaluation.episodes import EpisodeResult
from cwm.evaluation.setups import Setup, open_actor
from cwm.execution import crew as crews
from cwm.execution.crew import Crew, Work, as_they_end
from cwm.execution.process_workers import process_crew

NOTE_INTERVAL_S = 0.25
"""Least time between two reports of where an episode stands."""


@dataclass(frozen=True, slots=True)
class StepNote:
    """Where an episode stands.

    Attributes:
        index: Which episode.
        num_steps: Steps taken.
        episode_return: Return so far.
    """

    index: int
    num_steps: int
    episode_return: float


OnNote = Callable[[StepNote], None]
OnEpisode = Callable[[EpisodeResult], None]


def run_episodes(
    setup: Setup,
    num_episodes: int,
    *,
    num_workers: int = 1,
    on_note: OnNote = lambda note: None,
    on_episode: OnEpisode = lambda episode: None,
    on_event: Callable[[str], None] = crews.ignore,
) -> tuple[EpisodeResult, ...]:
    """Returns the episodes of a setup, in order.

    Args:
        setup: What acts how.
        num_episodes: How many; at least 1.
        num_workers: Processes; with 1 everything runs in this one.
        on_note: Is told now and then where an episode stands.
        on_episode: Is told of each episode that has ended, in any order.
        on_event: Is told of workers that died, from any thread.

    Raises:
        CwmError: If a setting is wrong, the environment fails, or workers die.
        SandboxUnavailable: If programs cannot be run at all.
    """
    if num_episodes < 1 or num_workers < 1:
        raise ValueError(
            "num_episodes and num_workers must be at least 1, got "
            f"{num_episodes} and {num_workers}."
        )
    num_workers = min(num_workers, num_episodes)
    if num_workers > 1:
        work = Work(open=open_acting, settings=setup)
        with closing(process_crew(work, num_workers, on_event=on_event)) as crew:
            return crew_episodes(
                crew, num_episodes, on_note=on_note, on_episode=on_episode
            )
    episodes = []
    with open_acting(setup) as play:
        for index in range(num_episodes):
            episodes.append(play(index, on_note))
            on_episode(episodes[-1])
    return tuple(episodes)


def throttled(on_note: OnNote) -> Callable[[int, int, float], None]:
    """Returns who is told of each step, and passes on a few notes a second."""
    last = -NOTE_INTERVAL_S

    def note(index: int, num_steps: int, episode_return: float) -> None:
        nonlocal last
        now = time.perf_counter()
        if now - last >= NOTE_INTERVAL_S:
            last = now
            on_note(StepNote(index, num_steps, episode_return))

    return note


@contextmanager
def open_acting(
    setup: Setup,
) -> Iterator[Callable[[int, crews.OnNote], EpisodeResult]]:
    """Yields who plays the episode of a number; what a worker does with `Work`."""
    with open_actor(setup) as actor:

        def play(index: int, tell: crews.OnNote) -> EpisodeResult:
            seed = setup.episode_seed(index)
            return actor.run(index, seed, on_step=throttled(tell))

        yield play


def crew_episodes(
    crew: Crew[int, EpisodeResult],
    num_episodes: int,
    *,
    on_note: OnNote,
    on_episode: OnEpisode,
) -> tuple[EpisodeResult, ...]:
    """Returns episodes that a crew plays, in order.

    Raises:
        CwmError: If a setting is wrong, the environment fails, or workers are lost.
        SandboxUnavailable: If programs cannot be run at all.
    """
    found: dict[int, EpisodeResult] = {}
    for index, future in as_they_end(
        crew, range(num_episodes), on_note=lambda index, note: on_note(note)
    ):
        try:
            found[index] = future.result()
        except ClusterError as error:
            text = f"Episode {index} was not played: {error}"
            raise ClusterError(text) from error
        on_episode(found[index])
    return tuple(found[index] for index in range(num_episodes))


def mean_return(episodes: Sequence[EpisodeResult]) -> float:
    """Returns the mean return of some episodes; at least 1."""
    return sum(episode.episode_return for episode in episodes) / len(episodes)
