"""Several episodes at a time, each worker in a process of its own.

An episode depends on its seed and on nothing that another one did, so the result does
not depend on the number of workers, times aside. Workers are started afresh (spawn):
a forked copy of this process would share its sandbox and its locks.

Covers: what a worker raises is raised here; Ctrl-C, an error and the death of this
process end the workers, and with them the programs that they hold.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing import connection, get_context, parent_process
from multiprocessing.connection import Connection
from typing import Any

from cwm.core.errors import CwmError, InternalError
from cwm.evaluation.episodes import EpisodeResult
from cwm.evaluation.setups import Setup, open_actor
from sandbox.errors import SandboxUnavailable

NOTE_INTERVAL_S = 0.25
"""Least time between two reports of where an episode stands."""

END_S = 5.0
"""How long a worker that was told to end may take before it is killed."""


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
) -> tuple[EpisodeResult, ...]:
    """Returns the episodes of a setup, in order.

    Args:
        setup: What acts how.
        num_episodes: How many; at least 1.
        num_workers: Processes; with 1 everything runs in this one.
        on_note: Is told now and then where an episode stands.
        on_episode: Is told of each episode that has ended, in any order.

    Raises:
        CwmError: If a setting is wrong or the environment fails.
        SandboxUnavailable: If programs cannot be run at all.
    """
    if num_episodes < 1 or num_workers < 1:
        raise ValueError(
            "num_episodes and num_workers must be at least 1, got "
            f"{num_episodes} and {num_workers}."
        )
    num_workers = min(num_workers, num_episodes)
    if num_workers > 1:
        crew = _Crew(setup, num_workers)
        try:
            return crew.run(num_episodes, on_note, on_episode)
        finally:
            crew.end()
    episodes = []
    with open_actor(setup) as actor:
        note = throttled(on_note)
        for index in range(num_episodes):
            seed = setup.episode_seed(index)
            episodes.append(actor.run(index, seed, on_step=note))
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


class _Crew:
    """The workers of one setup."""

    def __init__(self, setup: Setup, num_workers: int) -> None:
        context = get_context("spawn")
        self._workers: list[Any] = []
        self._pipes: list[Connection] = []
        try:
            for _ in range(num_workers):
                ours, theirs = context.Pipe()
                worker = context.Process(
                    target=_work, args=(setup, theirs), daemon=True
                )
                self._pipes.append(ours)
                worker.start()
                self._workers.append(worker)
                theirs.close()
        except BaseException:
            self.end()
            raise

    def run(
        self, num_episodes: int, on_note: OnNote, on_episode: OnEpisode
    ) -> tuple[EpisodeResult, ...]:
        """Hands out episodes to whoever is idle; returns all of them in order."""
        found: dict[int, EpisodeResult] = {}
        waiting = iter(range(num_episodes))
        for pipe in self._pipes:
            pipe.send(next(waiting, None))
        while len(found) < num_episodes:
            for ready in connection.wait(self._pipes):
                assert isinstance(ready, Connection), "only pipes are waited for"
                message = self._received(ready)
                if isinstance(message, StepNote):
                    on_note(message)
                    continue
                if isinstance(message, BaseException):
                    raise message
                found[message.index] = message
                on_episode(message)
                ready.send(next(waiting, None))
        return tuple(found[index] for index in range(num_episodes))

    @staticmethod
    def _received(pipe: Connection) -> Any:
        try:
            return pipe.recv()
        except EOFError as error:
            raise InternalError(
                "A process that runs episodes ended without a word. This is a bug in "
                "cwm.evaluation, or the machine is short of memory."
            ) from error

    def end(self) -> None:
        """Ends the workers, whatever they do."""
        for pipe in self._pipes:
            pipe.close()
        for worker in self._workers:
            worker.terminate()
        deadline = time.monotonic() + END_S
        for worker in self._workers:
            worker.join(max(0.0, deadline - time.monotonic()))
            if worker.is_alive():
                worker.kill()
                worker.join()


def _work(setup: Setup, pipe: Connection) -> None:
    """Runs episodes until there are none left; the main function of a worker."""
    # Ctrl-C reaches every process of a terminal; the first one tells the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    threading.Thread(target=_follow_parent, daemon=True).start()
    try:
        with open_actor(setup) as actor:
            note = throttled(pipe.send)
            while (index := pipe.recv()) is not None:
                pipe.send(actor.run(index, setup.episode_seed(index), on_step=note))
            # An idle worker stays until it is told to end.
            pipe.poll(None)
    except (CwmError, SandboxUnavailable) as error:
        pipe.send(error)
        pipe.poll(None)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


def _leave(number: int, frame: object) -> None:
    """Ends this process so that what it opened is closed."""
    raise SystemExit(128 + number)


def _follow_parent() -> None:
    """Ends this process when the one that started it has died."""
    parent = parent_process()
    assert parent is not None, "a worker has a parent"
    connection.wait([parent.sentinel])
    os.kill(os.getpid(), signal.SIGTERM)


def mean_return(episodes: Sequence[EpisodeResult]) -> float:
    """Returns the mean return of some episodes; at least 1."""
    return sum(episode.episode_return for episode in episodes) / len(episodes)
